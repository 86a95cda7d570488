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
	// claimed are those of subjects that stand in the submission itself:
	// anybody can write anybody's address there.
	claimed []Subject
	// claims are those of claimed under the current key.
	claims   []Subject
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
			p.subjects, p.claimed, p.claims = append(p.subjects, subjects...), append(p.claimed, subjects...), append(p.claims, subjects[0])
		}
	}
	return p
}

// is tells whether the person has a subject.
func (p *person) is(subject Subject) bool { return slices.Contains(p.subjects, subject) }

// latest returns the last choice about a purpose. The identities that a
// person has proved count together. What is linked to them only takes back.
// An identity that is merely claimed must not be denied itself: whoever
// writes somebody's address into a form does not speak for them. The term of
// one identity's consent ends no other's.
func (p *person) latest(purpose string, records []*Record) State {
	var last, denied, ended State
	for _, rec := range records {
		for i := range rec.Latest {
			state := &rec.Latest[i]
			switch {
			case state.Purpose != purpose:
				continue
			case state.Action == Expire:
				if state.Revision > ended.Revision && p.is(state.Subject) {
					ended = *state
				}
				continue
			}
			if state.Revision > last.Revision && (state.Action.TakesBack() || p.is(state.Subject)) {
				last = *state
			}
			if state.Revision > denied.Revision && state.Action.TakesBack() && slices.Contains(p.claimed, state.Subject) {
				denied = *state
			}
		}
	}
	switch {
	case denied.Revision > 0:
		return denied
	case last.Revision > 0:
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
