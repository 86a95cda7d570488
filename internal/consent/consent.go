// Package consent defines what a choice about consent is: its events, the
// state that they add up to, which source prevails, and what a store promises.
package consent

import "time"

// Subject is a person as the store knows one: a keyed pseudonym of an
// identity, "<key id>.<HMAC-SHA-256 in base64url>". It is still personal data
// (GDPR recital 26). The empty subject is nobody.
type Subject string

// Revision numbers the events of a store in the order of their commits,
// without gaps. The first event has revision 1.
type Revision int64

// Action is what an event says of a purpose.
type Action string

// The actions. Any other, and none, permits nothing.
const (
	Grant    Action = "grant"    // the person consents
	Refuse   Action = "refuse"   // the person was asked and does not consent
	Withdraw Action = "withdraw" // the person takes a consent back
	Object   Action = "object"   // the person objects to a purpose of any basis
	Expire   Action = "expire"   // a consent has reached its term
	// Link says that two subjects are one person. It has no purpose.
	Link Action = "link"
)

// Restricts tells whether less is permitted after the action than before, so
// that it has to be in force everywhere before anybody is told.
func (a Action) Restricts() bool { return a != Grant }

// TakesBack tells whether the action is one of the person, which counts for
// all subjects that are linked: a term is reached by one consent alone.
func (a Action) TakesBack() bool { return a.Restricts() && a != Expire }

// Source says by which means a choice was made or told. [Precedence] says
// which of them wins.
type Source string

// The sources.
const (
	FromForm     Source = "form"     // a field of a submission was ticked
	FromPage     Source = "page"     // our page of choices
	FromAPI      Source = "api"      // our API, used by the site's own front end
	FromADPC     Source = "adpc"     // Advanced Data Protection Control
	FromOperator Source = "operator" // the controller, on the person's behalf
	FromTerm     Source = "term"     // the term of a consent was reached

	FromGPC    Source = "gpc"           // Global Privacy Control
	FromKlaro  Source = "klaro"         // the cookie of Klaro!
	FromCC     Source = "cc_cookie"     // the cookie of CookieConsent
	FromFides  Source = "fides_consent" // the cookie of Fides
	FromTCF    Source = "tcf"           // the PublisherTC segment of an IAB TC string
	FromGPP    Source = "gpp"           // an IAB GPP string
	FromNobody Source = ""              // there is no choice
)

// State is the latest event of one subject about one purpose.
type State struct {
	Subject  Subject
	Purpose  string
	Action   Action
	Source   Source
	Time     time.Time
	Expires  time.Time
	Notice   string
	Language string
	Revision Revision
}

// Record is what stands of one person as of a revision.
type Record struct {
	// Revision is the store's at the time of reading, not that of the latest
	// event of the person.
	Revision Revision
	// Subjects are the one that was asked for and all that are linked to it.
	Subjects []Subject
	// Latest holds the latest event of each of Subjects about each purpose, by
	// subject and purpose. They are not merged: what one of two linked subjects
	// takes back is taken back for both, but what one grants is granted by that
	// one only, since a browser can be shared.
	Latest []State
}

// State returns the latest event of one subject about a purpose; the zero
// State if there is none.
func (r *Record) State(subject Subject, purpose string) State {
	for i := range r.Latest {
		if state := &r.Latest[i]; state.Subject == subject && state.Purpose == purpose {
			return *state
		}
	}
	return State{}
}
