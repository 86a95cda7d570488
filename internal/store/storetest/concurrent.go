package storetest

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/modicum-proxy/modicum/internal/consent"
)

const (
	appenders = 32
	rounds    = 20
)

// call is one Append between two ticks of a clock that all share.
type call struct {
	began, ended int64
	rev          consent.Revision
}

func testRevisions(t trial) {
	var clock atomic.Int64
	calls := make([][]call, appenders)
	var wg sync.WaitGroup
	for i := range appenders {
		wg.Go(func() {
			for round := range rounds {
				e := choice(consent.Subject(fmt.Sprint("k.", i)), fmt.Sprint("purpose", round), consent.Grant)
				began := clock.Add(1)
				commit, err := t.store.Append(t.Context(), e)
				if err != nil {
					t.Error(err)
					return
				}
				calls[i] = append(calls[i], call{began, clock.Add(1), commit.Revision})
				// Whoever was answered sees what was stored.
				record, err := t.store.Load(t.Context(), e.Subject)
				if err != nil || record.Revision < commit.Revision || len(record.Latest) != round+1 {
					t.Errorf("after revision %d: revision %d, %d states, %v", commit.Revision, record.Revision, len(record.Latest), err)
				}
			}
		})
	}
	wg.Wait()
	every := slices.Concat(calls...)
	slices.SortFunc(every, func(a, b call) int { return int(a.rev - b.rev) })
	var latest int64 // when the last began of those with a lower revision
	for i, c := range every {
		if c.rev != consent.Revision(i+1) {
			t.Fatalf("revision %d is followed by %d", i, c.rev)
		}
		// A call that ended before another began has the lower revision.
		if c.ended < latest {
			t.Fatalf("revision %d was answered before one with a lower revision was asked for", c.rev)
		}
		latest = max(latest, c.began)
	}
	for i, e := range t.all("") {
		if e.Revision != consent.Revision(i+1) {
			t.Fatalf("event %d has revision %d", i+1, e.Revision)
		}
	}
}

func testSnapshot(t trial) {
	subjects := []consent.Subject{"k.a", "k.b", "k.c"}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			actions := []consent.Action{consent.Grant, consent.Withdraw, consent.Refuse}
			for round := range 3 * rounds {
				subject := subjects[(i+round)%len(subjects)]
				events := []consent.Event{
					choice(subject, "news", actions[(i+round)%3]), choice(subject, "post", actions[(i+round)%3]),
				}
				if i == 0 && round == rounds {
					events = append(events, linking("k.a", "k.b"))
				}
				if _, err := t.store.Append(ctx, events...); err != nil {
					t.Error(err)
				}
			}
		})
	}
	records := make([][]consent.Record, 4)
	var loads sync.WaitGroup
	for i := range records {
		loads.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				record, err := t.store.Load(t.Context(), subjects[(i+n)%len(subjects)]) //nolint:contextcheck // ctx ends it between two loads
				if err != nil {
					t.Error(err)
					return
				}
				if last := len(records[i]) - 1; last < 0 || records[i][last].Revision != record.Revision {
					records[i] = append(records[i], record)
				}
			}
		})
	}
	wg.Wait()
	cancel()
	loads.Wait()
	// The same history, told to the model up to each revision.
	byRevision := map[consent.Revision][]consent.Record{}
	for _, record := range slices.Concat(records...) {
		byRevision[record.Revision] = append(byRevision[record.Revision], record)
	}
	model := &Memory{}
	for _, e := range t.all("") {
		trial{t.T, model}.appended(e)
		for _, record := range byRevision[e.Revision] {
			t.equal(fmt.Sprint("a record as of revision ", e.Revision), record, trial{t.T, model}.loaded(record.Subjects[0]))
		}
	}
}
