package sqlite

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	sqlite3 "modernc.org/sqlite/lib"

	"github.com/modicum-proxy/modicum/internal/consent"
)

// Somebody tidies up, or restores a backup, under the running proxy. SQLite
// goes on writing to the file that has no name any more; whoever was told
// that a consent is withdrawn would find it given again after a restart.
func TestReplaced(t *testing.T) {
	for name, replace := range map[string]func(t *testing.T, path string){
		"deleted": func(t *testing.T, path string) {
			t.Helper()
			must(t, os.Remove(path))
		},
		"replaced by a copy": func(t *testing.T, path string) {
			t.Helper()
			content, err := os.ReadFile(path) //nolint:gosec // a file of this test
			must(t, err)
			must(t, os.WriteFile(path+".copy", content, 0o600)) //nolint:gosec // a file of this test
			must(t, os.Rename(path+".copy", path))
		},
		"its log deleted": func(t *testing.T, path string) {
			t.Helper()
			must(t, os.Remove(path+"-wal"))
		},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "consent.db")
			s := open(t, Options{Path: path, Ballast: -1})
			stored := event("k.a", "news", consent.Grant)
			_, err := s.Append(t.Context(), stored)
			must(t, err)
			replace(t, path)
			for range 2 {
				_, err := s.Append(t.Context(), event("k.a", "news", consent.Withdraw))
				if !errors.Is(err, consent.ErrUnavailable) || !errors.Is(err, errReplaced) {
					t.Errorf("Append: %v", err)
				}
			}
			if _, err := s.Prune(t.Context(), stored.Time, 1); !errors.Is(err, errReplaced) {
				t.Errorf("Prune: %v", err)
			}
			if record, err := s.Load(t.Context(), "k.a"); err != nil || len(record.Latest) != 1 || record.Latest[0].Action != consent.Grant {
				t.Errorf("Load: %+v, %v", record, err)
			}
		})
	}
}

// The file is deleted between the look at it and the commit.
func TestReplacedWhileCommitting(t *testing.T) {
	d, s := onDisk(t, Options{})
	d.fail(func(kind opKind, file string) int32 {
		if kind == opSync && file == "consent.db-wal" {
			must(t, os.Remove(filepath.Join(d.dir, "consent.db")))
			d.fault = nil
		}
		return sqlite3.SQLITE_OK
	})
	if _, err := s.Append(t.Context(), event("k.a", "news", consent.Withdraw)); !errors.Is(err, consent.ErrOutcomeUnknown) {
		t.Errorf("a commit to a deleted file: %v", err)
	}
	if _, err := s.Append(t.Context(), event("k.a", "news", consent.Withdraw)); !errors.Is(err, errReplaced) {
		t.Errorf("the next one: %v", err)
	}
}

// Closing the store must not touch the files of a backup that was restored
// over it: SQLite deletes the log by its name.
func TestCloseReplaced(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "consent.db")
	s, err := Open(t.Context(), Options{Path: path, Ballast: -1})
	must(t, err)
	_, err = s.Append(t.Context(), event("k.a", "news", consent.Grant))
	must(t, err)
	for _, name := range []string{path, path + "-wal", path + "-shm"} {
		must(t, os.WriteFile(name+".restored", []byte("of the backup"), 0o600))
		must(t, os.Rename(name+".restored", name))
	}
	must(t, s.Close())
	for _, name := range []string{path, path + "-wal"} {
		if content, err := os.ReadFile(name); err != nil || string(content) != "of the backup" { //nolint:gosec // a file of this test
			t.Errorf("%s holds %q, %v", filepath.Base(name), content, err)
		}
	}
}

// onDisk opens a store whose disk can fail.
func onDisk(t *testing.T, o Options) (*disk, *Store) {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	must(t, err)
	d := newDisk(t, dir)
	o.Path, o.vfs = filepath.Join(dir, "consent.db"), shimName
	if o.Ballast == 0 {
		o.Ballast = -1
	}
	s := open(t, o)
	t.Cleanup(func() { d.fail(nil) })
	return d, s
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
