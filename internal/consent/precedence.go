package consent

import (
	"slices"
	"time"

	"github.com/modicum-proxy/modicum/internal/consent/signal"
	"github.com/modicum-proxy/modicum/internal/policy"
)

// Rank says what a source counts for. The zero Rank counts for nothing.
type Rank struct {
	Source Source
	// Explicit says that the person chose. All others are defaults, which a
	// program sends for the person who uses the browser.
	Explicit bool
	// Grants says that a consent from this source stands.
	Grants bool
	// Restricts says that the source can express a refusal, a withdrawal or an
	// objection, which count from any source; see [Decide].
	Restricts bool
	// Stored says that its choices are stored as an [Event]. Others are read
	// from each request.
	Stored bool
	// Because is the reason, for the documentation.
	Because string
}

// precedence is the one table of sources: [Decide] follows it, the tests
// check it, and README.md shows it. Signals are signals in this order.
var precedence = [...]Rank{
	{Source: FromPage, Explicit: true, Grants: true, Restricts: true, Stored: true, Because: "the person chose on our page"},
	{Source: FromForm, Explicit: true, Grants: true, Stored: true, Because: "the person ticked a box; an empty box says nothing"},
	{Source: FromAPI, Explicit: true, Grants: true, Restricts: true, Stored: true, Because: "the person chose in the site's own front end"},
	{Source: FromADPC, Explicit: true, Grants: true, Restricts: true, Stored: true, Because: "the person answered our requests in the browser"},
	{Source: FromOperator, Explicit: true, Restricts: true, Stored: true, Because: "the person asked the controller, who cannot consent for anybody"},
	{Source: FromTerm, Restricts: true, Stored: true, Because: "a consent ended by itself; signals may decide again"},
	{Source: FromGPC, Restricts: true, Because: "the browser says it to every site; it opts out and never in"},
	{Source: FromGPP, Restricts: true, Because: "it holds opt-outs; not to opt out is no consent (GDPR recital 32)"},
	{Source: FromTCF, Grants: true, Restricts: true, Because: "any script and any subdomain can write the cookie"},
	{Source: FromFides, Grants: true, Restricts: true, Because: "any script and any subdomain can write the cookie"},
	{Source: FromCC, Grants: true, Restricts: true, Because: "any script and any subdomain can write the cookie"},
	{Source: FromKlaro, Grants: true, Restricts: true, Because: "any script and any subdomain can write the cookie"},
	{Source: FromCookie, Grants: true, Restricts: true, Because: "any script and any subdomain can write the cookie"},
}

// Precedence returns the table of sources: the latest explicit choice of the
// person wins over all that are not explicit; among these the most
// restrictive wins.
func Precedence() []Rank { return slices.Clone(precedence[:]) }

// rank returns what a source counts for: nothing, if the table lacks it.
func rank(source Source) Rank {
	for i := range precedence {
		if precedence[i].Source == source {
			return precedence[i]
		}
	}
	return Rank{}
}

// Signal is what one source of a request says about a purpose. The zero value
// refuses.
type Signal struct {
	Source Source
	Grants bool
}

// AppendSignals appends what a request signals about a purpose, in the order of
// [Precedence].
func AppendSignals(signals []Signal, said *signal.Signals, id policy.PurposeID) []Signal {
	for i := range precedence {
		source := precedence[i].Source
		grants, found := said.About(signal.Source(source), id)
		if found {
			signals = append(signals, Signal{Source: source, Grants: grants})
		}
	}
	return signals
}

// Decide returns the status of a purpose, from the latest explicit choice, the
// signals of a request and the current notices, and the source that decided:
// none, unless the status is [Granted] or [Denied].
//
// A refusal, a withdrawal and an objection apply until the person makes another
// choice. A consent no longer applies after it expired, or if it was given to
// another text than today's; then the signals decide, and one that refuses
// prevails over all that grant. A refusal counts from any source, a grant only
// from those of the table: an unknown source grants nothing.
func Decide(latest State, signals []Signal, now time.Time, current func(notice string) bool) (Status, Source) {
	status := latest.Status(now, current)
	if status == Granted || status == Denied {
		return status, latest.Source
	}
	granted := NoSource
	for _, t := range signals {
		if !t.Grants {
			return Denied, t.Source
		}
		if r := rank(t.Source); r.Grants && !r.Explicit && granted == NoSource {
			granted = t.Source
		}
	}
	if granted != NoSource {
		return Granted, granted
	}
	return status, NoSource
}

// Status returns the effect of the latest choice without any signals.
func (s *State) Status(now time.Time, current func(notice string) bool) Status {
	switch s.Action {
	case "":
		return Unasked
	case Expire:
		return Expired
	case Grant:
		r := rank(s.Source)
		switch {
		case !r.Explicit || !r.Grants:
			return Unasked
		case now.IsZero() || !s.Expires.IsZero() && !now.Before(s.Expires):
			return Expired
		case current == nil || !current(s.Notice):
			return Outdated
		}
		return Granted
	case Refuse, Withdraw, Object, Link:
		return Denied
	default: // of a later version of ours: it may be a word that restricts
		return Denied
	}
}
