package pages

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	jsonv2 "github.com/go-json-experiment/json"

	"github.com/modicum-proxy/modicum/internal/consent"
	"github.com/modicum-proxy/modicum/internal/consent/signal"
	"github.com/modicum-proxy/modicum/internal/notice"
)

// apiPath is that of the interface for a site's own front end, below the
// prefix. It is for pages of the same origin: it sends no CORS headers, takes
// nothing but JSON, which no foreign form can send, and refuses what browsers
// say comes from elsewhere.
const apiPath = "api/choices"

// apiState is the answer to GET: what a front end needs to ask the questions
// in our words, and what the person has chosen.
type apiState struct {
	// Language is the one that the texts are in. The front end asks for it
	// with ?lang= or Accept-Language, and names it when it sends answers.
	Language string `json:"language"`
	// GPC says that the browser sends Global Privacy Control.
	GPC     bool        `json:"gpc"`
	Choices []apiChoice `json:"choices"`
}

// apiChoice is one question and its answer.
type apiChoice struct {
	Purpose string `json:"purpose"`
	// Basis is "consent", or that of a purpose which one can object to.
	Basis       string `json:"basis"`
	Title       string `json:"title"`
	Description string `json:"description,omitempty"`
	// Told are the rows to show under the title.
	Told []notice.Row `json:"told"`
	// Notice identifies the text. It comes back with the answer.
	Notice string `json:"notice"`
	// Document is the address of the whole text.
	Document string `json:"document"`
	// Status is unasked, granted, denied, expired or outdated. Only granted
	// permits what rests on consent; only denied stops the rest.
	Status string `json:"status"`
	// Source says what decided: page, api, form, gpc …; empty: nothing did.
	Source string `json:"source,omitempty"`
	// Answer is the person's latest own choice; absent: there is none.
	Answer *apiAnswer `json:"answer,omitempty"`
}

type apiAnswer struct {
	Action  string    `json:"action"` // grant, refuse, withdraw, object, expire
	Time    time.Time `json:"time"`
	Expires time.Time `json:"expires,omitzero"`
	Notice  string    `json:"notice,omitempty"`
}

// apiDecisions is the body of POST. All of it is kept, or nothing.
type apiDecisions struct {
	// Language is that of the texts which were shown.
	Language string        `json:"language"`
	Choices  []apiDecision `json:"choices"`
}

type apiDecision struct {
	Purpose string `json:"purpose"`
	Choice  string `json:"choice"` // allow or refuse
	// Notice is that of the text which was shown. To allow needs it.
	Notice string `json:"notice,omitempty"`
}

func (p *Pages) apiChoices(w http.ResponseWriter, r *http.Request) {
	v := p.visit(r)
	choices, err := p.read(r, v)
	if err != nil {
		p.fault(w, http.StatusServiceUnavailable, "what was chosen cannot be looked up now", nil)
		return
	}
	state := apiState{Language: v.in.Tag, GPC: signal.PrefersPrivacy(r.Header), Choices: []apiChoice{}}
	for i, q := range v.all() {
		state.Choices = append(state.Choices, v.apiChoice(q, &choices[i]))
	}
	writeJSON(w, http.StatusOK, "application/json", state)
}

func (v *visit) apiChoice(q *question, choice *consent.Choice) apiChoice {
	c := apiChoice{
		Purpose: q.purpose.Name, Basis: string(q.purpose.Basis), Title: q.wording.Title, Description: q.wording.Description,
		Told: q.wording.Summary(), Notice: q.notice.ID, Document: v.url("consents/" + q.purpose.Name), Status: string(choice.Status), Source: string(choice.Source),
	}
	if latest := &choice.Latest; stored(choice) {
		c.Answer = &apiAnswer{Action: string(latest.Action), Time: latest.Time, Expires: latest.Expires, Notice: latest.Notice}
	}
	return c
}

// apiChoose stores the choices that a person made in the site's own front end. It
// answers 204 when they are in force on every proxy. Any other status carries
// problem+json, and nothing was changed: 400, 413 and 415 if the body cannot be
// read, 403 for a request of another site, 409 if the text is no longer current,
// with the purposes as "outdated", 422 for an unknown purpose or answer, 503 if
// they could not be stored. With 429, for too many choices of a person or network,
// refusals are stored, unless the person is unknown.
func (p *Pages) apiChoose(w http.ResponseWriter, r *http.Request) {
	if p.cross.Check(r) != nil {
		p.fault(w, http.StatusForbidden, "the request comes from another origin", nil)
		return
	}
	var body apiDecisions
	if status, detail := readJSON(w, r, &body); status != 0 {
		p.fault(w, status, detail, nil)
		return
	}
	v := p.visit(r)
	if v.in = v.languages.Named(body.Language); v.in == nil {
		p.fault(w, http.StatusUnprocessableEntity, "language: the texts are not in this language", nil)
		return
	}
	marks, form := map[string]string{}, url.Values{}
	for _, c := range body.Choices {
		if detail := v.wrong(&c, marks); detail != "" {
			p.fault(w, http.StatusUnprocessableEntity, detail, nil)
			return
		}
		marks[c.Purpose] = c.Choice
		form.Set("notice."+c.Purpose, c.Notice)
	}
	choices, _ := p.read(r, v) // what can be stored is, see choose
	a := v.decide(marks, form, choices)
	if len(a.outdated) > 0 {
		var names []string
		for _, q := range a.outdated {
			names = append(names, q.purpose.Name)
		}
		p.fault(w, http.StatusConflict, "the text has changed, or no notice says which one was shown: show the new one and ask again", names)
		return
	}
	err := p.keep(w, r, v, consent.FromAPI, a.decisions)
	if name := tooMany(err); name != "" {
		detail := "too many choices come from this person or network: nothing is saved"
		if name == "granted" {
			detail = "too many choices come from this person or network: what was refused is saved, what was allowed is not"
		}
		p.fault(w, http.StatusTooManyRequests, detail, nil)
		return
	}
	if err != nil {
		detail := "the choices are not saved, and nothing is withdrawn"
		if uncertain(err) {
			detail = "the choices may be saved, but they are not in force on every proxy: do not rely on them, and send them again"
		}
		p.fault(w, http.StatusServiceUnavailable, detail, nil)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// wrong returns what is wrong with a decision, or "".
func (v *visit) wrong(c *apiDecision, marks map[string]string) string {
	switch {
	case v.named(c.Purpose) == nil:
		return "choices: expected a purpose that GET lists as a choice"
	case c.Choice != allow && c.Choice != refuse:
		return "choices: expected allow or refuse"
	case marks[c.Purpose] != "":
		return "choices: a purpose is answered twice"
	}
	return ""
}

// readJSON reads a body strictly: an ambiguous one, or one with unknown members, is
// refused. The status is 0 if it was read.
func readJSON(w http.ResponseWriter, r *http.Request, into any) (status int, detail string) {
	// A form of another site can be sent without asking, as one of three
	// types; JSON is none of them.
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		return http.StatusUnsupportedMediaType, "the body has to be application/json"
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	_, large := errors.AsType[*http.MaxBytesError](err)
	switch {
	case large:
		return http.StatusRequestEntityTooLarge, "the body is larger than " + strconv.Itoa(maxBody) + " bytes"
	case err != nil:
		return http.StatusBadRequest, "the body cannot be read"
	}
	if err := jsonv2.Unmarshal(body, into, jsonv2.RejectUnknownMembers(true)); err != nil {
		return http.StatusBadRequest, "the body is not JSON of the documented form"
	}
	return 0, ""
}

// fault answers with problem details (RFC 9457). They contain no value of the
// request.
func (p *Pages) fault(w http.ResponseWriter, status int, detail string, outdated []string) {
	if status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", "5")
	}
	writeJSON(w, status, "application/problem+json", struct {
		Title    string   `json:"title"`
		Status   int      `json:"status"`
		Detail   string   `json:"detail"`
		Outdated []string `json:"outdated,omitempty"`
	}{http.StatusText(status), status, detail, outdated})
}

func writeJSON(w http.ResponseWriter, status int, kind string, value any) {
	var body bytes.Buffer
	if err := json.NewEncoder(&body).Encode(value); err != nil {
		http.Error(w, http.StatusText(http.StatusInternalServerError), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", kind)
	w.Header().Add("Vary", "Accept-Language, Cookie, Sec-GPC")
	w.WriteHeader(status)
	_, _ = body.WriteTo(w) // the client may be gone
}

func (p *Pages) isAPI(r *http.Request) bool { return strings.HasPrefix(r.URL.Path, p.Prefix+"api/") }
