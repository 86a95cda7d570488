package postgres

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/modicum-proxy/modicum/internal/consent"
)

// request is one call of Append on its way to the writer.
type request struct {
	ctx    context.Context // of the caller, who may stop waiting while the writer goes on
	rows   []row
	shown  []*consent.Shown
	size   int // in bytes, approximately
	stage  atomic.Uint32
	result chan result // has room for the one that is sent
	// unknown says that the answer to an attempt was lost. Of the writer.
	unknown bool
}

type result struct {
	commit consent.Commit
	err    error
}

// The stages of a request. It goes from waiting to either of the others.
const (
	waiting   uint32 = iota
	sent             // or about to be: only the database knows what became of it
	abandoned        // by the caller
)

// claim is called before a request is sent. It reports whether somebody still
// awaits it.
func (r *request) claim() bool {
	return r.stage.Load() == sent || r.stage.CompareAndSwap(waiting, sent)
}

// row is an event as the function append takes it.
type row struct {
	N        int             `json:"n"`
	ID       uuid.UUID       `json:"id"`
	Subject  consent.Subject `json:"subject"`
	Other    consent.Subject `json:"other"`
	Purpose  string          `json:"purpose"`
	Action   consent.Action  `json:"action"`
	Source   consent.Source  `json:"source"`
	Time     time.Time       `json:"time"`
	Expires  time.Time       `json:"expires,omitzero"`
	Notice   string          `json:"notice"`
	Shown    *string         `json:"shown"`
	Language string          `json:"language"`
	Policy   string          `json:"policy"`
	Receipt  string          `json:"receipt"`
	Address  string          `json:"address"`
}

// text is a text shown as the function append takes it.
type text struct {
	Digest string `json:"digest"`
	Text   string `json:"text"`
}

// Append stores events in one transaction, see [consent.Store].
func (s *Store) Append(ctx context.Context, events ...consent.Event) (consent.Commit, error) {
	r := &request{ctx: ctx, result: make(chan result, 1)}
	for i := range events {
		r.add(&events[i])
	}
	select {
	case s.writer.queue <- r:
	case <-ctx.Done():
		return consent.Commit{}, unavailable("waiting to store a consent", context.Cause(ctx))
	case <-s.writer.closing:
		return consent.Commit{}, unavailable("storing a consent", errClosed)
	}
	select {
	case done := <-r.result:
		return done.commit, done.err
	case <-ctx.Done():
	case <-s.writer.closed:
	}
	select {
	case done := <-r.result: // it came at the same time
		return done.commit, done.err
	default:
	}
	cause := context.Cause(ctx)
	if cause == nil {
		cause = errClosed
	}
	if r.stage.CompareAndSwap(waiting, abandoned) {
		return consent.Commit{}, unavailable("waiting to store a consent", cause)
	}
	return consent.Commit{}, fmt.Errorf("storing a consent: %w: %w", consent.ErrOutcomeUnknown, cause)
}

var errClosed = errors.New("the store is closed")

func (r *request) add(e *consent.Event) {
	w := row{
		ID: e.ID, Subject: e.Subject, Other: e.Other, Purpose: e.Purpose, Action: e.Action, Source: e.Source,
		Time: e.Time.UTC().Truncate(time.Microsecond), Expires: e.Expires.UTC().Truncate(time.Microsecond), Notice: e.Notice, Policy: e.Policy, Receipt: e.Receipt, Address: e.Address,
	}
	r.size += eventSize
	if e.Shown != nil {
		w.Shown, w.Language = &e.Shown.Digest, e.Shown.Language
		r.shown = append(r.shown, e.Shown)
		r.size += len(e.Shown.Text)
	}
	r.rows = append(r.rows, w)
}

// eventSize is about what an event adds to a batch besides its text.
const eventSize = 1 << 10

// encode writes the events and the texts of a batch, each text once.
func encode(batch []*request) (events, texts []byte, err error) {
	rows, shown := []row{}, []text{}
	seen := map[string]bool{}
	for _, r := range batch {
		for _, w := range r.rows {
			w.N = len(rows)
			rows = append(rows, w)
		}
		for _, t := range r.shown {
			if !seen[t.Digest] {
				seen[t.Digest] = true
				shown = append(shown, text{t.Digest, t.Text})
			}
		}
	}
	if events, err = json.Marshal(rows); err != nil {
		return nil, nil, err
	}
	texts, err = json.Marshal(shown)
	return events, texts, err
}
