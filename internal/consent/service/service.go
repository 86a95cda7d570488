// Package service answers for one site: who a request is from and what that
// person chose. It stores new choices.
package service

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/modicum-proxy/modicum/internal/consent/signal"
	"github.com/modicum-proxy/modicum/internal/notice/words"
	"github.com/modicum-proxy/modicum/internal/policy"

	"github.com/modicum-proxy/modicum/internal/consent"
	"github.com/modicum-proxy/modicum/internal/consent/freshness"
	"github.com/modicum-proxy/modicum/internal/subject"
)

// Service answers for one site, and stores choices. Its fields must be set before
// its first use.
type Service struct {
	Registry *freshness.Registry
	Keys     *subject.Keys
	// Identify returns the user who is logged in; false if there is no login. If
	// nil, people are known by our cookie only.
	Identify func(*http.Request) (subject.Identity, bool)
	// Fields are the fields of submissions that identify a person.
	Fields map[string]subject.Kind
	// Limits bound what is added to the store. No limits if nil.
	Limits *Limits
	// Address returns what is kept of the client's address; if nil, nothing is.
	Address func(*http.Request) string
	// Words are the languages of notices.
	Words *words.Languages
	// Now and NewID are the clock and the source of event ids.
	Now   func() time.Time
	NewID func() uuid.UUID

	notices noticeCache
}

// Standing returns what the person behind a submission consents and objects
// to. If that cannot be known, the answer is the safe assumption: nothing is
// consented to, and everything that can be objected to is. That is so on an
// error, and, without an error, if the submission holds an address that cannot
// be read for certain: its owner may have withdrawn or objected.
func (s *Service) Standing(ctx context.Context, inq *consent.Inquiry) (consent.Answer, error) {
	who := s.identify(inq.Request, inq.Set, inq.Fields)
	records, err := s.find(ctx, who)
	if err != nil || who.unclear || inq.Hidden {
		return unknownAnswer(inq), err
	}
	now, known := s.Now(), s.noticesOf(inq.Set)
	said := known.signals.Read(inq.Request.Header)
	return answer(inq, func(id policy.PurposeID) consent.Choice { return s.choice(id, who, records, &said, now, known) }), nil
}

// unknownAnswer returns what is assumed if the choices are not known.
func unknownAnswer(inq *consent.Inquiry) consent.Answer {
	a := consent.Answer{Source: "unknown"}
	for id := range inq.Set.Choosable(inq.Purposes).All() {
		if inq.Set.Purposes[id].Basis != policy.Consent {
			a.Objected = a.Objected.With(id)
		}
	}
	return a
}

// answer combines the choices about the purposes of an inquiry.
func answer(inq *consent.Inquiry, choice func(policy.PurposeID) consent.Choice) consent.Answer {
	var a consent.Answer
	for id := range inq.Set.Choosable(inq.Purposes).All() {
		c := choice(id)
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
	return a
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

func (s *Service) find(ctx context.Context, who *person) ([]*consent.Record, error) {
	return s.Registry.FindAll(ctx, who.subjects(), who.revision)
}

// choice returns what is in force about one purpose.
func (s *Service) choice(id policy.PurposeID, who *person, records []*consent.Record, said *signal.Signals, now time.Time, known *notices) consent.Choice {
	p := &known.set.Purposes[id]
	latest := who.latest(p.Name, records)
	switch {
	case !s.denied(p.Name, records):
	case p.Basis == policy.Consent:
		assume(&latest, p.Name, consent.Withdraw, consent.FromPage)
	default:
		assume(&latest, p.Name, consent.Object, consent.FromPage)
	}
	return known.choice(id, latest, said, now)
}

// assume makes an action that is not stored the latest choice, unless the
// stored one is the same. It has no revision and no time, so no page says
// that it is saved, or that making it again changes nothing.
func assume(latest *consent.State, purpose string, action consent.Action, source consent.Source) {
	if latest.Action != action {
		*latest = consent.State{Purpose: purpose, Action: action, Source: source}
	}
}
