package signal

import (
	"cmp"
	"net/http"
	"strings"

	"github.com/modicum-proxy/modicum/internal/policy"
)

// Reader reads the signals that a policy set trusts. It is immutable. The
// zero value reads nothing.
type Reader struct {
	set *policy.Set
	// ids are the requests for consent that are served by ADPC now.
	ids map[string]policy.PurposeID

	consents  policy.PurposeSet // purposes that rest on consent
	choosable policy.PurposeSet // these, and what can be objected to
	gpc       policy.PurposeSet // marked `objection: gpc`

	// cookies are the cookies that are trusted: first the two of IAB strings, which
	// may be about no purpose. named has their indexes by name.
	cookies []cookie
	named   map[string][]int
	tcf     [policy.MaxTCFPurpose + 1]policy.PurposeSet
	optOuts [optOutKinds]policy.PurposeSet
}

// NewReader returns the reader of a set. ids are the identifiers of the
// requests for consent that the site serves by ADPC now, of the form
// "<purpose>~<notice>": consent can be given to these only.
func NewReader(set *policy.Set, ids map[string]policy.PurposeID) *Reader {
	r := &Reader{set: set, ids: ids, named: map[string][]int{}, cookies: make([]cookie, iabCookies)}
	r.cookies[tcfCookie].at, r.cookies[gppCookie].at = atTCF, atGPP
	var all policy.PurposeSet
	sources := map[cookieKey]int{}
	for i := range set.Purposes {
		p := &set.Purposes[i]
		all = all.With(p.ID)
		if p.Objection == string(GPC) {
			r.gpc = r.gpc.With(p.ID)
		}
		if p.Basis == policy.Consent {
			r.consents = r.consents.With(p.ID)
			r.trustIAB(p)
			r.trustPlatforms(p, sources)
		}
	}
	tcf, gpp := !r.cookies[tcfCookie].about.IsEmpty(), !r.cookies[gppCookie].about.IsEmpty()
	if tcf {
		r.named["euconsent-v2"] = append(r.named["euconsent-v2"], tcfCookie)
	}
	if tcf || gpp { // a GPP string may contain a TC string
		r.named["__gpp"] = append(r.named["__gpp"], gppCookie)
	}
	r.choosable = set.Choosable(all)
	return r
}

// trustIAB adds what IAB strings call a purpose.
func (r *Reader) trustIAB(p *policy.Purpose) {
	if n := p.Signals.TCF; n != 0 {
		r.tcf[n] = r.tcf[n].With(p.ID)
		r.cookies[tcfCookie].about = r.cookies[tcfCookie].about.With(p.ID)
	}
	if name := p.Signals.GPP; name != "" {
		kind := optOutNamed(name)
		r.optOuts[kind] = r.optOuts[kind].With(p.ID)
		r.cookies[gppCookie].about = r.cookies[gppCookie].about.With(p.ID)
	}
}

// cookieKey distinguishes the cookies of platforms.
type cookieKey struct {
	at     int
	cookie policy.Cookie
}

// trustPlatforms adds the cookies of platforms that are trusted about a purpose.
// known has the indexes of those that were added before.
func (r *Reader) trustPlatforms(p *policy.Purpose, known map[cookieKey]int) {
	s := &p.Signals
	trust := func(at int, key policy.Cookie) *cookie {
		i, found := known[cookieKey{at, key}]
		if !found {
			i = len(r.cookies)
			known[cookieKey{at, key}] = i
			r.cookies = append(r.cookies, cookie{at: at, names: map[string]policy.PurposeSet{}})
			r.named[key.Name] = append(r.named[key.Name], i)
		}
		r.cookies[i].about = r.cookies[i].about.With(p.ID)
		return &r.cookies[i]
	}
	platform := func(at int, purpose, name, usual string) *cookie {
		c := trust(at, policy.Cookie{Name: cmp.Or(name, usual)})
		c.names[purpose] = c.names[purpose].With(p.ID)
		return c
	}
	if s.Klaro != "" {
		platform(atKlaro, s.Klaro, s.KlaroCookie, policy.KlaroCookie)
	}
	if s.CookieConsent != "" {
		c := platform(atCookieConsent, s.CookieConsent, s.CCCookie, policy.CookieConsentCookie)
		if s.CCRevision > 0 {
			c.revisions = append(c.revisions, leastRevision{s.CCRevision, policy.PurposeSet{}.With(p.ID)})
		}
	}
	if s.Fides != "" {
		platform(atFides, s.Fides, s.FidesCookie, policy.FidesCookie)
	}
	if s.Cookie.Name != "" {
		trust(atCookie, s.Cookie).answer = newAnswer(&s.Cookie)
	}
}

// Read returns what the header of a request says. Trailers
// do not count: they arrive after the decision.
func (r *Reader) Read(header http.Header) Signals {
	var s Signals
	if r == nil || r.set == nil {
		return s
	}
	if PrefersPrivacy(header) {
		s.said[atGPC].deny(r.gpc)
	}
	if fields := header["Adpc"]; len(fields) > 0 {
		s.ADPC = r.readADPC(fields)
	}
	if fields := header["Cookie"]; len(r.named) > 0 && len(fields) > 0 {
		r.readCookies(fields, &s)
	}
	return s
}

// PrefersPrivacy reports whether the header of a request has Global Privacy
// Control on: the value is exactly 1. Of several values, which a proxy may have
// joined (RFC 9110, section 5.3), one is enough.
func PrefersPrivacy(header http.Header) bool {
	for _, field := range header["Sec-Gpc"] {
		for field != "" {
			var value string
			value, field, _ = strings.Cut(field, ",")
			if strings.Trim(value, " \t") == "1" {
				return true
			}
		}
	}
	return false
}
