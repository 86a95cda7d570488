package freshness

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/modicum-proxy/modicum/internal/consent"
)

// sabotage breaks one of the promises on which freshness rests, to show that
// the simulation would notice if the code did.
type sabotage struct {
	name string
	// plan makes the runs such that it matters.
	plan func(*plan)
	// store stands between a registry and its store.
	store func(*instance, consent.Store) consent.Store
	// found is called after each decision.
	found func(*instance, consent.Subject)
	// options changes those of a registry.
	options func(*Options)
}

var sabotages = []sabotage{
	{
		// A lifetime that use prolongs never ends for whoever comes often
		// (GHSA-w278-32qg-48q5).
		name: "sliding lifetimes",
		plan: func(p *plan) { shared(p); p.Lease = 500 * time.Millisecond },
		found: func(in *instance, _ consent.Subject) {
			if rd := in.registry.reader; rd != nil {
				rd.mu.Lock()
				rd.began = rd.now()
				rd.mu.Unlock()
			}
		},
	},
	{
		// A notification that is lost is not sent again.
		name:    "NOTIFY trusted alone",
		plan:    func(p *plan) { shared(p); p.Lease = 0 },
		options: func(o *Options) { o.Lease = time.Hour },
	},
	{
		// A load overtaken by a withdrawal puts back what that had removed.
		name: "set after invalidate",
		plan: func(p *plan) {
			p.Exclusive, p.Nodes, p.Lease, p.Crashes, p.Life, p.Memory = true, 1, 0, false, time.Minute, 1<<16
		},
		store: func(in *instance, s consent.Store) consent.Store {
			return struct{ consent.Store }{stamping{s, in.view.history}}
		},
	},
	{
		name:  "a withdrawal that does not wait for leases",
		plan:  func(p *plan) { shared(p); p.Lease = 2 * time.Second },
		store: func(in *instance, _ consent.Store) consent.Store { return hasty{in.view} },
	},
	{
		name:  "a feed that does not tell of a lost history",
		plan:  func(p *plan) { shared(p); p.Lease, p.Failovers = 0, true },
		store: func(in *instance, _ consent.Store) consent.Store { return forgetful{in.view} },
	},
	{
		name:  "a feed that is read from a replica which lags",
		plan:  func(p *plan) { shared(p); p.Lease = 0 },
		store: func(in *instance, _ consent.Store) consent.Store { return &lagging{view: in.view} },
	},
	{
		name: "a commit that is answered before it is done",
		plan: func(p *plan) { shared(p); p.Lease = 0 },
		store: func(in *instance, _ consent.Store) consent.Store {
			return eager{in.view}
		},
	},
	{
		name:  "a commit whose revision is not taken over",
		plan:  func(p *plan) { p.Exclusive, p.Nodes, p.Lease, p.Crashes, p.Life = true, 1, 0, false, time.Minute },
		store: func(_ *instance, s consent.Store) consent.Store { return struct{ consent.Store }{nameless{s}} },
	},
}

func shared(p *plan) {
	p.Exclusive, p.Nodes, p.Life, p.Memory = false, max(2, p.Nodes), time.Minute, 1<<16
	p.Think = min(p.Think, 100*time.Millisecond)
}

// TestSabotage shows that the simulation can fail.
func TestSabotage(t *testing.T) {
	const seeds = 1000
	for i := range sabotages {
		broken := &sabotages[i]
		t.Run(broken.name, func(t *testing.T) {
			t.Parallel()
			for seed := range uint64(seeds) {
				p := newPlan(seed)
				broken.plan(&p)
				wrong := simulate(t, p, broken).verdict()
				if len(wrong) == 0 {
					continue
				}
				first, _, _ := strings.Cut(wrong[0], "\n")
				t.Logf("seed %d: %s", seed, first)
				if wrong := simulate(t, p, nil).verdict(); len(wrong) > 0 {
					t.Errorf("seed %d: it is wrong without the sabotage as well: %s", seed, wrong[0])
				}
				return
			}
			t.Errorf("%d seeds did not show it", seeds)
		})
	}
}

// stamping says that a record is of the moment when it arrives.
type stamping struct {
	consent.Store
	history *history
}

func (s stamping) Load(ctx context.Context, subject consent.Subject) (consent.Record, error) {
	rec, err := s.Store.Load(ctx, subject)
	rec.Revision = s.history.end()
	return rec, err
}

// hasty does not tell of leases.
type hasty struct{ *view }

func (s hasty) Append(ctx context.Context, events ...consent.Event) (consent.Commit, error) {
	commit, err := s.view.Append(ctx, events...)
	commit.Lease = 0
	return commit, err
}

// forgetful takes each history for the one that it knew.
type forgetful struct{ *view }

func (s forgetful) Changes(ctx context.Context, since consent.Mark) (consent.Changes, error) {
	c, err := s.view.Changes(ctx, since)
	c.Diverged = false
	return c, err
}

// lagging knows of what was committed before the last read.
type lagging struct {
	*view
	mu   sync.Mutex
	seen []consent.Event
}

func (s *lagging) Changes(ctx context.Context, since consent.Mark) (consent.Changes, error) {
	if err := s.travel(ctx); err != nil {
		return consent.Changes{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	replica := history{events: s.seen, most: s.history.most}
	s.history.mu.Lock()
	s.seen = slices.Clone(s.history.events)
	s.history.mu.Unlock()
	return replica.changes(since), nil
}

// eager answers while the commit is under way.
type eager struct{ *view }

func (s eager) Append(_ context.Context, events ...consent.Event) (consent.Commit, error) {
	head, era := s.history.head()
	delay := s.upTo(50 * time.Millisecond)
	s.late.Go(func() {
		time.Sleep(delay)
		s.history.commit(era, events)
	})
	return consent.Commit{Revision: head + 1}, nil
}

// nameless forgets which revision a commit had.
type nameless struct{ consent.Store }

func (s nameless) Append(ctx context.Context, events ...consent.Event) (consent.Commit, error) {
	commit, err := s.Store.Append(ctx, events...)
	commit.Revision = 0
	return commit, err
}
