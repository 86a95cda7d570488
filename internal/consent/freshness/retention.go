package freshness

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/google/uuid"

	"github.com/modicum-proxy/modicum/internal/consent"
)

// How often retention periods are checked, and how many events are changed at a
// time, so that other writers need not wait.
const (
	keepInterval = time.Hour
	keepBatch    = 500
)

// Terms are the retention periods of evidence; 0 means for ever.
type Terms struct {
	Events    time.Duration // from when they no longer apply
	Addresses time.Duration // of clients, from when they were recorded
}

// Keep records consents that ended by themselves, and deletes evidence that
// is older than the terms, until ctx ends. It also makes the stored lease fall
// when no process has it any more. Decisions do not depend on it: a
// consent ends at its time, recorded or not.
func (r *Registry) Keep(ctx context.Context, terms func() Terms, log *slog.Logger) {
	// Proxies of one store do not all come at once.
	pause(ctx, time.Minute+rand.N(time.Minute)) //nolint:gosec // G404: only to spread the load
	for ctx.Err() == nil {
		if err := r.EndTerms(ctx, terms()); err != nil && ctx.Err() == nil {
			log.Warn("ending consents that have reached their term: trying again later", "error", err)
		}
		pause(ctx, keepInterval-keepInterval/10+rand.N(keepInterval/5)) //nolint:gosec // G404: as above
	}
}

// EndTerms does once what [Registry.Keep] does.
func (r *Registry) EndTerms(ctx context.Context, terms Terms) error {
	store, err := r.Store(ctx)
	if err != nil {
		return err
	}
	if shared, ok := store.(interface{ LowerLease(context.Context) error }); ok {
		if err := shared.LowerLease(ctx); err != nil {
			return err
		}
	}
	now := r.options.Now()
	for more := true; more; {
		due, err := store.Due(ctx, now, keepBatch)
		if err != nil {
			return consent.Unavailable(err)
		}
		ended, err := stillDue(ctx, store, due)
		if err != nil {
			return err
		}
		for i := range ended {
			ended[i] = expiry(&ended[i], now)
		}
		if more = len(ended) > 0; more {
			if _, err := r.Append(ctx, ended...); err != nil {
				return err
			}
		}
	}
	if err := inBatches(ctx, now, terms.Addresses, store.ForgetAddresses); err != nil {
		return err
	}
	return inBatches(ctx, now, terms.Events, store.Prune)
}

// stillDue returns those of the grants that are the latest choice now: a batch
// takes a while, and an expiry must not replace a withdrawal that was made
// meanwhile.
func stillDue(ctx context.Context, store consent.Store, due []consent.Event) ([]consent.Event, error) {
	var still []consent.Event
	for i := range due {
		rec, err := store.Load(ctx, due[i].Subject)
		if err != nil {
			return nil, consent.Unavailable(err)
		}
		if rec.State(due[i].Subject, due[i].Purpose).Revision == due[i].Revision {
			still = append(still, due[i])
		}
	}
	return still, nil
}

// inBatches deletes what is older than a term.
func inBatches(ctx context.Context, now time.Time, term time.Duration, remove func(context.Context, time.Time, int) (int, error)) error {
	for term > 0 {
		n, err := remove(ctx, now.Add(-term), keepBatch)
		if err != nil {
			return consent.Unavailable(err)
		}
		if n == 0 {
			break
		}
	}
	return nil
}

// expiry returns the event of a grant that ended. Its id is made of the
// grant's, so that several proxies record it once. A person who consents anew
// in the same moment may be asked once more.
func expiry(grant *consent.Event, now time.Time) consent.Event {
	return consent.Event{
		ID: uuid.NewSHA1(grant.ID, []byte(consent.Expire)), Subject: grant.Subject, Purpose: grant.Purpose, Action: consent.Expire,
		Source: consent.FromTerm, Time: now.UTC().Truncate(time.Microsecond), Notice: grant.Notice, Policy: grant.Policy,
	}
}
