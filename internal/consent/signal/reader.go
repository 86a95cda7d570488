package signal

import (
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

	// trust holds, for each source, the purposes that it is believed about.
	trust [len(sources)]policy.PurposeSet
	// What the platforms call these purposes.
	services, categories, notices map[string]policy.PurposeSet
	tcf                           [policy.MaxTCFPurpose + 1]policy.PurposeSet
	optOuts                       [optOutKinds]policy.PurposeSet
	cookies                       bool // a cookie is trusted
}

// NewReader returns the reader of a set. ids are the identifiers of the
// requests for consent that the site serves by ADPC now, of the form
// "<purpose>~<notice>": consent can be given to these only.
func NewReader(set *policy.Set, ids map[string]policy.PurposeID) *Reader {
	r := &Reader{
		set: set, ids: ids,
		services: map[string]policy.PurposeSet{}, categories: map[string]policy.PurposeSet{}, notices: map[string]policy.PurposeSet{},
	}
	var all policy.PurposeSet
	for i := range set.Purposes {
		p := &set.Purposes[i]
		all = all.With(p.ID)
		if p.Objection == string(GPC) {
			r.gpc = r.gpc.With(p.ID)
		}
		if p.Basis == policy.Consent {
			r.consents = r.consents.With(p.ID)
			r.believe(p)
		}
	}
	r.choosable = set.Choosable(all)
	r.trust[atGPC] = r.gpc
	for at := range r.trust {
		r.cookies = r.cookies || at != atGPC && !r.trust[at].IsEmpty()
	}
	return r
}

// believe notes which platforms are trusted about a purpose.
func (r *Reader) believe(p *policy.Purpose) {
	named := func(at int, names map[string]policy.PurposeSet, name string) {
		if name != "" {
			names[name] = names[name].With(p.ID)
			r.trust[at] = r.trust[at].With(p.ID)
		}
	}
	named(atKlaro, r.services, p.Signals.Klaro)
	named(atCookieConsent, r.categories, p.Signals.CookieConsent)
	named(atFides, r.notices, p.Signals.Fides)
	if n := p.Signals.TCF; n != 0 {
		r.tcf[n] = r.tcf[n].With(p.ID)
		r.trust[atTCF] = r.trust[atTCF].With(p.ID)
	}
	if name := p.Signals.GPP; name != "" {
		kind := optOutNamed(name)
		r.optOuts[kind] = r.optOuts[kind].With(p.ID)
		r.trust[atGPP] = r.trust[atGPP].With(p.ID)
	}
}

// Read returns what the header of a request says. It takes no trailers: a
// signal that arrives after the body comes too late to be heeded.
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
	if r.cookies {
		r.readCookies(header["Cookie"], &s)
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
