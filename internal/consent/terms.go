package consent

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/google/uuid"
)

// How often terms are looked at, and how much is done at a time: other
// writers get in between.
const (
	keepInterval = time.Hour
	keepBatch    = 500
)

// Keep records consents that ended by themselves, and deletes evidence that
// is older than the term, until ctx ends. Decisions do not wait for it: a
// consent ends at its time whether that is recorded or not.
func (r *Registry) Keep(ctx context.Context, term func() time.Duration, log *slog.Logger) {
	// Proxies of one store do not all come at once.
	pause(ctx, time.Minute+rand.N(time.Minute))
	for ctx.Err() == nil {
		if err := r.EndTerms(ctx, term()); err != nil && ctx.Err() == nil {
			log.Warn("ending consents that have reached their term: trying again later", "error", err)
		}
		pause(ctx, keepInterval-keepInterval/10+rand.N(keepInterval/5))
	}
}

// EndTerms does once what [Registry.Keep] does. A term of 0 keeps evidence
// for ever.
func (r *Registry) EndTerms(ctx context.Context, term time.Duration) error {
	store, err := r.Store(ctx)
	if err != nil {
		return err
	}
	keeper, ok := store.(Keeper)
	if !ok {
		return nil
	}
	now := r.options.Now()
	for ctx.Err() == nil {
		due, err := keeper.Due(ctx, now, keepBatch)
		if err != nil {
			return unavailable(err)
		}
		if len(due) == 0 {
			break
		}
		for i := range due {
			due[i] = expiry(&due[i], now)
		}
		if _, err := r.Append(ctx, due...); err != nil {
			return err
		}
	}
	for term > 0 && ctx.Err() == nil {
		n, err := keeper.Prune(ctx, now.Add(-term), keepBatch)
		if err != nil {
			return unavailable(err)
		}
		if n == 0 {
			break
		}
	}
	return ctx.Err()
}

// expiry returns the event of a grant that ended. Its id is made of the
// grant's, so that several proxies record it once. A person who consents anew
// in the same moment may be asked once more.
func expiry(grant *Event, now time.Time) Event {
	return Event{
		ID: uuid.NewSHA1(grant.ID, []byte(Expire)), Subject: grant.Subject, Purpose: grant.Purpose, Action: Expire,
		Source: FromTerm, Time: now.UTC().Truncate(time.Microsecond), Notice: grant.Notice, Policy: grant.Policy,
	}
}
