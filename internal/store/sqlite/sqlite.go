// Package sqlite keeps consent events in one SQLite file that one process
// writes: the store for a single machine.
package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/modicum-proxy/modicum/internal/consent"
)

// Options say where a store is.
type Options struct {
	// Path is that of the database file. It is made when it is missing; its
	// directory is not.
	Path string
	// Ballast is the size in bytes of a file beside the database that is given
	// up when the disk is full, so that people can still withdraw. Default:
	// 1 MiB; negative: none.
	Ballast int64
	// Log receives what the operator must attend to. Default: none.
	Log *slog.Logger
	// Now is the clock. Default: time.Now.
	Now func() time.Time

	vfs         string // a file system of SQLite that a test has put before the real one
	synchronous string // a weaker setting, with which a test shows that it finds losses
}

// defaultBallast takes some dozen withdrawals in a write-ahead log that
// cannot grow otherwise; from then on checkpoints make room in it.
const defaultBallast = 1 << 20

// Store is an open SQLite file. It has no [consent.Feed]: no other process
// writes it.
type Store struct {
	lock   *os.File
	write  *sql.DB
	read   *sql.DB
	reads  *readStatements
	writer *writer

	closing sync.Once
	closed  error
}

var _ consent.Store = (*Store)(nil)

// Open opens the store and brings its schema up to date. It fails when
// another process has the file open.
func Open(ctx context.Context, o Options) (_ *Store, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("opening consent store %q: %w", o.Path, err)
		}
	}()
	if o.Ballast == 0 {
		o.Ballast = defaultBallast
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Path, err = Resolve(o.Path); err != nil {
		return nil, err
	}
	s := &Store{}
	defer func() { //nolint:contextcheck // what is opened is closed, whatever became of ctx
		if err != nil {
			_ = s.release() // the first error says more
		}
	}()
	if s.lock, err = lockPath(o.Path + ".lock"); err != nil {
		return nil, err
	}
	if err := createFile(o.Path, o.Log); err != nil {
		return nil, err
	}
	if err := prepareFile(ctx, o); err != nil {
		return nil, err
	}
	if err := s.connect(ctx, o); err != nil {
		return nil, err
	}
	if s.writer, err = newWriter(ctx, s.write, o); err != nil {
		return nil, err
	}
	go s.writer.run() //nolint:contextcheck // it outlives this call
	return s, nil
}

// connect opens the file with a connection to write and some to read.
func (s *Store) connect(ctx context.Context, o Options) (err error) {
	if s.write, err = sql.Open("sqlite", dsn(o, false)); err != nil {
		return err
	}
	if s.read, err = sql.Open("sqlite", dsn(o, true)); err != nil {
		return err
	}
	limitReaders(s.read)
	s.reads, err = prepareReads(ctx, s.read)
	return err
}

// Close fails what is queued, moves the write-ahead log into the file and releases
// it, after the reads in progress.
func (s *Store) Close() error {
	s.closing.Do(func() {
		s.writer.stop()
		s.closed = s.release()
	})
	return s.closed
}

// release closes whatever was opened.
func (s *Store) release() error {
	var errs []error
	if s.reads != nil {
		errs = append(errs, s.reads.close())
	}
	if s.read != nil {
		errs = append(errs, s.read.Close())
	}
	if s.writer != nil {
		errs = append(errs, s.writer.close())
	}
	if s.write != nil {
		errs = append(errs, s.write.Close())
	}
	if s.lock != nil {
		errs = append(errs, s.lock.Close())
	}
	return errors.Join(errs...)
}

// Resolve returns the one name of a file that may have several, so that two
// processes do not lock different names of it.
func Resolve(path string) (string, error) {
	if path == "" {
		return "", errors.New("it has no path")
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	if target, err := filepath.EvalSymlinks(path); err == nil {
		return target, nil
	}
	dir, err := filepath.EvalSymlinks(filepath.Dir(path))
	if err != nil {
		return "", fmt.Errorf("finding its directory, which has to exist: %w", err)
	}
	return filepath.Join(dir, filepath.Base(path)), nil
}

// unavailable wraps what SQLite or the file system answered.
func unavailable(doing string, err error) error {
	return fmt.Errorf("%s: %w: %w", doing, consent.ErrUnavailable, err)
}
