package sqlite

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/pressly/goose/v3"
	_ "modernc.org/sqlite" // the driver
)

// busyTimeout is how long a connection waits for another's lock. Only the
// operator's own tools take one, for the time of a backup or a look.
const busyTimeout = "5000"

// dsn names the file with the settings of every connection to it. An Exec
// would set them on just one of a pool.
func dsn(o Options, queryOnly bool) string {
	q := url.Values{}
	pragma := func(name, value string) { q.Add("_pragma", name+"("+value+")") }
	pragma("busy_timeout", busyTimeout)
	pragma("foreign_keys", "1")
	if queryOnly {
		pragma("query_only", "1")
	} else {
		// A commit is on the disk when it returns. On macOS fsync alone leaves
		// it in the drive's cache.
		synchronous := "FULL"
		if o.synchronous != "" {
			synchronous = o.synchronous
		}
		pragma("journal_mode", "WAL")
		pragma("synchronous", synchronous)
		pragma("fullfsync", "1")
		pragma("checkpoint_fullfsync", "1")
		// What is deleted is overwritten with zeros.
		pragma("secure_delete", "1")
		q.Set("_txlock", "immediate")
	}
	if o.vfs != "" {
		q.Set("vfs", o.vfs)
	}
	path := filepath.ToSlash(o.Path)
	if !strings.HasPrefix(path, "/") {
		path = "/" + path // file:///C:/…
	}
	return (&url.URL{Scheme: "file", Path: path, RawQuery: q.Encode()}).String()
}

// createFile makes the file before SQLite does, which would let the umask
// say who can read it. SQLite gives its -wal and -shm the same mode.
func createFile(path string, log *slog.Logger) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600) //nolint:gosec // the operator names the file
	if errors.Is(err, fs.ErrExist) {
		if info, err := os.Stat(path); err == nil && runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0 {
			log.Warn("others can read the consent store; chmod 600 it unless that is wanted",
				"path", path, "mode", info.Mode().Perm().String())
		}
		return nil
	}
	if err != nil {
		return err
	}
	return errors.Join(f.Close(), syncDirectory(filepath.Dir(path)))
}

// syncDirectory makes the names in a directory survive a power cut.
func syncDirectory(path string) error {
	if runtime.GOOS == "windows" {
		return nil // NTFS keeps them in its journal
	}
	d, err := os.Open(path) //nolint:gosec // the operator names the file
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// prepareFile recovers the database after a crash and creates or upgrades its
// schema. Its connection is the last one when it closes:
// SQLite then removes the log, which after a power cut can be the one from
// before it was emptied, and the shared memory, into which its recovery copies
// whatever was in memory that it does not set.
func prepareFile(ctx context.Context, o Options) (err error) {
	db, err := sql.Open("sqlite", dsn(o, false))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if err := checkVersion(ctx, db); err != nil {
		return err
	}
	return migrate(ctx, db)
}

// limitReaders bounds how many reads run at a time. Each connection has a
// cache of 2 MB.
func limitReaders(db *sql.DB) {
	n := max(4, runtime.GOMAXPROCS(0))
	db.SetMaxOpenConns(n)
	db.SetMaxIdleConns(n)
}

// checkVersion refuses a SQLite that can lose what it acknowledged.
func checkVersion(ctx context.Context, db *sql.DB) error {
	var version string
	if err := db.QueryRowContext(ctx, "SELECT sqlite_version()").Scan(&version); err != nil {
		return err
	}
	if !safeVersion(version) {
		return fmt.Errorf("SQLite %s can corrupt a database in WAL mode (https://sqlite.org/wal.html#walresetbug); build with 3.51.3 or later", version)
	}
	return nil
}

// safeVersion reports whether a version has the fix of the WAL-reset bug: from
// 3.51.3 on, and the two older lines that it was brought to.
func safeVersion(version string) bool {
	var major, minor, patch int
	if _, err := fmt.Sscanf(version, "%d.%d.%d", &major, &minor, &patch); err != nil || major != 3 {
		return false
	}
	switch minor {
	case 44:
		return patch >= 6
	case 50:
		return patch >= 7
	case 51:
		return patch >= 3
	default:
		return minor > 51
	}
}

//go:embed migrations/*.sql
var migrations embed.FS

// migrate brings the schema up to date. It refuses one that a later release
// made, whose meaning this one cannot know.
func migrate(ctx context.Context, db *sql.DB) error {
	dir, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return err
	}
	provider, err := goose.NewProvider(goose.DialectSQLite3, db, dir,
		goose.WithDisableGlobalRegistry(true), goose.WithLogger(goose.NopLogger()))
	if err != nil {
		return fmt.Errorf("reading the migrations: %w", err)
	}
	current, target, err := provider.GetVersions(ctx)
	if err != nil {
		return fmt.Errorf("reading the schema's version: %w", err)
	}
	if current > target {
		return fmt.Errorf("it has schema version %d and this modicum knows %d: run the release that wrote it, or restore a backup", current, target)
	}
	if _, err := provider.Up(ctx); err != nil {
		return fmt.Errorf("bringing the schema from version %d to %d: %w", current, target, err)
	}
	return nil
}

// statement is a statement to prepare, and the variable for it.
type statement struct {
	to  **sql.Stmt
	sql string
}

// statements are closed together.
type statements []*sql.Stmt

// prepare prepares statements, all or none.
func prepare(ctx context.Context, one func(context.Context, string) (*sql.Stmt, error), list []statement) (prepared statements, err error) {
	for _, s := range list {
		if *s.to, err = one(ctx, s.sql); err != nil { //nolint:sqlclosecheck // close does it
			return nil, errors.Join(err, prepared.close())
		}
		prepared = append(prepared, *s.to)
	}
	return prepared, nil
}

func (s statements) close() error {
	var errs []error
	for _, one := range s {
		errs = append(errs, one.Close())
	}
	return errors.Join(errs...)
}
