package consent

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
)

// Commit tells of a stored batch.
type Commit struct {
	// Revision is that of the last event of the batch.
	Revision Revision
	// Lease is how long another process may still decide by what it read
	// before.
	Lease time.Duration
}

// Errors of stores.
var (
	// ErrUnavailable says that the store did not answer, or not in time.
	ErrUnavailable = errors.New("the consent store is not available")
	// ErrOutcomeUnknown says that a commit was sent and its answer was lost:
	// the events may be stored or not.
	ErrOutcomeUnknown = errors.New("it is not known whether the consent store kept the events")
	// ErrTooManyLinks says that a person has [MaxLinked] subjects already.
	ErrTooManyLinks = errors.New("too many subjects are linked to one person")
)

// Unavailable returns an error that wraps [ErrUnavailable] and its cause.
func Unavailable(err error) error { return fmt.Errorf("%w: %w", ErrUnavailable, err) }

// MaxLinked is the most subjects that one person can have.
const MaxLinked = 16

// MaxText is the most bytes of a text that was shown.
const MaxText = 1 << 16

// Store keeps events. All methods may be called from many goroutines.
type Store interface {
	// Append stores events in one transaction and returns when they survive a
	// power cut. It numbers them in their order. One whose ID is stored
	// already is left as it is. When the answer of a commit is lost it asks
	// again, by ID, until ctx ends; the error is then ErrOutcomeUnknown.
	Append(ctx context.Context, events ...Event) (Commit, error)
	// Load returns what stands of a person, all of it as of one revision.
	// Of an unknown subject that is a record without states.
	Load(ctx context.Context, subject Subject) (Record, error)
}

// Archive is the ability of a store to tell what it keeps as evidence.
type Archive interface {
	// Events returns at most limit events with a revision above after, in
	// order, each with the text that was shown: those of a person, links
	// followed, or of everybody when subject is empty. When they are fewer
	// there are no more.
	Events(ctx context.Context, subject Subject, after Revision, limit int) ([]Event, error)
}

// Keeper is the ability of a store to end what has reached its term.
type Keeper interface {
	// Due returns at most limit grants, the latest events of their subject
	// and purpose, that expired before now. They lack the text shown.
	Due(ctx context.Context, now time.Time, limit int) ([]Event, error)
	// Prune deletes at most limit events that were superseded before the
	// given time, and withdrawals, refusals and expiries of that age that are
	// still the latest: a person who is silent as long is forgotten. They stay
	// while a linked subject has an older grant, which would count again.
	// Objections stay, and grants that stand. Texts that no event refers to
	// any more go with them.
	Prune(ctx context.Context, before time.Time, limit int) (int, error)
	// ForgetAddresses empties the addresses of at most limit events from
	// before the given time: they have a term of their own.
	ForgetAddresses(ctx context.Context, before time.Time, limit int) (int, error)
}

// Feed is the ability of a store that several processes write: it tells what
// the others wrote.
type Feed interface {
	// Changes returns what was committed after since, as of one moment that
	// lies after the call.
	Changes(ctx context.Context, since Mark) (Changes, error)
	// Wait returns when something was committed, or may have been, and when
	// ctx ends. It is a hint: nothing depends on it.
	Wait(ctx context.Context) error
}

// Mark is a point in the history of a store.
type Mark struct {
	Revision Revision
	Event    uuid.UUID // the one with this revision
}

// Changes is what happened since a mark.
type Changes struct {
	Head Mark
	// Diverged says that the store's history does not contain the mark: it
	// was restored, or another server took over. Nothing read before counts.
	Diverged bool
	// Subjects are those that changed, with the revision of their last change.
	// nil with More: too many to tell.
	Subjects map[Subject]Revision
	More     bool
}
