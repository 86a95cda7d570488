package operator

import (
	"context"
	"io"
	"time"

	"github.com/modicum-proxy/modicum/internal/consent"
	"github.com/modicum-proxy/modicum/internal/consent/record"
	"github.com/modicum-proxy/modicum/internal/notice"
	"github.com/modicum-proxy/modicum/internal/policy"
)

// Row says what stands of one subject and one purpose.
type Row struct {
	Subject consent.Subject `json:"subject"`
	Purpose string          `json:"purpose"`
	// Status is granted, outdated, expired, refused, withdrawn or objected. Only
	// granted permits.
	Status   string           `json:"status"`
	Source   consent.Source   `json:"source,omitempty"`
	Time     time.Time        `json:"time"`
	Expires  time.Time        `json:"expires,omitzero"`
	Notice   string           `json:"notice,omitempty"`
	Language string           `json:"language,omitempty"`
	Policy   string           `json:"policy,omitempty"`
	Revision consent.Revision `json:"revision"`
}

// List writes what stands as a JSON array of [Row], those who chose longest
// ago first.
func (s *Service) List(ctx context.Context, w io.Writer, q *Query) error {
	persons, err := s.persons(ctx, q)
	if err != nil {
		return err
	}
	site := siteOf(s.Policies(), "")
	now, n := s.Now(), 0
	return record.WriteArray(w, func(yield func(Row, error) bool) {
		for person, err := range about(q.Purpose, persons) {
			if err != nil {
				yield(Row{}, err)
				return
			}
			for _, t := range person.Threads() {
				if !yield(newRow(&t, site, now), nil) {
					return
				}
				if n++; n == q.Limit {
					return
				}
			}
		}
	})
}

func newRow(t *record.Thread, site *record.Site, now time.Time) Row {
	e := t.Latest()
	row := Row{
		Subject: t.Subject, Purpose: t.Purpose, Status: site.Status(t, now), Source: e.Source, Time: e.Time.UTC(),
		Expires: e.Expires.UTC(), Notice: e.Notice, Policy: e.Policy, Revision: e.Revision,
	}
	if e.Shown != nil {
		row.Language = e.Shown.Language
	}
	return row
}

// site returns what records say beside the events. They have to name the
// controller.
func (s *Service) site(choices string) (*record.Site, error) {
	sets := s.Policies()
	if len(sets) == 0 {
		return nil, queryError("a consent record names the controller, and no policy says who that is")
	}
	return siteOf(sets, choices), nil
}

// siteOf returns what policies tell, for one export: it is not safe for
// concurrent use.
func siteOf(sets []*policy.Set, choices string) *record.Site {
	site := &record.Site{Choices: choices}
	if len(sets) == 0 {
		return site
	}
	c := &sets[0].Controller
	site.Controller = notice.Party{Name: c.Name.In(""), Contact: c.Contact, Address: c.Address.In(""), Country: c.Country}
	type question struct{ purpose, language string }
	told := map[question][]*notice.Consent{} // making one hashes its content
	site.Notice = func(e consent.Event) *notice.Consent {
		q := question{purpose: e.Purpose}
		if e.Shown != nil {
			q.language = e.Shown.Language
		}
		notices, known := told[q]
		if !known {
			for _, set := range sets {
				if id, ok := set.PurposeID(q.purpose); ok {
					notices = append(notices, notice.ForPurpose(set, id, q.language))
				}
			}
			told[q] = notices
		}
		// Of several sites, it is the one that tells people the same.
		for _, n := range notices {
			if n.ID == e.Notice {
				return n
			}
		}
		if len(notices) == 0 {
			return nil
		}
		return notices[0]
	}
	return site
}
