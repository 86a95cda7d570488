package pages

import (
	"cmp"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/modicum-proxy/modicum/internal/notice"
	"github.com/modicum-proxy/modicum/internal/notice/words"
	"github.com/modicum-proxy/modicum/internal/policy"
)

// edition is what the pages say under one policy set. It is made once for
// each set and immutable.
type edition struct {
	set       *policy.Set
	languages *words.Languages
	match     func(accept string) *words.Language
	purposes  []policy.PurposeID
	questions map[string][]*question // by language; parallel to purposes
	requests  map[string]resource    // of ADPC, by language
	link      string
}

// question is one purpose that people choose about, in one language.
type question struct {
	purpose *policy.Purpose
	notice  *notice.Consent
	wording notice.Wording
	// objection says that the purpose does not rest on consent: people can
	// object to it.
	objection bool
}

// current returns the edition of the policy in force.
func (p *Pages) current() *edition {
	set := p.Policy()
	if e := p.edition.Load(); e != nil && e.set == set {
		return e
	}
	e := &edition{set: set, languages: p.Languages.Of(notice.Languages(set)), questions: map[string][]*question{}}
	e.match = e.languages.Matcher()
	for i := range set.Purposes {
		if pu := &set.Purposes[i]; pu.Basis == policy.Consent || pu.Objection != "" {
			e.purposes = append(e.purposes, pu.ID)
		}
	}
	// As the operator wrote them, which is more telling than their names.
	slices.SortStableFunc(e.purposes, func(a, b policy.PurposeID) int {
		p, q := set.Purposes[a].Position, set.Purposes[b].Position
		return cmp.Or(cmp.Compare(p.File, q.File), cmp.Compare(p.Line, q.Line))
	})
	for _, l := range e.languages.All() {
		for _, id := range e.purposes {
			n := notice.ForPurpose(set, id, l.Tag)
			e.questions[l.Tag] = append(e.questions[l.Tag], &question{
				purpose: &set.Purposes[id], notice: n, wording: n.Wording(l), objection: n.Basis != "",
			})
		}
	}
	p.offer(e)
	p.edition.Store(e)
	return e
}

// visit is one request in its language.
type visit struct {
	*edition

	in *words.Language
	// asked says that the language was asked for in the address, so that the
	// ways from here keep it.
	asked  bool
	origin string // of the site, "https://shop.example"
	prefix string
	path   string // of the page, below the prefix
}

// visit tells the language of a request: the one in the address if the pages
// are in it, or else the browser's.
func (p *Pages) visit(r *http.Request) *visit {
	e := p.current()
	v := &visit{edition: e, origin: origin(r), prefix: p.Prefix, path: "choices"}
	v.in = e.languages.Named(r.URL.Query().Get("lang"))
	if v.asked = v.in != nil; !v.asked {
		v.in = e.match(r.Header.Get("Accept-Language"))
	}
	return v
}

// origin returns the origin of a request as its browser sees it, behind a proxy
// that terminates TLS. It is only used in documents for whoever sent the request,
// so it need not be trusted.
func origin(r *http.Request) string {
	forwarded, _, _ := strings.Cut(r.Header.Get("X-Forwarded-Proto"), ",")
	if r.TLS != nil || strings.EqualFold(strings.TrimSpace(forwarded), "https") {
		return "https://" + r.Host
	}
	return "http://" + r.Host
}

// url returns the address of a page of ours.
func (v *visit) url(path string) string { return v.urlIn(path, v.in, v.asked) }

func (v *visit) urlIn(path string, in *words.Language, asked bool) string {
	if asked {
		path += "?lang=" + in.Tag
	}
	return v.prefix + path
}

func (v *visit) all() []*question { return v.questions[v.in.Tag] }

// named returns the question about a purpose, nil if there is none.
func (v *visit) named(purpose string) *question {
	i := slices.IndexFunc(v.all(), func(q *question) bool { return q.purpose.Name == purpose })
	if i < 0 {
		return nil
	}
	return v.all()[i]
}

// part is a text that may be in another language than its page (WCAG 3.1.2).
type part struct{ Text, Lang string }

// part returns what a text of the policy says to the visitor.
func (v *visit) part(t policy.Text) part {
	p := part{Text: t.In(v.in.Tag)}
	for _, tag := range append([]string{v.in.Tag}, slices.Sorted(maps.Keys(t))...) {
		if t[tag] == p.Text {
			if tag != v.in.Tag {
				p.Lang = tag
			}
			break
		}
	}
	return p
}

func (v *visit) title(q *question) part {
	return part{Text: q.wording.Title, Lang: v.part(q.purpose.Title).Lang}
}

func (v *visit) controller() part {
	return v.part(v.set.Controller.Name)
}

// row is one thing that a notice tells, as a page shows it.
type row struct {
	Name, Label string
	Values      []part
}

// rows marks in which language the values are.
func (v *visit) rows(q *question, rows []notice.Row) []row {
	shown := make([]row, len(rows))
	for i, r := range rows {
		shown[i] = row{Name: r.Name, Label: r.Label}
		for j, value := range r.Values {
			p := part{Text: value}
			switch {
			case r.Name == "benefit":
				p.Lang = v.part(q.purpose.Benefit).Lang
			case r.Name == "recipients" && len(q.purpose.Recipients) > 0:
				p.Lang = v.part(q.purpose.Recipients[j]).Lang
			case r.Name == "controller" && j == 0:
				p.Lang = v.part(v.set.Controller.Name).Lang
			}
			shown[i].Values = append(shown[i].Values, p)
		}
	}
	return shown
}

// languageLink is one way to another language.
type languageLink struct {
	Name, Tag, URL string
	Current        bool
}

func (v *visit) languageLinks() []languageLink {
	all := v.languages.All()
	if len(all) < 2 {
		return nil
	}
	links := make([]languageLink, len(all))
	for i, l := range all {
		links[i] = languageLink{Name: l.Name, Tag: l.Tag, URL: v.urlIn(v.path, l, true), Current: l == v.in}
	}
	slices.SortStableFunc(links, func(a, b languageLink) int { return cmp.Compare(a.Name, b.Name) })
	return links
}
