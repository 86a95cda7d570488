//go:build unix

package postgres_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// cluster is a PostgreSQL server of one test, which may kill it.
type cluster struct {
	tb      testing.TB
	dir     string
	options []string
	process *os.Process   // nil: it does not run
	ended   chan struct{} // closed when it does not run any more
}

// newCluster makes and starts a server with some settings ("name=value").
func newCluster(tb testing.TB, options ...string) *cluster {
	tb.Helper()
	server(tb)                                          // where there is none for the other tests, there is none for this one
	dir, err := os.MkdirTemp("/tmp", "modicum-cluster") //nolint:usetesting // the server's user cannot get into tb.TempDir, nor a socket have so long a name
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { os.RemoveAll(dir) }) //nolint:errcheck,gosec // it is in /tmp
	if who := serverUser(tb); who != nil {
		if err := os.Chown(dir, int(who.Uid), int(who.Gid)); err != nil {
			tb.Fatal(err)
		}
	}
	c := &cluster{tb: tb, dir: dir, options: options}
	if out, err := c.command("initdb", "--pgdata="+c.data(), "--username=postgres", "--auth=trust", "--locale=C", "--no-sync").CombinedOutput(); err != nil {
		tb.Fatalf("initdb: %v\n%s", err, out)
	}
	c.start()
	tb.Cleanup(func() {
		if c.process != nil {
			c.stop(syscall.SIGQUIT)
		}
	})
	return c
}

// serverUser is whom the server runs as when we are root, which it refuses.
func serverUser(tb testing.TB) *syscall.Credential {
	tb.Helper()
	if os.Geteuid() != 0 {
		return nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		tb.Fatal(err)
	}
	uid, err := strconv.ParseUint(u.Uid, 10, 32)
	if err != nil {
		tb.Fatal(err)
	}
	gid, err := strconv.ParseUint(u.Gid, 10, 32)
	if err != nil {
		tb.Fatal(err)
	}
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
}

func (c *cluster) data() string { return filepath.Join(c.dir, "data") }

// dsn reaches the server.
func (c *cluster) dsn() string { return "host=" + c.dir + " user=postgres dbname=postgres" }

func (c *cluster) command(name string, args ...string) *exec.Cmd {
	c.tb.Helper()
	paths, err := filepath.Glob("/usr/lib/postgresql/*/bin/" + name)
	if err != nil {
		c.tb.Fatal(err)
	}
	path := name // where the packages put it on the path
	if len(paths) > 0 {
		path = paths[len(paths)-1]
	}
	command := exec.Command(path, args...) //nolint:gosec,noctx // a program of the server; its end is the test's
	command.Dir = c.dir
	command.SysProcAttr = &syscall.SysProcAttr{Credential: serverUser(c.tb)}
	return command
}

// start starts the server and waits until it answers.
func (c *cluster) start() {
	c.tb.Helper()
	deadline := time.Now().Add(time.Minute)
	for {
		c.launch()
		for c.ping() != nil {
			select {
			case <-c.ended:
			case <-time.After(10 * time.Millisecond):
				continue
			}
			break
		}
		select {
		case <-c.ended:
			// The processes of a server that was killed hold on for a moment.
		default:
			return
		}
		if time.Now().After(deadline) {
			log, err := os.ReadFile(filepath.Join(c.dir, "log"))
			c.tb.Fatalf("the server does not start: %v\n%s", err, log)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func (c *cluster) launch() {
	c.tb.Helper()
	// After a crash a server syncs all its files one by one; that takes long.
	args := []string{"-D", c.data(), "-c", "listen_addresses=", "-c", "unix_socket_directories=" + c.dir, "-c", "recovery_init_sync_method=syncfs"}
	for _, o := range c.options {
		args = append(args, "-c", o)
	}
	log, err := os.OpenFile(filepath.Join(c.dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		c.tb.Fatal(err)
	}
	defer log.Close() //nolint:errcheck // the server has its own
	command := c.command("postgres", args...)
	command.Stdout, command.Stderr = log, log
	if err := command.Start(); err != nil {
		c.tb.Fatal(err)
	}
	ended := make(chan struct{})
	c.process, c.ended = command.Process, ended
	go func() {
		defer close(ended)
		_ = command.Wait() // it is killed
	}()
}

func (c *cluster) ping() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, c.dsn())
	if err != nil {
		return err
	}
	return conn.Close(ctx)
}

// stop ends the server by a signal: SIGINT lets it finish, SIGQUIT and SIGKILL
// leave it no time.
func (c *cluster) stop(signal syscall.Signal) {
	c.tb.Helper()
	if err := c.process.Signal(signal); err != nil && !errors.Is(err, os.ErrProcessDone) {
		c.tb.Fatal(err)
	}
	<-c.ended
	c.process = nil
}

// restart is a crash: nothing of the server's memory survives.
func (c *cluster) restart(signal syscall.Signal) {
	c.tb.Helper()
	c.stop(signal)
	c.start()
}

// copy keeps the files of the server, which must not run; restore brings them
// back.
func (c *cluster) copy(from, to string) {
	c.tb.Helper()
	if err := os.RemoveAll(to); err != nil {
		c.tb.Fatal(err)
	}
	if out, err := c.command("cp", "--archive", from, to).CombinedOutput(); err != nil {
		c.tb.Fatalf("cp: %v\n%s", err, out)
	}
}
