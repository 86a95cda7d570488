package sqlite

import (
	"database/sql"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/modicum-proxy/modicum/internal/consent"
)

// A second process is told who has the store and what to do, by whichever
// name it opens it.
func TestHeld(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "consent.db")
	s := open(t, Options{Path: path})
	other := filepath.Join(dir, "other.db")
	if runtime.GOOS != "windows" {
		must(t, os.Symlink(path, other))
	} else {
		other = path
	}
	_, err := Open(t.Context(), Options{Path: other})
	if err == nil || !strings.Contains(err.Error(), "this process has it open") {
		t.Errorf("opened twice: %v", err)
	}
	second := exec.CommandContext(t.Context(), os.Args[0]) //nolint:gosec // this very test
	second.Env = append(os.Environ(), killed+"="+path)
	out, err := second.CombinedOutput()
	want := "process " + strconv.Itoa(os.Getpid()) + " has it open: ask that one (modicum consent … --address), or end it"
	if err == nil || !strings.Contains(string(out), want) {
		t.Errorf("opened by a second process: %s, %v", out, err)
	}
	must(t, s.Close())
	open(t, Options{Path: path})
}

// What is stored is personal data, pseudonyms or not.
func TestFileMode(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no such modes")
	}
	path := filepath.Join(t.TempDir(), "consent.db")
	s := open(t, Options{Path: path})
	_, err := s.Append(t.Context(), event("k.a", "news", consent.Grant))
	must(t, err)
	for _, suffix := range []string{"", "-wal", "-shm", ".lock", ".ballast"} {
		info, err := os.Stat(path + suffix)
		must(t, err)
		if mode := info.Mode().Perm(); mode != 0o600 {
			t.Errorf("consent.db%s has mode %o", suffix, mode)
		}
	}
}

func TestSettings(t *testing.T) {
	s := open(t, Options{})
	for pragma, want := range map[string]string{
		"journal_mode": "wal", "synchronous": "2", "secure_delete": "1", "foreign_keys": "1", "busy_timeout": busyTimeout,
		"fullfsync": "1", "checkpoint_fullfsync": "1",
	} {
		var got string
		must(t, s.writer.conn.QueryRowContext(t.Context(), "PRAGMA "+pragma).Scan(&got))
		if got != want {
			t.Errorf("%s is %s, want %s", pragma, got, want)
		}
	}
	if _, err := s.read.ExecContext(t.Context(), "DELETE FROM event"); err == nil {
		t.Error("a connection that reads can write")
	}
}

func TestSafeVersion(t *testing.T) {
	for version, want := range map[string]bool{
		"3.53.4": true, "3.52.0": true, "3.51.3": true, "3.51.2": false, "3.51.0": false, "3.50.7": true, "3.50.6": false,
		"3.49.9": false, "3.44.6": true, "3.44.5": false, "3.45.0": false, "3.7.0": false, "4.0.0": false, "": false, "3": false,
	} {
		if got := safeVersion(version); got != want {
			t.Errorf("%q: %t", version, got)
		}
	}
}

func TestOpenErrors(t *testing.T) {
	for name, path := range map[string]string{
		"no path":      "",
		"no directory": filepath.Join(t.TempDir(), "missing", "consent.db"),
		"a directory":  t.TempDir(),
		"no database":  notDatabase(t),
	} {
		if _, err := Open(t.Context(), Options{Path: path}); err == nil || !strings.HasPrefix(err.Error(), "opening consent store ") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func notDatabase(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "consent.db")
	must(t, os.WriteFile(path, []byte(strings.Repeat("no database ", 1000)), 0o600))
	return path
}

// A release that does not know a schema would misread it.
func TestNewerSchema(t *testing.T) {
	path := filepath.Join(t.TempDir(), "consent.db")
	must(t, open(t, Options{Path: path}).Close())
	db := raw(t, path)
	_, err := db.ExecContext(t.Context(), "INSERT INTO goose_db_version (version_id, is_applied) VALUES (7, 1)")
	must(t, errors.Join(err, db.Close()))
	_, err = Open(t.Context(), Options{Path: path})
	if err == nil || !strings.Contains(err.Error(), "it has schema version 7 and this modicum knows 1") {
		t.Errorf("a newer schema: %v", err)
	}
}

// Each schema that was released is kept in testdata as its release left it,
// with what it held. A new one adds its own file, made by
// "sqlite3 consent.db .dump".
func TestUpgrade(t *testing.T) {
	dumps, err := filepath.Glob("testdata/schema-*.sql")
	if err != nil || len(dumps) == 0 {
		t.Fatalf("%d dumps, %v", len(dumps), err)
	}
	for _, dump := range dumps {
		t.Run(filepath.Base(dump), func(t *testing.T) {
			script, err := os.ReadFile(dump) //nolint:gosec // a file of this test
			must(t, err)
			path := filepath.Join(t.TempDir(), "consent.db")
			db := raw(t, path)
			_, err = db.ExecContext(t.Context(), string(script))
			must(t, errors.Join(err, db.Close()))
			s := open(t, Options{Path: path})
			must(t, intact(t.Context(), s))
			events, err := s.Events(t.Context(), "", 0, 100)
			must(t, err)
			if diff := cmp.Diff(released(), events); diff != "" {
				t.Errorf("the events (-want +got):\n%s", diff)
			}
			record, err := s.Load(t.Context(), "k1.b")
			must(t, err)
			if len(record.Subjects) != 2 || len(record.Latest) != 3 || record.Revision != 5 {
				t.Errorf("the record: %+v", record)
			}
			commit, err := s.Append(t.Context(), event("k1.b", "news", consent.Grant))
			if err != nil || commit.Revision != 6 {
				t.Errorf("Append: %v, %v", commit, err)
			}
		})
	}
}

// raw opens a file without any of this package.
func raw(t *testing.T, path string) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	must(t, err)
	return db
}

// released are the events of the dumps in testdata.
func released() []consent.Event {
	events := []consent.Event{
		event("k1.a", "news", consent.Grant), event("k1.a", "news", consent.Withdraw), event("k1.b", "post", consent.Object),
		link("k1.a", "k1.b"), event("k1.b", "news", consent.Grant),
	}
	for i := range events {
		e := &events[i]
		e.ID = uuid.UUID{0x01, 0x99, 6: 0x70, 8: 0x80, 15: byte(i + 1)}
		e.Revision = consent.Revision(i + 1)
	}
	events[0].Shown, events[0].Receipt, events[0].Address = text("Письма «Примера»"), "r1", "192.0.2.0/24"
	events[4].Shown, events[4].Expires = text("Письма «Примера»"), events[4].Time.AddDate(1, 0, 0)
	events[4].Shown.Language = "ru"
	return events
}
