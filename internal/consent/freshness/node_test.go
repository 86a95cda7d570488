package freshness

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/modicum-proxy/modicum/internal/consent"
)

// node is a machine on which one process runs after the other.
type node struct {
	id  int
	sim *simulation
	rng *rand.Rand

	mu    sync.Mutex
	live  *instance
	jump  time.Duration // of the wall clock
	drift float64       // how fast the clock runs
	past  []*instance
}

// instance is one process.
type instance struct {
	node     *node
	registry *Registry
	view     *view

	// What the simulation knows of its denials, under its lock.
	denied map[register]int // the number of the write that failed
	busy   map[register]int
}

func (n *node) start() {
	s := n.sim
	in := &instance{node: n, denied: map[register]int{}, busy: map[register]int{}}
	in.view = &view{history: s.history, lease: s.plan.Lease, late: &s.late, rng: seeded(n.rng.Uint64(), 1), weather: calm}
	store := consent.Store(in.view)
	if s.plan.Exclusive {
		store = struct{ consent.Store }{in.view} // hides the feed
	}
	options := Options{
		Open:  func(ctx context.Context) (consent.Store, error) { return store, in.view.travel(ctx) },
		Lease: s.plan.Lease, Life: s.plan.Life, Memory: s.plan.Memory, Now: n.now, WriteTimeout: 3 * time.Second,
	}
	if s.broken != nil && s.broken.store != nil {
		store = s.broken.store(in, store)
	}
	if s.broken != nil && s.broken.options != nil {
		s.broken.options(&options)
	}
	var err error
	if in.registry, err = NewRegistry(options); err != nil {
		panic(err)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.live != nil {
		n.past = append(n.past, n.live)
	}
	n.live = in
}

func (n *node) instance() *instance {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.live
}

func (in *instance) dead() bool {
	in.view.mu.Lock()
	defer in.view.mu.Unlock()
	return in.view.dead
}

func (n *node) stop() {
	n.mu.Lock()
	all := append(n.past, n.live)
	n.mu.Unlock()
	for _, in := range all {
		if err := in.registry.Close(); err != nil {
			panic(err)
		}
	}
}

// now is the node's clock: it runs too fast or too slow, and its wall clock
// jumps.
func (n *node) now() time.Time {
	n.mu.Lock()
	defer n.mu.Unlock()
	elapsed := time.Duration(float64(time.Since(n.sim.start)) * n.drift)
	return jumped(n.sim.zero.Add(elapsed), n.jump)
}

var (
	calm  = weather{Delay: 5 * time.Millisecond}
	skies = []weather{
		calm,
		{Delay: 40 * time.Millisecond},
		{Delay: 40 * time.Millisecond, Lost: 0.1, Refused: 0.05},
		{Delay: 200 * time.Millisecond},
		{Delay: 5 * time.Second, Lost: 0.05},
		{Delay: 10 * time.Millisecond, Lost: 0.5},
		{Lost: 1},
		{Refused: 1},
	}
)

// trouble troubles the node until ctx ends. Every second time it lets it rest.
func (n *node) trouble(ctx context.Context) {
	s := n.sim
	for round := 1; ctx.Err() == nil; round++ {
		pause(ctx, time.Duration(1+n.rng.Int64N(int64(s.plan.Trouble))))
		if round%2 == 0 {
			n.instance().view.set(calm)
			continue
		}
		switch dice := n.rng.IntN(10); {
		case dice == 0 && s.plan.Crashes:
			n.crash()
		case dice == 1 && s.plan.Failovers && !s.plan.Exclusive:
			s.failover(n.rng.IntN(6))
		case dice == 2 && s.plan.Jumps:
			n.mu.Lock()
			n.jump += time.Duration(n.rng.IntN(20)-10) * time.Second
			n.mu.Unlock()
		default:
			n.instance().view.set(skies[n.rng.IntN(len(skies))])
		}
	}
}

// crash kills the process. What was on its way to a store that it had for
// itself dies with it, and the store may be restored from a backup before the
// next process starts.
func (n *node) crash() {
	n.instance().view.kill()
	switch p := &n.sim.plan; {
	case p.Exclusive && p.Failovers:
		n.sim.failover(n.rng.IntN(6))
	case p.Exclusive:
		n.sim.failover(0)
	}
	n.sim.mu.Lock()
	n.sim.tally.crashes++
	n.sim.mu.Unlock()
	n.start()
}
