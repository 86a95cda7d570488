package service

import (
	"context"
	"errors"
	"net/http"

	"github.com/modicum-proxy/modicum/internal/consent/signal"
	"github.com/modicum-proxy/modicum/internal/policy"

	"github.com/modicum-proxy/modicum/internal/consent"
)

// StoreADPC stores the choices in the ADPC header of a request that change
// something. Every request has the header, also those that must not wait for a
// store, so it does not try for longer than a decision waits: the browser sends
// the header again.
func (s *Service) StoreADPC(r *http.Request, h http.Header, set *policy.Set) error {
	n := s.noticesOf(set)
	said := n.signals.Read(r.Header)
	if foreign(r) {
		said.ADPC.Consented = policy.PurposeSet{} // another site may have asked
	}
	if said.ADPC.IsEmpty() {
		return nil
	}
	who := s.identify(r, set, nil)
	if who.owner() == "" && said.ADPC.Consented.IsEmpty() {
		return nil // an unknown person has nothing to take back
	}
	ctx, cancel := context.WithTimeout(r.Context(), s.Registry.Timeout())
	defer cancel()
	records, err := s.find(ctx, who)
	if err != nil {
		return err
	}
	var decisions []consent.Decision
	for _, told := range []struct {
		purposes policy.PurposeSet
		action   consent.Action
	}{{said.ADPC.Consented, consent.Grant}, {said.ADPC.Withdrawn, consent.Withdraw}, {said.ADPC.Objected, consent.Object}} {
		for id := range told.purposes.All() {
			stored := s.choice(id, who, records, &signal.Signals{}, s.Now(), n)
			repeats := stored.Latest.Action == told.action && s.takenBackByAll(stored.Purpose, who, records)
			if told.action == consent.Grant {
				repeats = stored.Latest.Action == consent.Grant && stored.Status == consent.Granted
			}
			if repeats {
				continue // browsers say it with every request
			}
			text, shown := n.noticeFor(r, id)
			decisions = append(decisions, consent.Decision{Purpose: text.Purpose, Action: told.action, Notice: text.ID, Shown: shown})
		}
	}
	if len(decisions) == 0 {
		return nil
	}
	if err = s.Choose(r.WithContext(ctx), h, set, consent.FromADPC, decisions); errors.Is(err, consent.ErrTooMany) || errors.Is(err, consent.ErrTooManyGrants) || errors.Is(err, consent.ErrPending) {
		return nil // it says so again, and what it takes back counts without being stored
	}
	return err
}
