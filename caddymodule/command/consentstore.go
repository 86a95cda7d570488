package command

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/modicum-proxy/modicum/internal/consent"
	"github.com/modicum-proxy/modicum/internal/consent/freshness"
	"github.com/modicum-proxy/modicum/internal/consent/operator"
	"github.com/modicum-proxy/modicum/internal/policy"
	"github.com/modicum-proxy/modicum/internal/store/postgres"
	"github.com/modicum-proxy/modicum/internal/store/sqlite"
	"github.com/modicum-proxy/modicum/internal/subject"
)

// dsnVariable is the environment variable with the connection string of
// PostgreSQL: every user of the machine could read a password on the command line
// (CWE-214).
const dsnVariable = "MODICUM_DSN"

// open returns the backend that the flags name, and how to close it.
func (o *consentOptions) open(ctx context.Context) (b consentBackend, closeBackend func() error, err error) {
	if o.store == "" {
		if len(o.policy) > 0 {
			return nil, nil, errors.New("--policy goes with --store: a running Modicum has its own")
		}
		client, err := newAdminClient(o.address)
		return client, func() error { return nil }, err
	}
	return o.openStore(ctx)
}

func (o *consentOptions) openStore(ctx context.Context) (consentBackend, func() error, error) {
	store, err := parseStore(o.store)
	if err != nil {
		return nil, nil, err
	}
	sets, err := o.policies()
	if err != nil {
		return nil, nil, err
	}
	registry, err := freshness.NewRegistry(freshness.Options{Open: store.open})
	if err != nil {
		return nil, nil, err
	}
	if _, err := registry.Store(ctx); err != nil {
		if store.file != "" { // only one process can open it
			err = fmt.Errorf("%w; if a running Modicum has it open, leave out --store to use that one", err)
		}
		return nil, nil, errors.Join(err, registry.Close())
	}
	service := &operator.Service{
		Registry: registry, Now: time.Now, NewID: func() uuid.UUID { return uuid.Must(uuid.NewV7()) },
		Policies: func() []*policy.Set { return sets },
	}
	if keys := store.keys(); keys != nil {
		country := "" // of telephone numbers without a country code
		if len(sets) > 0 {
			country = sets[0].Controller.Country
		}
		service.Subjects = func(id subject.Identity) ([]consent.Subject, error) { return keys.Named(id, country) }
	}
	return service, registry.Close, nil
}

type namedStore struct {
	file string // of SQLite; "" for PostgreSQL
	open func(context.Context) (consent.Store, error)
}

func parseStore(value string) (*namedStore, error) {
	engine, path, _ := strings.Cut(value, ":")
	switch {
	case engine == "sqlite" && path != "":
		// Opening a store creates the file if it is missing.
		if _, err := os.Stat(path); err != nil {
			return nil, fmt.Errorf("--store: %w", err)
		}
		file, err := sqlite.Resolve(path)
		if err != nil {
			return nil, fmt.Errorf("--store: %w", err)
		}
		return &namedStore{file: file, open: func(ctx context.Context) (consent.Store, error) {
			return sqlite.Open(ctx, sqlite.Options{Path: file, Log: slog.New(slog.DiscardHandler)})
		}}, nil
	case value == "postgres":
		dsn := strings.TrimSpace(os.Getenv(dsnVariable))
		if dsn == "" {
			return nil, fmt.Errorf("--store postgres: the environment variable %s is not set: it contains the connection string", dsnVariable)
		}
		return &namedStore{open: func(ctx context.Context) (consent.Store, error) {
			return postgres.Open(ctx, postgres.Options{DSN: dsn})
		}}, nil
	case engine == "postgres" || engine == "postgresql":
		return nil, fmt.Errorf("--store postgres reads the connection string from the environment variable %s: other users could read a password on the command line", dsnVariable)
	}
	return nil, errors.New("--store: expected sqlite:<path> or postgres")
}

// keys returns the keys in the file beside a SQLite store. It returns nil if
// there is no such file: the keys are then part of a configuration, which the
// command does not read.
func (s *namedStore) keys() *subject.Keys {
	if s.file == "" {
		return nil
	}
	keys, err := subject.ReadKeyFile(s.file)
	if err != nil {
		return nil
	}
	return keys
}

// policies returns the policy that the store is used with, or none if there is
// none.
func (o *consentOptions) policies() ([]*policy.Set, error) {
	if _, err := os.Stat(defaultPolicy); len(o.policy) == 0 && errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	set, _, err := compilePolicy(o.policy)
	if err != nil {
		return nil, err
	}
	return []*policy.Set{set}, nil
}
