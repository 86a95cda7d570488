package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/modicum-proxy/modicum/internal/consent"
)

// proof appends events from many clients while a test does its worst, and
// remembers what each was told.
type proof struct {
	store consent.Store
	stop  context.CancelFunc
	work  sync.WaitGroup
	acks  atomic.Int64

	mu      sync.Mutex
	stored  map[uuid.UUID]consent.Revision // acknowledged
	unknown map[uuid.UUID]bool             // may be stored
	refused map[uuid.UUID]bool             // must not be stored
	strange []string
}

// prove starts the clients.
func prove(tb testing.TB, store consent.Store, clients int) *proof {
	tb.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	p := &proof{store: store, stop: cancel, stored: map[uuid.UUID]consent.Revision{}, unknown: map[uuid.UUID]bool{}, refused: map[uuid.UUID]bool{}}
	tb.Cleanup(p.end)
	for c := range clients {
		p.work.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				p.append(event(consent.Subject(strconv.Itoa(c)+"."+strconv.Itoa(i%50)), "news", []consent.Action{consent.Grant, consent.Withdraw}[i%2])) //nolint:contextcheck // it is not cut short
			}
		})
	}
	return p
}

// append stores an event. Its time is longer than any trouble of the tests, so
// that all is known in the end.
func (p *proof) append(e consent.Event) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	commit, err := p.store.Append(ctx, e)
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case err == nil:
		p.stored[e.ID] = commit.Revision
		p.acks.Add(1)
	case errors.Is(err, consent.ErrOutcomeUnknown):
		p.unknown[e.ID] = true
		p.strange = append(p.strange, "it stays unknown: "+err.Error())
	case errors.Is(err, consent.ErrUnavailable):
		p.refused[e.ID] = true
	default:
		p.strange = append(p.strange, err.Error())
	}
}

// await returns after so many more acknowledgements.
func (p *proof) await(n int) {
	for target := p.acks.Load() + int64(n); p.acks.Load() < target; {
		time.Sleep(200 * time.Microsecond)
	}
}

// end waits for the clients.
func (p *proof) end() {
	p.stop()
	p.work.Wait()
}

// violations compares what the clients were told with what is stored: each
// acknowledged event once and under its revision, none that was refused,
// revisions without gaps. It returns the first few and their number.
func (p *proof) violations(tb testing.TB, archive consent.Store) []string {
	tb.Helper()
	p.end()
	found := p.strange
	kept := map[uuid.UUID]consent.Revision{}
	for after := consent.Revision(0); ; {
		events, err := archive.Events(context.Background(), "", after, 1000)
		if err != nil {
			tb.Fatal(err)
		}
		for _, e := range events {
			if e.Revision != after+1 {
				found = append(found, fmt.Sprintf("revision %d comes after %d", e.Revision, after))
			}
			if kept[e.ID] != 0 {
				found = append(found, fmt.Sprintf("revisions %d and %d are the same event", kept[e.ID], e.Revision))
			}
			kept[e.ID], after = e.Revision, e.Revision
			if p.refused[e.ID] {
				found = append(found, fmt.Sprintf("revision %d was said not to be stored", e.Revision))
			}
			if p.stored[e.ID] == 0 && !p.unknown[e.ID] && !p.refused[e.ID] {
				found = append(found, fmt.Sprintf("nobody sent revision %d", e.Revision))
			}
		}
		if len(events) == 0 {
			break
		}
	}
	for id, revision := range p.stored {
		if kept[id] != revision {
			found = append(found, fmt.Sprintf("the event acknowledged as %d is stored as %d", revision, kept[id]))
		}
	}
	tb.Logf("%d acknowledged, %d refused, %d unknown, %d stored", len(p.stored), len(p.refused), len(p.unknown), len(kept))
	if len(found) > 5 {
		found = append(found[:5], fmt.Sprintf("and %d more", len(found)-5))
	}
	return found
}

// rounds is how often a test does its worst: MODICUM_LONG asks for the long form.
func rounds() int {
	if os.Getenv("MODICUM_LONG") != "" {
		return 50
	}
	return 5
}

// random returns a number below n: when a test does its worst is left to chance.
func random(n int) int { return rand.IntN(n) } //nolint:gosec // no secret
