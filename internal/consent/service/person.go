package service

import (
	"net/http"
	"slices"

	"github.com/modicum-proxy/modicum/internal/policy"

	"github.com/modicum-proxy/modicum/internal/consent"
	"github.com/modicum-proxy/modicum/internal/subject"
)

// person is the person behind a request, as far as it can be known.
type person struct {
	// own are the pseudonyms of the identity to which choices belong, under all
	// keys, that under the current one first: of the login, or else of our
	// cookie. None: the person is unknown.
	own []consent.Subject
	// browser is the pseudonym of our cookie beside a login; empty: there is
	// none. A browser can be shared, so what is granted under it does not count
	// for users who log in; what is taken back under it counts for all.
	browser consent.Subject
	// claims are the pseudonyms of what stands in the submission itself, for
	// each address or number those under all keys. Anyone can enter another
	// person's, so they only take back, and nothing is stored under them.
	claims [][]consent.Subject
	// unclear reports that the submission holds an address that we cannot read
	// for certain.
	unclear  bool
	cookie   subject.Cookie
	revision consent.Revision // that the person was told of
}

// identify returns the person behind a request. fields are values of the
// submission that identify a person.
func (s *Service) identify(r *http.Request, set *policy.Set, fields map[string]string) *person {
	p := &person{}
	if s.Identify != nil {
		if id, ok := s.Identify(r); ok {
			p.own = s.Keys.Subjects(id)
		}
	}
	if c, ok := s.Keys.ReadCookie(r.Header); ok {
		p.cookie, p.revision = c, c.Revision
		if len(p.own) > 0 {
			p.browser = c.Subject()
		} else {
			p.own = []consent.Subject{c.Subject()}
		}
	}
	for name, value := range fields {
		if id, ok := subject.Normalize(s.Fields[name], value, set.Controller.Country); ok {
			p.claims = append(p.claims, s.Keys.Subjects(id))
		} else {
			p.unclear = true
		}
	}
	return p
}

// owner returns the subject that new grants belong to; empty if the person is
// unknown.
func (p *person) owner() consent.Subject {
	if len(p.own) == 0 {
		return ""
	}
	return p.own[0]
}

// verified returns the subjects that the person has shown to be.
func (p *person) verified() []consent.Subject {
	if p.browser == "" {
		return p.own
	}
	return append(slices.Clip(p.own), p.browser)
}

// subjects returns all subjects that count for the person.
func (p *person) subjects() []consent.Subject {
	return slices.Concat(append([][]consent.Subject{p.verified()}, p.claims...)...)
}

// latest returns the last choice about a purpose. All that the person has shown
// to be counts together. An address that is merely claimed only takes back:
// the person who enters it need not be its owner.
func (p *person) latest(purpose string, records []*consent.Record) consent.State {
	last := lastChoice(purpose, records, p.verified(), p.own)
	for _, claim := range p.claims {
		claimed := lastChoice(purpose, records, claim, nil)
		// An objection says more than a withdrawal, whoever it comes from.
		if claimed.Revision > 0 && last.Action != consent.Object && (!last.Action.TakesBack() || last.Revision == 0 || claimed.Action == consent.Object) {
			last = claimed
		}
	}
	return last
}

// lastChoice returns the latest choice of some subjects about a purpose. Only
// the choices of own can grant; those of the browser and of linked subjects can
// only take back. An expired consent ends only itself.
func lastChoice(purpose string, records []*consent.Record, of, own []consent.Subject) consent.State {
	var last, ended consent.State
	for _, rec := range records {
		if !slices.Contains(of, rec.Subjects[0]) {
			continue
		}
		for i := range rec.Latest {
			state := &rec.Latest[i]
			mine := slices.Contains(own, state.Subject)
			switch {
			case state.Purpose != purpose:
			case state.Action == consent.Expire:
				if mine && state.Revision > ended.Revision {
					ended = *state
				}
			case state.Revision > last.Revision && (mine || state.Action.TakesBack()):
				last = *state
			}
		}
	}
	if last.Revision > 0 {
		return last
	}
	return ended
}

// foreign reports whether another site may have made the browser send a
// request: it then counts as one of an unknown person.
func foreign(r *http.Request) bool {
	checked := *r
	checked.Method = http.MethodPost // of other methods nothing is checked
	return http.NewCrossOriginProtection().Check(&checked) != nil
}
