package postgres

import (
	"context"
	"embed"
	"fmt"
	"io/fs"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
)

//go:embed migrations/*.sql
var migrations embed.FS

// migrationLock is the advisory lock of whoever changes the schema: "modicum"
// in ASCII.
const migrationLock = 0x6d6f646963756d

// migrate brings the schema to what this version needs. Several processes may
// start together: one does it, the others wait. A database that is as it
// should be is only read, so that a role without the right to change it will do.
func migrate(ctx context.Context, pool *pgxpool.Pool) error {
	ctx, cancel := context.WithTimeout(ctx, migrateTimeout)
	defer cancel()
	var exists bool
	err := pool.QueryRow(ctx, "SELECT to_regclass('modicum.version') IS NOT NULL").Scan(&exists)
	if err != nil {
		return fmt.Errorf("looking for the schema: %w", redact(err))
	}
	provider, err := newProvider(pool)
	if err != nil {
		return fmt.Errorf("reading the migrations: %w", err)
	}
	defer provider.Close() //nolint:errcheck // it closes a view of the pool, which holds nothing
	if exists {
		current, target, err := provider.GetVersions(ctx)
		switch {
		case err != nil:
			return fmt.Errorf("reading the version of the schema: %w", redact(err))
		case current > target:
			return fmt.Errorf("the schema has version %d and this is made for %d: a newer modicum changed it, run that", current, target)
		case current == target:
			return nil
		}
	}
	err = pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
		// A lock of a transaction, since a pooler may hand the next statement
		// of a session to another one. The transaction stays idle meanwhile.
		if _, err := tx.Exec(ctx, "SELECT set_config('idle_in_transaction_session_timeout', '0', true), set_config('statement_timeout', '0', true)"); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock($1)", int64(migrationLock)); err != nil {
			return err
		}
		if !exists {
			if _, err := pool.Exec(ctx, "CREATE SCHEMA IF NOT EXISTS modicum"); err != nil {
				return err
			}
		}
		_, err := provider.Up(ctx)
		return err
	})
	if err != nil {
		return fmt.Errorf("changing the schema: %w", redact(err))
	}
	return nil
}

func newProvider(pool *pgxpool.Pool) (*goose.Provider, error) {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return nil, err
	}
	return goose.NewProvider(goose.DialectPostgres, stdlib.OpenDBFromPool(pool), files,
		goose.WithTableName("modicum.version"), goose.WithDisableGlobalRegistry(true))
}
