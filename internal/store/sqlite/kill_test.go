package sqlite

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/modicum-proxy/modicum/internal/consent"
)

// killed names the store that this process writes until it is killed.
const killed = "MODICUM_TEST_KILLED"

// A process is killed at any moment. What it had acknowledged is there when
// the next one opens the store.
func TestKill(t *testing.T) {
	rounds := times(10, 300)
	path, total := "", 0
	for round := range rounds {
		if round%30 == 0 {
			path = filepath.Join(t.TempDir(), "consent.db")
		}
		acknowledged := killWriter(t, path, time.Duration(rand.IntN(60_000))*time.Microsecond) //nolint:gosec // not a secret
		total += len(acknowledged)
		checkKilled(t, path, acknowledged, round%10 == 9)
	}
	t.Logf("%d acknowledgements before %d kills", total, rounds)
	if total == 0 {
		t.Error("nothing was acknowledged before a kill")
	}
}

// killWriter runs another process that writes, kills it some time after its
// first answer and returns what it acknowledged.
func killWriter(t *testing.T, path string, after time.Duration) (acknowledged []uuid.UUID) {
	t.Helper()
	writer := exec.CommandContext(t.Context(), os.Args[0]) //nolint:gosec // this very test
	writer.Env = append(os.Environ(), killed+"="+path)
	writer.Stderr = os.Stderr
	out, err := writer.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := writer.Start(); err != nil {
		t.Fatal(err)
	}
	for lines := bufio.NewScanner(out); lines.Scan(); {
		id, err := uuid.ParseBytes(bytes.TrimSpace(lines.Bytes()))
		if err != nil {
			break // cut off by the kill
		}
		if len(acknowledged) == 0 {
			time.AfterFunc(after, func() { _ = writer.Process.Kill() })
		}
		acknowledged = append(acknowledged, id)
	}
	_ = writer.Wait() // it was killed
	return acknowledged
}

// writeUntilKilled prints the ID of each event that was acknowledged.
func writeUntilKilled(path string) error {
	s, err := Open(context.Background(), Options{Path: path})
	if err != nil {
		return err
	}
	errs := make(chan error)
	for i := range 8 {
		go func() {
			for n := 0; ; n++ {
				e := event(consent.Subject(fmt.Sprint("k.", os.Getpid(), ".", i)), fmt.Sprint("purpose", n), consent.Grant)
				e.Shown = text(fmt.Sprint("text ", n%100))
				if _, err := s.Append(context.Background(), e); err != nil {
					errs <- err
				}
				if _, err := os.Stdout.WriteString(e.ID.String() + "\n"); err != nil {
					errs <- err
				}
			}
		}()
	}
	return <-errs
}

func checkKilled(t *testing.T, path string, acknowledged []uuid.UUID, thoroughly bool) {
	t.Helper()
	s, err := Open(t.Context(), Options{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	if thoroughly {
		if err := intact(t.Context(), s); err != nil {
			t.Error(err)
		}
	}
	for _, id := range acknowledged {
		var n int
		if err := s.read.QueryRowContext(t.Context(), "SELECT count(*) FROM event WHERE id = ?", id[:]).Scan(&n); err != nil || n != 1 {
			t.Fatalf("an acknowledged event is there %d times: %v", n, err)
		}
	}
	var gaps int
	err = s.read.QueryRowContext(t.Context(), "SELECT head.rev - count(*) FROM head, event").Scan(&gaps)
	if err != nil || gaps != 0 {
		t.Errorf("%d revisions are missing: %v", gaps, err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}
