//go:build unix

package postgres_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/modicum-proxy/modicum/internal/consent"
	"github.com/modicum-proxy/modicum/internal/store/postgres"
)

// childDSN names the environment of a process that writes until it is killed.
const childDSN = "MODICUM_TEST_CHILD"

// TestChild is no test: it is what the tests below kill. It says which events
// were acknowledged.
func TestChild(t *testing.T) {
	dsn := os.Getenv(childDSN)
	if dsn == "" {
		t.Skip("it is run by other tests")
	}
	s, err := postgres.Open(context.Background(), postgres.Options{DSN: dsn})
	if err != nil {
		t.Fatal(err)
	}
	for c := range 4 {
		go func() {
			for {
				e := event(consent.Subject("k."+strconv.Itoa(c)), "news", consent.Grant)
				commit, err := s.Append(context.Background(), e)
				if err != nil {
					t.Error(err)
				}
				fmt.Printf("stored %s %d\n", e.ID, commit.Revision)
			}
		}()
	}
	_, _ = io.Copy(io.Discard, os.Stdin) // as long as the parent lives
}

// child starts a process that writes, and returns what it says.
func child(tb testing.TB, dsn string) (*exec.Cmd, *bufio.Reader) {
	tb.Helper()
	command := exec.Command(os.Args[0], "-test.run=^TestChild$", "-test.v") //nolint:gosec,noctx // it is this program; it is killed
	command.Env = append(os.Environ(), childDSN+"="+dsn)
	if _, err := command.StdinPipe(); err != nil {
		tb.Fatal(err)
	}
	out, err := command.StdoutPipe()
	if err != nil {
		tb.Fatal(err)
	}
	if err := command.Start(); err != nil {
		tb.Fatal(err)
	}
	return command, bufio.NewReader(out)
}

// acknowledged reads the next acknowledgement of a process.
func acknowledged(out *bufio.Reader) (id uuid.UUID, revision consent.Revision, err error) {
	for {
		line, err := out.ReadString('\n')
		if err != nil {
			return id, 0, err
		}
		if fields := strings.Fields(line); len(fields) == 3 && fields[0] == "stored" {
			n, err := strconv.ParseInt(fields[2], 10, 64)
			if err != nil {
				return id, 0, err
			}
			id, err = uuid.Parse(fields[1])
			return id, consent.Revision(n), err
		}
	}
}

// A proxy that is killed at any moment has lost nothing that it acknowledged.
func TestWriterKilled(t *testing.T) {
	dsn := database(t)
	s := open(t, postgres.Options{DSN: dsn})
	told := map[uuid.UUID]consent.Revision{}
	for range rounds() {
		process, out := child(t, dsn)
		for n, least := 0, 10+len(told)%37; ; n++ {
			if n == least {
				if err := process.Process.Kill(); err != nil {
					t.Fatal(err)
				}
			}
			id, revision, err := acknowledged(out)
			if err != nil {
				break // all that it said has been read
			}
			told[id] = revision
		}
		_ = process.Wait() // it was killed
	}
	kept := map[uuid.UUID]consent.Revision{}
	for after := consent.Revision(0); ; {
		events, err := s.Events(context.Background(), "", after, 1000)
		if err != nil {
			t.Fatal(err)
		}
		if len(events) == 0 {
			break
		}
		for _, e := range events {
			if after++; e.Revision != after || kept[e.ID] != 0 {
				t.Fatalf("revision %d is at %d, before at %d", e.Revision, after, kept[e.ID])
			}
			kept[e.ID] = e.Revision
		}
	}
	for id, revision := range told {
		if kept[id] != revision {
			t.Errorf("the event acknowledged as %d is stored as %d", revision, kept[id])
		}
	}
	t.Logf("%d acknowledged, %d stored", len(told), len(kept))
}

// A proxy that stops at any moment, as a machine does that swaps or sleeps,
// does not keep others from storing a withdrawal.
func TestWriterStopped(t *testing.T) {
	dsn := database(t)
	s := open(t, postgres.Options{DSN: dsn})
	process, out := child(t, dsn)
	for range 4 * rounds() {
		for range 20 {
			if _, _, err := acknowledged(out); err != nil {
				t.Fatal(err)
			}
		}
		if err := process.Process.Signal(syscall.SIGSTOP); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		if _, err := s.Append(ctx, event("k.a", "news", consent.Withdraw)); err != nil {
			t.Error(err)
		}
		cancel()
		if err := process.Process.Signal(syscall.SIGCONT); err != nil {
			t.Fatal(err)
		}
	}
	if err := process.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = process.Wait() // it was killed
}
