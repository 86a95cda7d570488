package caddymodule

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/google/uuid"

	"github.com/modicum-proxy/modicum/internal/consent"
	"github.com/modicum-proxy/modicum/internal/consent/freshness"
	"github.com/modicum-proxy/modicum/internal/consent/service"
	"github.com/modicum-proxy/modicum/internal/minimize"
	"github.com/modicum-proxy/modicum/internal/pages"
	"github.com/modicum-proxy/modicum/internal/subject"
)

// Evidence says what is kept as proof of choices.
type Evidence struct {
	// IP is what is kept of the client's address: `off`, `truncated` to /24
	// or /48, or `full`. Default: off.
	IP string `json:"ip,omitempty"`
	// Keep is how long what was withdrawn, refused or has ended is kept as
	// proof. Default: 3y.
	Keep caddy.Duration `json:"keep,omitempty"`
	// KeepIP is how long the address is kept. Default: 2160h, 90 days.
	KeepIP caddy.Duration `json:"keep_ip,omitempty"`
}

// defaultKeep is the regular limitation period of German law (BGB § 195),
// and that of Russian law (ГК РФ ст. 196).
const defaultKeep = caddy.Duration(3 * 366 * 24 * time.Hour)

func (e *Evidence) provision() error {
	setDefault(&e.IP, "off")
	setDefault(&e.Keep, defaultKeep)
	setDefault(&e.KeepIP, caddy.Duration(90*24*time.Hour))
	switch e.IP {
	case "off", "truncated", "full":
		return nil
	}
	return fmt.Errorf("ip %q: expected off, truncated or full", e.IP)
}

// registries holds the open stores of all loaded configurations: a reload loads
// the new one before it unloads the old one, and a store has one owner.
var registries = caddy.NewUsagePool()

// liveRegistry is a store in use.
type liveRegistry struct {
	*freshness.Registry

	key     string // in the pool
	log     *slog.Logger
	logs    *reloadedLog // what log writes to
	once    sync.Once
	stop    context.CancelFunc
	running sync.WaitGroup
	// users counts the requests that may use the store, and the pool as one
	// more. At 0 the store is closed.
	users atomic.Int64

	mu     sync.Mutex
	beside *subject.Keys // of the file beside the store; nil if not used yet
	terms  freshness.Terms
}

// acquireRegistry returns the store from the pool; it is not opened yet.
func (a *App) acquireRegistry() (*liveRegistry, error) {
	if a.Evidence == nil {
		a.Evidence = new(Evidence)
	}
	if err := a.Evidence.provision(); err != nil {
		return nil, fmt.Errorf("evidence: %w", err)
	}
	var named struct{ Engine string }
	if err := json.Unmarshal(a.StoreRaw, &named); err != nil || named.Engine == "" {
		return nil, errors.New(`store: expected an object with "engine": "sqlite" or "postgres"; to store nothing, leave "store" out`)
	}
	module, err := a.ctx.LoadModule(a, "StoreRaw")
	if err != nil {
		return nil, err
	}
	a.storeModule = module.(Store)
	keys, write, missing := a.consentKeys()
	if missing != nil && !errors.Is(missing, subject.ErrKeyMissing) {
		return nil, fmt.Errorf("consent_key: %w", missing)
	}
	id := a.storeModule.ID()
	value, loaded, err := registries.LoadOrNew(id, func() (caddy.Destructor, error) {
		if missing != nil {
			return nil, missing
		}
		return newLiveRegistry(id, a.storeModule, keys, write, a.ctx.Slogger())
	})
	if err != nil {
		return nil, err
	}
	l := value.(*liveRegistry)
	if a.keys = keys; a.ConsentKey == nil {
		if a.keys, err = l.keysBeside(keys, loaded, missing); err != nil {
			_, _ = registries.Delete(id) // another configuration still uses it
			return nil, err
		}
	}
	return l, nil
}

// newLiveRegistry returns a registry of a store that is opened later. Before
// that, write stores a new key.
func newLiveRegistry(id string, module Store, keys *subject.Keys, write func() error, log *slog.Logger) (*liveRegistry, error) {
	l := &liveRegistry{key: id, logs: newReloadedLog(log)}
	l.log = slog.New(l.logs)
	var err error
	l.Registry, err = freshness.NewRegistry(freshness.Options{
		Open: func(ctx context.Context) (consent.Store, error) {
			if err := write(); err != nil {
				return nil, err
			}
			store, err := module.Open(ctx, l.log)
			if err != nil {
				return nil, err
			}
			if err := keys.Check(ctx, store); err != nil {
				return nil, errors.Join(err, store.Close())
			}
			return store, nil
		},
		Lease: lease(module), Count: counters.recordConsent, Log: l.log,
	})
	l.users.Store(1)
	return l, err
}

// lease returns the lease of a store; 0 if it has none.
func lease(module Store) time.Duration {
	if p, ok := module.(*Postgres); ok {
		return time.Duration(p.Lease)
	}
	return 0
}

// keysBeside returns the keys of the file beside the store. If the file was lost
// while the store is in use, the keys are still in memory.
func (l *liveRegistry) keysBeside(keys *subject.Keys, loaded bool, missing error) (*subject.Keys, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case missing == nil:
		l.beside = keys
	case loaded && l.beside != nil:
		l.log.Error("the next start will be refused", "error", missing)
	default:
		return nil, missing
	}
	return l.beside, nil
}

// consentKeys returns the keys, and a function that writes a new one before
// the store is used.
func (a *App) consentKeys() (*subject.Keys, func() error, error) {
	if a.ConsentKey != nil {
		data, err := a.ConsentKey.read()
		if err != nil {
			return nil, nil, err
		}
		keys, err := subject.ParseKeys(data)
		return keys, func() error { return nil }, err
	}
	if a.storeModule.File() == "" {
		return nil, nil, errors.New("a store of several proxies needs a key that they share: consent_key file <path>, made with `openssl rand -hex 32`")
	}
	return subject.KeysBeside(a.storeModule.File())
}

// start opens the store, and deletes old evidence from time to time. A store that
// does not answer does not keep the site from starting; one that is refused does.
// From now on it logs to log.
func (l *liveRegistry) start(terms freshness.Terms, log *slog.Logger) error {
	l.logs.add(log)
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if _, err := l.Store(ctx); err != nil && !errors.Is(err, consent.ErrUnreachable) && !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	l.mu.Lock()
	l.terms = terms
	l.mu.Unlock()
	l.once.Do(func() {
		var ctx context.Context
		ctx, l.stop = context.WithCancel(context.Background())
		l.running.Go(func() { l.Keep(ctx, l.evidence, l.log) })
	})
	return nil
}

// evidence returns how long evidence is kept.
func (l *liveRegistry) evidence() freshness.Terms {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.terms
}

// begin keeps the store open until end. Every request calls it, also for static
// files, so that neither waits for a lock.
func (l *liveRegistry) begin() { l.users.Add(1) }

func (l *liveRegistry) end() {
	if l.users.Add(-1) > 0 {
		return
	}
	if err := l.Close(); err != nil {
		l.log.Error("closing the consent store", "error", err)
	}
}

// Destruct closes the store when the last request that may use it is over.
func (l *liveRegistry) Destruct() error {
	l.once.Do(func() {})
	if l.stop != nil {
		l.stop()
	}
	l.running.Wait()
	l.end()
	return nil
}

// newEventID returns ids of events.
func newEventID() uuid.UUID { return uuid.Must(uuid.NewV7()) }

// Interface guards.
var (
	_ caddy.Destructor  = (*liveRegistry)(nil)
	_ minimize.Consents = (*service.Service)(nil)
	_ pages.Consents    = (*service.Service)(nil)
)
