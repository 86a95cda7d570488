package sqlite

import (
	"errors"
	"fmt"
	"os"
	"testing"
	"time"

	sqlite3 "modernc.org/sqlite/lib"

	"github.com/modicum-proxy/modicum/internal/consent"
)

// The disk is full except for the ballast. People can withdraw, object and
// refuse; nobody's new consent takes the room that this needs.
func TestBallast(t *testing.T) {
	now := time.Now()
	d, s := onDisk(t, Options{Ballast: 64 << 10, Now: func() time.Time { return now }})
	ballast := s.writer.ballast.path
	d.fail(func(kind opKind, _ string) int32 {
		if info, err := os.Stat(ballast); kind == opWrite && err == nil && info.Size() == 64<<10 {
			return sqlite3.SQLITE_FULL
		}
		return 0
	})
	grants := func(want error) {
		t.Helper()
		_, err := s.Append(t.Context(), event("k.a", "news", consent.Grant))
		if !errors.Is(err, want) || errors.Is(err, consent.ErrOutcomeUnknown) {
			t.Errorf("a grant: %v, want %v", err, want)
		}
	}
	grants(consent.ErrUnavailable)
	if _, err := os.Stat(ballast); err != nil {
		t.Errorf("a grant was given the ballast: %v", err)
	}
	for _, action := range []consent.Action{consent.Withdraw, consent.Object, consent.Refuse} {
		if _, err := s.Append(t.Context(), event("k.a", fmt.Sprint("for ", action), action)); err != nil {
			t.Errorf("%s on a full disk: %v", action, err)
		}
	}
	if _, err := os.Stat(ballast); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the ballast was not given up: %v", err)
	}
	grants(errFull)
	grants(consent.ErrUnavailable)
	// There is room again, which is looked for now and then.
	d.fail(nil)
	now = now.Add(restoreEvery)
	grants(nil)
	if info, err := os.Stat(ballast); err != nil || info.Size() != 64<<10 {
		t.Errorf("the ballast was not made again: %v, %v", info, err)
	}
	if record, err := s.Load(t.Context(), "k.a"); err != nil || record.Revision != 4 || len(record.Latest) != 4 {
		t.Errorf("the record: %+v, %v", record, err)
	}
}

// Without a ballast, or where none can be made, the store works all the same.
func TestNoBallast(t *testing.T) {
	s := open(t, Options{Ballast: -1})
	if _, err := os.Stat(s.writer.ballast.path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("there is a ballast: %v", err)
	}
	d, s := onDisk(t, Options{})
	must(t, os.Mkdir(s.writer.ballast.path, 0o700)) // in its way
	must(t, s.Close())
	s = open(t, Options{Path: d.dir + "/consent.db", Ballast: 64 << 10})
	_, err := s.Append(t.Context(), event("k.a", "news", consent.Grant))
	must(t, err)
}
