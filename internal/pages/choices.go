package pages

import (
	"cmp"
	"net/http"
	"time"

	"github.com/modicum-proxy/modicum/internal/consent"
	"github.com/modicum-proxy/modicum/internal/consent/signal"
)

// choicesView is the page of choices.
type choicesView struct {
	layout

	Lead  string
	Token string
	Cards []card
	Now   *now
	GPC   *gpc
}

// card is one question and what the person answered.
type card struct {
	Purpose     string
	Title       part
	Description part
	Rows        []row
	Notice      string
	Document    string // address of the whole text
	Objection   bool
	// Allow and Refuse say which radio is marked: none until the person chose.
	Allow, Refuse bool
	State         string // granted, denied, again or open: how the card looks
	Says          string
	Facts         []string
	Version       string // of the text that the person answered, shortened
}

// now lists what is in force, by the titles of purposes.
type now struct {
	Allowed, Denied, Unsaved, Running, Open []part
	Latest                                  string
	Receipts                                []receiptLink
}

// gpc lists the effects of a Global Privacy Control signal.
type gpc struct{ Denied, Allowed []part }

func (p *Pages) choices(w http.ResponseWriter, r *http.Request) {
	v := p.visit(r)
	choices, err := p.read(r, v)
	if err != nil {
		w.Header().Set("Retry-After", "5")
		p.showChoices(w, r, v, http.StatusServiceUnavailable, nil, nil, v.problem("store"))
		return
	}
	p.showChoices(w, r, v, http.StatusOK, choices, nil, nil)
}

// read returns what the visitor chose; nil on an error, which it logs.
func (p *Pages) read(r *http.Request, v *visit) ([]consent.Choice, error) {
	choices, err := p.Consents.Choices(r, v.set, v.purposes)
	if err != nil {
		p.Logger.WarnContext(r.Context(), "reading what a visitor chose", "error", err)
		return nil, err
	}
	return choices, nil
}

// showChoices shows the page of choices. choices are nil if they are not
// known; marks are those that the visitor has set already.
func (p *Pages) showChoices(w http.ResponseWriter, r *http.Request, v *visit, status int, choices []consent.Choice, marks map[string]string, problem *problem) {
	view := choicesView{layout: p.layout(v, v.in.Say("choices.title"), problem)}
	if len(v.all()) == 0 {
		view.Title, view.Lead = v.in.Say("choices.nothing.title"), v.in.Say("choices.nothing")
		p.render(w, v, status, "choices", &view)
		return
	}
	view.Lead = v.in.Count("choices.lead", len(v.all()), "Controller", cmp.Or(v.controller().Text, v.in.Say("choices.nameless")))
	view.Token = p.token(w.Header(), r)
	for i, q := range v.all() {
		c := v.card(q)
		if choices != nil {
			c.answer(v, q, &choices[i])
		}
		if mark, marked := marks[c.Purpose]; marked {
			c.Allow, c.Refuse = mark == allow, mark == refuse
		}
		view.Cards = append(view.Cards, c)
	}
	if choices != nil {
		view.Now, view.GPC = v.now(choices), v.gpc(r, choices)
	}
	p.render(w, v, status, "choices", &view)
}

func (v *visit) card(q *question) card {
	c := card{
		Purpose: q.purpose.Name, Title: v.title(q), Description: part{Text: q.wording.Description},
		Rows: v.rows(q, q.wording.Summary()), Notice: q.notice.ID, Objection: q.objection, State: "open",
		Document: v.url("consents/" + q.purpose.Name),
	}
	if c.Description.Text != "" {
		c.Description.Lang = v.part(q.purpose.Description).Lang
	}
	return c
}

// answer puts on a card what the person chose, when, and why it is asked
// again.
func (c *card) answer(v *visit, q *question, choice *consent.Choice) {
	latest := &choice.Latest
	own := stored(choice) && choice.Source == latest.Source
	say := func(id string) { c.Says = v.in.Say("state." + id) }
	switch choice.Status {
	case consent.Granted:
		c.State, c.Allow = "granted", own
		say("grant")
		if !own {
			say("grant.signal")
		}
	case consent.Denied:
		c.State, c.Refuse = "denied", own
		switch {
		case unsaved(choice):
			c.State, c.Refuse = "again", true
			say("unsaved")
		case own:
			say(string(latest.Action))
		case choice.Source == consent.FromGPC:
			say("denied.gpc")
		default:
			say("denied.signal")
		}
	case consent.Expired:
		c.State = "again"
		say("expire")
	case consent.Outdated:
		c.State = "again"
		say("outdated")
	case consent.Unasked:
		say("unasked")
		if q.objection {
			say("running")
		}
	}
	switch {
	case choice.Status == consent.Unasked || unsaved(choice) || choice.Source == consent.FromGPC:
	case own || choice.Status == consent.Expired || choice.Status == consent.Outdated:
		c.kept(v, choice)
	default:
		c.Facts = append(c.Facts, v.in.Say("source."+string(choice.Source)))
	}
}

// kept tells when and how the person chose.
func (c *card) kept(v *visit, choice *consent.Choice) {
	latest := &choice.Latest
	fact := func(id string, at time.Time) {
		if !at.IsZero() {
			c.Facts = append(c.Facts, v.in.Say(id, "Date", v.in.Date(at)))
		}
	}
	fact("state.kept", latest.Time)
	if source := "source." + string(latest.Source); v.in.Has(source) {
		c.Facts = append(c.Facts, v.in.Say(source))
	}
	switch choice.Status {
	case consent.Granted:
		fact("state.until", latest.Expires)
	case consent.Expired:
		fact("state.ended", latest.Expires)
	case consent.Unasked, consent.Denied, consent.Outdated:
	}
	c.Version = version(latest.Notice)
}

// stored reports whether the person's latest choice is kept as an event. One
// that is not has no revision.
func stored(choice *consent.Choice) bool {
	return choice.Latest.Action != "" && choice.Latest.Revision != 0
}

// unsaved reports whether the person took something back that could not be
// stored, so that this proxy alone knows. What a browser tells by ADPC it tells
// with each request.
func unsaved(choice *consent.Choice) bool {
	return choice.Latest.Action != "" && !stored(choice) && choice.Latest.Source != consent.FromADPC
}

// version shortens the id of a notice, for people to compare.
func version(notice string) string { return notice[:min(8, len(notice))] }

// now tells what is in force; nil when the person chose nothing and no signal
// did.
func (v *visit) now(choices []consent.Choice) *now {
	n := &now{}
	var latest time.Time
	told := false
	for i, q := range v.all() {
		title := v.title(q)
		told = told || choices[i].Latest.Action != "" || choices[i].Source != ""
		if at := choices[i].Latest.Time; at.After(latest) {
			latest = at
		}
		switch {
		case choices[i].Status == consent.Granted:
			n.Allowed = append(n.Allowed, title)
		case unsaved(&choices[i]):
			n.Unsaved = append(n.Unsaved, title)
		case choices[i].Status == consent.Denied:
			n.Denied = append(n.Denied, title)
		case q.objection:
			n.Running = append(n.Running, title)
		default:
			n.Open = append(n.Open, title)
		}
	}
	if !told {
		return nil
	}
	if !latest.IsZero() {
		n.Latest = v.in.Say("now.latest", "Time", v.in.Time(latest))
		n.Receipts = v.receiptLinks()
	}
	return n
}

// gpc shows that a Global Privacy Control signal was honoured (11 CCR
// §7025(c)(6)); nil when there is none, or the policy has nothing that it is
// about.
func (v *visit) gpc(r *http.Request, choices []consent.Choice) *gpc {
	if !signal.PrefersPrivacy(r.Header) {
		return nil
	}
	g := &gpc{}
	for i, q := range v.all() {
		switch {
		case q.purpose.Objection != "gpc":
		case choices[i].Status == consent.Denied:
			g.Denied = append(g.Denied, v.title(q))
		case choices[i].Status == consent.Granted:
			g.Allowed = append(g.Allowed, v.title(q))
		}
	}
	if len(g.Denied)+len(g.Allowed) == 0 {
		return nil
	}
	return g
}

// problem is what went wrong, as people read it.
type problem struct {
	Title, Text string
	Items       []problemItem
	Link        string // what leads on, if there are no items
	LinkText    string
}

type problemItem struct {
	part

	URL string
}

// problem says one by its name.
func (v *visit) problem(name string) *problem {
	text := "problem." + name
	if !v.in.Has(text) {
		text = "problem.unreadable"
	}
	return &problem{Title: v.in.Say(cmp.Or("problem."+name+".title", text)), Text: v.in.Say(text)}
}
