// Package explain takes single submissions through the engine, apart from any
// server, and tells what became of each field and by which rule: for the tests
// that stand beside a policy, and for an operator who wonders.
package explain

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"maps"
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

// Receipt stands for the receipt of a submission that was only explained.
const Receipt = "00000000-0000-7000-8000-000000000000"

// Request is a submission to explain.
type Request struct {
	On       string // "METHOD [HOST]/path[?query]"
	Header   http.Header
	Body     []byte   // empty: none
	Consents []string // purposes that the person has consented to
}

// Explanation says what became of a submission, and why.
type Explanation struct {
	On string `json:"on"`
	// Collection is empty for a gap.
	Collection string           `json:"collection,omitempty"`
	Pattern    string           `json:"pattern,omitempty"`
	Position   *policy.Position `json:"position,omitempty"`
	// NearestPattern is the declared one that a gap may mean.
	NearestPattern string       `json:"nearest_pattern,omitempty"`
	Verdict        string       `json:"verdict"`
	Refusal        *Refusal     `json:"refusal,omitempty"`
	Fields         []Field      `json:"fields"`
	Undeclared     []Undeclared `json:"undeclared"`
	// MoreUndeclared says that not all undeclared names are told.
	MoreUndeclared bool `json:"more_undeclared,omitempty"`
	// Forwarded is what the application receives; nil: nothing.
	Forwarded *Forwarded `json:"forwarded,omitempty"`
	// Source says what decided about consents and objections, several joined
	// by commas: "form", "gpc", "klaro" …, "asked" for the consents that the
	// question names.
	Source string `json:"consent_source,omitempty"`
	// Answer holds the headers that the sender is told by.
	Answer http.Header `json:"answer"`
}

// Refusal says by which rule a submission is refused, and where.
type Refusal struct {
	Status int    `json:"status"`
	Rule   string `json:"rule"`
	Detail string `json:"detail"`
	// Offset is the position in the decoded body or the query, −1: none.
	Offset int64 `json:"offset"`
}

// Field is the verdict on one declared field.
type Field struct {
	Name     string `json:"name"`
	Kept     int    `json:"kept"`     // values
	Stripped int    `json:"stripped"` // values
	Reason   string `json:"reason,omitempty"`
	Purpose  string `json:"purpose,omitempty"` // that lets it pass
	Consent  string `json:"consent,omitempty"` // the purpose that its tick consents to
	Keep     string `json:"keep,omitempty"`    // how its values are reduced
	// Replaced says that the policy has a constant for what is stripped.
	Replaced bool            `json:"replaced,omitempty"`
	Position policy.Position `json:"position"`
}

// Undeclared is a name that no field declares.
type Undeclared struct {
	Name string `json:"name"`
	// Nearest is the declared name that may be meant.
	Nearest string `json:"nearest,omitempty"`
}

// Forwarded is a request as the application receives it.
type Forwarded struct {
	Target string      `json:"target"`
	Header http.Header `json:"header"`
	Body   []byte      `json:"-"`
}

// Explainer explains submissions under one policy set, with the options in
// force when an operator gives none. It is for one goroutine.
type Explainer struct {
	set     *policy.Set
	engine  *minimize.Engine
	granted policy.PurposeSet  // by the person who submits
	signals *service.Stateless // without a store: what the request itself says
	source  string             // of what decided about the last submission
}

// New returns an explainer of set. Pseudonyms come out under a key that
// nobody keeps.
func New(set *policy.Set) (*Explainer, error) {
	key := make([]byte, 32)
	_, _ = rand.Read(key) // it never fails
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
		Policies: policies, Consents: e, Recorder: entryOf{e}, Undeclared: minimize.Strip, Limits: submission.DefaultLimits(),
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

// Record implements [minimize.Consents]. A consent that is only explained is
// kept nowhere.
func (*Explainer) Record(_ context.Context, _ http.Header, _ *consent.Inquiry, ticked policy.PurposeSet) (policy.PurposeSet, error) {
	return ticked, nil
}

// entryOf is where explained submissions are recorded.
type entryOf struct{ *Explainer }

// Record implements [minimize.Recorder].
func (e entryOf) Record(_ context.Context, entry *minimize.Entry) error {
	e.source = entry.Consent
	return nil
}

// Explain tells what becomes of one submission. An error says what is wrong
// with the question.
func (e *Explainer) Explain(ctx context.Context, ask Request) (*Explanation, error) {
	r, err := ask.request(ctx)
	if err != nil {
		return nil, err
	}
	e.granted, e.source = policy.PurposeSet{}, ""
	for _, name := range ask.Consents {
		id, ok := e.set.PurposeID(name)
		if !ok || e.set.Purposes[id].Basis != policy.Consent {
			return nil, fmt.Errorf("consent %q: expected a purpose of the policy that rests on consent (%s)", name, orNone(e.byConsent()))
		}
		e.granted = e.granted.With(id)
	}
	told := &Explanation{On: ask.On, Fields: []Field{}, Undeclared: []Undeclared{}, Answer: http.Header{}}
	if to := e.set.Route(r.Method, r.URL.Hostname(), r.URL.EscapedPath()); to.Collection != nil {
		told.Collection, told.Pattern, told.Position = to.Collection.Name, to.Pattern, &to.Collection.Position
	} else {
		told.NearestPattern = policy.Nearest(ask.On, e.patterns())
	}
	s := e.engine.Process(ctx, nil, r)
	if s == nil {
		told.Verdict = minimize.None.String()
		told.Forwarded = &Forwarded{Target: r.URL.RequestURI(), Header: r.Header}
		return told, nil
	}
	defer s.Close()
	err = tell(told, s, r) //nolint:contextcheck // as above
	told.Source = e.source
	return told, err
}

// forwarded reads what goes on, or returns why nothing does. A form that
// streams is read while it goes on, and may be refused yet.
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

// tell fills in what the engine found.
func tell(told *Explanation, s *minimize.Submission, r *http.Request) error {
	body, refusal, err := forwarded(s, r)
	if err != nil {
		return fmt.Errorf("reading what goes on: %w", err)
	}
	told.Verdict = s.Verdict.String()
	s.Announce(told.Answer)
	if refusal != nil {
		told.Verdict = minimize.Refused.String()
		told.Refusal = &Refusal{Status: refusal.Status, Rule: refusal.Rule, Detail: refusal.Detail, Offset: refusal.Offset}
		return nil //nolint:nilerr // a refusal is what there is to tell
	}
	told.Forwarded = &Forwarded{Target: r.URL.RequestURI(), Header: r.Header, Body: body}
	var declared []string
	for _, f := range s.Findings() {
		declared = append(declared, f.Field.Name)
		told.Fields = append(told.Fields, Field{
			Name: f.Field.Name, Kept: f.Kept, Stripped: f.Stripped, Reason: f.Reason, Purpose: f.Purpose, Consent: f.Consent,
			Keep: keepText(f.Field.Keep), Replaced: f.Field.Otherwise != nil, Position: f.Field.Position,
		})
	}
	var names []string
	names, told.MoreUndeclared = s.UndeclaredNames()
	for _, name := range names {
		told.Undeclared = append(told.Undeclared, Undeclared{Name: name, Nearest: policy.Nearest(name, declared)})
	}
	return nil
}

// keepText writes a reduction as the policy does.
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

func (e *Explainer) byConsent() []string {
	var names []string
	for _, p := range e.set.Purposes {
		if p.Basis == policy.Consent {
			names = append(names, p.Name)
		}
	}
	return names
}

// request returns the request as a server would have read it.
func (ask *Request) request(ctx context.Context) (*http.Request, error) {
	method, target, _ := strings.Cut(ask.On, " ")
	host, path, ok := strings.Cut(strings.TrimLeft(target, " \t"), "/")
	if !ok || method == "" {
		return nil, fmt.Errorf("%q is no request: expected METHOD [HOST]/path, such as \"POST /checkout\"", ask.On)
	}
	if host == "" {
		host = "localhost"
	}
	var body io.Reader
	if len(ask.Body) > 0 {
		body = bytes.NewReader(ask.Body)
	}
	r, err := http.NewRequestWithContext(ctx, method, "http://"+host+"/"+path, body)
	if err != nil {
		return nil, fmt.Errorf("%q is no request: %w", ask.On, err)
	}
	maps.Copy(r.Header, ask.Header)
	r.RequestURI = r.URL.RequestURI()
	return r, nil
}

func orNone(names []string) string {
	if len(names) == 0 {
		return "it has none"
	}
	return strings.Join(names, ", ")
}
