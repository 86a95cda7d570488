package freshness

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

	"github.com/modicum-proxy/modicum/internal/consent"
)

// TestSimulation runs whole systems of registries, clients and one store in
// invented time, where messages are late or lost, processes die, clocks jump
// and the end of the history is lost. Whatever happens, nobody decides by
// what was taken back, and what is seen is one history.
//
//	go test ./internal/consent/freshness -run TestSimulation                      # 500 seeds
//	MODICUM_LONG=1 go test ./internal/consent/freshness -run TestSimulation       # 20,000
//	MODICUM_SEED=17 go test ./internal/consent/freshness -run TestSimulation -v   # one, told in full
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
	seeds := uint64(500)
	switch {
	case os.Getenv("MODICUM_LONG") != "":
		seeds = 20_000
	case testing.Short():
		seeds = 60
	}
	var total tally
	var next atomic.Uint64
	t.Run("seeds", func(t *testing.T) {
		for worker := range runtime.GOMAXPROCS(0) {
			t.Run(fmt.Sprint(worker), func(t *testing.T) {
				t.Parallel()
				for !t.Failed() {
					seed := next.Add(1)
					if seed > seeds {
						return
					}
					run := simulate(t, newPlan(seed), nil)
					for _, v := range run.verdict() {
						t.Errorf("seed %d: %s\nreplay it: MODICUM_SEED=%d go test ./internal/consent/freshness -run TestSimulation -v", seed, v, seed)
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
	rng := seeded(seed, 0)
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
		plan: p, broken: broken, ops: histories{}, tokens: map[consent.Subject]promise{},
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

// simulation is one run: what was done, what was seen, and what of it must
// not be.
type simulation struct {
	plan    plan
	broken  *sabotage
	history *history
	nodes   []*node
	start   time.Time
	zero    time.Time // of the nodes' clocks; invented time is not monotonic
	late    sync.WaitGroup

	mu     sync.Mutex
	clock  int64 // the last tick
	lost   int64 // the tick of the last failover
	writes int
	ops    histories
	tokens map[consent.Subject]promise
	// floors are the choices that took something back and were acknowledged,
	// and links those that joined two subjects: nobody decides by anything
	// older.
	floors     map[register][]promise
	links      map[link][]promise
	violations []string
	tally      tally
}

func (s *simulation) rng(stream int) *rand.Rand {
	return seeded(s.plan.Seed, stream)
}

// tickLocked returns a time that no other event has, in 16ths of nanoseconds.
func (s *simulation) tickLocked() int64 {
	s.clock = max(s.clock+1, 16*int64(time.Since(s.start)))
	return s.clock
}

func ticks(d time.Duration) int64 { return 16 * int64(d) }

// slack is how long a leased decision may lag, as slow clocks measure it.
func (s *simulation) slack() int64 { return ticks(s.plan.Lease + s.plan.Lease/50) }

// tally counts what happened, so that a simulation in which nothing does
// cannot pass for a good one.
type tally struct {
	mu                                               sync.Mutex
	decisions, unknown, choices, withdrawals, failed int
	crashes, failovers, histories, undecided         int
}

func (t *tally) add(o *tally) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.decisions += o.decisions
	t.unknown += o.unknown
	t.choices += o.choices
	t.withdrawals += o.withdrawals
	t.failed += o.failed
	t.crashes += o.crashes
	t.failovers += o.failovers
	t.histories += o.histories
	t.undecided += o.undecided
}

func (t *tally) String() string {
	return fmt.Sprintf("%d decisions (%d unknown), %d choices stored (%d take back) and %d not, %d crashes, %d failovers, %d histories linearizable, %d undecided",
		t.decisions, t.unknown, t.choices, t.withdrawals, t.failed, t.crashes, t.failovers, t.histories, t.undecided)
}

func (t *tally) demandVariety(tb testing.TB) {
	tb.Helper()
	if t.decisions == 0 || t.unknown*2 > t.decisions || t.withdrawals == 0 || t.failed == 0 || t.crashes == 0 || t.failovers == 0 || t.undecided*100 > t.histories {
		tb.Errorf("the simulation does not try enough: %v", t)
	}
}
