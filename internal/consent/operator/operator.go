// Package operator lists, exports and withdraws stored consents for the
// operator, who uses it through the admin endpoints and the commands.
package operator

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/modicum-proxy/modicum/internal/consent"
	"github.com/modicum-proxy/modicum/internal/consent/freshness"
	"github.com/modicum-proxy/modicum/internal/consent/record"
	"github.com/modicum-proxy/modicum/internal/policy"
	"github.com/modicum-proxy/modicum/internal/subject"
)

// Service works on the consents of one store. Its fields are set before its
// first use.
type Service struct {
	Registry *freshness.Registry
	// Subjects returns the pseudonyms of an identity, under all keys. It is nil
	// if the keys are not known.
	Subjects func(subject.Identity) ([]consent.Subject, error)
	// Policies returns the policies in force, of all sites.
	Policies func() []*policy.Set
	// Now and NewID are the clock and the source of event ids.
	Now   func() time.Time
	NewID func() uuid.UUID
}

// Query says what is asked for. The person that it names is personal data: it
// must not be logged.
type Query struct {
	// Subject or Identity name a person; if neither is set, it is about everybody.
	Subject  consent.Subject   `json:"subject,omitempty"`
	Identity *subject.Identity `json:"identity,omitempty"`
	// Purpose leaves out what is about other purposes; empty: all.
	Purpose string `json:"purpose,omitempty"`
	// All withdraws the consents to all purposes.
	All bool `json:"all,omitempty"`
	// Format is that of an export. Default: json.
	Format Format `json:"format,omitempty"`
	// Choices is the address of the page of choices, for the records of Format
	// dpv. Default: it is left out.
	Choices string `json:"choices,omitempty"`
	// Limit is the most rows of a list. Default: 0, all.
	Limit int `json:"limit,omitempty"`
}

// Format is a format of exports.
type Format string

// The formats.
const (
	JSON Format = "json" // see [record.WriteJSON]
	CSV  Format = "csv"  // see [record.WriteCSV]
	DPV  Format = "dpv"  // see [record.WriteDPV]
)

// MediaType returns the media type of a format.
func (f Format) MediaType() string {
	switch f {
	case CSV:
		return "text/csv; charset=utf-8; header=present"
	case DPV:
		return "application/ld+json"
	case JSON:
	}
	return "application/json"
}

// Errors of queries. They contain no personal data.
var (
	// ErrQuery is wrapped by errors about malformed queries.
	ErrQuery = errors.New("the query cannot be answered")
	// ErrNobody means that nothing is stored about a person.
	ErrNobody = errors.New("nothing is stored for this person; a subject must be spelled as it is listed")
	// ErrNothing means that there is no consent to withdraw.
	ErrNothing = errors.New("no consent is in force that could be withdrawn")
)

func queryError(format string, args ...any) error {
	return fmt.Errorf("%w: %w", ErrQuery, fmt.Errorf(format, args...))
}

// subjects returns the subjects of the person that a query names; none: it is
// about everybody.
func (s *Service) subjects(q *Query) ([]consent.Subject, error) {
	switch {
	case q.Identity == nil && q.Subject == "":
		return nil, nil
	case q.Identity == nil:
		return []consent.Subject{q.Subject}, nil
	case q.Subject != "":
		return nil, queryError("it names a person twice: give the subject or something that the person is known by")
	case s.Subjects == nil:
		return nil, queryError("the key of pseudonyms is not known here: name the person by the subject, as it is listed")
	}
	subjects, err := s.Subjects(*q.Identity)
	if err != nil {
		return nil, queryError("what the person is known by: %w", err)
	}
	return subjects, nil
}

func (s *Service) persons(ctx context.Context, q *Query) (iter.Seq2[record.Person, error], error) {
	subjects, err := s.subjects(q)
	if err != nil {
		return nil, err
	}
	store, err := s.Registry.Store(ctx)
	if err != nil {
		return nil, err
	}
	if subjects == nil {
		return record.Persons(ctx, store), nil
	}
	// One identity has several subjects when the key was changed.
	var persons []record.Person
	for _, subject := range subjects {
		known := func(p record.Person) bool {
			return slices.ContainsFunc(p, func(e consent.Event) bool { return e.Subject == subject || e.Other == subject })
		}
		if slices.ContainsFunc(persons, known) {
			continue
		}
		person, err := record.One(ctx, store, subject)
		if err != nil {
			return nil, err
		}
		if len(person) > 0 {
			persons = append(persons, person)
		}
	}
	if len(persons) == 0 {
		return nil, ErrNobody
	}
	return record.Each(persons), nil
}

// Export writes the evidence that a query is about.
func (s *Service) Export(ctx context.Context, w io.Writer, q *Query) error {
	switch q.Format {
	case JSON, CSV, "":
		events, err := s.events(ctx, q)
		if err != nil {
			return err
		}
		if q.Format == CSV {
			return record.WriteCSV(w, events)
		}
		return record.WriteJSON(w, events)
	case DPV:
		site, err := s.site(q.Choices)
		if err != nil {
			return err
		}
		persons, err := s.persons(ctx, q)
		if err != nil {
			return err
		}
		return record.WriteDPV(w, about(q.Purpose, persons), site)
	}
	return queryError("format %q: expected json, csv or dpv", q.Format)
}

func (s *Service) events(ctx context.Context, q *Query) (iter.Seq2[consent.Event, error], error) {
	if q.Subject == "" && q.Identity == nil {
		store, err := s.Registry.Store(ctx)
		if err != nil {
			return nil, err
		}
		return record.About(q.Purpose, record.Events(ctx, store, "")), nil
	}
	persons, err := s.persons(ctx, q)
	if err != nil {
		return nil, err
	}
	return record.About(q.Purpose, func(yield func(consent.Event, error) bool) {
		for person, err := range persons {
			if err != nil {
				yield(consent.Event{}, err)
				return
			}
			for _, e := range person {
				if !yield(e, nil) {
					return
				}
			}
		}
	}), nil
}

func about(purpose string, persons iter.Seq2[record.Person, error]) iter.Seq2[record.Person, error] {
	return func(yield func(record.Person, error) bool) {
		for person, err := range persons {
			if !yield(person.About(purpose), err) {
				return
			}
		}
	}
}
