//go:build unix

package caddymodule

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"

	"github.com/modicum-proxy/modicum/internal/policy"
)

// makePipe makes a named pipe. Whoever waits for it ends with the test.
func makePipe(t *testing.T, name string) {
	t.Helper()
	if err := syscall.Mkfifo(name, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		writer, err := os.OpenFile(name, os.O_RDWR|syscall.O_NONBLOCK, 0) //nolint:gosec // G304: of the test
		if err := errors.Join(err, os.Remove(name), writer.Close()); err != nil {
			t.Error(err)
		}
	})
}

// within fails if do takes much longer than it may.
func within(t *testing.T, what string, do func()) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		do()
	}()
	select {
	case <-done:
	case <-time.After(patience):
		t.Fatalf("waited in vain for %s", what)
	}
}

// TestPolicyReplaced: whoever may write the policy file puts something else in
// its place. A named pipe, once it was opened, kept the status from being
// told and Caddy from stopping; a device has no end.
func TestPolicyReplaced(t *testing.T) {
	for kind, replace := range map[string]func(t *testing.T, name string) error{
		"a named pipe": func(t *testing.T, name string) error { t.Helper(); makePipe(t, name); return nil },
		"a directory":  func(_ *testing.T, name string) error { return os.Mkdir(name, 0o700) },
		"a device":     func(_ *testing.T, name string) error { return os.Symlink("/dev/zero", name) },
	} {
		t.Run(kind, func(t *testing.T) {
			s := startSite(t, options{global: "minimize {\n poll_interval 10ms\n }"})
			s.log.reset()
			if err := errors.Join(os.Remove(s.policy), replace(t, s.policy)); err != nil {
				t.Fatal(err)
			}
			s.log.wait(t, `"level":"error"`, "the old one stays in force", s.policy+" is "+kind+"; expected a regular file")
			within(t, "the status", func() {
				if p := s.status().Policies[0]; !strings.Contains(p.Error, kind) {
					t.Errorf("status %+v", p)
				}
			})
			if s.submit() != submitted {
				t.Error("the old policy does not stay in force")
			}
			if err := s.tryLoad(options{}); err == nil || !strings.Contains(err.Error(), kind) {
				t.Errorf("reloaded: %v", err)
			}
			within(t, "Caddy to stop", s.stop)
		})
	}
}

// TestNamedFilesRefused: what a configuration names besides policies must not
// keep Caddy from starting, or from saying why it does not.
func TestNamedFilesRefused(t *testing.T) {
	dir := shortDir(t)
	s := &site{t: t, dir: dir, policy: filepath.Join(dir, "privacy.yaml"), log: logs}
	writeFile(t, s.policy, shopPolicy)
	makePipe(t, filepath.Join(dir, "pipe"))
	makePipe(t, filepath.Join(dir, "pipe.db.key"))
	writeFile(t, filepath.Join(dir, "huge"), strings.Repeat("k", maxNamedFile+1))
	for _, sub := range []string{"piped", "large"} {
		if err := os.Mkdir(filepath.Join(dir, sub), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	makePipe(t, filepath.Join(dir, "piped", "de.json"))
	writeFile(t, filepath.Join(dir, "large", "de.json"), strings.Repeat(" ", maxNamedFile+1))
	const pages = "store sqlite consent.db\n languages "
	for _, tt := range []struct{ global, minimize, want string }{
		{"pseudonym_key file pipe", "", "/pipe is a named pipe"},
		{"pseudonym_key file ./", "", "is a directory"},
		{"pseudonym_key file /dev/zero", "", "/dev/zero is a device"},
		{"pseudonym_key file huge", "", "/huge has more than 1048576 bytes"},
		{"store sqlite consent.db\n consent_key file pipe", "", "/pipe is a named pipe"},
		{"store sqlite pipe.db", "", "/pipe.db.key is a named pipe"},
		{pages + "pipe", "portal /privacy/", "/pipe: not a directory"},
		{pages + "piped", "portal /privacy/", "/piped/de.json is a named pipe"},
		{pages + "large", "portal /privacy/", "/large/de.json has more than 1048576 bytes"},
	} {
		within(t, tt.global, func() {
			err := s.tryLoad(options{global: "minimize {\n " + tt.global + "\n }", minimize: tt.minimize})
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%s: %v, want %q", tt.global, err, tt.want)
			}
		})
	}
	if err := caddy.Stop(); err != nil {
		t.Error(err)
	}
}

// TestPolicyOnSlowFileSystem: a file system of a network may not answer for
// minutes, and no call ends that wait. The state can be told meanwhile, and
// the policy given up.
func TestPolicyOnSlowFileSystem(t *testing.T) {
	file := filepath.Join(t.TempDir(), "privacy.yaml")
	writeFile(t, file, shopPolicy)
	p, err := acquirePolicy([]string{file}, nil, zap.NewNop(), caddy.Duration(time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	reading, answer := make(chan bool, 1), make(chan bool)
	defer close(answer)
	p.read = func(...string) ([]policy.Source, error) {
		select {
		case reading <- true:
		default:
		}
		<-answer
		return nil, errors.New("too late")
	}
	p.watch(zap.NewNop())
	within(t, "the files to be read", func() { <-reading })
	within(t, "the state", func() {
		if got := p.state(); got.Error != "" || got.Version == "" {
			t.Errorf("state %+v", got)
		}
	})
	within(t, "the end of the policy", func() {
		if _, err := pool.Delete(p.key); err != nil {
			t.Error(err)
		}
	})
}

// TestRefreshesInTurn: of two that read the files, the one that began first
// must not put in force what the other has found changed.
func TestRefreshesInTurn(t *testing.T) {
	file := filepath.Join(t.TempDir(), "privacy.yaml")
	writeFile(t, file, shopPolicy)
	p, err := acquirePolicy([]string{file}, nil, zap.NewNop(), caddy.Duration(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Delete(p.key) //nolint:errcheck // a test
	before := p.state().Version
	p.read = func(files ...string) ([]policy.Source, error) {
		if p.refreshing.TryLock() {
			p.refreshing.Unlock()
			t.Error("another may refresh meanwhile")
		}
		return policy.ReadFiles(files...)
	}
	writeFile(t, file, withoutName)
	p.refresh(t.Context())
	if after := p.state().Version; after == before || p.Load().Version != after {
		t.Errorf("in force is %s, then %s", before, after)
	}
}
