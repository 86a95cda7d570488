package policy

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/modicum-proxy/modicum/internal/regular"
)

// Source is one policy file: the name that errors are reported under, and its
// bytes.
type Source struct {
	Name string
	Data []byte
}

// ReadFiles reads the files that the patterns name (paths, or globs of
// [filepath.Match]), sorted by name and each once. A pattern that names no file
// is an error, and so is a file that is not a regular one.
func ReadFiles(patterns ...string) ([]Source, error) {
	names := make(map[string]bool)
	for _, pattern := range patterns {
		matches := []string{pattern}
		if strings.ContainsAny(pattern, "*?[") {
			var err error
			if matches, err = filepath.Glob(pattern); err != nil {
				return nil, fmt.Errorf("finding policy files %q: %w", pattern, err)
			}
			if len(matches) == 0 {
				return nil, fmt.Errorf("finding policy files %q: no file matches", pattern)
			}
		}
		for _, name := range matches {
			names[filepath.Clean(name)] = true
		}
	}
	sources := make([]Source, 0, len(names))
	for _, name := range slices.Sorted(maps.Keys(names)) {
		data, err := readFile(name)
		if err != nil {
			return nil, fmt.Errorf("reading a policy file: %w", err)
		}
		sources = append(sources, Source{Name: name, Data: data})
	}
	return sources, nil
}

// readFile reads at most one byte more than the limit, so that [Compile] can
// report that the file is too large.
func readFile(name string) ([]byte, error) {
	f, err := regular.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // nothing was written
	return io.ReadAll(io.LimitReader(f, maxFileSize+1))
}

// Digest returns the hex SHA-256 of the bytes of the sources, whatever order they
// come in. Their names only order them: moving a policy does not change it.
func Digest(sources []Source) string {
	sorted := slices.SortedFunc(slices.Values(sources), func(a, b Source) int { return strings.Compare(a.Name, b.Name) })
	h := sha256.New()
	for _, s := range sorted {
		// The length before each file makes two splits of the same bytes differ.
		h.Write(binary.BigEndian.AppendUint64(nil, uint64(len(s.Data))))
		h.Write(s.Data)
	}
	return hex.EncodeToString(h.Sum(nil))
}
