package postgres

import (
	"context"
	"embed"
	"fmt"
	"io/fs"
	"time"

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

// migrationPause is how long a process leaves another one that changes the
// schema alone.
const migrationPause = 100 * time.Millisecond

// migrate brings the schema to what this version needs. Several processes may
// start together: one does it, the others look again until it is done.
func migrate(ctx context.Context, pool *pgxpool.Pool) error {
	ctx, cancel := context.WithTimeout(ctx, migrateTimeout)
	defer cancel()
	provider, err := newProvider(pool)
	if err != nil {
		return fmt.Errorf("reading the migrations: %w", err)
	}
	defer provider.Close() //nolint:errcheck // it closes a view of the pool, which holds nothing
	for {
		done, err := current(ctx, pool, provider)
		if err != nil || done {
			return err
		}
		locked, err := upgrade(ctx, pool, provider)
		if err != nil {
			return fmt.Errorf("changing the schema: %w", redact(err))
		}
		if locked {
			continue
		}
		select {
		case <-time.After(migrationPause):
		case <-ctx.Done():
			return fmt.Errorf("waiting for another process to change the schema: %w", context.Cause(ctx))
		}
	}
}

func newProvider(pool *pgxpool.Pool) (*goose.Provider, error) {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return nil, err
	}
	return goose.NewProvider(goose.DialectPostgres, stdlib.OpenDBFromPool(pool), files,
		goose.WithTableName("modicum.version"), goose.WithDisableGlobalRegistry(true))
}

// current reports whether the schema is as it should be. It only reads, so that
// a role without the right to change the schema will do.
func current(ctx context.Context, pool *pgxpool.Pool, provider *goose.Provider) (bool, error) {
	var exists bool
	if err := pool.QueryRow(ctx, "SELECT to_regclass('modicum.version') IS NOT NULL").Scan(&exists); err != nil {
		return false, fmt.Errorf("looking for the schema: %w", redact(err))
	}
	if !exists {
		return false, nil
	}
	is, needed, err := provider.GetVersions(ctx)
	if err != nil {
		return false, fmt.Errorf("reading the version of the schema: %w", redact(err))
	}
	if is > needed {
		return false, fmt.Errorf("the schema has version %d and this program knows %d: a newer modicum changed it, run that", is, needed)
	}
	return is == needed, nil
}

// upgrade changes the schema unless another process does, and reports whether
// it got the lock. That is of a transaction, since a pooler may hand the next
// statement of a session to another one; nor does it wait for the lock, since
// those who wait would hold the connections that the one who works needs.
func upgrade(ctx context.Context, pool *pgxpool.Pool, provider *goose.Provider) (locked bool, err error) {
	err = pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
		// The transaction is idle while the migrations run beside it.
		err := tx.QueryRow(ctx, "SELECT pg_try_advisory_xact_lock($1) FROM set_config('idle_in_transaction_session_timeout', '0', true)",
			int64(migrationLock)).Scan(&locked)
		if err != nil || !locked {
			return err
		}
		var exists bool
		if err := tx.QueryRow(ctx, "SELECT to_regnamespace('modicum') IS NOT NULL").Scan(&exists); err != nil {
			return err
		}
		if !exists {
			// The operator may have created it for a role that cannot.
			if _, err := pool.Exec(ctx, "CREATE SCHEMA modicum"); err != nil {
				return err
			}
		}
		_, err = provider.Up(ctx)
		return err
	})
	return locked, err
}
