package minimize

import (
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/modicum-proxy/modicum/internal/policy"
	"github.com/modicum-proxy/modicum/internal/submission"
)

// Submission is what the engine made of one request. It belongs to the
// goroutine of the request, but for Summary. The goroutine that reads a
// streamed body records it.
type Submission struct {
	Set        *policy.Set
	Collection *policy.Collection // nil: none declares the route
	Mode       Mode
	Verdict    Verdict
	Receipt    string // empty if nothing was submitted
	// Refusal is why the submission is refused; nil: it is not. In [Report]
	// mode the request goes on all the same.
	Refusal *submission.Error

	engine   *Engine
	ctx      context.Context //nolint:containedctx // of the request; a stream is recorded under it
	r        *http.Request
	on       string // the pattern that led to the collection
	began    time.Time
	work     *work      // nil once given back
	decision *decision  // nil: none was made
	stream   *stream    // nil: the body does not go on while it is read
	body     memoryBody // what goes on of a body in memory
	values   [8]string  // of the headers that we set
	// answer are headers of the response that store a consent in the browser.
	answer http.Header

	mu      sync.Mutex
	summary Summary
	// stripped is Privacy-Stripped for the sender; declared is the same without
	// undeclared names, for anyone else.
	stripped, declared string
}

// Summary describes a submission by names of the policy and by counts.
type Summary struct {
	Collection                 string
	Verdict                    Verdict
	Rule                       string   // of a refusal
	Purposes                   []string // must not be changed
	Kept, Stripped, Undeclared int      // fields; undeclared ones apart
}

// work is the memory of one submission, used again by later ones.
type work struct {
	to       destination
	document document
	out      []byte // what goes on of the body
	query    []byte // what goes on of the query
	header   []byte
	inQuery  []int      // fields that came in the query, by index
	chosenBy []selected // the values by which the collection was chosen
	unknown  bool       // the consent store did not answer
	source   string     // of what stands
	ticks    pendingTicks
	report   submission.Report
	entry    Entry
	enforced http.Header         // in report mode, the headers as enforce would read them; nil: they were not read
	headers  []string            // in report mode, those that enforce would delete or change
	uploaded submission.Uploaded // in a multipart form that was written whole
}

// maxPooled is the largest buffer, in bytes, that is kept for a later
// submission.
const maxPooled = 1 << 20

// newSubmission begins a submission.
func (e *Engine) newSubmission(ctx context.Context, r *http.Request, to destination) *Submission {
	s := &Submission{
		Set: to.edition.Set, Collection: to.collection, Mode: to.mode, Verdict: Minimized, Receipt: e.NewReceipt(),
		engine: e, ctx: ctx, r: r, on: to.pattern, began: e.Now(),
	}
	s.work, _ = e.works.Get().(*work)
	if s.work == nil {
		s.work = new(work)
	}
	s.work.to = to
	if s.Collection == nil {
		s.Verdict = Gap
	}
	return s
}

// unsubmitted returns what a collection announces to a request that submits
// nothing: its purposes. It is nil without a collection.
func (e *Engine) unsubmitted(r *http.Request, to destination) *Submission {
	if to.collection == nil {
		return nil
	}
	s := &Submission{Set: to.edition.Set, Collection: to.collection, Mode: to.mode, engine: e, r: r, on: to.pattern}
	s.summary.Collection = s.collection()
	s.decision = e.Policies.decision(decisionKey{edition: to.edition, collection: to.collection})
	return s
}

// Forward reports whether the request may go on.
func (s *Submission) Forward() bool {
	return s.Refusal == nil || s.Mode == Report && !isFinal(s.Refusal)
}

// Streaming reports whether the body is read while it is forwarded.
func (s *Submission) Streaming() bool { return s.stream != nil }

// StreamRefusal returns why a form was refused while it was forwarded, or nil.
// The application then did not see its end.
//
// A Read that was late ends the context of the request, and the forwarding
// handler may learn of that before it reads why.
func (s *Submission) StreamRefusal() *submission.Error {
	if s.stream == nil {
		return nil
	}
	refusal := s.stream.refused(s.r.Context().Err() != nil)
	if s.Mode == Report && !isFinal(refusal) {
		return nil
	}
	return refusal
}

// Summary returns what was last recorded of the submission. It may be called
// from any goroutine, and after Close.
func (s *Submission) Summary() Summary {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.summary
}

// Close ends the submission. Nothing may read the body of the request
// afterwards.
func (s *Submission) Close() {
	_ = s.body.Close()
	if s.stream != nil {
		_ = s.stream.Close()
		return // a transport may still be reading, and uses the memory
	}
	if s.work == nil {
		return
	}
	w := s.work
	s.work = nil
	w.document.reset()
	for _, b := range []*[]byte{&w.document.buffer, &w.out, &w.query, &w.header} {
		if cap(*b) > maxPooled {
			*b = nil
		}
	}
	w.to, w.inQuery, w.unknown, w.source = destination{}, w.inQuery[:0], false, ""
	w.ticks, w.enforced, w.headers, w.chosenBy = pendingTicks{}, nil, nil, nil
	s.engine.works.Put(w)
}

// collection returns the name of the collection; empty for a gap.
func (s *Submission) collection() string {
	if s.Collection == nil {
		return ""
	}
	return s.Collection.Name
}
