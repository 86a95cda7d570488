package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/modicum-proxy/modicum/internal/consent"
)

// writer is the one goroutine that appends: while a commit runs, requests
// gather for the next.
//
// When the answer to a commit is lost the same events are sent again, on
// another connection. The first sending may be stored already, still be
// running, or arrive later; whichever of the two gets the lock of head first
// stores the events and the other finds their IDs.
type writer struct {
	connect connect
	durable bool
	queue   chan *request
	closing chan struct{} // closed by ending
	ending  sync.Once
	closed  chan struct{} // when the goroutine has ended

	// Of the goroutine.
	conn     *pgx.Conn     // nil: none
	unsynced bool          // see errUnsynced
	patience time.Duration // with the next attempt
	pauses   int           // since the last success
}

// The most that is stored in one transaction.
const (
	maxBatchEvents = 512
	maxBatchBytes  = 4 << 20
)

// An attempt that was not answered is followed by one that waits longer: a
// connection that leads nowhere is left soon, a slow server gets its time.
const (
	firstPatience = 2 * time.Second
	mostPatience  = 15 * time.Second
	firstPause    = 20 * time.Millisecond
	longestPause  = time.Second
)

func newWriter(connect connect, durable bool) *writer {
	w := &writer{
		connect: connect, durable: durable, patience: firstPatience,
		queue: make(chan *request, maxBatchEvents), closing: make(chan struct{}), closed: make(chan struct{}),
	}
	go w.run()
	return w
}

// close ends the goroutine after the attempt that it is at.
func (w *writer) close() {
	w.ending.Do(func() { close(w.closing) })
	<-w.closed
}

func (w *writer) run() {
	defer close(w.closed)
	defer w.disconnect()
	var batch []*request // of which it is not known whether they are stored
	for {
		var ok bool
		if batch, ok = w.gather(batch); !ok {
			return
		}
		if batch = w.store(batch); len(batch) > 0 && !w.pause() {
			return
		}
	}
}

// gather adds what waits to what is still open. It waits itself only when
// there is nothing to do.
func (w *writer) gather(open []*request) ([]*request, bool) {
	batch, events, size := open[:0], 0, 0
	add := func(r *request) {
		if r.ctx.Err() == nil { // else nobody awaits the answer any more
			batch, events, size = append(batch, r), events+len(r.rows), size+r.size
		}
	}
	for _, r := range open {
		add(r)
	}
	for events < maxBatchEvents && size < maxBatchBytes {
		select {
		case <-w.closing:
			return nil, false
		case r := <-w.queue:
			add(r)
			continue
		default:
		}
		if len(batch) > 0 {
			break
		}
		select {
		case <-w.closing:
			return nil, false
		case r := <-w.queue:
			add(r)
		}
	}
	return batch, true
}

// store makes an attempt to store a batch, answers those of which the
// outcome is known, and returns the others.
func (w *writer) store(batch []*request) []*request {
	if err := w.reconnect(); err != nil {
		return answerUnstored(batch, err)
	}
	batch = slices.DeleteFunc(batch, func(r *request) bool { return !r.claim() })
	if len(batch) == 0 {
		return nil
	}
	err := w.send(batch)
	if err == nil {
		w.patience, w.pauses = firstPatience, 0
		return nil
	}
	rejection := rejected(err)
	if rejection == nil {
		w.disconnect()
		if !pgconn.SafeToRetry(err) {
			w.patience = min(2*w.patience, mostPatience)
			for _, r := range batch {
				r.unknown = true
			}
		}
		return batch
	}
	switch {
	case rejection.Code == codeTooManyLinks:
		if rest := answerLinks(batch, rejection.Detail); len(rest) < len(batch) {
			return w.store(rest)
		}
	case len(batch) > 1 && ofData(rejection):
		// One of them is the reason.
		var open []*request
		for _, r := range batch {
			open = append(open, w.store([]*request{r})...)
		}
		return open
	}
	return answerUnstored(batch, err)
}

// send makes one attempt, and answers when it succeeds. Any other error than
// one that the server rejects the batch with leaves open what became of it.
func (w *writer) send(batch []*request) error {
	events, texts, err := encode(batch)
	if err != nil {
		panic("events have to be JSON: " + err.Error()) // they are made of strings and times
	}
	ctx, cancel := context.WithTimeout(context.Background(), w.patience)
	defer cancel()
	var head, lease int64
	var revisions []int64
	w.unsynced = false
	// The row comes before the commit; Scan returns after it.
	err = w.conn.QueryRow(ctx, appendQuery,
		events, texts, consent.MaxLinked, w.durable).Scan(&head, &lease, &revisions)
	switch {
	case err != nil:
		return err
	case w.unsynced:
		return errUnsynced
	}
	for _, r := range batch {
		commit := consent.Commit{Revision: consent.Revision(head), Lease: time.Duration(lease) * time.Microsecond}
		if n := len(r.rows); n > 0 {
			commit.Revision = consent.Revision(revisions[n-1])
			revisions = revisions[n:]
		}
		r.result <- result{commit: commit}
	}
	return nil
}

// errUnsynced says that a commit is on the server but perhaps not on its
// synchronous standby. Sending the events again waits for the standby again.
var errUnsynced = errors.New("the server stopped waiting for its synchronous standby")

// notice looks for the warning that comes with such a commit, which the
// protocol reports as a success.
func (w *writer) notice(_ *pgconn.PgConn, n *pgconn.Notice) {
	if n.Routine == "SyncRepWaitForLSN" { // the message is in the server's language
		w.unsynced = true
	}
}

// answerUnstored tells callers that their events are not stored, and returns
// those of whom that is not sure: an earlier attempt may have stored them, or
// still do.
func answerUnstored(batch []*request, err error) []*request {
	return slices.DeleteFunc(batch, func(r *request) bool {
		if !r.unknown {
			r.result <- result{err: unavailable("storing a consent", err)}
		}
		return !r.unknown
	})
}

// answerLinks tells a caller that there are too many links, and returns the
// other requests.
func answerLinks(batch []*request, id string) []*request {
	return slices.DeleteFunc(batch, func(r *request) bool {
		found := slices.ContainsFunc(r.rows, func(w row) bool { return w.ID.String() == id })
		if found {
			r.result <- result{err: fmt.Errorf("storing a link: %w", consent.ErrTooManyLinks)}
		}
		return found
	})
}

func (w *writer) reconnect() error {
	if w.conn != nil && !w.conn.IsClosed() {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), w.patience)
	defer cancel()
	var err error
	w.conn, err = w.connect(ctx, w.notice)
	return err
}

// disconnect leaves the connection. It does not wait for the server.
func (w *writer) disconnect() {
	if w.conn == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), firstPause)
	defer cancel()
	_ = w.conn.Close(ctx) // it is given up
	w.conn = nil
}

// pause waits before the next attempt, longer each time. It reports whether
// there is to be one.
func (w *writer) pause() bool {
	w.pauses++
	select {
	case <-afterPause(w.pauses):
		return true
	case <-w.closing:
		return false
	}
}

// afterPause returns a channel that receives when the nth pause in a row is over.
func afterPause(n int) <-chan time.Time {
	return time.After(min(firstPause<<min(n-1, 10), longestPause))
}
