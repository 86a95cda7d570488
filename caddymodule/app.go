// Package caddymodule adapts the engine to Caddy: the app, the handler, the
// Caddyfile, telemetry and the admin endpoint. It decides nothing about a
// submission.
package caddymodule

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"

	"github.com/modicum-proxy/modicum/internal/consent/freshness"
	"github.com/modicum-proxy/modicum/internal/regular"
	"github.com/modicum-proxy/modicum/internal/subject"
)

func init() {
	caddy.RegisterModule(new(App))
}

// App contains what the sites share: the policy of those that name none, the key
// of pseudonyms, and the consent store.
type App struct {
	// Policy names the files of the policy set that sites use unless they
	// name their own: regular files of at most 1 MiB; globs are allowed.
	Policy []string `json:"policy,omitempty"`
	// PolicyDigest is the SHA-256 of the files' content when the Caddyfile
	// was adapted. It lets Caddy notice in a reload that they have changed.
	PolicyDigest string `json:"policy_digest,omitempty"`
	// PseudonymKey says where the key of the fields that keep a pseudonym is.
	// It must have at least 16 bytes.
	PseudonymKey *Secret `json:"pseudonym_key,omitempty"`
	// PollInterval is how often the policy files are read, for file systems
	// that report no changes, such as those of a network. Default: 5s.
	PollInterval caddy.Duration `json:"poll_interval,omitempty"`

	// StoreRaw is where the choices of people are stored: "engine" is `sqlite` or
	// `postgres`, and the other members are the options of that module. `null` and
	// options of another module are refused. Default: none, a consent counts for the
	// submission that carries it.
	StoreRaw json.RawMessage `json:"store,omitempty" caddy:"namespace=minimize.stores inline_key=engine"`
	// ConsentKey says where the keys are that make pseudonyms of people and sign
	// our cookie: one on a line, the current one first, each of at least 16
	// bytes. Default: a file beside the SQLite store, created if missing.
	ConsentKey *Secret `json:"consent_key,omitempty"`
	// Evidence says what is stored as proof of choices.
	Evidence *Evidence `json:"evidence,omitempty"`
	// Languages is a directory with languages of the pages in addition to
	// English and Russian. Default: none.
	Languages string `json:"languages,omitempty"`

	ctx         caddy.Context
	logger      *zap.Logger
	key         []byte
	metrics     *metrics
	policies    []*livePolicy // in use by the sites; one that several sites use is listed for each
	store       *liveRegistry // nil if none is configured
	storeModule Store         // nil: as above
	storeLog    *slog.Logger  // that the store was given; nil: it was not started
	keys        *subject.Keys // of the pseudonyms in store
	started     bool
	mu          sync.Mutex // guards policies, store and started

	warnOnce sync.Once // about bypasses
}

// maxNamedFile bounds in bytes each file of keys or languages. Policies have their
// own limit.
const maxNamedFile = 1 << 20

// Secret says where a secret is. It cannot be part of the configuration.
type Secret struct {
	// File is a regular file of at most 1 MiB that contains the secret. A line
	// end at its end is ignored.
	File string `json:"file,omitempty"`
	// Env is the name of the environment variable that contains the secret.
	Env string `json:"env,omitempty"`
}

func (s *Secret) read() ([]byte, error) {
	switch {
	case s.File != "" && s.Env != "":
		return nil, fmt.Errorf("a secret comes from a file or from the environment, not from both")
	case s.File != "":
		data, err := regular.ReadFile(s.File, maxNamedFile)
		if err != nil {
			return nil, fmt.Errorf("reading a secret: %w", err)
		}
		return []byte(strings.TrimSuffix(strings.TrimSuffix(string(data), "\n"), "\r")), nil
	case s.Env != "":
		value, ok := os.LookupEnv(s.Env)
		if !ok {
			return nil, fmt.Errorf("reading a secret: the environment variable %s is not set", s.Env)
		}
		return []byte(value), nil
	}
	return nil, fmt.Errorf("a secret names neither a file nor an environment variable")
}

// CaddyModule returns the Caddy module information.
func (*App) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "minimize", New: func() caddy.Module { return new(App) }}
}

// Provision reads the key of pseudonyms and the policy that sites share, and
// prepares the store.
func (a *App) Provision(ctx caddy.Context) error {
	a.ctx, a.logger = ctx, ctx.Logger()
	if a.PollInterval == 0 {
		a.PollInterval = caddy.Duration(defaultPollInterval)
	}
	var err error
	if a.PseudonymKey != nil {
		if a.key, err = a.PseudonymKey.read(); err != nil {
			return fmt.Errorf("pseudonym_key: %w", err)
		}
		if len(a.key) < 16 {
			return fmt.Errorf("pseudonym_key: the key has %d bytes, at least 16 are needed: make one with `openssl rand -hex 32`", len(a.key))
		}
	}
	if a.metrics, err = newMetrics(ctx.GetMetricsRegistry()); err != nil {
		return err
	}
	if len(a.Policy) > 0 {
		if _, err = a.livePolicy(a.Policy); err != nil {
			return err
		}
	}
	if a.StoreRaw == nil && (a.ConsentKey != nil || a.Evidence != nil) {
		return fmt.Errorf("consent_key and evidence need a store: store sqlite <path>")
	}
	if a.StoreRaw != nil {
		a.store, err = a.acquireRegistry()
	}
	return err
}

// Start opens the store and starts to follow the policy files.
func (a *App) Start() error {
	if a.store != nil {
		a.storeLog = a.ctx.Slogger()
		if err := a.store.start(freshness.Terms{Events: time.Duration(a.Evidence.Keep), Addresses: time.Duration(a.Evidence.KeepIP)}, a.storeLog); err != nil {
			return err
		}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.started = true
	for _, p := range a.policies {
		p.watch(a.logger)
	}
	return nil
}

// Stop is a no-op: requests in flight still need the resources, which Cleanup
// releases.
func (*App) Stop() error { return nil }

// Cleanup releases the policies and the store that were acquired.
func (a *App) Cleanup() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, p := range a.policies {
		p.release(a)
		if _, err := pool.Delete(p.key); err != nil {
			a.logger.Error("releasing a policy", zap.Strings("files", p.files), zap.Error(err))
		}
	}
	a.policies = nil
	if a.store != nil {
		a.store.logs.remove(a.storeLog)
		if _, err := registries.Delete(a.store.key); err != nil {
			a.logger.Error("releasing the consent store", zap.Error(err))
		}
		a.store = nil
	}
	return nil
}

// livePolicy returns the policy of files for a site, or the one that sites share if
// there are no files. Cleanup releases it.
func (a *App) livePolicy(files []string) (*livePolicy, error) {
	if len(files) == 0 {
		files = a.Policy
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("no policy: name a file in the directive (minimize privacy.yaml) or in the global option (minimize { policy privacy.yaml })")
	}
	p, err := acquirePolicy(files, a.key, a.logger, a.PollInterval)
	if err != nil {
		return nil, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.policies = append(a.policies, p)
	if a.started {
		p.watch(a.logger)
	}
	return p, nil
}

// warnOfBypasses logs the bypasses and mistakes of the configuration that is being
// provisioned, once for each configuration.
func (a *App) warnOfBypasses(ctx caddy.Context) {
	for _, module := range ctx.Modules() {
		app, ok := module.(*caddyhttp.App)
		if !ok {
			continue
		}
		a.warnOnce.Do(func() {
			config := loadedConfig(app)
			for _, mistake := range config.Mistakes() {
				a.logger.Warn(mistake)
			}
			for _, b := range config.Bypasses() {
				a.logger.Warn("a route reaches an upstream without minimize, and another has minimize before it",
					zap.String("upstream", b.Upstream), zap.String("route", b.Route), zap.String("protected", b.Protected))
			}
		})
	}
}

// inUse returns the policies in use, without duplicates.
func (a *App) inUse() []*livePolicy {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Compact(slices.SortedFunc(slices.Values(a.policies), func(p, q *livePolicy) int { return strings.Compare(p.key, q.key) }))
}

// Interface guards.
var (
	_ caddy.App          = (*App)(nil)
	_ caddy.Provisioner  = (*App)(nil)
	_ caddy.CleanerUpper = (*App)(nil)
)
