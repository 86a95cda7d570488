//go:build unix

package proxies_test

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	_ "github.com/caddyserver/caddy/v2/modules/standard"

	_ "github.com/modicum-proxy/modicum/caddymodule"
)

// TestMain lets the test binary be Caddy: startCluster runs it so.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "run" {
		caddycmd.Main()
		return
	}
	os.Exit(m.Run())
}

// TestProxies runs three processes of Caddy on one PostgreSQL while
// connections break, answers are late or lost, sessions are killed and
// processes stand still. Once a withdrawal is answered, no submission that is
// sent afterwards, to whichever proxy, passes on that consent.
//
//	settings=$(.ci/postgres start) && eval "$settings"
//	cd caddymodule/e2e; go test ./proxies -v                                # half a minute
//	MODICUM_LONG=1 go test ./proxies -v -timeout 60m    # 200,000 decisions, 5,000 withdrawals
func TestProxies(t *testing.T) {
	if testing.Short() {
		t.Skip("takes half a minute: without -short")
	}
	if os.Getenv("MODICUM_TEST_POSTGRES") == "" && os.Getenv("CI") != "true" {
		t.Skip("no PostgreSQL: set MODICUM_TEST_POSTGRES, see .ci/postgres")
	}
	long := os.Getenv("MODICUM_LONG") != ""
	for _, test := range []struct {
		name  string
		lease time.Duration
		short goal
		long  goal
	}{
		{"strict", 0, goal{500, 20, 20 * time.Second}, goal{200_000, 5_000, time.Minute}},
		// A lease lets decisions lag, so that histories are not linearizable:
		// what is answered is all that counts.
		{"lease", 300 * time.Millisecond, goal{200, 10, 10 * time.Second}, goal{20_000, 500, time.Minute}},
	} {
		t.Run(test.name, func(t *testing.T) {
			tr := &trial{t: t, goal: test.short, start: time.Now(), faults: map[string]int{}}
			if long {
				tr.goal = test.long
			}
			tr.cluster = startCluster(t, test.lease)
			tr.run(test.lease == 0)
			t.Logf("%v", tr)
		})
	}
}

// goal is what has to have happened before a trial is over.
type goal struct {
	decisions, withdrawals int64
	time                   time.Duration
}

// trial is one run.
type trial struct {
	t       *testing.T
	cluster *cluster
	goal    goal
	start   time.Time
	visits  atomic.Int64
	faults  map[string]int
	took    durations // withdrawals that were answered

	decisions, unknown, failed          atomic.Int64
	withdrawals, refused, lost          atomic.Int64
	violations, linearizable, undecided atomic.Int64
}

// visitors is how many people are there at a time.
const visitors = 24

func (tr *trial) run(linear bool) {
	var people, trouble sync.WaitGroup
	for range visitors {
		people.Go(func() {
			for !tr.over() {
				n := tr.visits.Add(1)
				v := &visitor{trial: tr, linear: linear, denied: map[*proxy]bool{}}
				v.address = fmt.Sprintf("10.%d.%d.%d", n>>16&255, n>>8&255, n&255)
				v.visit()
			}
		})
	}
	trouble.Go(tr.trouble)
	people.Wait()
	trouble.Wait()
	for _, p := range tr.cluster.proxies {
		select {
		case <-p.ended:
			tr.t.Errorf("proxy %s has ended", p.name)
		default:
		}
	}
	if tr.late() {
		tr.t.Error("the goal was not reached in time")
	}
	if tr.undecided.Load()*100 > tr.linearizable.Load() {
		tr.t.Errorf("%d histories are undecided", tr.undecided.Load())
	}
	if tr.unknown.Load()*2 > tr.decisions.Load() {
		tr.t.Errorf("of %d decisions %d did not know: the trial shows little", tr.decisions.Load(), tr.unknown.Load())
	}
}

// now is the time of operations.
func (tr *trial) now() int64 { return int64(time.Since(tr.start)) }

func (tr *trial) over() bool {
	return tr.violations.Load() > 10 || tr.late() || time.Since(tr.start) >= tr.goal.time &&
		tr.decisions.Load() >= tr.goal.decisions && tr.withdrawals.Load() >= tr.goal.withdrawals
}

// late reports whether the trial has to end, reached its goal or not.
func (tr *trial) late() bool { return time.Since(tr.start) > 30*tr.goal.time }

func (tr *trial) violate(what string) {
	if tr.violations.Add(1) <= 3 {
		tr.t.Error(what)
	}
}

func (tr *trial) String() string {
	var faults []string
	for name, n := range tr.faults {
		faults = append(faults, fmt.Sprintf("%s %d", name, n))
	}
	slices.Sort(faults)
	return fmt.Sprintf("%d decisions (%d did not know, %d more failed), %d withdrawals answered (p50 %v, p99 %v), %d choices refused, %d without an answer, "+
		"%d violations, %d histories linearizable, %d undecided, in %v; faults: %s",
		tr.decisions.Load(), tr.unknown.Load(), tr.failed.Load(), tr.withdrawals.Load(), tr.took.quantile(0.5), tr.took.quantile(0.99),
		tr.refused.Load(), tr.lost.Load(), tr.violations.Load(), tr.linearizable.Load(), tr.undecided.Load(),
		time.Since(tr.start).Round(time.Second), strings.Join(faults, ", "))
}

// durations are measured times.
type durations struct {
	mu  sync.Mutex
	all []time.Duration
}

func (d *durations) add(one time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.all = append(d.all, one)
}

func (d *durations) quantile(q float64) time.Duration {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.all) == 0 {
		return 0
	}
	slices.Sort(d.all)
	return d.all[int(q*float64(len(d.all)-1))].Round(10 * time.Microsecond)
}
