// Package regular opens only regular files of bounded size. Opening a named pipe
// waits for a writer and reading a device may never end; a server must do
// neither.
package regular

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// Open opens a regular file for reading. It never blocks. The error for another
// kind of file names the kind.
func Open(name string) (*os.File, error) {
	f, err := os.OpenFile(name, os.O_RDONLY|withoutWaiting, 0) //nolint:gosec // G304: the operator names the file
	if err != nil {
		// A socket, for one, cannot even be opened.
		if info, errOfStat := os.Stat(name); errOfStat == nil && !info.Mode().IsRegular() {
			return nil, otherKind(name, info.Mode())
		}
		return nil, err
	}
	// The open file is checked, not the name, which may be another file by now.
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = otherKind(name, info.Mode())
	}
	if err != nil {
		_ = f.Close() // nothing was written
		return nil, err
	}
	return f, nil
}

// ReadFile reads a regular file whole. More than limit bytes are an error.
func ReadFile(name string, limit int64) ([]byte, error) {
	f, err := Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // nothing was written
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(data)) > limit {
		return nil, fmt.Errorf("%s has more than %d bytes", name, limit)
	}
	return data, nil
}

// Directory returns the file system of a directory, of which
// [fs.ReadFile] reads regular files of at most limit bytes.
func Directory(path string, limit int64) fs.FS {
	return directory{os.DirFS(path), path, limit}
}

type directory struct {
	fs.FS
	path  string
	limit int64
}

// ReadFile implements [fs.ReadFileFS].
func (d directory) ReadFile(name string) ([]byte, error) {
	local, err := filepath.Localize(name)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrInvalid}
	}
	return ReadFile(filepath.Join(d.path, local), d.limit)
}

// otherKind returns the error for a file that is not a regular one.
func otherKind(name string, mode fs.FileMode) error {
	kind := "not a file"
	switch {
	case mode.IsDir():
		kind = "a directory"
	case mode&fs.ModeNamedPipe != 0:
		kind = "a named pipe"
	case mode&fs.ModeSocket != 0:
		kind = "a socket"
	case mode&fs.ModeDevice != 0:
		kind = "a device"
	}
	return fmt.Errorf("%s is %s; expected a regular file", name, kind)
}

var _ fs.ReadFileFS = directory{}
