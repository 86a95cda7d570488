// Package signal reads the consent signals of a request: Advanced Data Protection
// Control, Global Privacy Control, and the cookies of the consent platforms that
// the policy trusts. It is pure and bounded, and grants nothing from a signal that
// is ambiguous.
package signal

import (
	"github.com/modicum-proxy/modicum/internal/policy"
)

// Source is where a signal comes from. Records of consent use its name.
type Source string

// The sources of signals.
const (
	GPC           Source = "gpc"
	GPP           Source = "gpp"
	TCF           Source = "tcf"
	Fides         Source = "fides_consent"
	CookieConsent Source = "cc_cookie"
	Klaro         Source = "klaro"
	Cookie        Source = "cookie" // of any other platform
)

// sources are all of them; the place of one here is its place in [Signals].
var sources = [...]Source{GPC, GPP, TCF, Fides, CookieConsent, Klaro, Cookie}

// The places of the sources.
const (
	atGPC = iota
	atGPP
	atTCF
	atFides
	atCookieConsent
	atKlaro
	atCookie
)

// Signals are the signals of a request. The zero value has none.
type Signals struct {
	// ADPC holds what the person chose by Advanced Data Protection Control:
	// explicit choices, which are to be stored.
	ADPC Choices

	said [len(sources)]said
}

// Choices are explicit choices of a person, one at most about each purpose:
// an objection prevails over a withdrawal, and both over a consent.
type Choices struct {
	Consented, Withdrawn, Objected policy.PurposeSet
}

// IsEmpty reports whether the person chose nothing.
func (c *Choices) IsEmpty() bool { return *c == Choices{} }

// About returns whether a source grants a purpose, and whether it says anything
// about it.
func (s *Signals) About(source Source, id policy.PurposeID) (grants, found bool) {
	for i := range sources {
		if sources[i] == source {
			denied := s.said[i].denied.Has(id)
			grants = s.said[i].granted.Has(id) && !denied
			return grants, grants || denied
		}
	}
	return false, false
}

// said is what one source says. It says nothing about a purpose in neither set;
// one in both is denied.
type said struct{ granted, denied policy.PurposeSet }

// merge adds what a further copy of the same cookie says. Browsers send a
// cookie of the domain and one of the host under one name, and applications
// disagree on which counts: only what all copies grant is granted.
func (s *said) merge(other said) {
	s.granted = both(s.granted, other.granted)
	s.denied = s.denied.Union(other.denied)
}

// deny and grant add purposes.
func (s *said) deny(purposes policy.PurposeSet)  { s.denied = s.denied.Union(purposes) }
func (s *said) grant(purposes policy.PurposeSet) { s.granted = s.granted.Union(purposes) }

// both returns what is in a and in b.
func both(a, b policy.PurposeSet) policy.PurposeSet {
	for i := range a {
		a[i] &= b[i]
	}
	return a
}

// without returns what is in a and not in b.
func without(a, b policy.PurposeSet) policy.PurposeSet {
	for i := range a {
		a[i] &^= b[i]
	}
	return a
}
