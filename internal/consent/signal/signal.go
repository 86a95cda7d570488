// Package signal reads what a request says about consent besides our own
// cookie: Advanced Data Protection Control, Global Privacy Control, and the
// cookies of the consent platforms that the policy trusts. It is pure, and
// whatever it cannot read in one way only grants nothing.
package signal

import (
	"net/http"
	"slices"

	"github.com/modicum-proxy/modicum/internal/policy"
)

// Source is where a signal comes from, named as the consent record names it.
type Source string

// The sources of signals.
const (
	GPC           Source = "gpc"
	GPP           Source = "gpp"
	TCF           Source = "tcf"
	Fides         Source = "fides_consent"
	CookieConsent Source = "cc_cookie"
	Klaro         Source = "klaro"
)

// sources are all of them; the index of one is its place in [Signals].
var sources = [...]Source{GPC, GPP, TCF, Fides, CookieConsent, Klaro}

// The places of the sources.
const (
	atGPC = iota
	atGPP
	atTCF
	atFides
	atCookieConsent
	atKlaro
)

// Signals is what a request says. The zero value says nothing.
type Signals struct {
	// ADPC holds what the person chose by Advanced Data Protection Control:
	// explicit choices, which are to be stored.
	ADPC Choices

	said [len(sources)]said
}

// Sources returns all sources of signals.
func Sources() []Source { return slices.Clone(sources[:]) }

// said is what one source says. A purpose that is in neither set it does not
// speak of; in both, it is denied.
type said struct{ granted, denied policy.PurposeSet }

// Choices are explicit choices of a person. No purpose is consented to that
// is withdrawn or objected to as well.
type Choices struct {
	Consented, Withdrawn, Objected policy.PurposeSet
}

// IsEmpty tells whether the person chose nothing.
func (c *Choices) IsEmpty() bool { return *c == Choices{} }

// About returns what a source says of a purpose, and whether it speaks of it.
func (s *Signals) About(source Source, id policy.PurposeID) (grants, tells bool) {
	for i := range sources {
		if sources[i] == source {
			denied := s.said[i].denied.Has(id)
			granted := s.said[i].granted.Has(id)
			return granted && !denied, granted || denied
		}
	}
	return false, false
}

// Reader reads the signals that a policy set trusts. It is immutable. The
// zero value reads nothing.
type Reader struct {
	set *policy.Set
	ids map[string]policy.PurposeID
}

// NewReader returns the reader of a set. ids are the identifiers of the
// consent requests that the site serves by ADPC now, "<purpose>~<notice>":
// only to these a consent can be given.
func NewReader(set *policy.Set, ids map[string]policy.PurposeID) *Reader {
	return &Reader{set: set, ids: ids}
}

// Read returns what the header of a request says.
func (r *Reader) Read(_ http.Header) Signals { return Signals{} }
