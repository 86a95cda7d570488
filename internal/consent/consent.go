// Package consent defines what a choice about consent is: its events, the
// state that they add up to, which source prevails, and what a store promises.
package consent

import (
	"time"

	"github.com/modicum-proxy/modicum/internal/consent/signal"
)

// Subject is a person as the store knows one: a keyed pseudonym of an
// identity, "<key id>.<HMAC-SHA-256 in base64url>". It is still personal data
// (GDPR recital 26). The empty subject stands for an unknown person.
type Subject string

// Revision numbers the events of a store in the order of their commits,
// without gaps. The first event has revision 1.
type Revision int64

// Action is what an event does about a purpose.
type Action string

// The actions. No other value permits anything.
const (
	Grant    Action = "grant"    // the person consents
	Refuse   Action = "refuse"   // the person was asked and does not consent
	Withdraw Action = "withdraw" // the person takes a consent back
	Object   Action = "object"   // the person objects to a purpose of any basis
	Expire   Action = "expire"   // a consent has reached its term
	// Link makes two subjects one person. It has no purpose.
	Link Action = "link"
)

// Restricts reports whether the action permits less than before. It must then
// be in force on every proxy before the person is told that it is.
func (a Action) Restricts() bool { return a != Grant }

// TakesBack reports whether the action is a restriction by the person, which
// applies to all linked subjects. An expiry ends one consent only.
func (a Action) TakesBack() bool { return a.Restricts() && a != Expire }

// Source is the means by which a choice was made or signalled. [Precedence]
// says which one prevails.
type Source string

// The sources.
const (
	FromForm     Source = "form"     // a field of a submission was ticked
	FromPage     Source = "page"     // our page of choices
	FromAPI      Source = "api"      // our API, used by the site's own front end
	FromADPC     Source = "adpc"     // Advanced Data Protection Control
	FromOperator Source = "operator" // the controller, on the person's behalf
	FromTerm     Source = "term"     // the term of a consent was reached

	FromGPC           = Source(signal.GPC)           // Global Privacy Control
	FromKlaro         = Source(signal.Klaro)         // the cookie of Klaro!
	FromCC            = Source(signal.CookieConsent) // the cookie of CookieConsent
	FromFides         = Source(signal.Fides)         // the cookie of Fides
	FromCookie        = Source(signal.Cookie)        // the cookie of any other consent platform
	FromTCF           = Source(signal.TCF)           // the PublisherTC segment of an IAB TC string
	FromGPP           = Source(signal.GPP)           // an IAB GPP string
	NoSource   Source = ""                           // there is no choice
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

// Record is the state of one person as of a revision.
type Record struct {
	// Revision is the store's at the time of reading, not that of the latest
	// event of the person.
	Revision Revision
	// Subjects are the one that was asked for and all that are linked to it.
	Subjects []Subject
	// Latest holds the latest event of each of Subjects about each purpose, by
	// subject and purpose. They are not merged: what one of two linked subjects
	// takes back is taken back for both, but what one grants is granted for that
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
