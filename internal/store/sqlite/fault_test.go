package sqlite

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	sqlite3 "modernc.org/sqlite/lib"

	"github.com/modicum-proxy/modicum/internal/consent"
)

// The kernel makes a file system with errors read-only. What is known is
// still known, and nothing is acknowledged until it can be written again.
func TestReadOnly(t *testing.T) {
	d, s := onDisk(t, Options{})
	_, err := s.Append(t.Context(), event("k.a", "news", consent.Grant))
	must(t, err)
	d.fail(func(kind opKind, _ string) int32 {
		if kind == opWrite || kind == opTruncate {
			return sqlite3.SQLITE_IOERR_WRITE
		}
		return 0
	})
	again := event("k.a", "post", consent.Grant)
	for range 3 {
		if _, err := s.Append(t.Context(), again); !errors.Is(err, consent.ErrUnavailable) && !errors.Is(err, consent.ErrOutcomeUnknown) {
			t.Errorf("Append: %v", err)
		}
	}
	if record, err := s.Load(t.Context(), "k.a"); err != nil || len(record.Latest) != 1 || record.Revision != 1 {
		t.Errorf("Load: %+v, %v", record, err)
	}
	if _, err := s.Prune(t.Context(), time.Now(), 10); err != nil {
		t.Errorf("pruning where nothing has ended: %v", err)
	}
	d.fail(nil)
	if commit, err := s.Append(t.Context(), again); err != nil || commit.Revision != 2 {
		t.Errorf("after the trouble: %v, %v", commit, err)
	}
}

// A sync fails once. The writes before it may be lost although a later sync
// succeeds (Linux reports an error once), so the commit is made anew.
func TestSyncFailsOnce(t *testing.T) {
	d, s := onDisk(t, Options{})
	failed := 0
	d.fail(func(kind opKind, file string) int32 {
		if kind == opSync && file == "consent.db-wal" && failed == 0 {
			failed++
			return sqlite3.SQLITE_IOERR_FSYNC
		}
		return 0
	})
	if commit, err := s.Append(t.Context(), event("k.a", "news", consent.Grant)); err != nil || commit.Revision != 1 || failed != 1 {
		t.Errorf("%v, %v after %d failures", commit, err, failed)
	}
}

// Syncs go on failing: nobody can know what is on the disk.
func TestSyncFails(t *testing.T) {
	d, s := onDisk(t, Options{})
	d.fail(func(kind opKind, _ string) int32 {
		if kind == opSync {
			return sqlite3.SQLITE_IOERR_FSYNC
		}
		return 0
	})
	e := event("k.a", "news", consent.Grant)
	if _, err := s.Append(t.Context(), e); !errors.Is(err, consent.ErrOutcomeUnknown) {
		t.Errorf("Append: %v", err)
	}
	d.fail(nil)
	for range 2 { // by its ID it is stored once, whatever became of it
		if commit, err := s.Append(t.Context(), e); err != nil || commit.Revision != 1 {
			t.Errorf("after the trouble: %v, %v", commit, err)
		}
	}
}

// The disk hangs while one caller's events are being committed and another's
// wait. Both go away; only of the first one the outcome is unknown.
func TestGivenUp(t *testing.T) {
	d, s := onDisk(t, Options{})
	hangs, goes := make(chan struct{}), make(chan struct{})
	d.fail(func(kind opKind, _ string) int32 {
		if kind == opSync {
			d.fault = nil
			close(hangs)
			<-goes
		}
		return 0
	})
	committing, waiting := event("k.a", "news", consent.Withdraw), event("k.b", "news", consent.Withdraw)
	ctx, cancel := context.WithCancel(t.Context())
	first, second := make(chan error, 1), make(chan error, 1)
	go func() {
		_, err := s.Append(ctx, committing)
		first <- err
	}()
	<-hangs
	ended, end := context.WithCancel(t.Context())
	go func() {
		_, err := s.Append(ended, waiting)
		second <- err
	}()
	for len(s.writer.jobs) == 0 {
		time.Sleep(time.Millisecond)
	}
	end()
	if err := <-second; !errors.Is(err, consent.ErrUnavailable) || !errors.Is(err, context.Canceled) || errors.Is(err, consent.ErrOutcomeUnknown) {
		t.Errorf("the one that waited: %v", err)
	}
	cancel()
	if err := <-first; !errors.Is(err, consent.ErrOutcomeUnknown) || !errors.Is(err, context.Canceled) {
		t.Errorf("the one that was being committed: %v", err)
	}
	close(goes)
	commit, err := s.Append(t.Context(), event("k.c", "news", consent.Grant))
	if err != nil || commit.Revision != 2 {
		t.Errorf("the next one: %v, %v; the one that waited must not be stored", commit, err)
	}
}

// The store is closed while many append: each of them gets an answer, and
// what was acknowledged is there.
func TestCloseWhileAppending(t *testing.T) {
	path := filepath.Join(t.TempDir(), "consent.db")
	s, err := Open(t.Context(), Options{Path: path})
	must(t, err)
	var wg sync.WaitGroup
	var mu sync.Mutex
	var stored consent.Revision
	started := make(chan struct{}, 1000)
	for range 64 {
		wg.Go(func() {
			for {
				commit, err := s.Append(t.Context(), event("k.a", "news", consent.Grant))
				if err != nil {
					if !errors.Is(err, consent.ErrUnavailable) {
						t.Error(err)
					}
					return
				}
				mu.Lock()
				stored = max(stored, commit.Revision)
				mu.Unlock()
				select {
				case started <- struct{}{}:
				default:
				}
			}
		})
	}
	for range 200 {
		<-started
	}
	must(t, s.Close())
	must(t, s.Close())
	wg.Wait()
	if _, err := s.Load(t.Context(), "k.a"); !errors.Is(err, consent.ErrUnavailable) {
		t.Errorf("Load of a closed store: %v", err)
	}
	if _, err := s.Prune(t.Context(), time.Now(), 1); !errors.Is(err, consent.ErrUnavailable) {
		t.Errorf("Prune of a closed store: %v", err)
	}
	for _, name := range []string{path + "-wal", path + "-shm"} {
		if _, err := os.Stat(name); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s is left: %v", filepath.Base(name), err)
		}
	}
	record, err := open(t, Options{Path: path}).Load(t.Context(), "k.a")
	if err != nil || record.Revision != stored {
		t.Errorf("revision %d, %v; %d were acknowledged", record.Revision, err, stored)
	}
}
