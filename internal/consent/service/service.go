// Package service answers for one site: whom a request is from and what that
// person chose. It stores what the person chooses.
package service

import (
	"context"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/modicum-proxy/modicum/internal/consent/signal"
	"github.com/modicum-proxy/modicum/internal/notice/words"
	"github.com/modicum-proxy/modicum/internal/policy"

	"github.com/modicum-proxy/modicum/internal/consent"
	"github.com/modicum-proxy/modicum/internal/consent/freshness"
	"github.com/modicum-proxy/modicum/internal/subject"
)

// Service answers for one site: who is behind a request, what that person
// chose, and it keeps what the person chooses. Its fields are set before its
// first use.
type Service struct {
	Registry *freshness.Registry
	Keys     *subject.Keys
	// Identify returns who a login says that a request is from; false: nobody
	// is logged in. nil: only our cookie tells.
	Identify func(*http.Request) (subject.Identity, bool)
	// Fields are the fields of submissions that identify a person.
	Fields map[string]subject.Kind
	// Limits bound what fills the store. nil: nothing does.
	Limits Limits
	// Address returns what is kept of the client's address; if nil, nothing is.
	Address func(*http.Request) string
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
	MayGrant(r *http.Request, subject consent.Subject) bool
	// MayAppear reports whether one more person may become known by taking
	// back from where a request comes, and counts it.
	MayAppear(r *http.Request) bool
}

// unknown is the source where it cannot be known what stands.
const unknown = "unknown"

// Standing returns what stands of the person behind a submission. On an error
// it is not known, and the answer holds what is to be assumed: that nothing
// is consented, and that everything which can be objected to is. The same is
// assumed, without an error, where the submission holds an address that we
// cannot read for certain: its owner may have withdrawn or objected.
func (s *Service) Standing(ctx context.Context, inq *consent.Inquiry) (consent.Answer, error) {
	var a consent.Answer
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
		case consent.Granted:
			a.Granted = a.Granted.With(id)
		case consent.Denied:
			if c.Objects() {
				a.Objected = a.Objected.With(id)
			}
		case consent.Unasked, consent.Expired, consent.Outdated:
			continue
		}
		a.Source = join(a.Source, c.Source)
	}
	if blind {
		a.Source = unknown
	}
	return a, err
}

func join(sources string, source consent.Source) string {
	switch {
	case source == "" || strings.Contains(","+sources+",", ","+string(source)+","):
		return sources
	case sources == "":
		return string(source)
	}
	return sources + "," + string(source)
}

// assume makes an action that is not stored the latest choice, unless the
// stored one is the same. It has no revision and no time, so no page says
// that it is saved, or that making it again changes nothing.
func assume(c *consent.Choice, action consent.Action, source consent.Source) {
	if c.Latest.Action != action {
		c.Latest = consent.State{Purpose: c.Purpose, Action: action, Source: source}
	}
}

// find returns the records of all subjects.
func (s *Service) find(ctx context.Context, who *person) ([]*consent.Record, error) {
	return s.Registry.FindAll(ctx, who.subjects(), who.revision)
}

// choice folds what is known about one purpose.
func (s *Service) choice(id policy.PurposeID, who *person, records []*consent.Record, said *signal.Signals, now time.Time, known *notices) consent.Choice {
	purpose := known.set.Purposes[id].Name
	c := consent.Choice{Purpose: purpose, Latest: who.latest(purpose, records)}
	switch {
	case !s.denied(purpose, records):
	case known.set.Purposes[id].Basis == policy.Consent:
		assume(&c, consent.Withdraw, consent.FromPage)
	default:
		assume(&c, consent.Object, consent.FromPage)
	}
	var told [8]consent.Told
	// What the browser tells now counts now, whether it could be stored or not.
	switch {
	case said.ADPC.Objected.Has(id):
		assume(&c, consent.Object, consent.FromADPC)
	case said.ADPC.Withdrawn.Has(id):
		assume(&c, consent.Withdraw, consent.FromADPC)
	}
	c.Status, c.Source = consent.Decide(c.Latest, consent.Tell(told[:0], said, id), now, func(notice string) bool { return known.has(id, notice) })
	return c
}
