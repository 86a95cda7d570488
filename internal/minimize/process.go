package minimize

import (
	"context"
	"fmt"
	"net/http"
	"runtime"
	"runtime/debug"
)

// Process takes a request through the steps, after which r holds what may go
// on in place of what came. It returns nil if the request submits nothing and
// no collection answers it. The caller asks the result whether to forward r,
// and closes it when the request is over.
//
// ctx is for the consent store and the recorder: that of r, or one below it that
// has a span. A streamed body uses it until Close.
func (e *Engine) Process(ctx context.Context, w http.ResponseWriter, r *http.Request) (s *Submission) {
	defer func() {
		if v := recover(); v != nil {
			s = e.failed(ctx, s, r, v)
		}
	}()
	to := e.route(w, r)
	if !to.submits {
		return e.unsubmitted(r, to)
	}
	s = e.newSubmission(ctx, r, to)
	err := e.minimize(s) //nolint:contextcheck // the submission has it
	if s.Mode == Report {
		s.work.headers = changedHeaders(s)
	}
	switch {
	case err != nil:
		refuse(s, err)
	case s.stream != nil:
		// It is recorded when it has been read, before its end goes on.
	default:
		record(s)
	}
	if s.Mode == Enforce {
		forward(s)
	}
	s.work.document.close()
	return s
}

// minimize takes a submission from its document to what is written of it. An
// error says why the submission is refused.
func (e *Engine) minimize(s *Submission) error {
	to := &s.work.to
	if to.refusal != nil {
		return to.refusal
	}
	if to.unread {
		return nil
	}
	doc, err := e.read(s)
	if err != nil || to.unread {
		return err
	}
	if to.override.possible {
		if err := e.takeMethod(s, doc); err != nil {
			return err
		}
	}
	if err := e.choose(s, doc); err != nil {
		return err
	}
	facts, err := e.learn(s, doc)
	if err != nil {
		return err
	}
	known := e.ask(s, facts)
	s.decision = e.decide(to, withTicks(known.Standing, facts.ticked))
	if err := e.write(s, doc); err != nil {
		return err
	}
	counted := e.give(s, known, facts.ticked)
	if counted == facts.ticked {
		return nil
	}
	// A consent does not count: it cannot be stored, or the person has taken it
	// back meanwhile. The submission goes on without it.
	s.decision = e.decide(to, withTicks(known.Standing, counted))
	return e.write(s, doc)
}

// step notes that a step begins.
func (e *Engine) step(name string) {
	if e.onStep != nil {
		e.onStep(name)
	}
}

// failed refuses a request at which our code panicked: nothing of it goes
// anywhere, and its memory is not used again.
func (e *Engine) failed(ctx context.Context, s *Submission, r *http.Request, panicked any) *Submission {
	e.logPanic(panicked)
	if s == nil {
		edition := e.Policies.current.Load()
		s = &Submission{Set: edition.Set, Mode: e.Mode, engine: e, ctx: ctx, r: r, began: e.Now()}
	}
	if s.work != nil {
		s.work.document.close()
	}
	s.work, s.stream = nil, nil
	s.Verdict, s.Refusal = Refused, internalFault()
	if err := recordRefusal(s, s.Refusal); err != nil {
		s.summary = Summary{Collection: s.collection(), Verdict: Refused, Rule: s.Refusal.Rule}
	}
	return s
}

// logPanic logs where our code panicked. The value can contain what a client
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

func (e *Engine) warn(what string, err error) {
	if e.Log != nil {
		e.Log.Warn(what, "error", err)
	}
}
