package caddymodule

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/fsnotify/fsnotify"
	"go.uber.org/zap"

	"github.com/modicum-proxy/modicum/internal/minimize"
	"github.com/modicum-proxy/modicum/internal/policy"
)

const (
	defaultPollInterval = 5 * time.Second
	// settleTime is how long it may take to write a file: editors do it in
	// several steps.
	settleTime = 50 * time.Millisecond
)

// pool holds the policies of all configurations that are loaded, old and
// new: a reload overlaps them.
var pool = caddy.NewUsagePool()

// livePolicy is a policy set that follows its files: a changed, valid set is
// put in force in place, an invalid one is refused and the old one stays.
type livePolicy struct {
	*minimize.Policies
	key   string // in the pool: the files, their content, the pseudonym key, and how they are followed
	files []string
	poll  time.Duration

	watchOnce sync.Once
	cancel    context.CancelFunc
	watching  sync.WaitGroup

	// read reads files; that of tests is slow.
	read func(patterns ...string) ([]policy.Source, error)
	// refreshing is held from when the files are read until they are in
	// force: what was read last stays. It comes before mu, which is not held
	// while a file system is waited for.
	refreshing sync.Mutex

	mu     sync.Mutex
	logger *zap.Logger // of the configuration that started last: the logs of others are closed
	digest string      // of the files as last read, valid or not
	status policyStatus
}

// policyStatus is what the admin endpoint tells of a policy.
type policyStatus struct {
	Files   []string  `json:"files"`
	Version string    `json:"version"`
	Loaded  time.Time `json:"loaded"`
	// Error says why the files as they are now are not in force.
	Error string `json:"error,omitempty"`
}

// acquirePolicy returns the policy of files from the pool, read and checked
// when it is not there.
func acquirePolicy(files []string, key []byte, logger *zap.Logger, poll caddy.Duration) (*livePolicy, error) {
	sources, err := policy.ReadFiles(files...)
	if err != nil {
		return nil, err
	}
	digest := policy.Digest(sources)
	keyDigest := sha256.Sum256(key)
	poolKey := strings.Join(append(slices.Clip(files), digest, hex.EncodeToString(keyDigest[:]), time.Duration(poll).String()), "\x00")
	value, loaded, err := pool.LoadOrNew(poolKey, func() (caddy.Destructor, error) {
		set, err := compile(sources, logger)
		if err != nil {
			return nil, err
		}
		holder, err := minimize.NewPolicies(set, key)
		if err != nil {
			return nil, err
		}
		return &livePolicy{
			Policies: holder, key: poolKey, files: files, read: policy.ReadFiles,
			logger: logger, poll: time.Duration(poll), digest: digest,
			status: policyStatus{Files: files, Version: set.Version, Loaded: time.Now()},
		}, nil
	})
	if err != nil {
		return nil, err
	}
	p := value.(*livePolicy)
	if loaded {
		p.refresh(context.Background()) // what is in force may be newer than what its key says
	}
	return p, nil
}

// compile compiles sources, and logs what is legal but odd.
func compile(sources []policy.Source, logger *zap.Logger) (*policy.Set, error) {
	set, diagnostics := policy.Compile(sources...)
	if err := diagnostics.Err(); err != nil {
		return nil, fmt.Errorf("the policy is not valid:\n%w", err)
	}
	for _, d := range diagnostics {
		logger.Warn(d.Message, zap.String("at", d.Position.String()), zap.String("code", d.Code), zap.String("hint", d.Hint))
	}
	return set, nil
}

// watch begins to follow the files, and to tell logger of it.
func (p *livePolicy) watch(logger *zap.Logger) {
	p.mu.Lock()
	p.logger = logger
	p.mu.Unlock()
	p.watchOnce.Do(func() {
		var ctx context.Context
		ctx, p.cancel = context.WithCancel(context.Background())
		notices, err := fsnotify.NewWatcher()
		if err != nil {
			logger.Warn("watching the policy files: only polling them", zap.Error(err))
		} else {
			dirs := map[string]bool{}
			for _, file := range p.files {
				dirs[filepath.Dir(file)] = true
			}
			for dir := range dirs {
				if err := notices.Add(dir); err != nil {
					logger.Warn("watching the policy files: only polling them", zap.String("directory", dir), zap.Error(err))
				}
			}
		}
		p.watching.Go(func() { p.follow(ctx, notices) })
	})
}

// follow looks at the files when the file system tells of a change, and
// every now and then.
func (p *livePolicy) follow(ctx context.Context, notices *fsnotify.Watcher) {
	var events chan fsnotify.Event
	var lost chan error
	if notices != nil {
		defer notices.Close() //nolint:errcheck // nothing is left to do
		events, lost = notices.Events, notices.Errors
	}
	ticker := time.NewTicker(p.poll)
	defer ticker.Stop()
	p.refresh(ctx) // they may have changed since they were read
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			if !p.changed(ctx) {
				continue
			}
			if !settle(ctx, events, lost) {
				return
			}
		case <-lost: //nolint:errcheck // so many notices came that some were lost
		case <-events:
			if !settle(ctx, events, lost) {
				return
			}
		}
		p.refresh(ctx)
	}
}

// changed tells whether the files are others than those that were read last.
func (p *livePolicy) changed(ctx context.Context) bool {
	sources, err := p.sources(ctx)
	p.mu.Lock()
	defer p.mu.Unlock()
	return err != nil || policy.Digest(sources) != p.digest
}

// settle waits until whoever writes a file is done. It is false when ctx is.
func settle(ctx context.Context, events chan fsnotify.Event, lost chan error) bool {
	settled := time.After(settleTime)
	for {
		select {
		case <-ctx.Done():
			return false
		case <-events:
		case <-lost: //nolint:errcheck // as above
		case <-settled:
			return true
		}
	}
}

// sources reads the files, unless ctx is done before they are read. No call
// ends the wait for a file system that does not answer, as one of a network
// may not: whatever waits then is left behind, and ends by itself.
func (p *livePolicy) sources(ctx context.Context) ([]policy.Source, error) {
	read := make(chan struct{})
	var found []policy.Source
	var problem error
	go func() {
		defer close(read)
		found, problem = p.read(p.files...)
	}()
	select {
	case <-read:
		return found, problem
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// refresh puts the files in force when they changed and are valid.
func (p *livePolicy) refresh(ctx context.Context) {
	p.refreshing.Lock()
	defer p.refreshing.Unlock()
	sources, err := p.sources(ctx)
	if ctx.Err() != nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	digest := ""
	if err == nil {
		digest = policy.Digest(sources)
	}
	if err == nil && digest == p.digest || err != nil && p.status.Error == err.Error() {
		return
	}
	p.digest = digest
	var set *policy.Set
	if err == nil {
		set, err = compile(sources, p.logger)
	}
	if err == nil {
		err = p.Swap(set)
	}
	if err != nil {
		p.status.Error = err.Error()
		p.logger.Error("the changed policy is refused; the old one stays in force", zap.Strings("files", p.files), zap.String("version", p.status.Version), zap.Error(err))
		return
	}
	p.status.Error, p.status.Version, p.status.Loaded = "", set.Version, time.Now()
	p.logger.Info("a changed policy is in force", zap.Strings("files", p.files), zap.String("version", set.Version))
}

// state returns what there is to tell of the policy.
func (p *livePolicy) state() policyStatus {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.status
}

// Destruct ends the watching. Requests in flight keep their set.
func (p *livePolicy) Destruct() error {
	p.watchOnce.Do(func() {})
	if p.cancel != nil {
		p.cancel()
	}
	p.watching.Wait()
	p.Close()
	return nil
}

var _ caddy.Destructor = (*livePolicy)(nil)
