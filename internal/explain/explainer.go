// Package explain processes single submissions with the engine, without a server,
// and says what happens to each field and by which rule: for the tests in a policy,
// and for an operator with a question.
package explain

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/modicum-proxy/modicum/internal/consent"
	"github.com/modicum-proxy/modicum/internal/consent/service"
	"github.com/modicum-proxy/modicum/internal/minimize"
	"github.com/modicum-proxy/modicum/internal/notice/words"
	"github.com/modicum-proxy/modicum/internal/policy"
	"github.com/modicum-proxy/modicum/internal/submission"
)

// Receipt is the receipt of each submission that is only explained.
const Receipt = "00000000-0000-7000-8000-000000000000"

// Explainer explains submissions under one policy set, with the default options
// of a site. It must not be used by several goroutines.
type Explainer struct {
	set     *policy.Set
	engine  *minimize.Engine
	granted policy.PurposeSet  // the consents that the request to explain names
	signals *service.Stateless // consents and objections in the request itself
	source  string             // of the consents of the last submission
}

// New returns an explainer of set. It makes pseudonyms with a random key.
func New(set *policy.Set) (*Explainer, error) {
	key := make([]byte, 32)
	_, _ = rand.Read(key) // never fails
	policies, err := minimize.NewPolicies(set, key)
	if err != nil {
		return nil, err
	}
	languages, err := words.Read(nil)
	if err != nil {
		return nil, err
	}
	e := &Explainer{set: set, signals: &service.Stateless{Words: languages, Now: time.Now}}
	e.engine = &minimize.Engine{
		Policies: policies, Consents: e, Recorder: recorder{e}, Limits: submission.DefaultLimits(),
		Now: time.Now, NewReceipt: func() string { return Receipt },
	}
	return e, nil
}

// Close releases what the explainer holds.
func (e *Explainer) Close() { e.engine.Policies.Close() }

// Standing implements [minimize.Consents].
func (e *Explainer) Standing(ctx context.Context, inq *consent.Inquiry) (consent.Answer, error) {
	answer, err := e.signals.Standing(ctx, inq)
	if !e.granted.IsEmpty() {
		answer.Source = strings.Trim(answer.Source+",asked", ",")
	}
	for id := range e.granted.All() {
		answer.Granted, answer.Objected = answer.Granted.With(id), answer.Objected.Without(id)
	}
	return answer, err
}

// Record implements [minimize.Consents]. It stores nothing.
func (*Explainer) Record(_ context.Context, _ http.Header, _ *consent.Inquiry, ticked policy.PurposeSet) (policy.PurposeSet, error) {
	return ticked, nil
}

// recorder is the [minimize.Recorder] of an explainer.
type recorder struct{ *Explainer }

// Record implements [minimize.Recorder].
func (r recorder) Record(_ context.Context, entry *minimize.Entry) error {
	r.source = entry.Consent
	return nil
}

// Explain explains what happens to one submission. An error says what is wrong
// with the request.
func (e *Explainer) Explain(ctx context.Context, request Request) (*Explanation, error) {
	r, err := request.server(ctx)
	if err != nil {
		return nil, err
	}
	e.granted, e.source = policy.PurposeSet{}, ""
	for _, name := range request.Consents {
		id, ok := e.set.PurposeID(name)
		if !ok || e.set.Purposes[id].Basis != policy.Consent {
			return nil, fmt.Errorf("consent %q: expected a purpose of the policy that rests on consent (%s)", name, orNone(e.byConsent()))
		}
		e.granted = e.granted.With(id)
	}
	x := &Explanation{On: request.On, Fields: []Field{}, Undeclared: []Undeclared{}, Answer: http.Header{}}
	if to := e.set.Route(r.Method, r.URL.Hostname(), r.URL.EscapedPath()); to.Collection != nil {
		x.Collection, x.Pattern, x.Position = to.Collection.Name, to.Pattern, &to.Collection.Position
	} else {
		x.NearestPattern = policy.Nearest(request.On, e.patterns())
	}
	s := e.engine.Process(ctx, nil, r)
	if s == nil {
		x.Verdict = minimize.None.String()
		x.Forwarded = &Forwarded{Target: r.URL.RequestURI(), Header: r.Header}
		x.Headers = minimize.ChangedHeaders(request.Header, r.Header)
		return x, nil
	}
	defer s.Close()
	if c := s.Collection; c != nil { // of those that share the pattern
		x.Collection, x.Position = c.Name, &c.Position
	}
	err = x.fill(s, r)
	if x.Refusal == nil {
		x.Headers = minimize.ChangedHeaders(request.Header, r.Header)
	}
	x.Source = e.source
	return x, err
}

// forwarded returns the body that is forwarded, or why nothing is. A form that
// streams is forwarded while it is read, and can be refused until its end.
func forwarded(s *minimize.Submission, r *http.Request) ([]byte, *submission.Error, error) {
	if s.Refusal != nil || r.Body == nil {
		return nil, s.Refusal, nil
	}
	body, err := io.ReadAll(r.Body)
	if refusal := s.StreamRefusal(); refusal != nil {
		return nil, refusal, nil
	}
	return body, nil, err
}

// fill sets x to the findings of the engine.
func (x *Explanation) fill(s *minimize.Submission, r *http.Request) error {
	body, refusal, err := forwarded(s, r)
	if err != nil {
		return fmt.Errorf("reading the forwarded body: %w", err)
	}
	x.Verdict = s.Verdict.String()
	s.Announce(x.Answer)
	if refusal != nil {
		x.Verdict = minimize.Refused.String()
		x.Refusal = &Refusal{Status: refusal.Status, Rule: refusal.Rule, Detail: refusal.Detail, Remedy: refusal.Remedy, Offset: refusal.Offset}
		return nil //nolint:nilerr // the refusal is the explanation
	}
	x.Forwarded = &Forwarded{Target: r.URL.RequestURI(), Header: r.Header, Body: body}
	var declared []string
	for _, f := range s.Findings() {
		declared = append(declared, f.Field.Name)
		x.Fields = append(x.Fields, Field{
			Name: f.Field.Name, Kept: f.Kept, Stripped: f.Stripped, Reason: f.Reason, Purpose: f.Purpose, Consent: f.Consent,
			Keep: keepText(f.Field.Keep), Replaced: f.Field.Otherwise != nil, Position: f.Field.Position,
		})
	}
	var names []string
	names, x.MoreUndeclared = s.UndeclaredNames()
	for _, name := range names {
		x.Undeclared = append(x.Undeclared, Undeclared{Name: name, Nearest: policy.Nearest(name, declared)})
	}
	return nil
}

// keepText formats a reduction as in a policy.
func keepText(k policy.Keep) string {
	switch k.Kind {
	case "first", "last", "round":
		return fmt.Sprintf("%s(%d)", k.Kind, k.N)
	}
	return k.Kind
}

func (e *Explainer) patterns() []string {
	var patterns []string
	for _, c := range e.set.Collections {
		for _, p := range c.Patterns {
			patterns = append(patterns, p.Text)
		}
	}
	return patterns
}

// byConsent returns the purposes that are based on consent.
func (e *Explainer) byConsent() []string {
	var names []string
	for _, p := range e.set.Purposes {
		if p.Basis == policy.Consent {
			names = append(names, p.Name)
		}
	}
	return names
}

func orNone(names []string) string {
	if len(names) == 0 {
		return "it has none"
	}
	return strings.Join(names, ", ")
}
