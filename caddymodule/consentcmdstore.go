package caddymodule

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/modicum-proxy/modicum/internal/consent"
	"github.com/modicum-proxy/modicum/internal/consent/desk"
	"github.com/modicum-proxy/modicum/internal/policy"
	"github.com/modicum-proxy/modicum/internal/regular"
)

// dsnVariable holds the connection string of PostgreSQL: on the command line,
// every user of the machine could read the password in it (CWE-214).
const dsnVariable = "MODICUM_DSN"

// open returns who carries out a command, and what closes it.
func (o *consentOptions) open(ctx context.Context) (c clerk, closing func() error, err error) {
	if o.store == "" {
		if len(o.policy) > 0 {
			return nil, nil, errors.New("--policy goes with --store: a Modicum that runs has its own")
		}
		remote, err := newRemoteClerk(o.address)
		return remote, func() error { return nil }, err
	}
	return o.openStore(ctx)
}

// openStore opens a desk of our own before the store itself.
func (o *consentOptions) openStore(ctx context.Context) (clerk, func() error, error) {
	store, err := storeNamed(o.store)
	if err != nil {
		return nil, nil, err
	}
	sets, err := o.policies()
	if err != nil {
		return nil, nil, err
	}
	open, _, err := store.opener(slog.New(slog.DiscardHandler))
	if err != nil {
		return nil, nil, fmt.Errorf("--store: %w", err)
	}
	registry, err := consent.NewRegistry(consent.Options{Open: open})
	if err != nil {
		return nil, nil, err
	}
	if err := registry.Open(ctx); err != nil {
		if store.Engine == "sqlite" { // which one process has
			err = fmt.Errorf("%w; if a Modicum that runs has it open, leave out --store and ask that one", err)
		}
		return nil, nil, errors.Join(err, registry.Close())
	}
	d := &desk.Desk{
		Registry: registry, Now: time.Now, NewID: newEventID,
		Policies: func() []*policy.Set { return sets },
	}
	if keys := keysBeside(store); keys != nil {
		d.Subjects = func(id consent.Identity) ([]consent.Subject, error) { return namedAnywhere(keys, id, sets) }
	}
	return d, registry.Close, nil
}

// storeNamed reads the value of --store.
func storeNamed(value string) (*Store, error) {
	engine, path, _ := strings.Cut(value, ":")
	switch {
	case engine == "sqlite" && path != "":
		// Opening would make it.
		if _, err := os.Stat(path); err != nil {
			return nil, fmt.Errorf("--store: %w", err)
		}
		return &Store{Engine: engine, Path: path}, nil
	case value == "postgres":
		if os.Getenv(dsnVariable) == "" {
			return nil, fmt.Errorf("--store postgres: the environment variable %s is not set: it holds the connection string", dsnVariable)
		}
		return &Store{Engine: engine, DSN: "{env." + dsnVariable + "}"}, nil
	case engine == "postgres" || engine == "postgresql":
		return nil, fmt.Errorf("--store postgres takes the connection string from the environment variable %s: on the command line others could read the password", dsnVariable)
	}
	return nil, errors.New("--store: expected sqlite:<path> or postgres")
}

// policies reads the policy that a store is used under, if there is one.
func (o *consentOptions) policies() ([]*policy.Set, error) {
	if _, err := os.Stat(defaultPolicy); len(o.policy) == 0 && errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	sources, err := readPolicy(o.policy)
	if err != nil {
		return nil, err
	}
	set, diagnostics := policy.Compile(sources...)
	if err := diagnostics.Err(); err != nil {
		return nil, fmt.Errorf("the policy is not valid:\n%w", err)
	}
	return []*policy.Set{set}, nil
}

// keysBeside returns the keys that Modicum keeps beside a SQLite store when it
// is given none; nil when it was given some: they are not ours to look for.
func keysBeside(s *Store) *consent.Keys {
	if s.Engine != "sqlite" {
		return nil
	}
	data, err := regular.ReadFile(s.file()+".key", maxNamedFile)
	if err != nil {
		return nil
	}
	keys, err := consent.ParseKeys(data)
	if err != nil {
		return nil
	}
	return keys
}
