//go:build unix

package postgres_test

import (
	"context"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/modicum-proxy/modicum/internal/consent"
	"github.com/modicum-proxy/modicum/internal/store/postgres"
)

// A server that is killed at any moment, whole or one of its processes, has
// kept what was acknowledged, once.
func TestServerKilled(t *testing.T) {
	c := newCluster(t)
	s := open(t, postgres.Options{DSN: c.dsn()})
	p := prove(t, s, 8)
	for round := range rounds() {
		p.await(20 + random(100))
		time.Sleep(time.Duration(random(3000)) * time.Microsecond)
		switch round % 3 {
		case 0:
			c.restart(syscall.SIGKILL)
		case 1:
			c.restart(syscall.SIGQUIT)
		default:
			if err := syscall.Kill(backend(t, c.dsn(), "modicum.append"), syscall.SIGKILL); err != nil {
				t.Fatal(err)
			}
		}
	}
	p.await(20)
	for _, v := range p.violations(t, s) {
		t.Error(v)
	}
}

// backend returns the process of the server whose last statement holds a word.
func backend(tb testing.TB, dsn, word string) int {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for {
		conn, err := pgx.Connect(ctx, dsn)
		if ctx.Err() != nil {
			tb.Fatalf("no process of the server does %s: %v", word, err)
		}
		if err != nil {
			continue
		}
		var pid int
		err = conn.QueryRow(ctx, "SELECT pid FROM pg_stat_activity WHERE query LIKE '%' || $1 || '%' AND pid <> pg_backend_pid()", word).Scan(&pid)
		conn.Close(ctx) //nolint:errcheck,gosec // it has been used
		if err == nil {
			return pid
		}
	}
}

// A server that acknowledges before the disk has it loses what it
// acknowledged. The proof has to find that, or it would prove nothing.
func TestSabotage(t *testing.T) {
	c := newCluster(t, "synchronous_commit=off", "wal_writer_delay=10s")
	s := open(t, postgres.Options{DSN: c.dsn(), Unsafe: true})
	p := prove(t, s, 4)
	for range 5 { // the server may have written it out by chance
		p.await(200)
		c.restart(syscall.SIGQUIT)
	}
	if found := p.violations(t, s); !strings.Contains(strings.Join(found, "\n"), "is stored as") {
		t.Errorf("nothing was lost: %q", found)
	}
}

// A server that is set to acknowledge too early does not, as long as we ask.
func TestUnsafeDefault(t *testing.T) {
	c := newCluster(t, "synchronous_commit=off", "wal_writer_delay=10s")
	s := open(t, postgres.Options{DSN: c.dsn()})
	p := prove(t, s, 4)
	p.await(300)
	c.restart(syscall.SIGQUIT)
	for _, v := range p.violations(t, s) {
		t.Error(v)
	}
}

// A server that would lose consents, or mangle them, is refused with what to
// do about it, unless the operator insists.
func TestUnsafeServer(t *testing.T) {
	c := newCluster(t, "fsync=off", "full_page_writes=off", "data_sync_retry=on")
	_, err := postgres.Open(context.Background(), postgres.Options{DSN: c.dsn()})
	if err == nil {
		t.Fatal("it is accepted")
	}
	for _, want := range []string{"set fsync = on", "set full_page_writes = on", "set data_sync_retry = off", `say "unsafe"`} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error %q does not say %q", err, want)
		}
	}
	open(t, postgres.Options{DSN: c.dsn(), Unsafe: true})
}

// A server whose disk was set back to an earlier moment, or that a lagging
// standby took over from, says so: what proxies remember is worth nothing then.
func TestSetBack(t *testing.T) {
	ctx := context.Background()
	c := newCluster(t)
	s := open(t, postgres.Options{DSN: c.dsn()})
	if _, err := s.Append(ctx, event("k.a", "news", consent.Grant)); err != nil {
		t.Fatal(err)
	}
	early, err := s.Changes(ctx, consent.Mark{})
	if err != nil {
		t.Fatal(err)
	}
	c.stop(syscall.SIGINT)
	c.copy(c.data(), c.dir+"/earlier")
	c.start()
	if _, err := s.Append(ctx, event("k.a", "news", consent.Withdraw)); err != nil {
		t.Fatal(err)
	}
	late, err := s.Changes(ctx, early.Head)
	if err != nil || late.Diverged || late.Head.Revision != 2 {
		t.Fatalf("%+v, %v", late, err)
	}
	c.stop(syscall.SIGKILL)
	c.copy(c.dir+"/earlier", c.data())
	c.start()
	for i := range 3 { // behind the mark, level with it, past it
		got, err := s.Changes(ctx, late.Head)
		if err != nil || !got.Diverged || got.Head.Revision != consent.Revision(1+i) || got.Subjects != nil {
			t.Errorf("%+v, %v", got, err)
		}
		if got, err = s.Changes(ctx, early.Head); err != nil || got.Diverged {
			t.Errorf("what is common to both: %+v, %v", got, err)
		}
		if _, err := s.Append(ctx, event("k."+consent.Subject(strconv.Itoa(i)), "news", consent.Grant)); err != nil {
			t.Fatal(err)
		}
	}
}
