package service

import (
	"context"
	"net/http"
	"time"

	"github.com/modicum-proxy/modicum/internal/consent"
	"github.com/modicum-proxy/modicum/internal/notice/words"
	"github.com/modicum-proxy/modicum/internal/policy"
)

// Stateless answers for a site without a store, from what each request says by
// itself: Advanced Data Protection Control, Global Privacy Control and the
// cookies of consent platforms.
type Stateless struct {
	// Words are the languages of notices.
	Words *words.Languages
	// Now is the clock.
	Now func() time.Time

	notices noticeCache
}

// Standing returns what a request consents and objects to, see
// [Service.Standing].
func (s *Stateless) Standing(_ context.Context, inq *consent.Inquiry) (consent.Answer, error) {
	if inq.Hidden {
		return unknownAnswer(inq), nil
	}
	now, known := s.Now(), s.notices.of(inq.Set, s.Words)
	said := known.signals.Read(inq.Request.Header)
	return answer(inq, func(id policy.PurposeID) consent.Choice { return known.choice(id, consent.State{}, &said, now) }), nil
}

// Record stores nothing: a tick counts for the submission that carries it.
func (*Stateless) Record(_ context.Context, _ http.Header, _ *consent.Inquiry, ticked policy.PurposeSet) (policy.PurposeSet, error) {
	return ticked, nil
}
