package consent

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
)

// Commit describes a stored batch.
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
	// ErrUnreachable says that a store cannot be opened now, and perhaps later:
	// the server does not answer.
	ErrUnreachable = errors.New("the consent store cannot be reached")
	// ErrOutcomeUnknown says that a commit was sent and its answer was lost:
	// the events may be stored or not.
	ErrOutcomeUnknown = errors.New("it is not known whether the consent store kept the events")
	// ErrPending says that a choice is stored, and that other processes may
	// still decide by what they read before.
	ErrPending = errors.New("the choice is stored, but not in force on every proxy yet")
	// ErrTooManyLinks says that a person has [MaxLinked] subjects already.
	ErrTooManyLinks = errors.New("too many subjects are linked to one person")
)

// Unavailable returns an error that wraps [ErrUnavailable] and its cause.
func Unavailable(err error) error { return fmt.Errorf("%w: %w", ErrUnavailable, err) }

// MaxLinked is the most subjects that one person can have.
const MaxLinked = 16

// MaxLease is the longest lease.
const MaxLease = 30 * time.Second

// Store stores events. All methods may be called concurrently.
type Store interface {
	// Append stores events in one transaction and returns when they survive a
	// power cut. The events are valid ([Validate]). It numbers them in their
	// order. An event whose ID is stored already is not changed. If the answer
	// to a commit is lost it asks again, by ID, until ctx ends; the error is
	// then [ErrOutcomeUnknown].
	Append(ctx context.Context, events ...Event) (Commit, error)
	// Load returns the state of a person, all of it as of one revision. The
	// record of an unknown subject has no states.
	Load(ctx context.Context, subject Subject) (Record, error)
	// Events returns at most limit events with a revision above after, in
	// order, each with the text that was shown: those of a person, links
	// followed, or of everybody if subject is empty. Fewer than limit means
	// that there are no more.
	Events(ctx context.Context, subject Subject, after Revision, limit int) ([]Event, error)
	// Due returns at most limit grants, the latest events of their subject
	// and purpose, that expired before now, without the text shown.
	Due(ctx context.Context, now time.Time, limit int) ([]Event, error)
	// Prune deletes at most limit events that were superseded before the
	// given time, and withdrawals, refusals and expiries of that age that are
	// still the latest: a person who makes no choice for that long is
	// forgotten. They stay while a linked subject has an older grant, which
	// would count again. Objections and grants in force stay. A text that no
	// event refers to any more is deleted too.
	Prune(ctx context.Context, before time.Time, limit int) (int, error)
	// ForgetAddresses removes the addresses of at most limit events from
	// before the given time: addresses have a separate retention period.
	ForgetAddresses(ctx context.Context, before time.Time, limit int) (int, error)
	// Close waits for calls in progress and releases the store.
	Close() error
}

// Feed is implemented by a store that several processes write. It reports what
// the others wrote.
type Feed interface {
	// Changes returns what was committed after since, as of one moment that
	// lies after the call.
	Changes(ctx context.Context, since Mark) (Changes, error)
	// Wait returns when something may have been committed, or when ctx ends. It
	// is a hint: correctness does not depend on it.
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
	// Lease is how long another process may still decide by what it read
	// before.
	Lease time.Duration
	// Diverged says that the history of the store does not contain the mark: the
	// store was restored, or another server took over. What was read before must
	// not be used.
	Diverged bool
	// Subjects are those that changed, with the revision of their last change.
	// It is nil if More is set.
	Subjects map[Subject]Revision
	More     bool // too many changed
}
