package minimize

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"runtime"
	"runtime/debug"
	"sync"
	"time"

	"github.com/modicum-proxy/modicum/internal/policy"
	"github.com/modicum-proxy/modicum/internal/submission"
)

// Submission is what the engine made of one request. It is used by the
// request's goroutine; a streamed body fills it while it is forwarded.
type Submission struct {
	Set        *policy.Set
	Collection *policy.Collection // nil: none declares the route
	Mode       Mode
	Verdict    Verdict
	Receipt    string // empty when nothing was submitted
	// Refusal is why the submission is refused; nil: it is not. In
	// [Report] mode the request goes on all the same.
	Refusal *submission.Error

	engine   *Engine
	edition  *edition // of Set
	r        *http.Request
	at       paths  // of r
	pattern  string // that led to the collection
	asked    asked
	start    time.Time
	list     *allowList
	work     *work
	opened   bool      // the body is a source, which bounds the time for it
	body     forwarded // in place of the request's body; nil: that stays
	streamed *streamed // the body, when it is forwarded while it is read

	mu      sync.Mutex
	summary Summary
}

// work is the memory of one submission, used again and again.
type work struct {
	body, out, query, header []byte
	report                   submission.Report
	entry                    Entry
}

var works = sync.Pool{New: func() any { return new(work) }}

// maxPooled is the largest buffer that is kept for another submission.
const maxPooled = 1 << 20

// Process takes r through the steps. What it returns says whether r may be
// forwarded: r then holds what goes on, in place of what came. It is nil
// when r submits nothing and no collection answers it. Close the result
// when the request is over.
func (e *Engine) Process(w http.ResponseWriter, r *http.Request) (s *Submission) {
	defer func() {
		if v := recover(); v != nil {
			s = e.broken(s, r, v)
		}
	}()
	refusal := NormalizeTarget(r)
	e.Shield(r)
	edition, at := e.Policies.current.Load(), e.paths(r)
	if refusal == nil && at.tooLong() {
		refusal = pathTooLong()
	}
	upgrade := isUpgrade(r)
	if refusal == nil && !upgrade {
		e.settleLength(w, r)
	}
	var to policy.Route
	submits := refusal != nil // a refused target is still recorded
	if refusal == nil {
		to, submits = e.route(edition.Set, r, at, upgrade)
	}
	if !submits && to.Collection == nil {
		return nil
	}
	s = &Submission{Set: edition.Set, Collection: to.Collection, Mode: e.Mode, engine: e, edition: edition, r: r, at: at, pattern: to.Pattern}
	s.summary.Collection = s.collection()
	if !submits {
		// Nothing to strip, but what a collection answers names its purposes.
		s.list = e.Policies.allowList(allowKey{edition: edition, collection: s.Collection})
		return s
	}
	s.start, s.work = e.Now(), works.Get().(*work)
	s.Receipt = e.NewReceipt()
	s.Verdict = Minimized
	if s.Collection == nil {
		s.Verdict = Gap
	}
	if refusal != nil {
		s.refuse(refusal)
	} else {
		s.decideRoute(w, to.Ambiguous, upgrade)
	}
	switch {
	case s.Mode == Report:
	case s.Refusal == nil:
		s.tell()
	case !s.opened && hasBody(r):
		e.boundRest(w)
	}
	return s
}

// boundRest bounds what follows a refusal that did not look at the body: the
// server reads some of it before it answers.
func (e *Engine) boundRest(w http.ResponseWriter) {
	if e.BodyTimeout > 0 {
		_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(e.BodyTimeout)) // not every writer can
	}
}

// decideRoute looks at where the request goes; its content comes after.
func (s *Submission) decideRoute(w http.ResponseWriter, ambiguous, upgrade bool) {
	switch {
	case !s.at.plain():
		s.refuse(&submission.Error{
			Status: http.StatusBadRequest, Rule: "ambiguous-path", Offset: -1,
			Detail: "the path can be read in two ways (dot segment, empty segment, path parameter or escaped separator)",
		})
	case ambiguous:
		s.refuse(&submission.Error{
			Status: http.StatusBadRequest, Rule: "ambiguous-route", Offset: -1,
			Detail: "applications that ignore letter case, a final slash, a suffix or invisible characters take the path for that of another collection; " +
				"a pattern that spells the path out makes it a route of its own",
		})
	case upgrade:
		s.uninspected(&submission.Error{
			Status: http.StatusForbidden, Rule: "upgrade", Offset: -1,
			Detail: "what follows an upgrade cannot be inspected",
		})
	case s.Collection == nil && s.engine.Undeclared == Pass:
		s.record()
	case s.Collection == nil && s.engine.Undeclared == Reject:
		s.refuse(&submission.Error{
			Status: http.StatusForbidden, Rule: "undeclared", Offset: -1,
			Detail: "no collection of the policy declares this route",
		})
	default:
		s.rebuild(w)
	}
}

// broken refuses a request at which our code panicked: nothing of it goes
// anywhere, and its memory is not used again.
func (e *Engine) broken(s *Submission, r *http.Request, panicked any) *Submission {
	e.logPanic(panicked)
	if s == nil {
		s = &Submission{Set: e.Policies.Load(), Mode: e.Mode, engine: e, r: r, start: e.Now()}
	}
	s.work, s.streamed = nil, nil
	s.Verdict, s.Refusal = Refused, internal()
	if err := s.writeRefusal(s.Refusal.Status, s.Refusal.Rule); err != nil {
		s.summary = Summary{Collection: s.collection(), Verdict: Refused, Rule: s.Refusal.Rule}
	}
	return s
}

// logPanic logs where our code panicked. The value can hold what a client
// sent, unless it is the runtime's.
func (e *Engine) logPanic(v any) {
	if e.Log == nil {
		return
	}
	what := fmt.Sprintf("%T", v)
	if err, ok := v.(runtime.Error); ok {
		what = err.Error()
	}
	e.Log.Error("panic while minimizing a submission", "panic", what, "stack", string(debug.Stack()))
}

// uninspected lets pass or refuses what cannot be read, as the operator
// decided. On a route that a collection declares it is always refused.
func (s *Submission) uninspected(refusal *submission.Error) {
	if s.Collection == nil && s.engine.Uninspected == Pass {
		s.record()
		return
	}
	s.refuse(refusal)
}

// refuse ends the submission, and records that.
func (s *Submission) refuse(err error) {
	s.Refusal = asRefusal(err)
	s.Verdict = Refused
	s.record()
}

// asRefusal turns what ended the reading of a body into a refusal.
func asRefusal(err error) *submission.Error {
	var refusal *submission.Error
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &refusal):
		return refusal
	case errors.As(err, &tooLarge):
		return &submission.Error{Status: http.StatusRequestEntityTooLarge, Rule: "body-size", Detail: "the body is larger than the server allows", Offset: -1}
	case isTimeout(err):
		return &submission.Error{Status: http.StatusRequestTimeout, Rule: "too-slow", Detail: "the body did not arrive in time (body_timeout)", Offset: -1}
	}
	return &submission.Error{Status: http.StatusBadRequest, Rule: "incomplete", Detail: "the body did not arrive whole", Offset: -1}
}

func isTimeout(err error) bool {
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}

// Forward tells whether the request may go on.
func (s *Submission) Forward() bool {
	return s.Refusal == nil || s.Mode == Report && !final(s.Refusal)
}

// Close ends the submission. Nothing reads the request's body afterwards.
func (s *Submission) Close() {
	if s.body != nil {
		_ = s.body.Close()
	}
	if s.work == nil || s.streamed != nil {
		return // a transport may still be reading
	}
	for _, b := range []*[]byte{&s.work.body, &s.work.out, &s.work.query} {
		if cap(*b) > maxPooled {
			*b = nil
		}
	}
	works.Put(s.work)
	s.work = nil
}

// Announce sets the response headers that tell what is collected and what
// was left out, over any of these names that the application set.
func (s *Submission) Announce(h http.Header) {
	if s.Mode == Report {
		return
	}
	for name, values := range s.answer() {
		h[name] = append(h[name], values...)
		if isSafe(s.r.Method) {
			h.Set("Cache-Control", "no-store") // the cookie is one person's
		}
	}
	delete(h, headerPurpose)
	delete(h, headerStripped)
	delete(h, headerReceipt)
	if s.engine.Notice != "" && s.Collection != nil {
		h.Add("Link", "<"+s.engine.Notice+`>; rel="privacy-policy"`)
	}
	if s.list != nil && s.list.header != "" {
		h.Set(headerPurpose, s.list.header)
	}
	if s.Receipt == "" {
		return
	}
	h.Set(headerReceipt, `"`+s.Receipt+`"`)
	if stripped := s.stripped(true); stripped != "" {
		h.Set(headerStripped, stripped)
	}
}

// answer returns what the response tells of recorded consents.
func (s *Submission) answer() http.Header {
	if s.streamed != nil {
		s.streamed.mu.Lock()
		defer s.streamed.mu.Unlock()
	}
	return s.asked.answer
}

// Conceal takes what no field declares out of the headers of a response, for
// whoever sees them beside the sender: servers log them. It is for the time
// between the response and Close.
func (s *Submission) Conceal(h http.Header) {
	if h[headerStripped] == nil || s.Mode == Report || s.engine.ShowUndeclared {
		return
	}
	if declared := s.stripped(false); declared != "" {
		h.Set(headerStripped, declared)
	} else {
		h.Del(headerStripped)
	}
}

// stripped returns the header that names what was left out, as far as that
// is known when the application answers.
func (s *Submission) stripped(names bool) string {
	if s.streamed == nil {
		return s.strippedHeader(names)
	}
	s.streamed.mu.Lock()
	defer s.streamed.mu.Unlock()
	if names {
		return s.streamed.stripped
	}
	return s.streamed.declared
}

// StreamRefusal returns why a form was refused while it was forwarded; nil:
// it was not. The application then did not see its end.
//
// A read that was late ends the request's context, and whoever forwards the
// form may hear of that before they read why.
func (s *Submission) StreamRefusal() *submission.Error {
	if s.streamed == nil {
		return nil
	}
	if s.r.Context().Err() != nil {
		s.streamed.failLate()
	}
	s.streamed.mu.Lock()
	defer s.streamed.mu.Unlock()
	if s.Mode == Report && !final(s.streamed.refusal) {
		return nil
	}
	return s.streamed.refusal
}

// Summary is what may be told of a submission: names of the policy's and
// counts.
type Summary struct {
	Collection                 string
	Verdict                    Verdict
	Rule                       string   // of a refusal
	Purposes                   []string // not to be changed
	Kept, Stripped, Undeclared int      // fields; undeclared ones apart
}

// Summary returns what was last recorded of the submission. It may be
// called from any goroutine, and after Close.
func (s *Submission) Summary() Summary {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.summary
}

// Streaming tells whether the body is read while it is forwarded.
func (s *Submission) Streaming() bool { return s.streamed != nil }
