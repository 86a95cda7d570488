package pages

import (
	"errors"
	"mime"
	"net/http"
	"net/url"

	"github.com/modicum-proxy/modicum/internal/consent"
)

// The answers to a question, as forms and the API write them.
const (
	allow  = "allow"
	refuse = "refuse"
)

// choose takes the form of the page of choices. What it answers with an error
// has changed nothing.
func (p *Pages) choose(w http.ResponseWriter, r *http.Request) {
	v := p.visit(r)
	if err := p.cross.Check(r); err != nil {
		p.message(w, v, http.StatusForbidden, "cross")
		return
	}
	form, status := readForm(w, r)
	if form == nil {
		p.message(w, v, status, map[int]string{http.StatusRequestEntityTooLarge: "large"}[status])
		return
	}
	choices, _ := p.read(r, v) // what can be stored is: the person need not wait until we can read
	marks := v.marks(form)
	if name := p.untrusted(r, form); name != "" {
		p.showChoices(w, r, v, http.StatusForbidden, choices, marks, v.problem(name))
		return
	}
	if len(marks) == 0 {
		problem := v.problem("empty")
		for _, q := range v.all() {
			problem.Items = append(problem.Items, problemItem{v.title(q), "#" + allow + "-" + q.purpose.Name})
		}
		p.showChoices(w, r, v, http.StatusUnprocessableEntity, choices, marks, problem)
		return
	}
	a := v.decide(marks, form, choices)
	if len(a.outdated) > 0 {
		problem := v.problem("outdated")
		for _, q := range a.outdated {
			problem.Items = append(problem.Items, problemItem{v.title(q), "#purpose-" + q.purpose.Name})
			delete(marks, q.purpose.Name)
		}
		p.showChoices(w, r, v, http.StatusConflict, choices, marks, problem)
		return
	}
	err := p.keep(w, r, v, consent.FromPage, a.decisions)
	if name := tooMany(err); name != "" {
		p.message(w, v, http.StatusTooManyRequests, name)
		return
	}
	if err != nil {
		p.showChoices(w, r, v, http.StatusServiceUnavailable, choices, marks, v.unsaved(err, a.decisions))
		return
	}
	// What is in force is told by the page that follows, from what is stored:
	// an address that says "saved" could be anybody's.
	http.Redirect(w, r, v.url("choices")+"#now", http.StatusSeeOther) //nolint:gosec // G710: nothing of the request but the tag of a language of ours
}

// keep stores decisions, if there are any.
func (p *Pages) keep(w http.ResponseWriter, r *http.Request, v *visit, source consent.Source, decisions []consent.Decision) error {
	if len(decisions) == 0 {
		return nil
	}
	err := p.Consents.Choose(r, w.Header(), v.set, source, decisions)
	if err != nil {
		p.Logger.WarnContext(r.Context(), "keeping what a visitor chose", "error", err)
		retry := "5"
		if tooMany(err) != "" {
			retry = "60"
		}
		w.Header().Set("Retry-After", retry)
	}
	return err
}

// tooMany returns the message for those who choose too often; empty: err says
// something else.
func tooMany(err error) string {
	switch {
	case errors.Is(err, consent.ErrTooMany):
		return "often"
	case errors.Is(err, consent.ErrTooManyGrants):
		return "granted"
	}
	return ""
}

// uncertain reports whether choices may be stored all the same, and be in force
// on some proxies.
func uncertain(err error) bool {
	return errors.Is(err, consent.ErrOutcomeUnknown) || errors.Is(err, consent.ErrPending)
}

// unsaved says that choices were not kept, and names the consents that were
// not withdrawn.
func (v *visit) unsaved(err error, decisions []consent.Decision) *problem {
	name := "unsaved"
	if uncertain(err) {
		name = "unknown"
	}
	problem := v.problem(name)
	for _, d := range decisions {
		if q := v.named(d.Purpose); d.Action == consent.Withdraw && q != nil {
			problem.Items = append(problem.Items, problemItem{v.title(q), "#purpose-" + d.Purpose})
		}
	}
	if len(problem.Items) > 0 {
		problem.Text += " " + v.in.Say("problem.unwithdrawn")
	}
	return problem
}

// readForm reads a form of ours; nil and the status of the answer if it is
// none.
func readForm(w http.ResponseWriter, r *http.Request) (url.Values, int) {
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != "application/x-www-form-urlencoded" {
		return nil, http.StatusUnsupportedMediaType
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	if err := r.ParseForm(); err != nil {
		if _, large := errors.AsType[*http.MaxBytesError](err); large {
			return nil, http.StatusRequestEntityTooLarge
		}
		return nil, http.StatusBadRequest
	}
	return r.PostForm, 0
}

// marks returns the answers of a form by purpose. A button for all answers
// for all; what is neither yes nor no is no answer.
func (v *visit) marks(form url.Values) map[string]string {
	marks := map[string]string{}
	all := map[string]string{"allow-all": allow, "refuse-all": refuse}[form.Get("do")]
	for _, q := range v.all() {
		mark := all
		if mark == "" {
			mark = form.Get("choice." + q.purpose.Name)
		}
		if mark == allow || mark == refuse {
			marks[q.purpose.Name] = mark
		}
	}
	return marks
}

// answers are what a person decided.
type answers struct {
	decisions []consent.Decision
	// outdated are the questions that were allowed and are put differently
	// now: nobody consents to what they did not read.
	outdated []*question
}

// decide turns marks into decisions. What says no counts whatever text it
// was given to. What changes nothing is left out, so that the date of a
// choice stays that of the choice.
func (v *visit) decide(marks map[string]string, form url.Values, choices []consent.Choice) answers {
	var a answers
	for i, q := range v.all() {
		mark, current := marks[q.purpose.Name], form.Get("notice."+q.purpose.Name) == q.notice.ID
		var stands consent.Choice
		if choices != nil {
			stands = choices[i]
		}
		d := consent.Decision{Purpose: q.purpose.Name}
		switch {
		case mark == "" || unchanged(mark, &stands):
			continue
		case mark == allow && !current:
			a.outdated = append(a.outdated, q)
			continue
		case mark == allow:
			d.Action = consent.Grant
		default:
			d.Action = q.refusal(&stands, choices != nil)
		}
		if current {
			d.Notice, d.Shown = q.notice.ID, consent.NewShown(v.in.Tag, q.wording.String())
		}
		a.decisions = append(a.decisions, d)
	}
	return a
}

// unchanged reports whether the person's own, stored choice says the same, and
// is in force.
func unchanged(mark string, stands *consent.Choice) bool {
	if stands.Lagging || !stored(stands) || stands.Source != stands.Latest.Source {
		return false
	}
	return mark == allow && stands.Status == consent.Granted || mark == refuse && stands.Status == consent.Denied && stands.TakenBack
}

// refusal returns what no means: to take back a consent that was given, even
// to an older text, to object to what needs none, or to refuse. If it is not
// known what stands it takes back.
func (q *question) refusal(stands *consent.Choice, known bool) consent.Action {
	switch {
	case q.objection:
		return consent.Object
	case !known || stands.Status == consent.Granted || stands.Status == consent.Outdated || unsaved(stands):
		return consent.Withdraw
	}
	return consent.Refuse
}
