package postgres_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/modicum-proxy/modicum/internal/consent"
	"github.com/modicum-proxy/modicum/internal/store/postgres"
	"github.com/modicum-proxy/modicum/internal/store/storetest"
)

func TestRoundTrip(t *testing.T) {
	ctx := context.Background()
	s := open(t, postgres.Options{DSN: database(t), Lease: time.Second})
	grant := event("k.a", "news", consent.Grant)
	grant.Expires = grant.Time.Add(time.Hour)
	sum := sha256.Sum256([]byte("Letters <& “post”"))
	grant.Shown = &consent.Shown{Digest: hex.EncodeToString(sum[:]), Language: "en", Text: "Letters <& “post”"}
	commit, err := s.Append(ctx, grant, event("k.b", "news", consent.Withdraw))
	if err != nil {
		t.Fatal(err)
	}
	if want := (consent.Commit{Revision: 2, Lease: time.Second}); commit != want {
		t.Errorf("commit is %+v, want %+v", commit, want)
	}
	// It is stored once, however often it is sent.
	again, err := s.Append(ctx, grant)
	if err != nil || again.Revision != 1 {
		t.Errorf("storing again: %+v, %v", again, err)
	}
	link := event("k.a", "", consent.Link)
	link.Other = "k.b"
	if _, err := s.Append(ctx, link); err != nil {
		t.Fatal(err)
	}
	record, err := s.Load(ctx, "k.a")
	if err != nil {
		t.Fatal(err)
	}
	if record.Revision != 3 || len(record.Subjects) != 2 || len(record.Latest) != 2 {
		t.Errorf("record is %+v", record)
	}
	grant.Revision = 1
	events, err := s.Events(ctx, "k.b", 0, 10)
	if err != nil || len(events) != 3 {
		t.Fatalf("%d events, %v", len(events), err)
	}
	if diff := cmp.Diff(grant, events[0]); diff != "" {
		t.Error(diff)
	}
	changes, err := s.Changes(ctx, consent.Mark{Revision: 1, Event: grant.ID})
	want := consent.Changes{Head: consent.Mark{Revision: 3, Event: link.ID}, Lease: time.Second, Subjects: map[consent.Subject]consent.Revision{"k.a": 3, "k.b": 3}}
	if diff := cmp.Diff(want, changes); err != nil || diff != "" {
		t.Error(err, diff)
	}
	if changes, err = s.Changes(ctx, consent.Mark{Revision: 1, Event: link.ID}); err != nil || !changes.Diverged {
		t.Errorf("another event at the mark: %+v, %v", changes, err)
	}
	due, err := s.Due(ctx, grant.Time.Add(2*time.Hour), 10)
	if err != nil || len(due) != 1 || due[0].ID != grant.ID {
		t.Errorf("due is %v, %v", due, err)
	}
}

func TestTogether(t *testing.T) {
	ctx := context.Background()
	dsn := database(t)
	var group sync.WaitGroup
	for p := range 4 {
		group.Go(func() {
			s := open(t, postgres.Options{DSN: dsn}) //nolint:contextcheck // it bounds itself
			var clients sync.WaitGroup
			for c := range 8 {
				clients.Go(func() {
					for i := range 20 {
						if _, err := s.Append(ctx, event(consent.Subject(fmt.Sprint(p, c, i)), "news", consent.Grant)); err != nil {
							t.Error(err)
						}
					}
				})
			}
			clients.Wait()
		})
	}
	group.Wait()
	events, err := open(t, postgres.Options{DSN: dsn}).Events(ctx, "", 0, 1000)
	if err != nil || len(events) != 4*8*20 {
		t.Fatalf("%d events, %v", len(events), err)
	}
	seen := map[uuid.UUID]bool{}
	for i, e := range events {
		if e.Revision != consent.Revision(i+1) || seen[e.ID] {
			t.Fatalf("event %d has revision %d", i, e.Revision)
		}
		seen[e.ID] = true
	}
}

// What the server rejects in one event, here a subject that no index holds,
// does not fail the others of its batch.
func TestRejected(t *testing.T) {
	s := open(t, postgres.Options{DSN: database(t)})
	var long strings.Builder
	for range 500 {
		long.WriteString(uuid.NewString()) // nothing that compresses
	}
	var clients sync.WaitGroup
	for c := range 40 {
		clients.Go(func() {
			subject := consent.Subject(fmt.Sprint("k.", c))
			if c%10 == 0 {
				subject += consent.Subject(long.String())
			}
			_, err := s.Append(context.Background(), event(subject, "news", consent.Grant))
			switch {
			case c%10 != 0 && err != nil:
				t.Error(err)
			case c%10 == 0 && !errors.Is(err, consent.ErrUnavailable):
				t.Errorf("it is accepted: %v", err)
			case c%10 == 0 && strings.Contains(err.Error(), "k."):
				t.Errorf("the error shows the subject: %v", err)
			}
		})
	}
	clients.Wait()
	if events, err := s.Events(context.Background(), "", 0, 100); err != nil || len(events) != 36 {
		t.Errorf("%d events, %v", len(events), err)
	}
}

// A store that is closed says so, also to those who wait.
func TestClose(t *testing.T) {
	ctx := context.Background()
	s := open(t, postgres.Options{DSN: database(t)})
	if err := s.Wait(ctx); err != nil {
		t.Fatal(err)
	}
	woken := make(chan error)
	go func() { woken <- s.Wait(ctx) }()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-woken; err != nil && !errors.Is(err, consent.ErrUnavailable) {
		t.Error(err)
	}
	if err := s.Wait(ctx); !errors.Is(err, consent.ErrUnavailable) {
		t.Errorf("Wait: %v", err)
	}
	if _, err := s.Append(ctx, event("k.a", "news", consent.Grant)); !errors.Is(err, consent.ErrUnavailable) {
		t.Errorf("Append: %v", err)
	}
	if _, err := s.Load(ctx, "k.a"); !errors.Is(err, consent.ErrUnavailable) {
		t.Errorf("Load: %v", err)
	}
}

func TestStore(t *testing.T) {
	dsn := database(t)
	open(t, postgres.Options{DSN: dsn})
	conn := connect(t, dsn)
	storetest.Run(t, func(t *testing.T) consent.Store {
		t.Helper()
		// Much faster than a database for each.
		_, err := conn.Exec(context.Background(), `DELETE FROM modicum.state; DELETE FROM modicum.superseded; DELETE FROM modicum.link;
			DELETE FROM modicum.event; DELETE FROM modicum.shown; UPDATE modicum.head SET rev = 0, event = DEFAULT, lease = 0;
			UPDATE modicum.lease SET before = 0, until = DEFAULT`)
		if err != nil {
			t.Fatal(err)
		}
		return open(t, postgres.Options{DSN: dsn})
	})
}
