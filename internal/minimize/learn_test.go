package minimize

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/modicum-proxy/modicum/internal/consent"
	"github.com/modicum-proxy/modicum/internal/policy"
	"github.com/modicum-proxy/modicum/internal/submission"
)

// people is a [Consents] for tests: everybody consented to everything but the
// address that withdrew.
type people struct {
	withdrew string
	down     error              // of Record
	unknown  error              // of Standing
	nothing  bool               // is granted to anybody
	counted  *policy.PurposeSet // by Record; nil: all that is ticked
	recorded []policy.PurposeSet
	asked    int
}

func (p *people) Standing(_ context.Context, inq *consent.Inquiry) (consent.Answer, error) {
	p.asked++
	answer := consent.Answer{Source: "page"}
	if (inq.Fields["email"] != p.withdrew || p.withdrew == "") && !inq.Hidden && !p.nothing {
		answer.Granted = inq.Purposes
	}
	return answer, p.unknown
}

func (p *people) Record(_ context.Context, h http.Header, _ *consent.Inquiry, ticked policy.PurposeSet) (policy.PurposeSet, error) {
	if p.down != nil {
		return ticked, p.down
	}
	p.recorded = append(p.recorded, ticked)
	h.Add("Set-Cookie", "__Host-modicum=1")
	if p.counted != nil {
		return *p.counted, nil
	}
	return ticked, nil
}

func known(p *people) func(*Engine) {
	return func(e *Engine) { e.Consents, e.Identifying = p, []string{"email"} }
}

// Whom a submission is about can be told by the submission itself.
func TestIdentifyingField(t *testing.T) {
	p := &people{withdrew: "ada@example.org"}
	e, _ := newEngine(t, shop, known(p))
	for _, test := range []struct{ contentType, body, stripped, kept string }{
		{jsonType, `{"birthday":"1980-01-02","email":"ada@example.org"}`, "1980", "ada@"},
		{jsonType, `{"birthday":"1980-01-02","email":"bob@example.org"}`, "nothing", "1980"},
		{formType, `birthday=1980-01-02&email=ada%40example.org`, "1980", "ada"},
		{formData, form(part{"birthday", "", "1980-01-02"}, part{"email", "", "ada@example.org"}), "1980", "ada@"},
		// An address of 64 characters and more was not told at all once.
		{jsonType, `{"birthday":"1980-01-02","email":"` + strings.Repeat("x", 64) + `@` + strings.Repeat("y", 185) + `.example"}`, "nothing", "1980"},
		// Whoever hides their address behind one that cannot be told has
		// consented to nothing.
		{jsonType, `{"birthday":"1980-01-02","email":"` + strings.Repeat("x", 400) + `@example.org"}`, "1980", "xxx"},
	} {
		got := process(e, request("POST /checkout", test.contentType, strings.NewReader(test.body)))
		if strings.Contains(got.body, test.stripped) || !strings.Contains(got.body, test.kept) {
			t.Errorf("%.90s…\nforwarded %.200q", test.body, got.body)
		}
	}
}

// A form that streams is decided by its beginning. An address behind a large
// file would come too late for the withdrawal of whose it is.
func TestIdentifyingFieldBehindTheFile(t *testing.T) {
	p := &people{withdrew: "ada@example.org"}
	e, _ := newEngine(t, shop, known(p))
	file := part{"photo", "a.bin", strings.Repeat("0123456789abcdef", 100_000)}
	email, birthday := part{"email", "", "ada@example.org"}, part{"birthday", "", "1980-01-02"}
	for name, body := range map[string]string{"behind": form(birthday, file, email), "before": form(birthday, email, file), "absent": form(birthday, file)} {
		if got := process(e, request("POST /checkout", formData, strings.NewReader(body))); strings.Contains(got.body, "1980") || !strings.Contains(got.body, "0123456789abcdef") {
			t.Errorf("%s: %d bytes go on, the birthday among them", name, len(got.body))
		}
	}
	email.content = "bob@example.org"
	if got := process(e, request("POST /checkout", formData, strings.NewReader(form(birthday, email, file)))); !strings.Contains(got.body, "1980") {
		t.Error("what is consented does not pass")
	}
}

// A tick counts when it is kept as evidence, and of a submission that goes on.
func TestTicksAreRecorded(t *testing.T) {
	set := compiled(t, shop)
	newsletter, _ := set.PurposeID("newsletter")
	const body = "name=Ada&email=a%40b.example&birthday=1980-01-02&subscribe=on"
	send := func(p *people, body string, changes ...func(*Engine)) (result, *journal) {
		t.Helper()
		p.withdrew = "a@b.example"
		e, j := newEngine(t, shop, append(changes, known(p))...)
		return process(e, request("POST /checkout", formType, strings.NewReader(body))), j
	}
	p := &people{}
	got, j := send(p, body)
	if !strings.Contains(got.body, "1980") || len(p.recorded) != 1 || p.recorded[0] != (policy.PurposeSet{}.With(newsletter)) || got.told.Get("Set-Cookie") == "" {
		t.Errorf("forwarded %q, recorded %v, %v", got.body, p.recorded, got.told)
	}
	if entry := j.only(t); entry.Consent != "form,page" {
		t.Errorf("consent %q", entry.Consent)
	}
	p = &people{down: errors.New("down")}
	got, j = send(p, body)
	if strings.Contains(got.body, "1980") || strings.Contains(got.body, "subscribe") || !strings.Contains(got.body, "Ada") {
		t.Errorf("a tick that is not kept counts: %q", got.body)
	}
	if entry := j.only(t); entry.Consent != "unknown" {
		t.Errorf("consent %q", entry.Consent)
	}
	p = &people{}
	if got, _ = send(p, body+"&name=twice"); got.Refusal == nil || len(p.recorded) != 0 {
		t.Errorf("of a refused submission %v is recorded", p.recorded)
	}
	p = &people{}
	got, _ = send(p, body, func(e *Engine) { e.Mode = Report })
	if len(p.recorded) != 0 || len(got.told) != 0 {
		t.Errorf("report mode records %v and answers %v", p.recorded, got.told)
	}
}

// A link in somebody's comment ticks the box of a form that is sent by GET.
func TestTickInALink(t *testing.T) {
	text := strings.Replace(shop, "fields: {q: technical, name: delivery}", "fields: {q: technical, opinion: poll}\n    consents: {poll: ask}", 1)
	for _, change := range []func(*Engine){
		func(*Engine) {},
		func(e *Engine) {
			e.Consents = consents(func(*policy.Set, policy.PurposeSet) (policy.Standing, error) { return policy.Standing{}, nil })
		},
	} {
		e, _ := newEngine(t, text, change)
		if got := process(e, request("GET /search?q=a&opinion=o&ask=on", "", nil)); got.query != "q=a" {
			t.Errorf("forwarded %q", got.query)
		}
	}
}

// The store is not asked about what nobody has a choice about.
func TestNobodyIsAsked(t *testing.T) {
	p := &people{unknown: errors.New("down")}
	e, _ := newEngine(t, shop, known(p))
	for _, on := range []string{"GET /search?q=x", "GET /", "GET /checkout", "DELETE /checkout?id=1", "POST /nowhere?x=1"} {
		if got := process(e, request(on, "", nil)); got.Submission != nil && got.Refusal != nil {
			t.Errorf("%s is refused: %v", on, got.Refusal)
		}
	}
	if p.asked > 0 {
		t.Errorf("asked %d times", p.asked)
	}
}

// What is required and rests on a consent that is not known is not the
// sender's fault.
func TestRequiredAndUnknown(t *testing.T) {
	p := &people{unknown: errors.New("down")}
	e, _ := newEngine(t, shop, known(p))
	got := process(e, request("POST /order", jsonType, strings.NewReader(`{"email":"a@b.example","birthday":"1980-01-02"}`)))
	if got.Refusal == nil || got.Refusal.Status != http.StatusServiceUnavailable || got.Refusal.Rule != "consent-unknown" {
		t.Errorf("refused with %v", got.Refusal)
	}
}

// A link can carry a query to a form's address, and a script of the page may
// send the form without a body: only a body ticks a box.
func TestAttackTickInTheQuery(t *testing.T) {
	p := &people{withdrew: "a@b.example"}
	e, _ := newEngine(t, shop, known(p))
	for _, body := range []string{"", "email=a%40b.example"} {
		got := process(e, request("POST /checkout?subscribe=on&email=a%40b.example&birthday=1980-01-02", map[bool]string{true: formType}[body != ""], strings.NewReader(body)))
		if strings.Contains(got.query, "1980") || len(p.recorded) != 0 {
			t.Errorf("%q: forwarded %q, recorded %v, rule %q", body, got.query, p.recorded, got.rule())
		}
	}
}

// A form names two people in one field, or in the query and in the body: one of
// them may have withdrawn, and nobody can say whose it is for the application.
func TestAttackTwoIdentities(t *testing.T) {
	p := &people{withdrew: "ada@example.org"}
	text := strings.Replace(shop, "fields: {q: technical, name: delivery}", "fields: {q: technical, name: delivery}\n  list: {on: POST /list-of, fields: {email.*: newsletter, birthday: newsletter}}", 1)
	e, _ := newEngine(t, text, known(p), func(e *Engine) { e.Identifying = append(e.Identifying, "email.*") })
	for on, body := range map[string]string{
		"POST /list-of":                          "email[]=ada%40example.org&email[]=bob%40example.org&birthday=1980",
		"POST /checkout?email=ada%40example.org": "email=bob%40example.org&birthday=1980-01-02",
		"POST /checkout?email=bob%40example.org": "email=ada%40example.org&birthday=1980-01-02",
	} {
		if got := process(e, request(on, formType, strings.NewReader(body))); strings.Contains(got.body, "1980") {
			t.Errorf("%s: forwarded %q", on, got.body)
		}
	}
	got := process(e, request("POST /list-of", formType, strings.NewReader("email[]=bob%40example.org&email[]=bob%40example.org&birthday=1980")))
	if !strings.Contains(got.body, "1980") {
		t.Errorf("one person, named twice: forwarded %q, %q", got.body, got.rule())
	}
}

// Ticks and identities are learnt before anything is checked: a MiB of values
// with costly rules is not checked twice for the sake of one box. Two thousand
// telephone numbers are within the bound of one submission, and not twice.
func TestLearningRunsNoRules(t *testing.T) {
	text := strings.Replace(shop, "      phone: {for: delivery, type: phone}", "      phones.*: {for: delivery, type: phone}", 1)
	e, _ := newEngine(t, text, known(&people{withdrew: "a@b.example"}))
	e.Limits.Fields = 1 << 20
	body := `{"subscribe":true,"email":"a@b.example","phones":[` + strings.TrimSuffix(strings.Repeat(`"+493012345678",`, 2000), ",") + `]}`
	learner := watch(e.Policies.current.Load(), e.Policies.Load().Collections[0], e.Identifying)
	report := new(submission.Report)
	report.Reset(learner.plan)
	out, err := learner.plan.JSON(nil, []byte(body), e.Limits, report)
	if err != nil || string(out) != "{}" {
		t.Errorf("learning writes %.100q, %v", out, err)
	}
	for i := range report.Outcomes {
		if report.Outcomes[i].Kept > 0 || report.Outcomes[i].Reason == submission.ReasonWrongType {
			t.Errorf("learning checks the field %d: %+v", i, report.Outcomes[i])
		}
	}
	if got := process(e, request("POST /checkout", jsonType, strings.NewReader(body))); got.rule() != "" || !strings.Contains(got.body, "subscribe") {
		t.Errorf("refused by %q, forwarded %.100q", got.rule(), got.body)
	}
}

// The person takes a consent back while a form that gives it is on its way. One
// that is held goes on without what rests on it. Of one that streams, something
// may have passed already: the application must not see its end.
func TestConsentTakenBackMeanwhile(t *testing.T) {
	none := policy.PurposeSet{}
	for _, size := range []int{10, 2 << 20} {
		e, j := newEngine(t, shop, known(&people{nothing: true, counted: &none}))
		got := process(e, request("POST /upload", formData, strings.NewReader(form(
			part{"must", "", "here"}, part{"email", "", "a@b.example"}, part{"subscribe", "", "on"}, part{"birthday", "", "1980"}, part{"file", "f", strings.Repeat("x", size)}))))
		entry := j.only(t)
		if streams := size > 1<<20; !streams {
			if got.rule() != "" || strings.Contains(got.body, "1980") || entry.Verdict != Minimized {
				t.Errorf("held: rule %q, forwarded %.300q, recorded %+v", got.rule(), got.body, entry)
			}
			continue
		}
		refusal := got.StreamRefusal()
		if refusal == nil || refusal.Rule != "consent-taken-back" || refusal.Status != http.StatusConflict || entry.Rule != "consent-taken-back" || strings.HasSuffix(got.body, "--\r\n") {
			t.Errorf("streamed: %v, recorded %+v, the end of what went on %q", refusal, entry, got.body[max(0, len(got.body)-40):])
		}
	}
}

// A form that is refused gives no consent: its sender corrects it, and may take
// the tick out.
func TestRefusedFormGivesNoConsent(t *testing.T) {
	text := strings.NewReplacer(
		"      phone: {for: delivery, type: phone}", "      phone: {for: delivery, type: phone, required: true}",
		"    fields: {id: technical}\n  order:", "    fields: {id: technical}\n  poll:\n    on: POST /poll\n    fields: {opinion: {for: poll, required: true}, phone: delivery}\n    consents: {newsletter: subscribe}\n  order:",
	).Replace(shop)
	const ticked = "subscribe=on&email=a%40b.example"
	for _, test := range []struct{ on, contentType, body, rule string }{
		{"POST /checkout", formType, ticked + "&name=a", "required"},
		{"POST /checkout", formType, ticked + "&phone=none", "required"},
		{"POST /checkout?phone=%2B493012345679", formType, ticked + "&phone=%2B493012345678", "query-and-body"},
		{"POST /checkout", formType, ticked + "&phone=%2B493012345678&_method=DELETE", "method-override"},
		{"POST /poll", formType, ticked + "&opinion=o", "required"},
		{"POST /checkout", formData, form(part{"subscribe", "", "on"}, part{"email", "", "a@b.example"}, part{"name", "", "a\x00b"}), "field-text"},
	} {
		p := &people{nothing: true}
		e, _ := newEngine(t, text, known(p))
		if got := process(e, request(test.on, test.contentType, strings.NewReader(test.body))); got.rule() != test.rule || len(p.recorded) > 0 || len(got.told["Set-Cookie"]) > 0 {
			t.Errorf("%s %.80q: refused by %q, stored %v, told %v", test.on, test.body, got.rule(), p.recorded, got.told)
		}
	}
	p := &people{}
	e, _ := newEngine(t, text, known(p))
	if got := process(e, request("POST /checkout", formType, strings.NewReader(ticked+"&phone=%2B493012345678"))); got.rule() != "" || len(p.recorded) != 1 {
		t.Errorf("refused by %q, stored %v", got.rule(), p.recorded)
	}
}

// The names of identifying fields were joined by zero bytes once, which made a
// field without a name identify people.
func TestNamelessFieldIdentifiesNobody(t *testing.T) {
	e, _ := newEngine(t, strings.Replace(shop, `    fields: {"**": delivery}`, `    fields: {"**": delivery}`+"\n    consents: {newsletter: subscribe}", 1), known(&people{withdrew: "a@b.example"}))
	ed := e.Policies.current.Load()
	for c, d := range e.watching(ed) {
		for _, i := range d.identifying {
			if name := c.Fields[i].Name; name != "email" {
				t.Errorf("%s: the field %q identifies people", c.Name, name)
			}
		}
	}
}

// Behind a file, one more element of a list that identifies people may follow.
func TestAttackIdentityListBehindTheFile(t *testing.T) {
	text := strings.Replace(shop, "      title: delivery\n", "      title: delivery\n      email.*: delivery\n", 1)
	e, _ := newEngine(t, text, known(&people{withdrew: "ada@example.org"}), func(e *Engine) { e.Identifying = append(e.Identifying, "email.*") })
	got := process(e, request("POST /upload", formData, strings.NewReader(form(
		part{"must", "", "here"}, part{"email[]", "", "bob@example.org"}, part{"birthday", "", "1980"},
		part{"file", "f", strings.Repeat("x", 2<<20)}, part{"email[]", "", "ada@example.org"}))))
	if strings.Contains(got.body, "1980") {
		t.Error("what one of two people consented to passes for both")
	}
}
