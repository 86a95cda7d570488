package consent

import "errors"

// Status is what a person's choice about a purpose comes to now.
type Status string

// The statuses. Only Granted permits.
const (
	Unasked  Status = "unasked"  // there is no choice
	Granted  Status = "granted"  // a consent stands
	Denied   Status = "denied"   // refused, withdrawn or objected to
	Expired  Status = "expired"  // a consent reached its term
	Outdated Status = "outdated" // a consent was given to another text than today's
)

// Choice is what a person chose about one purpose, and what it comes to.
type Choice struct {
	Purpose string
	Status  Status
	// Latest is the person's latest explicit choice; its Action is empty when
	// there is none.
	Latest State
	// Source decided: that of Latest, or a signal of the request; empty:
	// nothing did.
	Source Source
	// TakenBack reports that everything which the person is known by has taken the
	// purpose back, and that this is stored: to take it back again changes nothing.
	TakenBack bool
	// Lagging says that a lease may have hidden a newer choice, and that this
	// one may not be in force on every proxy yet. Nobody is told by it that
	// something is withdrawn.
	Lagging bool
}

// Objects reports whether the choice is an objection, which stops processing
// on any basis.
func (c *Choice) Objects() bool {
	return c.Latest.Action == Object && c.Source == c.Latest.Source || c.Source == FromGPC
}

// Decision is a choice that a person makes now.
type Decision struct {
	Purpose string
	Action  Action
	// Notice and Shown are what the person was told, see [Event].
	Notice string
	Shown  *Shown
}

// Errors of those who choose too often.
var (
	// ErrTooMany means that nothing was stored.
	ErrTooMany = errors.New("too many choices come from this person or network")
	// ErrTooManyGrants means that the withdrawals were stored and the grants were
	// not.
	ErrTooManyGrants = errors.New("too many consents come from this person or network")
)
