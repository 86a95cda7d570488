package consent

import "errors"

// Status is the effect that a person's choice about a purpose has now.
type Status string

// The statuses. Only Granted permits.
const (
	Unasked  Status = "unasked"  // there is no choice
	Granted  Status = "granted"  // a consent is in force
	Denied   Status = "denied"   // refused, withdrawn or objected to
	Expired  Status = "expired"  // a consent reached its term
	Outdated Status = "outdated" // a consent was given to another text than today's
)

// Choice is what a person chose about one purpose, and its effect.
type Choice struct {
	Purpose string
	Status  Status
	// Latest is the person's latest explicit choice; its Action is empty when
	// there is none.
	Latest State
	// Source is what decided: the source of Latest, or a signal of the request;
	// empty if nothing did.
	Source Source
	// TakenBack says that a stored choice of each of the person's subjects has
	// taken the purpose back: to take it back again changes nothing.
	TakenBack bool
	// Lagging says that, under a lease, there may be a newer choice, and that
	// this one may not be in force on every proxy yet. It must not be presented
	// as a withdrawal that is complete.
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
	// Notice and Shown are the text that the person saw, see [Event].
	Notice string
	Shown  *Shown
}

// Errors about too many choices.
var (
	// ErrTooMany means that nothing was stored.
	ErrTooMany = errors.New("too many choices come from this person or network")
	// ErrTooManyGrants means that the withdrawals were stored and the grants were
	// not.
	ErrTooManyGrants = errors.New("too many consents come from this person or network")
)
