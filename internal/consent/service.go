package consent

import (
	"context"
	"net/http"
	"net/netip"
	"strings"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/modicum-proxy/modicum/internal/consent/signal"
	"github.com/modicum-proxy/modicum/internal/notice/words"
	"github.com/modicum-proxy/modicum/internal/policy"
)

// Service answers for one site: who is behind a request, what that person
// chose, and it keeps what the person chooses. Its fields are set before its
// first use.
type Service struct {
	Registry *Registry
	Keys     *Keys
	// Identify returns who a login says that a request is from; false: nobody
	// is logged in. nil: only our cookie tells.
	Identify func(*http.Request) (Identity, bool)
	// Fields are the fields of submissions that identify a person.
	Fields map[string]Kind
	// Limits bound what fills the store. nil: nothing does.
	Limits Limits
	// Address returns what is kept of the client's address. nil: nothing.
	Address func(*http.Request) netip.Prefix
	// Words are the languages that notices can be told in.
	Words *words.Languages
	// Now and NewID are the clock and the source of event ids.
	Now   func() time.Time
	NewID func() uuid.UUID

	notices atomic.Pointer[notices]
}

// Limits bound what one person and one network add to a store. Who is known
// and takes back is not bounded: a person can take back only what stands.
type Limits interface {
	// MayGrant reports whether a subject may grant once more from where a
	// request comes, and counts it. The subject is empty if the person is unknown.
	MayGrant(r *http.Request, subject Subject) bool
	// MayAppear reports whether one more person may become known by taking
	// back from where a request comes, and counts it.
	MayAppear(r *http.Request) bool
}

// Inquiry asks about the person behind a submission.
type Inquiry struct {
	Request *http.Request
	Set     *policy.Set
	// Purposes are those that the answer is needed for.
	Purposes policy.PurposeSet
	// Fields are the values of those fields of the submission that identify a
	// person, by name.
	Fields map[string]string
	// Hidden reports that the submission holds a field that identifies a
	// person, but that its value could not be read.
	Hidden bool
	// Receipt is the ledger's reference of the submission.
	Receipt string
	// Began is when the submission began to arrive.
	Began time.Time
}

// Answer tells what stands.
type Answer struct {
	policy.Standing

	// Source says who decided about the purposes that are granted or objected
	// to; several are joined by commas; empty: nobody did; "unknown": that
	// cannot be known.
	Source string
}

// unknown is the source where it cannot be known what stands.
const unknown = "unknown"

// Standing returns what stands of the person behind a submission. On an error
// it is not known, and the answer holds what is to be assumed: that nothing
// is consented, and that everything which can be objected to is. The same is
// assumed, without an error, where the submission holds an address that we
// cannot read for certain: its owner may have withdrawn or objected.
func (s *Service) Standing(ctx context.Context, inq *Inquiry) (Answer, error) {
	var a Answer
	who := s.identify(inq.Request, inq.Set, inq.Fields)
	records, err := s.find(ctx, who)
	now, known := s.Now(), s.noticesOf(inq.Set)
	said := known.signals.Read(inq.Request.Header)
	blind := err != nil || who.unclear || inq.Hidden
	for id := range inq.Set.Choosable(inq.Purposes).All() {
		if blind {
			if inq.Set.Purposes[id].Basis != policy.Consent {
				a.Objected = a.Objected.With(id)
			}
			continue
		}
		c := s.choice(id, who, records, &said, now, known)
		switch c.Status {
		case Granted:
			a.Granted = a.Granted.With(id)
		case Denied:
			if c.objects() {
				a.Objected = a.Objected.With(id)
			}
		case Unasked, Expired, Outdated:
			continue
		}
		a.Source = join(a.Source, c.Source)
	}
	if blind {
		a.Source = unknown
	}
	return a, err
}

// objects tells whether the choice is an objection, against which no other
// basis stands either.
func (c *Choice) objects() bool {
	return c.Latest.Action == Object && c.Source == c.Latest.Source || c.Source == FromGPC
}

func join(sources string, source Source) string {
	switch {
	case source == "" || strings.Contains(","+sources+",", ","+string(source)+","):
		return sources
	case sources == "":
		return string(source)
	}
	return sources + "," + string(source)
}

// counts makes something the latest choice that is not stored, unless the
// same is. It has no revision and no time: nobody may be told that it is
// saved, and whoever makes it again is not told that nothing changes.
func (c *Choice) counts(action Action, source Source) {
	if c.Latest.Action != action {
		c.Latest = State{Purpose: c.Purpose, Action: action, Source: source}
	}
}

// find returns the records of all subjects.
func (s *Service) find(ctx context.Context, who *person) ([]*Record, error) {
	return s.Registry.FindAll(ctx, who.subjects(), who.revision)
}

// choice folds what is known about one purpose.
func (s *Service) choice(id policy.PurposeID, who *person, records []*Record, said *signal.Signals, now time.Time, known *notices) Choice {
	purpose := known.set.Purposes[id].Name
	c := Choice{Purpose: purpose, Latest: who.latest(purpose, records)}
	switch {
	case !s.denied(purpose, records):
	case known.set.Purposes[id].Basis == policy.Consent:
		c.counts(Withdraw, FromPage)
	default:
		c.counts(Object, FromPage)
	}
	var told [8]Told
	// What the browser tells now counts now, whether it could be stored or not.
	switch {
	case said.ADPC.Objected.Has(id):
		c.counts(Object, FromADPC)
	case said.ADPC.Withdrawn.Has(id):
		c.counts(Withdraw, FromADPC)
	}
	c.Status, c.Source = Decide(c.Latest, Tell(told[:0], said, id), now, func(notice string) bool { return known.has(id, notice) })
	return c
}
