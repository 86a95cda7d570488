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
	// Explicit says that the person chose. All others are defaults: what a
	// program says for whoever uses the browser.
	Explicit bool
	// Grants says that a consent from this source stands.
	Grants bool
	// Restricts says that the source can tell a refusal, a withdrawal or an
	// objection. Such a word counts from wherever it comes; see [Decide].
	Restricts bool
	// Stored says that what it tells is kept as an [Event]. What is not stored
	// is read from each request anew.
	Stored bool
	// Because tells the reason, for the documentation.
	Because string
}

// precedence is the one table of sources: [Decide] follows it, the tests
// check it, and README.md shows it. Signals are told in this order.
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

// Told is what a signal says of one purpose. The zero value refuses.
type Told struct {
	Source Source
	Grants bool
}

// Tell appends to told what the signals of a request say of a purpose, in the
// order of [Precedence].
func Tell(told []Told, said *signal.Signals, id policy.PurposeID) []Told {
	for i := range precedence {
		source := precedence[i].Source
		grants, tells := said.About(signal.Source(source), id)
		if tells {
			told = append(told, Told{Source: source, Grants: grants})
		}
	}
	return told
}

// Decide folds the latest explicit choice about a purpose, the signals of a
// request, and the notices that are current into what stands now, and tells
// which source decided: none, unless the status is [Granted] or [Denied].
//
// A refusal, a withdrawal and an objection stand until the person chooses
// anew. A consent is no choice any more once it expired, or was given to
// another text than today's; then the signals decide, and one that refuses
// wins over all that grant. What refuses counts from any source, what grants
// only from those of the table: an unknown is a no.
func Decide(latest State, told []Told, now time.Time, current func(notice string) bool) (Status, Source) {
	status := latest.Status(now, current)
	if status == Granted || status == Denied {
		return status, latest.Source
	}
	granted := FromNobody
	for _, t := range told {
		if !t.Grants {
			return Denied, t.Source
		}
		if r := rank(t.Source); r.Grants && !r.Explicit && granted == FromNobody {
			granted = t.Source
		}
	}
	if granted != FromNobody {
		return Granted, granted
	}
	return status, FromNobody
}

// Status returns what the latest choice comes to by itself.
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
