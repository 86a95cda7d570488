package policy

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml/ast"
)

// Signals is what the consent platforms that the operator trusts call a
// purpose. The zero value trusts none. It can be compared with ==. What a policy
// does not use is left out of its version.
type Signals struct {
	Klaro         string `json:",omitzero"` // the service
	KlaroCookie   string `json:",omitzero"` // its cookie; empty: klaro
	CookieConsent string `json:",omitzero"` // the category
	CCCookie      string `json:",omitzero"` // its cookie; empty: cc_cookie
	CCRevision    int64  `json:",omitzero"` // the least revision that counts
	Fides         string `json:",omitzero"` // the notice key
	FidesCookie   string `json:",omitzero"` // its cookie; empty: fides_consent
	TCF           int    `json:",omitzero"` // the purpose of PublisherTC, 1 to [MaxTCFPurpose]; 0: none
	GPP           string `json:",omitzero"` // the opt-out, [OptOutSale], [OptOutSharing] or [OptOutAdvertising]
	Cookie        Cookie `json:",omitzero"` // of any other platform
}

// The cookies of the platforms, where the policy names no other.
const (
	KlaroCookie         = "klaro"
	CookieConsentCookie = "cc_cookie"
	FidesCookie         = "fides_consent"
)

// Cookie is a cookie that gives a consent if its text, or the JSON value at a
// path in it, is Equals or, if Equals is empty, matches Matches as a whole.
type Cookie struct {
	Name    string
	Path    string `json:",omitzero"` // see [ParsePath]; empty: the whole text
	Equals  string `json:",omitzero"`
	Matches string `json:",omitzero"` // an RE2 expression
}

// MaxTCFPurpose is the highest number of a purpose in a PublisherTC segment
// (IAB TCF v2, "Publisher Purposes Transparency and Consent").
const MaxTCFPurpose = 24

// The opt-outs of a GPP string, as [Signals] names them.
const (
	OptOutSale        = "sale"
	OptOutSharing     = "sharing"
	OptOutAdvertising = "targeted_advertising"
)

func (s *signalsDecl) read(r *reader, n ast.Node) {
	s.at = r.at(n)
	r.members(n, "a map of signals", s)
}

func (k *klaroDecl) read(r *reader, n ast.Node) { r.wordOrMap(n, &k.Service, "the signal klaro", k) }

func (c *cookieConsentDecl) read(r *reader, n ast.Node) {
	r.wordOrMap(n, &c.Category, "the signal cc_cookie", c)
}

func (f *fidesDecl) read(r *reader, n ast.Node) {
	r.wordOrMap(n, &f.Notice, "the signal fides_consent", f)
}

// wordOrMap reads a short form, which is one word, or the long form.
func (r *reader) wordOrMap(n ast.Node, short *word, what string, long any) {
	if _, isMap := n.(ast.MapNode); isMap {
		r.members(n, what, long)
		return
	}
	short.read(r, n)
}

// read also checks that there is exactly one condition: a cookie is no consent
// because it exists.
func (c *cookieDecl) read(r *reader, n ast.Node) {
	c.at = r.at(n)
	if _, isMap := n.(ast.MapNode); !isMap {
		r.expected("a map with the name of the cookie and equals or matches", n, "write {name: cmplz_marketing, equals: allow}")
		return
	}
	r.members(n, "the signal cookie", c)
	equals, matches := c.Equals.given(), c.Matches.given()
	switch {
	case equals && matches:
		r.problems.report("two-conditions", c.Matches.at, "the signal cookie has both equals and matches", "remove one of them")
	case !equals && !matches:
		r.problems.report("missing-key", c.at, "the signal cookie needs the key equals or matches", "write what the cookie contains if the person consented")
	case c.Matches.re != nil && c.Matches.re.MatchString(""):
		r.problems.report("bad-pattern", c.Matches.at, "the expression also matches an empty text, which is not a consent", "write what the cookie contains if the person consented")
	case equals && c.Equals.Text == "" && (c.Equals.kind == "text" || c.Equals.kind == "null"):
		r.problems.report("empty-text", c.Equals.at, "an empty cookie is not a consent", "write what the cookie contains if the person consented")
	}
}

// cookieNamePattern is a name of a cookie: a token (RFC 6265, section 4.1.1).
// Applications disagree on all others.
var cookieNamePattern = regexp.MustCompile("^[!#$%&'*+\\-.^_`|~0-9A-Za-z]{1,256}$")

type cookieName struct{ word }

func (c *cookieName) read(r *reader, n ast.Node) {
	c.word.read(r, n)
	if c.text == "" || cookieNamePattern.MatchString(c.text) {
		return
	}
	hint := "write a token of RFC 6265: letters, digits and !#$%&'*+-.^_`|~"
	if name, _, isPair := strings.Cut(c.text, "="); isPair && cookieNamePattern.MatchString(name) {
		hint = "write the name alone: " + name
	}
	r.problems.report("bad-cookie-name", c.at, fmt.Sprintf("%q is not a cookie name", c.text), hint)
}

// or returns the name; empty if it is what the platform uses by itself, so that
// both ways to write it have one version.
func (c *cookieName) or(usual string) string {
	if c.text == usual {
		return ""
	}
	return c.text
}

// cookiePath is a path into the JSON of a cookie.
type cookiePath struct{ word }

func (p *cookiePath) read(r *reader, n ast.Node) {
	p.word.read(r, n)
	if p.text == "" {
		return
	}
	path, err := ParsePath(p.text)
	if err != nil {
		r.problems.reportPath(p.at, p.text, err)
		return
	}
	for _, s := range path {
		if s.Kind != Literal && s.Kind != Element {
			r.problems.report("bad-path", p.at, fmt.Sprintf("the path of an answer has only names, indexes and *, and not %s", s.Text), "write names with dots between them, such as purposes.marketing")
		}
	}
}

// maxRevision is the highest integer that every reader of JSON reads exactly
// (RFC 8259, section 6).
const maxRevision = 1<<53 - 1

// revision is the least revision of a consent.
type revision struct {
	place
	least int64
}

func (v *revision) read(r *reader, n ast.Node) {
	v.at = r.at(n)
	switch n.(type) {
	case *ast.IntegerNode, *ast.FloatNode:
	default:
		r.expected("a revision number", n, "")
		return
	}
	text := n.GetToken().Value
	least, err := strconv.ParseInt(text, 10, 64)
	if err != nil || strconv.FormatInt(least, 10) != text || least < 0 || least > maxRevision {
		r.problems.report("bad-revision", v.at, text+" is not a revision", fmt.Sprintf("write a whole number from 0 to %d", int64(maxRevision)))
		return
	}
	v.least = least
}

func (s *signalsDecl) signals() Signals {
	c := Cookie{Name: s.Cookie.Name.text, Path: s.Cookie.Path.text, Equals: s.Cookie.Equals.Text, Matches: s.Cookie.Matches.text}
	return Signals{
		Klaro: s.Klaro.Service.text, KlaroCookie: s.Klaro.Cookie.or(KlaroCookie),
		CookieConsent: s.CookieConsent.Category.text, CCCookie: s.CookieConsent.Cookie.or(CookieConsentCookie), CCRevision: s.CookieConsent.Revision.least,
		Fides: s.Fides.Notice.text, FidesCookie: s.Fides.Cookie.or(FidesCookie),
		TCF: s.TCF.number, GPP: s.GPP.text, Cookie: c,
	}
}

// consents returns what gives a consent, apart from each other. How new it has to
// be makes no other answer of it.
func (s *Signals) consents() []Signals {
	return []Signals{
		{Klaro: s.Klaro, KlaroCookie: s.KlaroCookie},
		{CookieConsent: s.CookieConsent, CCCookie: s.CCCookie},
		{Fides: s.Fides, FidesCookie: s.FidesCookie},
		{TCF: s.TCF},
		{Cookie: s.Cookie},
	}
}
