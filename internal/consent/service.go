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
	// Identify returns who the site's login says that a request is from, the
	// one to whom consents belong first. nil: only our cookie tells.
	Identify func(*http.Request) []Identity
	// Fields are the fields of submissions that identify a person.
	Fields map[string]Kind
	// Limit tells whether one more person may become known from where a
	// request comes: each costs room in the store. nil: any.
	Limit func(*http.Request) bool
	// Address returns what is kept of the client's address. nil: nothing.
	Address func(*http.Request) netip.Prefix
	// Words are the languages that notices can be told in.
	Words *words.Languages
	// Now and NewID are the clock and the source of event ids.
	Now   func() time.Time
	NewID func() uuid.UUID

	notices atomic.Pointer[notices]
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
	// Receipt is the ledger's reference of the submission.
	Receipt string
}

// Answer tells what stands.
type Answer struct {
	policy.Standing

	// Source says who decided about the purposes that are granted or objected
	// to; several are joined by commas; empty: nobody did.
	Source string
	// Pending says that the submission joins two identities, which has to be
	// recorded.
	Pending bool
}

// Standing tells what stands of the person behind a submission. On an error
// it is not known, and the answer holds what is to be assumed: that nothing
// is consented, and that everything which can be objected to is.
func (s *Service) Standing(ctx context.Context, inq *Inquiry) (Answer, error) {
	var a Answer
	who := s.identify(inq.Request, inq.Set, inq.Fields)
	records, err := s.find(ctx, who)
	now, known := s.Now(), s.noticesOf(inq.Set)
	said := known.signals.Read(inq.Request.Header)
	for id := range inq.Set.Choosable(inq.Purposes).All() {
		if err != nil {
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
	if err != nil {
		a.Source = "unknown"
		return a, err
	}
	a.Pending = s.joins(inq, who, records)
	return a, nil
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
	return s.Registry.FindAll(ctx, who.subjects, who.revision)
}

// choice folds what is known about one purpose.
func (s *Service) choice(id policy.PurposeID, who *person, records []*Record, said *signal.Signals, now time.Time, known *notices) Choice {
	purpose := known.set.Purposes[id].Name
	c := Choice{Purpose: purpose, Latest: who.latest(purpose, records)}
	for _, rec := range records {
		switch {
		case !s.Registry.Denied(purpose, rec.Subjects):
		case known.set.Purposes[id].Basis == policy.Consent:
			c.counts(Withdraw, FromPage)
		default:
			c.counts(Object, FromPage)
		}
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
