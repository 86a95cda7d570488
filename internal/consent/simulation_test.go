package consent

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// TestSimulation runs whole systems of registries, clients and one store in
// invented time, where messages are late or lost, processes die, clocks jump
// and the end of the history is lost. Whatever happens, nobody decides by
// what was taken back, and what is seen is one history.
//
//	go test ./internal/consent -run TestSimulation                      # 500 seeds
//	MODICUM_LONG=1 go test ./internal/consent -run TestSimulation       # 20,000
//	MODICUM_SEED=17 go test ./internal/consent -run TestSimulation -v   # one, told in full
func TestSimulation(t *testing.T) {
	if text := os.Getenv("MODICUM_SEED"); text != "" {
		seed, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		run := simulate(t, newPlan(seed), nil)
		t.Logf("%+v\n%s", run.plan, run.tell())
		for _, v := range run.verdict() {
			t.Error(v)
		}
		return
	}
	seeds := 500
	switch {
	case os.Getenv("MODICUM_LONG") != "":
		seeds = 20_000
	case testing.Short():
		seeds = 60
	}
	var total tally
	var next atomic.Int64
	t.Run("seeds", func(t *testing.T) {
		for worker := range runtime.GOMAXPROCS(0) {
			t.Run(fmt.Sprint(worker), func(t *testing.T) {
				t.Parallel()
				for !t.Failed() {
					seed := uint64(next.Add(1))
					if seed > uint64(seeds) {
						return
					}
					run := simulate(t, newPlan(seed), nil)
					for _, v := range run.verdict() {
						t.Errorf("seed %d: %s\nreplay it: MODICUM_SEED=%d go test ./internal/consent -run TestSimulation -v", seed, v, seed)
					}
					total.add(&run.tally)
				}
			})
		}
	})
	t.Logf("%d seeds: %v", seeds, &total)
	total.demandVariety(t)
}

// plan is what a seed comes to.
type plan struct {
	Seed      uint64
	Nodes     int
	Exclusive bool          // the store has no feed: one process
	Lease     time.Duration // 0: each decision reads
	Life      time.Duration
	Memory    int64
	Subjects  int
	Purposes  int
	Clients   int
	Steps     int     // of each client
	Busy      float64 // the share of choices among the steps
	Think     time.Duration
	Most      int // subjects in one answer of the feed
	Trouble   time.Duration
	Crashes   bool
	Failovers bool
	Jumps     bool
}

func newPlan(seed uint64) plan {
	rng := rand.New(rand.NewPCG(seed, 0))
	p := plan{
		Seed: seed, Nodes: 1 + rng.IntN(4), Exclusive: rng.IntN(6) == 0,
		Life: time.Duration(200+rng.IntN(5000)) * time.Millisecond, Memory: 1 << (10 + rng.IntN(7)),
		Subjects: 1 + rng.IntN(4), Purposes: 1 + rng.IntN(2), Clients: 2 + rng.IntN(5), Steps: 10 + rng.IntN(30),
		Busy: 0.1 + 0.5*rng.Float64(), Think: time.Duration(1+rng.IntN(300)) * time.Millisecond, Most: 1 + rng.IntN(20),
		Trouble: time.Duration(50+rng.IntN(4000)) * time.Millisecond,
		Crashes: rng.IntN(2) == 0, Failovers: rng.IntN(3) == 0, Jumps: rng.IntN(2) == 0,
	}
	switch {
	case p.Exclusive:
		p.Nodes = 1
	case rng.IntN(3) == 0:
		p.Lease = time.Duration(50+rng.IntN(3000)) * time.Millisecond
	}
	return p
}

// simulate runs a plan.
func simulate(t *testing.T, p plan, broken *sabotage) *simulation {
	t.Helper()
	s := &simulation{
		plan: p, broken: broken, ops: histories{}, tokens: map[Subject]promise{},
		floors: map[register][]promise{}, links: map[link][]promise{},
	}
	s.zero = time.Now()
	synctest.Test(t, func(*testing.T) {
		s.start, s.history = time.Now(), newHistory(p.Most)
		for i := range p.Nodes {
			n := &node{id: i, sim: s, rng: s.rng(100 + i), drift: 1}
			if p.Jumps {
				n.drift = 0.985 + 0.03*n.rng.Float64()
			}
			n.start()
			s.nodes = append(s.nodes, n)
		}
		ctx, cancel := context.WithCancel(context.Background())
		var trouble, clients sync.WaitGroup
		for _, n := range s.nodes {
			trouble.Go(func() { n.trouble(ctx) })
		}
		for id := range p.Clients {
			clients.Go(func() { s.client(id, s.rng(200+id)) })
		}
		clients.Wait()
		cancel()
		trouble.Wait()
		s.late.Wait()
		for _, n := range s.nodes {
			n.stop()
		}
	})
	return s
}

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
	in.view = &view{history: s.history, lease: s.plan.Lease, late: &s.late, rng: rand.New(rand.NewPCG(n.rng.Uint64(), 1)), weather: calm}
	store := Store(in.view)
	if s.plan.Exclusive {
		store = struct{ Store }{in.view} // hides the feed
	}
	options := Options{
		Open:  func(ctx context.Context) (Store, error) { return store, in.view.travel(ctx) },
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
