package sqlite

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
)

// errHeld says that another process holds the lock.
var errHeld = errors.New("held")

// lockPath takes the lock that keeps a second process from the database, and writes
// this process into it. SQLite would let the other one in, and the two would not
// see each other's withdrawals in time. Closing the file releases the lock. The
// file stays: removing it would let two processes lock two files of one name.
func lockPath(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600) //nolint:gosec // the operator names the file
	if err != nil {
		return nil, fmt.Errorf("making its lock file: %w", err)
	}
	err = tryLock(f)
	if errors.Is(err, errHeld) {
		err = fmt.Errorf("%s has it open: ask that one (modicum consent … --address), or end it; several proxies need store postgres", holder(path))
	}
	if err == nil {
		err = writeHolder(f)
	}
	if err != nil {
		_ = f.Close() // nothing was written that matters
		return nil, err
	}
	return f, nil
}

func writeHolder(f *os.File) error {
	if err := f.Truncate(0); err != nil {
		return err
	}
	_, err := f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	return err
}

// holder names the process that wrote itself into the lock file.
func holder(path string) string {
	content, err := os.ReadFile(path) //nolint:gosec // the operator names the file
	pid := strings.TrimSpace(string(content))
	switch {
	case err != nil || pid == "":
		return "another process"
	case pid == strconv.Itoa(os.Getpid()):
		return "this process"
	default:
		return "process " + pid
	}
}
