package regular

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestReadFile(t *testing.T) {
	name := filepath.Join(t.TempDir(), "file")
	if _, err := ReadFile(name, 10); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
	for _, size := range []int{0, 9, 10} {
		text := strings.Repeat("x", size)
		write(t, name, text)
		if got, err := ReadFile(name, 10); err != nil || string(got) != text {
			t.Errorf("%d bytes: %q, %v", size, got, err)
		}
	}
	write(t, name, strings.Repeat("x", 11))
	if _, err := ReadFile(name, 10); err == nil || err.Error() != name+" has more than 10 bytes" {
		t.Errorf("11 bytes: %v", err)
	}
}

// TestOtherKinds: to open a named pipe is to wait for its writer, and a
// device may have no end. A file of either kind where a policy or a key
// should be must not stop the server (CWE-835).
func TestOtherKinds(t *testing.T) {
	for name, kind := range others(t) {
		done := make(chan error, 1)
		go func() {
			_, err := ReadFile(name, 1<<20)
			done <- err
		}()
		select {
		case err := <-done:
			if err == nil || err.Error() != name+" is "+kind+"; expected a regular file" {
				t.Errorf("%s: %v, want %q", name, err, kind)
			}
		case <-time.After(10 * time.Second):
			t.Errorf("%s: still waiting", name)
		}
	}
}

func TestDirectory(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "a.json"), "{}")
	write(t, filepath.Join(dir, "b.json"), strings.Repeat(" ", 100))
	files := Directory(dir, 10)
	if names, err := fs.Glob(files, "*.json"); err != nil || len(names) != 2 {
		t.Errorf("found %q, %v", names, err)
	}
	if got, err := fs.ReadFile(files, "a.json"); err != nil || string(got) != "{}" {
		t.Errorf("read %q, %v", got, err)
	}
	for _, name := range []string{"b.json", "c.json", ".", "../" + filepath.Base(dir) + "/a.json"} {
		if got, err := fs.ReadFile(files, name); err == nil {
			t.Errorf("%s: read %q", name, got)
		}
	}
}
