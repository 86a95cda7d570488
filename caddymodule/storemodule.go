package caddymodule

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/modicum-proxy/modicum/internal/consent"
	"github.com/modicum-proxy/modicum/internal/store/postgres"
	"github.com/modicum-proxy/modicum/internal/store/sqlite"
)

func init() {
	caddy.RegisterModule(new(SQLite))
	caddy.RegisterModule(new(Postgres))
}

// Store is a module of the namespace minimize.stores. It says where the choices
// of people are stored.
type Store interface {
	caddy.Module
	// ID identifies the store: configurations with the same ID share it.
	ID() string
	// File returns the file of a store that one process uses; the key of
	// pseudonyms is kept beside it unless consent_key names one. It is empty
	// for a store that several processes share.
	File() string
	// Open opens the store.
	Open(ctx context.Context, log *slog.Logger) (consent.Store, error)
}

// SQLite stores choices in a file, for one machine.
type SQLite struct {
	// Path is the file. It is created if it is missing.
	Path string `json:"path,omitempty"`
}

// CaddyModule returns the Caddy module information.
func (*SQLite) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "minimize.stores.sqlite", New: func() caddy.Module { return new(SQLite) }}
}

// Provision implements [caddy.Provisioner].
func (s *SQLite) Provision(caddy.Context) error {
	if s.Path == "" {
		return errors.New("store: sqlite needs a path")
	}
	if dir, err := os.Stat(filepath.Dir(s.Path)); err != nil || !dir.IsDir() {
		return fmt.Errorf("store: sqlite %q: the directory %s has to exist, and Modicum has to be able to write in it", s.Path, filepath.Dir(s.Path))
	}
	return nil
}

// UnmarshalCaddyfile sets up the store. Syntax:
//
//	sqlite <path>
func (s *SQLite) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next()
	args := d.RemainingArgs()
	if len(args) != 1 {
		return d.Err("store sqlite: expected one path, that of the file")
	}
	if err := fixed(d, args[0]); err != nil {
		return err
	}
	if d.NextBlock(0) {
		return d.Err("store sqlite: expected no block")
	}
	s.Path = beside(d, args[0])
	return nil
}

// ID implements [Store].
func (s *SQLite) ID() string { return "sqlite " + s.File() }

// File implements [Store]. It resolves the several names that a file may have:
// a reload may use another one, and must not find the file locked by us.
func (s *SQLite) File() string {
	if path, err := sqlite.Resolve(s.Path); err == nil {
		return path
	}
	return s.Path // opening it reports the error
}

// Open implements [Store].
func (s *SQLite) Open(ctx context.Context, log *slog.Logger) (consent.Store, error) {
	return sqlite.Open(ctx, sqlite.Options{Path: s.File(), Log: log})
}

// Postgres stores choices in PostgreSQL, which several proxies can share.
type Postgres struct {
	// DSN is the connection string as libpq takes it. Secrets in it come from
	// placeholders: `{env.MODICUM_DSN}`, `{file./run/secrets/dsn}`.
	DSN string `json:"dsn,omitempty"`
	// Lease is how long a proxy may decide by what it read last, for a
	// PostgreSQL that is far away; at most 30s. A withdrawal is answered when
	// the lease is over. Default: 0, every decision waits for a read.
	Lease caddy.Duration `json:"lease,omitempty"`
	// Unsafe accepts a PostgreSQL that can lose what it acknowledged.
	// Default: false.
	Unsafe bool `json:"unsafe,omitempty"`

	dsn string // with placeholders replaced
}

// CaddyModule returns the Caddy module information.
func (*Postgres) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "minimize.stores.postgres", New: func() caddy.Module { return new(Postgres) }}
}

// Provision implements [caddy.Provisioner].
func (p *Postgres) Provision(caddy.Context) error {
	if lease := time.Duration(p.Lease); lease < 0 || lease > consent.MaxLease {
		return fmt.Errorf("store: lease %v: expected at most %v, which every withdrawal waits for", lease, consent.MaxLease)
	}
	if p.DSN == "" {
		return errors.New("store: postgres needs a dsn: dsn {env.MODICUM_DSN}")
	}
	if err := checkDSN(p.DSN); err != nil {
		return fmt.Errorf("store: %w", err)
	}
	dsn, err := caddy.NewReplacer().ReplaceOrErr(p.DSN, true, true)
	if err != nil {
		return fmt.Errorf("store: dsn: %w", err)
	}
	p.dsn = strings.TrimSpace(dsn)
	if _, err := pgconn.ParseConfig(p.dsn); err != nil {
		return fmt.Errorf("store: dsn: %w", err) // the error shows it without its password
	}
	return nil
}

// UnmarshalCaddyfile sets up the store. Syntax:
//
//	postgres {
//		dsn    <placeholder>
//		lease  <duration>
//		unsafe
//	}
func (p *Postgres) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next()
	return block(d, func(option string) (err error) {
		switch option {
		case "dsn":
			args := d.RemainingArgs()
			if len(args) != 1 {
				return d.ArgErr()
			}
			p.DSN = args[0]
			if err = checkDSN(p.DSN); err != nil {
				err = d.WrapErr(err)
			}
		case "lease":
			p.Lease, err = duration(d)
		case "unsafe":
			p.Unsafe, err = true, none(d)
		default:
			err = d.Errf("unknown option %q of store postgres: expected dsn, lease or unsafe", option)
		}
		return err
	})
}

// ID implements [Store].
func (p *Postgres) ID() string {
	sum := sha256.Sum256([]byte(p.dsn))
	return fmt.Sprintf("postgres %s %d %t", hex.EncodeToString(sum[:]), p.Lease, p.Unsafe)
}

// File implements [Store].
func (*Postgres) File() string { return "" }

// Open implements [Store].
func (p *Postgres) Open(ctx context.Context, log *slog.Logger) (consent.Store, error) {
	return postgres.Open(ctx, postgres.Options{DSN: p.dsn, Lease: time.Duration(p.Lease), Unsafe: p.Unsafe, Logger: log})
}

// A password in a connection string, as a URL or as words, which does not begin
// with a placeholder.
var (
	placeholders    = regexp.MustCompile(`\{[^{}]*\}`)
	literalPassword = regexp.MustCompile(`://[^/?@]*:[^{/?@][^/?@]*@|(?i:password)\s*=\s*'?[^\s'&{]`)
)

// checkDSN returns an error if a connection string contains a password.
func checkDSN(dsn string) error {
	if literalPassword.MatchString(placeholders.ReplaceAllString(dsn, "{}")) {
		return errors.New("the dsn holds a password: write dsn {env.MODICUM_DSN} and set that variable, a secret is never written into the configuration")
	}
	return nil
}

// Interface guards.
var (
	_ Store                 = (*SQLite)(nil)
	_ Store                 = (*Postgres)(nil)
	_ caddy.Provisioner     = (*SQLite)(nil)
	_ caddy.Provisioner     = (*Postgres)(nil)
	_ caddyfile.Unmarshaler = (*SQLite)(nil)
	_ caddyfile.Unmarshaler = (*Postgres)(nil)
)
