package service

import (
	"net/http"
	"slices"

	"github.com/modicum-proxy/modicum/internal/consent"
)

// evidenceLimit is the most events that a person's receipt holds.
const evidenceLimit = 1000

// Evidence returns what is stored of the choices of the person behind a
// request: of the login if there is one, or else of the browser, which may be
// another's.
func (s *Service) Evidence(r *http.Request) ([]consent.Event, error) {
	who := s.identify(r, nil, nil)
	if len(who.own) == 0 {
		return nil, nil
	}
	store, err := s.Registry.Store(r.Context())
	if err != nil {
		return nil, err
	}
	var events []consent.Event
	for _, subject := range who.own {
		found, err := store.Events(r.Context(), subject, 0, evidenceLimit)
		if err != nil {
			return nil, consent.Unavailable(err)
		}
		for i := range found {
			if found[i].Subject == subject {
				events = append(events, found[i])
			}
		}
	}
	slices.SortFunc(events, func(a, b consent.Event) int { return int(a.Revision - b.Revision) })
	return events, nil
}
