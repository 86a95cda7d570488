package sqlite

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
)

// errReplaced says that the name leads to another file than the open one. It
// lasts until the store is opened anew.
var errReplaced = errors.New("the file was deleted or replaced while it was open: restore it and restart")

// guard notices that the database was deleted or replaced. SQLite does not:
// it goes on acknowledging writes to a file that has no name any more.
type guard struct {
	files  [2]guarded // the database and its write-ahead log
	log    *slog.Logger
	broken error
}

type guarded struct {
	path string
	info fs.FileInfo
}

// newGuard remembers the files that path leads to now. SQLite has to have
// them open already: while it has, no other file gets their identity.
func newGuard(path string, log *slog.Logger) (*guard, error) {
	g := &guard{log: log}
	for i, p := range []string{path, path + "-wal"} {
		info, err := os.Stat(p)
		if err != nil {
			return nil, err
		}
		// On Windows this reads the identity, which Stat may put off.
		if !os.SameFile(info, info) {
			return nil, fmt.Errorf("%q has no identity", p)
		}
		g.files[i] = guarded{p, info}
	}
	return g, nil
}

// check fails for good once a file is another. That a file cannot be looked
// at now says nothing about it.
func (g *guard) check() error {
	if g.broken != nil {
		return g.broken
	}
	for _, f := range g.files {
		info, err := os.Stat(f.path)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if err != nil || !os.SameFile(f.info, info) {
			g.broken = errReplaced
			g.log.Error("the consent store was deleted or replaced while it was open: nothing is stored until it is restored and this process restarted", "path", f.path)
			return g.broken
		}
	}
	return nil
}
