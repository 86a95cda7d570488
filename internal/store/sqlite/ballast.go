package sqlite

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"time"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/modicum-proxy/modicum/internal/consent"
)

// restoreEvery paces the attempts to get the ballast back.
const restoreEvery = 5 * time.Second

// errFull says that the disk had no room the last time that some was needed.
var errFull = errors.New("the disk is full: consents can be withdrawn but not given")

// ballast is a file that takes room on the disk to give it up when there is
// none, so that a consent can be withdrawn then.
type ballast struct {
	path  string
	size  int64 // negative: there is none
	log   *slog.Logger
	now   func() time.Time
	spent bool // the file is not there
	full  bool // the file was given up: nothing but withdrawals may use its room
	tried time.Time
}

func newBallast(o Options) *ballast {
	b := &ballast{path: o.Path + ".ballast", size: o.Ballast, log: o.Log, now: o.Now, spent: true}
	b.restore()
	return b
}

// drop gives the room up. It reports whether there was some.
func (b *ballast) drop() bool {
	if b.spent || b.size < 0 {
		return false
	}
	if err := os.Remove(b.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		b.log.Error("the disk is full and the ballast cannot be deleted", "path", b.path, "error", err)
		return false
	}
	b.spent, b.full, b.tried = true, true, b.now()
	b.log.Error("the disk is full: until there is room again, consents can be withdrawn but not given", "path", b.path)
	return true
}

// restore takes the room back when there is some.
func (b *ballast) restore() {
	if !b.spent || b.size < 0 || b.now().Sub(b.tried) < restoreEvery {
		return
	}
	b.tried = b.now()
	if info, err := os.Stat(b.path); err == nil && info.Size() == b.size {
		b.spent, b.full = false, false
		return
	}
	if err := b.fill(); err != nil {
		_ = os.Remove(b.path) // a part of it would only be in the way
		if !b.full {
			b.log.Warn("there is no ballast to give up when the disk is full", "path", b.path, "error", err)
		}
		return
	}
	if b.full {
		b.log.Info("the disk has room again", "path", b.path)
	}
	b.spent, b.full = false, false
}

// fill writes noise, which no file system stores in less than its size. After
// the disk was full it wants twice the room, or the file would come and go.
func (b *ballast) fill() error {
	f, err := os.OpenFile(b.path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	noise := rand.NewChaCha8([32]byte{}) // nothing secret
	size := b.size
	if b.full {
		size *= 2
	}
	_, err = io.CopyN(f, noise, size)
	if err == nil {
		err = f.Sync() // some file systems find room, or none, only now
	}
	if err == nil {
		err = f.Truncate(b.size)
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	return syncDirectory(filepath.Dir(b.path))
}

// isFull reports whether an error means that the disk has no room.
func isFull(err error) bool {
	var e *sqlite.Error
	if !errors.As(err, &e) {
		return false
	}
	return e.Code()&0xff == sqlite3.SQLITE_FULL || e.Code() == sqlite3.SQLITE_IOERR_SHMSIZE
}

// spare answers the jobs that take nothing back and returns the others: only
// these may use what room there is on a full disk.
func spare(batch []*job, full error) (rest []*job) {
	for _, j := range batch {
		if j.restricts() {
			rest = append(rest, j)
		} else {
			j.answer(full)
		}
	}
	return rest
}

// storeOnFullDisk tries jobs that take something back again with more room.
func (w *writer) storeOnFullDisk(batch []*job, err error) ([]*job, error) {
	if len(batch) > 0 && w.ballast.drop() {
		err = w.transact(batch)
	}
	if len(batch) > 0 && isFull(err) && checkpoint(context.Background(), w.conn) == nil { // the log begins anew
		err = w.transact(batch)
	}
	return batch, err
}

// restricts reports whether a job takes something back.
func (j *job) restricts() bool {
	return slices.ContainsFunc(j.events, func(e consent.Event) bool {
		return e.Action == consent.Withdraw || e.Action == consent.Object || e.Action == consent.Refuse
	})
}
