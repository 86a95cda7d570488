//go:build unix

package caddymodule

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/fsnotify/fsnotify"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/modicum-proxy/modicum/internal/policy"
)

// makePipe makes a named pipe. At the end of the test it releases every reader that
// waits for it.
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

// within fails if do does not return in time.
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

// TestPolicyReplaced: the policy file is replaced by something that is not a regular
// file. Reading a named pipe blocked the status and kept Caddy from stopping; a
// device has no end.
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

// TestNamedFilesRefused: a file that a configuration names must not keep Caddy from
// starting, or from saying why it does not start.
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

// TestPolicyOnSlowFileSystem: a network file system may not answer for minutes, and
// nothing can cancel the read. Meanwhile the status can be read and the policy
// released.
func TestPolicyOnSlowFileSystem(t *testing.T) {
	file := filepath.Join(t.TempDir(), "privacy.yaml")
	writeFile(t, file, shopPolicy)
	p, err := acquirePolicy([]string{file}, nil, zap.NewNop(), caddy.Duration(time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	reading, answer := make(chan bool, 1), make(chan bool)
	defer close(answer)
	p.readFiles = func(...string) ([]policy.Source, error) {
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
	within(t, "the release of the policy", func() {
		if _, err := pool.Delete(p.key); err != nil {
			t.Error(err)
		}
	})
}

// TestRefreshesInTurn: of two concurrent refreshes, the one that read the files first
// must not put them in force after the other.
func TestRefreshesInTurn(t *testing.T) {
	file := filepath.Join(t.TempDir(), "privacy.yaml")
	writeFile(t, file, shopPolicy)
	p, err := acquirePolicy([]string{file}, nil, zap.NewNop(), caddy.Duration(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Delete(p.key) //nolint:errcheck // a test
	before := p.state().Version
	p.readFiles = func(files ...string) ([]policy.Source, error) {
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

// Each write to a database beside the policy is an event of the directory.
func TestPolicyIgnoresOtherFiles(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "privacy.yaml")
	writeFile(t, file, shopPolicy)
	for name, tt := range map[string]struct {
		files string // that the policy has
		event string // the name in it
		want  int    // reads
	}{
		"the file":                       {"privacy.yaml", "privacy.yaml", 1},
		"a file of a glob":               {"*.yaml", "other.yaml", 1},
		"the data of a ConfigMap":        {"privacy.yaml", "..data", 1},
		"the directory":                  {"privacy.yaml", ".", 1},
		"a database":                     {"privacy.yaml", "consent.db-wal", 0},
		"a file beside those of a glob":  {"*.yaml", "consent.db-wal", 0},
		"a new directory of a ConfigMap": {"privacy.yaml", "..2026_11_22_09_08_07.1234567890", 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p, err := acquirePolicy([]string{filepath.Join(dir, tt.files)}, nil, zap.NewNop(), caddy.Duration(time.Hour))
				if err != nil {
					t.Fatal(err)
				}
				defer pool.Delete(p.key) //nolint:errcheck // a test
				reads := 0
				p.readFiles = func(files ...string) ([]policy.Source, error) {
					reads++
					return policy.ReadFiles(files...)
				}
				ctx, cancel := context.WithCancel(t.Context())
				events := make(chan fsnotify.Event)
				p.watching.Go(func() { p.follow(ctx, events, nil) })
				synctest.Wait()
				reads = 0
				events <- fsnotify.Event{Name: filepath.Join(dir, tt.event), Op: fsnotify.Write}
				time.Sleep(2 * writeTime)
				synctest.Wait()
				if reads != tt.want {
					t.Errorf("the files were read %d times, want %d", reads, tt.want)
				}
				cancel()
			})
		})
	}
}

// A policy behind a link in its directory changes when that link is replaced.
func TestPolicyBehindALink(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "privacy.yaml")
	if err := os.Symlink(filepath.Join("current", "privacy.yaml"), file); err != nil {
		t.Fatal(err)
	}
	p := &livePolicy{files: []string{file}}
	for name, want := range map[string]bool{"current": true, "privacy.yaml": true, "modicum.db-wal": false, "cur": false} {
		if got := p.concerns(fsnotify.Event{Name: filepath.Join(dir, name), Op: fsnotify.Create}); got != want {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
}

// TestPolicyInConfigMap: Kubernetes replaces a link to a directory beside the
// file, which is itself a link, and does not touch the file.
func TestPolicyInConfigMap(t *testing.T) {
	dir := t.TempDir()
	link := func(target, name string) {
		t.Helper()
		temporary := filepath.Join(dir, name+"_tmp")
		if err := errors.Join(os.Symlink(target, temporary), os.Rename(temporary, filepath.Join(dir, name))); err != nil {
			t.Fatal(err)
		}
	}
	for name, content := range map[string]string{"..1": shopPolicy, "..2": withoutName} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o700); err != nil {
			t.Fatal(err)
		}
		writeFile(t, filepath.Join(dir, name, "privacy.yaml"), content)
	}
	link("..1", "..data")
	link(filepath.Join("..data", "privacy.yaml"), "privacy.yaml")
	p, err := acquirePolicy([]string{filepath.Join(dir, "privacy.yaml")}, nil, zap.NewNop(), caddy.Duration(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Delete(p.key) //nolint:errcheck // a test
	read := make(chan bool, 2)
	p.readFiles = func(files ...string) ([]policy.Source, error) {
		defer func() { read <- true }()
		return policy.ReadFiles(files...)
	}
	inForce := make(chan bool, 1)
	p.watch(zap.New(zapcore.NewCore(zapcore.NewJSONEncoder(zapcore.EncoderConfig{}), zapcore.AddSync(io.Discard), zap.InfoLevel), zap.Hooks(func(e zapcore.Entry) error {
		if e.Message == "a changed policy is in force" {
			inForce <- true
		}
		return nil
	})))
	within(t, "the first read", func() { <-read })
	link("..2", "..data")
	within(t, "the new policy", func() { <-inForce })
}

// TestPolicyWithoutASubjectField: without the field by which a site identifies
// people, it would no longer find the choices of anybody.
func TestPolicyWithoutASubjectField(t *testing.T) {
	o := options{
		policy: strings.Replace(shopPolicy, "      name: delivery\n", "      name: delivery\n      login: delivery\n", 1),
		global: "minimize {\n store sqlite consent.db\n poll_interval 10ms\n }", minimize: "subject field login email",
	}
	s := startSite(t, o)
	first := s.status().Policies[0].Version
	s.log.reset()
	writeFile(t, s.policy, shopPolicy)
	s.log.wait(t, `"level":"error"`, "the old one stays in force", "subject field login: no collection of the policy has a field of that name")
	if now := s.status().Policies[0].Version; now != first {
		t.Error("the old policy is not in force")
	}

	// A configuration that does not identify people by the field does not need it.
	writeFile(t, s.policy, o.policy)
	s.load(options{global: o.global})
	s.log.reset()
	writeFile(t, s.policy, shopPolicy)
	s.log.wait(t, "a changed policy is in force")
}
