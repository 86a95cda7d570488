package consent

import (
	"net/http"
	"slices"

	"github.com/modicum-proxy/modicum/internal/policy"
)

// person is who is behind a request, as far as the request tells.
type person struct {
	// owner is to whom what is granted now belongs: the subject of the login
	// or else of our cookie; empty: nobody is known.
	owner Subject
	// subjects are the pseudonyms of all identities, under all keys.
	subjects []Subject
	// claims are those of subjects that stand in the submission itself, where
	// anybody can write anybody's address: for each identity its pseudonyms,
	// that under the current key first.
	claims   [][]Subject
	cookie   cookie   // id is empty: there is none of ours
	revision Revision // that the person was told of
}

// identify tells who is behind a request. fields are values of the
// submission that identify the person.
func (s *Service) identify(r *http.Request, set *policy.Set, fields map[string]string) *person {
	p := &person{}
	if s.Keys == nil {
		return p
	}
	if s.Identify != nil {
		for _, id := range s.Identify(r) {
			subjects := s.Keys.Subjects(id)
			p.subjects = append(p.subjects, subjects...)
			if p.owner == "" {
				p.owner = subjects[0]
			}
		}
	}
	if c, ok := s.Keys.readCookie(r.Header); ok {
		subject := c.subject()
		p.cookie, p.revision, p.subjects = c, c.revision, append(p.subjects, subject)
		if p.owner == "" {
			p.owner = subject
		}
	}
	for name, value := range fields {
		if id, ok := s.claim(set, name, value); ok {
			subjects := s.Keys.Subjects(id)
			p.subjects, p.claims = append(p.subjects, subjects...), append(p.claims, subjects)
		}
	}
	return p
}

// is tells whether the person has a subject.
func (p *person) is(subject Subject) bool { return slices.Contains(p.subjects, subject) }

// latest returns the last choice about a purpose. All identities of the
// person count together; but one that is merely claimed must not be denied by
// itself: whoever writes somebody's address into a form does not speak for
// them.
func (p *person) latest(purpose string, records []*Record) State {
	for _, claim := range p.claims {
		if last := lastChoice(purpose, records, claim); last.Revision > 0 && last.Action.TakesBack() {
			return last
		}
	}
	return lastChoice(purpose, records, p.subjects)
}

// lastChoice returns the last choice of some subjects about a purpose. What is
// linked to them only takes back. The term of one consent ends no other.
func lastChoice(purpose string, records []*Record, of []Subject) State {
	var last, ended State
	for _, rec := range records {
		if !slices.Contains(of, rec.Subjects[0]) {
			continue
		}
		for i := range rec.Latest {
			state := &rec.Latest[i]
			own := slices.Contains(of, state.Subject)
			switch {
			case state.Purpose != purpose:
			case state.Action == Expire:
				if own && state.Revision > ended.Revision {
					ended = *state
				}
			case state.Revision > last.Revision && (own || state.Action.TakesBack()):
				last = *state
			}
		}
	}
	if last.Revision > 0 {
		return last
	}
	return ended
}

// claim returns the identity that a field of a submission names.
func (s *Service) claim(set *policy.Set, name, value string) (Identity, bool) {
	return spelled(s.Fields[name], value, set.Controller.Country)
}

// foreign tells whether another site may have made the browser send a
// request: it then speaks for nobody whom we know.
func foreign(r *http.Request) bool {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions:
		return r.Header.Get("Sec-Fetch-Site") != "same-origin"
	}
	return http.NewCrossOriginProtection().Check(r) != nil
}
