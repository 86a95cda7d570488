package caddymodule

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/modicum-proxy/modicum/internal/consent"
	"github.com/modicum-proxy/modicum/internal/consent/freshness"
	"github.com/modicum-proxy/modicum/internal/consent/service"
	"github.com/modicum-proxy/modicum/internal/minimize"
	"github.com/modicum-proxy/modicum/internal/pages"
	"github.com/modicum-proxy/modicum/internal/store/postgres"
	"github.com/modicum-proxy/modicum/internal/store/sqlite"
	"github.com/modicum-proxy/modicum/internal/subject"
)

// Store says where the choices of people are kept.
type Store struct {
	// Engine is `sqlite`, for one machine, or `postgres`, for one and more.
	Engine string `json:"engine,omitempty"`
	// Path is the file of SQLite. It is made when it is missing.
	Path string `json:"path,omitempty"`
	// DSN is how PostgreSQL is reached, as libpq takes it. What is secret in
	// it comes from a placeholder: `{env.MODICUM_DSN}`, `{file./run/secrets/dsn}`.
	DSN string `json:"dsn,omitempty"`
	// Lease is how long a proxy may decide by what it read last, for a
	// PostgreSQL that is far away. A withdrawal is answered when it is over.
	// Default: 0, every decision waits for a read.
	Lease caddy.Duration `json:"lease,omitempty"`
	// Unsafe accepts a PostgreSQL that can lose what it acknowledged.
	// Default: false.
	Unsafe bool `json:"unsafe,omitempty"`
}

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

// registries holds the open stores of all configurations that are loaded: a
// reload overlaps them, and a store has one owner.
var registries = caddy.NewUsagePool()

// liveRegistry is a store in use.
type liveRegistry struct {
	*freshness.Registry

	key     string // in the pool
	log     *slog.Logger
	once    sync.Once
	stop    context.CancelFunc
	running sync.WaitGroup

	mu     sync.Mutex
	beside *subject.Keys   // those of the file beside the store; nil: they were not used yet
	terms  freshness.Terms // of evidence
	users  int             // requests that may use it yet
	closed bool
}

// acquireRegistry returns the store from the pool; it is not opened yet.
func (a *App) acquireRegistry() (*liveRegistry, error) {
	if a.Evidence == nil {
		a.Evidence = new(Evidence)
	}
	if err := a.Evidence.provision(); err != nil {
		return nil, fmt.Errorf("evidence: %w", err)
	}
	open, id, err := a.Store.opener(a.ctx.Slogger())
	if err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	keys, write, missing := a.consentKeys()
	if missing != nil && !errors.Is(missing, subject.ErrKeyMissing) {
		return nil, fmt.Errorf("consent_key: %w", missing)
	}
	value, loaded, err := registries.LoadOrNew(id, func() (caddy.Destructor, error) {
		if missing != nil {
			return nil, missing
		}
		registry, err := freshness.NewRegistry(freshness.Options{
			Open: func(ctx context.Context) (consent.Store, error) {
				if err := write(); err != nil {
					return nil, err
				}
				store, err := open(ctx)
				if err != nil {
					return nil, err
				}
				if err := keys.Check(ctx, store); err != nil {
					return nil, errors.Join(err, store.Close())
				}
				return store, nil
			},
			Lease: time.Duration(a.Store.Lease), Count: counters.recordConsent, Log: a.ctx.Slogger(),
		})
		if err != nil {
			return nil, err
		}
		return &liveRegistry{Registry: registry, key: id, log: a.ctx.Slogger()}, nil
	})
	if err != nil {
		return nil, err
	}
	l := value.(*liveRegistry)
	if a.keys = keys; a.ConsentKey == nil {
		if a.keys, err = l.keysBeside(keys, loaded, missing); err != nil {
			_, _ = registries.Delete(id) // which somebody else still uses
			return nil, err
		}
	}
	return l, nil
}

// keysBeside returns the keys of the file beside the store. When it was lost
// while the store is in use, they are still known.
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

// opener returns how the store is opened, and what it is.
func (s *Store) opener(log *slog.Logger) (open func(context.Context) (consent.Store, error), id string, err error) {
	switch s.Engine {
	case "sqlite":
		if s.Path == "" {
			return nil, "", errors.New("sqlite needs a path")
		}
		path := s.file()
		return func(ctx context.Context) (consent.Store, error) {
			return sqlite.Open(ctx, sqlite.Options{Path: path, Log: log})
		}, "sqlite " + path, nil
	case "postgres":
		dsn, err := s.resolveDSN()
		if err != nil {
			return nil, "", err
		}
		if _, err := pgconn.ParseConfig(dsn); err != nil {
			return nil, "", fmt.Errorf("dsn: %w", err) // the error shows it without its password
		}
		sum := sha256.Sum256([]byte(dsn))
		options := postgres.Options{DSN: dsn, Lease: time.Duration(s.Lease), Unsafe: s.Unsafe, Logger: log}
		return func(ctx context.Context) (consent.Store, error) { return postgres.Open(ctx, options) },
			fmt.Sprintf("postgres %s %d %t", hex.EncodeToString(sum[:]), s.Lease, s.Unsafe), nil
	}
	return nil, "", fmt.Errorf("engine %q: expected sqlite or postgres", s.Engine)
}

// file returns the one name of the file of SQLite: a reload may name it
// otherwise, and must not find it locked by ourselves.
func (s *Store) file() string {
	if path, err := sqlite.Resolve(s.Path); err == nil {
		return path
	}
	return s.Path // opening it says what is wrong
}

// resolveDSN fills in the placeholders. A password has to come from one.
func (s *Store) resolveDSN() (string, error) {
	if s.DSN == "" {
		return "", errors.New("postgres needs a dsn: dsn {env.MODICUM_DSN}")
	}
	if err := checkDSN(s.DSN); err != nil {
		return "", err
	}
	dsn, err := caddy.NewReplacer().ReplaceOrErr(s.DSN, true, true)
	if err != nil {
		return "", fmt.Errorf("dsn: %w", err)
	}
	return strings.TrimSpace(dsn), nil
}

// A password in a connection string, as an address or as words, which does
// not begin with a placeholder.
var (
	placeholders    = regexp.MustCompile(`\{[^{}]*\}`)
	literalPassword = regexp.MustCompile(`://[^/?@]*:[^{/?@][^/?@]*@|(?i:password)\s*=\s*'?[^\s'&{]`)
)

// checkDSN refuses a connection string that holds a password itself.
func checkDSN(dsn string) error {
	if literalPassword.MatchString(placeholders.ReplaceAllString(dsn, "{}")) {
		return errors.New("the dsn holds a password: write dsn {env.MODICUM_DSN} and set that variable, a secret is never written into the configuration")
	}
	return nil
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
	if a.Store.Engine != "sqlite" {
		return nil, nil, errors.New("a store of several proxies needs a key that they share: consent_key file <path>, made with `openssl rand -hex 32`")
	}
	return subject.KeysBeside(a.Store.file())
}

// start opens the store and ends what has reached its term, now and then. A
// store that does not answer does not keep the site from starting; one that
// we refuse does.
func (l *liveRegistry) start(terms freshness.Terms) error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := l.Open(ctx); err != nil && !transient(err) {
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

// evidence returns how long it is kept.
func (l *liveRegistry) evidence() freshness.Terms {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.terms
}

// transient tells whether a store may yet answer.
func transient(err error) bool {
	var unreachable *pgconn.ConnectError
	var broken *net.OpError
	var ended *pgconn.PgError
	return errors.As(err, &unreachable) || errors.As(err, &broken) ||
		errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, context.DeadlineExceeded) ||
		errors.As(err, &ended) && ended.SeverityUnlocalized == "FATAL" // the session, not what was asked
}

// begin keeps the store open for a request; end lets it go.
func (l *liveRegistry) begin() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.users++
}

func (l *liveRegistry) end() {
	l.mu.Lock()
	l.users--
	last := l.closed && l.users == 0
	l.mu.Unlock()
	if last {
		l.close()
	}
}

// Destruct closes the store when the last request that may use it is over.
func (l *liveRegistry) Destruct() error {
	l.once.Do(func() {})
	if l.stop != nil {
		l.stop()
	}
	l.running.Wait()
	l.mu.Lock()
	l.closed = true
	idle := l.users == 0
	l.mu.Unlock()
	if idle {
		l.close()
	}
	return nil
}

func (l *liveRegistry) close() {
	if err := l.Close(); err != nil {
		l.log.Error("closing the consent store", "error", err)
	}
}

// newEventID returns ids of events.
func newEventID() uuid.UUID { return uuid.Must(uuid.NewV7()) }

// Interface guards.
var (
	_ caddy.Destructor  = (*liveRegistry)(nil)
	_ minimize.Consents = (*service.Service)(nil)
	_ pages.Consents    = (*service.Service)(nil)
)
