package caddymodule

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
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
	// writeTime is how long an editor may take to write a file, which it does in
	// several steps.
	writeTime = 50 * time.Millisecond
)

// pool holds the policies of all loaded configurations: a reload loads the new one
// before it unloads the old one.
var pool = caddy.NewUsagePool()

// livePolicy is a policy set that follows its files. When they change, a valid set
// replaces the one in force; an invalid set is refused.
type livePolicy struct {
	*minimize.Policies
	key   string // in the pool: the files, their content, the pseudonym key, and the poll interval
	files []string
	poll  time.Duration

	watchOnce sync.Once
	cancel    context.CancelFunc
	watching  sync.WaitGroup

	// readFiles is [policy.ReadFiles], except in tests.
	readFiles func(patterns ...string) ([]policy.Source, error)
	// refreshing is held while the files are read and put in force, so that the
	// last files read stay in force. It is locked before mu, which is never held
	// during a read: a file system may not answer.
	refreshing sync.Mutex

	mu     sync.Mutex
	logger *zap.Logger // of the configuration that started last: older ones may be closed
	digest string      // of the files as last read, valid or not
	status policyStatus
	// required are the fields by which the sites of each app identify people.
	// A set without one of them is refused.
	required map[*App][]string
}

// policyStatus is what the admin endpoint reports about a policy.
type policyStatus struct {
	Files   []string  `json:"files"`
	Version string    `json:"version"`
	Loaded  time.Time `json:"loaded"`
	// Error says why the current files are not in force; empty if they are.
	Error string `json:"error,omitempty"`
}

// acquirePolicy returns the policy of files from the pool. If it is not there, it
// is read and compiled.
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
			Policies: holder, key: poolKey, files: files, readFiles: policy.ReadFiles,
			logger: logger, poll: time.Duration(poll), digest: digest,
			required: map[*App][]string{},
			status:   policyStatus{Files: files, Version: set.Version, Loaded: time.Now()},
		}, nil
	})
	if err != nil {
		return nil, err
	}
	p := value.(*livePolicy)
	if loaded {
		p.refresh(context.Background()) // the pool may hold a later policy than that of its key
	}
	return p, nil
}

// compile compiles sources, and logs warnings.
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

// watch starts to follow the files, and to log to logger.
func (p *livePolicy) watch(logger *zap.Logger) {
	p.mu.Lock()
	p.logger = logger
	p.mu.Unlock()
	p.watchOnce.Do(func() {
		var ctx context.Context
		ctx, p.cancel = context.WithCancel(context.Background())
		watcher, err := fsnotify.NewWatcher()
		if err != nil {
			logger.Warn("watching the policy files: only polling them", zap.Error(err))
			p.watching.Go(func() { p.follow(ctx, nil, nil) })
			return
		}
		// The directory has to be watched: editors replace a file.
		dirs := map[string]bool{}
		for _, file := range p.files {
			dirs[filepath.Dir(file)] = true
		}
		for dir := range dirs {
			if err := watcher.Add(dir); err != nil {
				logger.Warn("watching the policy files: only polling them", zap.String("directory", dir), zap.Error(err))
			}
		}
		p.watching.Go(func() {
			defer watcher.Close() //nolint:errcheck // nothing can be done about it
			p.follow(ctx, watcher.Events, watcher.Errors)
		})
	})
}

// follow reads the files again when the file system reports a change of them, and
// at every poll interval.
func (p *livePolicy) follow(ctx context.Context, events <-chan fsnotify.Event, errors <-chan error) {
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
		case <-errors: //nolint:errcheck // so many events arrived that some were lost
		case event := <-events:
			if !p.concerns(event) {
				continue
			}
		}
		if !awaitWriter(ctx, events, errors) {
			return
		}
		p.refresh(ctx)
	}
}

// concerns reports whether an event of a watched directory may change the files.
// Other names are ignored: a database beside the policy is written all the time.
func (p *livePolicy) concerns(event fsnotify.Event) bool {
	name := filepath.Base(event.Name)
	if name == "..data" { // Kubernetes replaces this link to change a ConfigMap
		return true
	}
	return slices.ContainsFunc(p.files, func(pattern string) bool {
		if link, err := os.Readlink(pattern); err == nil && strings.HasPrefix(link+"/", name+"/") {
			return true // privacy.yaml is a link to current/privacy.yaml, and current is replaced
		}
		matched, _ := filepath.Match(filepath.Base(pattern), name)
		return matched || name == filepath.Base(pattern) || filepath.Clean(event.Name) == filepath.Dir(pattern)
	})
}

// changed reports whether the files differ from those that were read last.
func (p *livePolicy) changed(ctx context.Context) bool {
	sources, err := p.sources(ctx)
	p.mu.Lock()
	defer p.mu.Unlock()
	return err != nil || policy.Digest(sources) != p.digest
}

// awaitWriter waits until an editor has had the time to write its files, and
// discards the events of that time. It returns false if ctx is done.
func awaitWriter(ctx context.Context, events <-chan fsnotify.Event, errors <-chan error) bool {
	written := time.After(writeTime)
	for {
		select {
		case <-ctx.Done():
			return false
		case <-events:
		case <-errors: //nolint:errcheck // as in follow
		case <-written:
			return true
		}
	}
}

// sources reads the files, or returns the error of ctx if that is done earlier.
// Nothing can cancel a read from a file system that does not answer, such as that
// of a network: the goroutine is abandoned, and ends when the read does.
func (p *livePolicy) sources(ctx context.Context) ([]policy.Source, error) {
	var sources []policy.Source
	var err error
	read := make(chan struct{})
	go func() {
		defer close(read)
		sources, err = p.readFiles(p.files...)
	}()
	select {
	case <-read:
		return sources, err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// refresh puts the files in force if they have changed and are valid.
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
	for _, fields := range p.required {
		if err == nil {
			err = declaresAll(set, fields...)
		}
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

// require returns an error if the policy does not declare a field by which a site
// of app identifies people. Until app releases p, a set without it is refused.
func (p *livePolicy) require(app *App, field string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := declaresAll(p.Load(), field); err != nil {
		return err
	}
	p.required[app] = append(p.required[app], field)
	return nil
}

func (p *livePolicy) release(app *App) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.required, app)
}

// declaresAll returns an error if a field is in no collection of set.
func declaresAll(set *policy.Set, fields ...string) error {
	for _, field := range fields {
		if !slices.ContainsFunc(set.Collections, func(c *policy.Collection) bool {
			return slices.ContainsFunc(c.Fields, func(f policy.Field) bool { return f.Name == field })
		}) {
			return fmt.Errorf("subject field %s: no collection of the policy has a field of that name", field)
		}
	}
	return nil
}

func (p *livePolicy) state() policyStatus {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.status
}

// Destruct stops following the files. Requests in flight keep their set.
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
