// Package signal reads the consent signals of a request: Advanced Data Protection
// Control, Global Privacy Control, and the cookies of the consent platforms that
// the policy trusts. It is pure and bounded, and an ambiguous
// signal grants nothing.
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

// sources are all sources, in the order of Signals.said.
var sources = [...]Source{GPC, GPP, TCF, Fides, CookieConsent, Klaro, Cookie}

// The indexes of the sources.
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
	// ADPC are the choices that the person made by Advanced Data Protection Control.
	// They are explicit and have to be stored.
	ADPC Choices

	said [len(sources)]said
}

// Choices are explicit choices of a person, at most one about each purpose: an
// objection takes precedence over a withdrawal, and both over a consent.
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

// said is what one source says. A purpose in both sets is denied; about one in
// neither, it says nothing.
type said struct{ granted, denied policy.PurposeSet }

// merge adds what a further copy of the same cookie says. Browsers send a cookie
// of the domain and one of the host under one name, and applications use either:
// only what all copies grant is granted.
func (s *said) merge(other said) {
	s.granted = both(s.granted, other.granted)
	s.denied = s.denied.Union(other.denied)
}

// deny and grant add purposes to a set.
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
