package sqlite

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/modicum-proxy/modicum/internal/consent"
)

// job is the events of one caller.
type job struct {
	events []consent.Event
	state  atomic.Int32
	result result
	done   chan struct{} // closed when the result is there
}

type result struct {
	commit consent.Commit
	err    error
}

// A job is either taken by the writer or abandoned by its caller.
const (
	queued int32 = iota
	taken
	abandoned
)

// Append implements [consent.Store].
func (s *Store) Append(ctx context.Context, events ...consent.Event) (consent.Commit, error) {
	if len(events) == 0 {
		return consent.Commit{}, nil
	}
	return s.writer.append(ctx, &job{events: events, done: make(chan struct{})})
}

func (w *writer) append(ctx context.Context, j *job) (consent.Commit, error) {
	select {
	case <-w.quit:
		return consent.Commit{}, errClosed
	default:
	}
	select {
	case w.jobs <- j:
	case <-w.quit:
		return consent.Commit{}, errClosed
	case <-ctx.Done():
		return consent.Commit{}, unavailable("waiting to store consent events", ctx.Err())
	}
	select {
	case <-j.done:
		return j.result.commit, j.result.err
	case <-w.done:
		return w.afterwards(j)
	case <-ctx.Done():
	}
	if j.state.CompareAndSwap(queued, abandoned) {
		return consent.Commit{}, unavailable("waiting to store consent events", ctx.Err())
	}
	select {
	case <-j.done: // both came at once
		return j.result.commit, j.result.err
	default:
		return consent.Commit{}, fmt.Errorf("storing consent events: %w: %w", consent.ErrOutcomeUnknown, ctx.Err())
	}
}

// afterwards answers a caller whose job may have come too late for the writer.
func (w *writer) afterwards(j *job) (consent.Commit, error) {
	select {
	case <-j.done:
		return j.result.commit, j.result.err
	default:
		return consent.Commit{}, errClosed
	}
}

// size is what a job adds to a batch, roughly.
func (j *job) size() int {
	n := 0
	for i := range j.events {
		n += 1 << 10
		if s := j.events[i].Shown; s != nil {
			n += len(s.Text)
		}
	}
	return n
}

// answer ends a job: with its own result when the transaction stands.
func (j *job) answer(err error) {
	switch {
	case err == nil:
	case errors.Is(err, consent.ErrOutcomeUnknown):
		j.result = result{err: err}
	case errors.Is(err, errCommit) && !isFull(err): // what the log had no room for is no commit
		j.result = result{err: fmt.Errorf("storing consent events: %w: %w", consent.ErrOutcomeUnknown, err)}
	default:
		j.result = result{err: unavailable("storing consent events", err)}
	}
	close(j.done)
}
