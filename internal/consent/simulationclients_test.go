package consent

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
	"github.com/google/uuid"
)

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
	tokens map[Subject]promise
	// floors are the choices that took something back and were acknowledged,
	// and links those that joined two subjects: nobody decides by anything
	// older.
	floors     map[register][]promise
	links      map[link][]promise
	violations []string
	tally      tally
}

type (
	histories map[register][]porcupine.Operation
	link      [2]Subject
)

// promise is an acknowledged event. It is over when the history loses it.
type promise struct {
	revision Revision
	era      int
}

func (s *simulation) rng(stream int) *rand.Rand {
	return rand.New(rand.NewPCG(s.plan.Seed, uint64(stream)))
}

// tickLocked returns a time that no other event has, in 16ths of nanoseconds.
func (s *simulation) tickLocked() int64 {
	s.clock = max(s.clock+1, 16*int64(time.Since(s.start)))
	return s.clock
}

func ticks(d time.Duration) int64 { return 16 * int64(d) }

// slack is how long a leased decision may lag, as slow clocks measure it.
func (s *simulation) slack() int64 { return ticks(s.plan.Lease + s.plan.Lease/50) }

// client does as people do: it lets a form be decided, or makes a choice, at
// any proxy.
func (s *simulation) client(id int, rng *rand.Rand) {
	for range s.plan.Steps {
		time.Sleep(time.Duration(1 + rng.Int64N(int64(s.plan.Think))))
		in := s.nodes[rng.IntN(len(s.nodes))].instance()
		subject := s.subject(rng)
		switch {
		case rng.Float64() >= s.plan.Busy:
			s.decide(id, in, subject, rng)
		case rng.IntN(12) == 0 && s.plan.Subjects > 1:
			s.join(id, in, subject, rng)
		default:
			s.choose(id, in, subject, rng)
		}
	}
}

func (s *simulation) subject(rng *rand.Rand) Subject {
	return Subject("s" + strconv.Itoa(rng.IntN(s.plan.Subjects)))
}

func purpose(i int) string { return "p" + strconv.Itoa(i) }

// patience is how long a client stays connected.
func patience(rng *rand.Rand) (context.Context, context.CancelFunc) {
	if rng.IntN(15) == 0 {
		return context.WithTimeout(context.Background(), time.Duration(1+rng.IntN(int(100*time.Millisecond))))
	}
	return context.WithCancel(context.Background())
}

// choose makes a choice about one purpose.
func (s *simulation) choose(id int, in *instance, subject Subject, rng *rand.Rand) {
	actions := []Action{Grant, Grant, Grant, Withdraw, Withdraw, Refuse, Object, Expire}
	e := Event{Subject: subject, Purpose: purpose(rng.IntN(s.plan.Purposes)), Action: actions[rng.IntN(len(actions))]}
	reg := register{e.Subject, e.Purpose}

	s.mu.Lock()
	s.writes++
	write := s.writes
	e.ID, e.Notice, e.Time = uuid.UUID{15: byte(write), 14: byte(write >> 8)}, strconv.Itoa(write), time.Now()
	in.busy[reg]++
	in.denied[reg] = 0 // until it is known
	call := s.tickLocked()
	s.mu.Unlock()

	ctx, cancel := patience(rng)
	defer cancel()
	revision, err := in.registry.Append(ctx, e)
	denied := in.registry.Denied(e.Purpose, []Subject{e.Subject})
	dead := in.dead()

	s.mu.Lock()
	defer s.mu.Unlock()
	in.busy[reg]--
	op := porcupine.Operation{
		ClientId: id, Input: access{write: write, action: e.Action}, Call: call, Return: s.tickLocked(),
		Metadata: fmt.Sprintf("node %d, %v", in.node.id, err),
	}
	switch {
	case err != nil || dead:
		op.Return = forever
		s.tally.failed++
		if e.Action.TakesBack() && !dead {
			if in.busy[reg] == 0 && !denied {
				s.violateLocked("node %d does not deny %v though its withdrawal failed: %v", in.node.id, reg, err)
			}
			if in.busy[reg] == 0 {
				in.denied[reg] = write
			}
		}
	default:
		s.promiseLocked(revision, e)
		if e.Action.Restricts() {
			op.Return = max(op.Call, op.Return-s.slack())
			s.tally.withdrawals++
		}
		s.tally.choices++
	}
	s.ops[reg] = append(s.ops[reg], op)
}

// promiseLocked remembers what the answer to a choice said.
func (s *simulation) promiseLocked(revision Revision, e Event) {
	s.history.mu.Lock()
	defer s.history.mu.Unlock()
	if s.history.ids[e.ID] != revision {
		return // lost meanwhile
	}
	kept := promise{revision, s.history.era}
	if told := s.tokens[e.Subject]; told.era != kept.era || told.revision < revision {
		s.tokens[e.Subject] = kept
	}
	switch {
	case e.Action == Link:
		for _, l := range []link{{e.Subject, e.Other}, {e.Other, e.Subject}} {
			s.links[l] = append(s.links[l], kept)
		}
	case e.Action.Restricts():
		reg := register{e.Subject, e.Purpose}
		s.floors[reg] = append(s.floors[reg], kept)
	}
}

// join links two subjects.
func (s *simulation) join(_ int, in *instance, subject Subject, rng *rand.Rand) {
	e := Event{Action: Link, Subject: subject, Other: s.subject(rng)}
	if e.Other == e.Subject {
		return
	}
	s.mu.Lock()
	s.writes++
	e.ID = uuid.UUID{15: byte(s.writes), 14: byte(s.writes >> 8)}
	s.mu.Unlock()
	revision, err := in.registry.Append(context.Background(), e)
	if err != nil || in.dead() {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.promiseLocked(revision, e)
}

// decide looks at what stands of a person, as for a submission.
func (s *simulation) decide(id int, in *instance, subject Subject, rng *rand.Rand) {
	s.mu.Lock()
	var token promise
	if rng.IntN(2) == 0 {
		token = s.tokens[subject]
	}
	floors, links, deny := maps.Clone(s.floors), maps.Clone(s.links), maps.Clone(in.denied)
	head, era := s.history.head()
	call := s.tickLocked()
	s.mu.Unlock()

	ctx, cancel := patience(rng)
	defer cancel()
	rec, err := in.registry.Find(ctx, subject, token.revision)
	denied := map[register]bool{}
	for reg := range deny {
		denied[reg] = in.registry.Denied(reg.Purpose, []Subject{reg.Subject})
	}
	dead := in.dead()

	s.mu.Lock()
	defer s.mu.Unlock()
	ret := s.tickLocked()
	if dead {
		return
	}
	s.tally.decisions++
	for reg, write := range deny {
		if write != 0 && in.denied[reg] == write && !denied[reg] {
			s.violateLocked("node %d forgot that it denies %v", in.node.id, reg)
		}
	}
	if err != nil {
		s.tally.unknown++
		if !errors.Is(err, ErrUnavailable) && ctx.Err() == nil {
			s.violateLocked("a decision failed with %v", err)
		}
		return
	}
	if s.broken != nil && s.broken.found != nil {
		s.broken.found(in, subject)
	}
	seen := s.readLocked(rec, porcupine.Operation{ClientId: id, Call: call - s.slack(), Return: ret, Metadata: fmt.Sprintf("node %d", in.node.id)})
	if _, now := s.history.head(); now != era {
		return // only porcupine knows what to think of it
	}
	s.obeyLocked(subject, rec, seen, floors, links, era)
	switch {
	case s.lost > call-s.slack():
		// A lease outlives a failover: revisions may still be those of the
		// history that was lost.
	case token.era == era:
		s.tokenLocked(subject, seen, token.revision)
	case head < token.revision && s.history.end() < token.revision:
		s.violateLocked("a decision knew revision %d of a history that ends before", token.revision)
	}
}

// readLocked records what a decision saw of each register.
func (s *simulation) readLocked(rec *Record, op porcupine.Operation) map[register]State {
	seen := map[register]State{}
	for _, subject := range rec.Subjects {
		for i := range s.plan.Purposes {
			seen[register{subject, purpose(i)}] = State{}
		}
	}
	for _, st := range rec.Latest {
		seen[register{st.Subject, st.Purpose}] = st
	}
	for reg, st := range seen {
		op.Input = access{read: true}
		op.Output, _ = strconv.Atoi(st.Notice)
		s.ops[reg] = append(s.ops[reg], op)
	}
	return seen
}

// obeyLocked checks the one promise that must hold whatever happens: what was
// taken back before the decision began is not what it found.
func (s *simulation) obeyLocked(subject Subject, rec *Record, seen map[register]State, floors map[register][]promise, links map[link][]promise, era int) {
	for reg, st := range seen {
		if floor := latest(floors[reg], era); st.Revision < floor {
			s.violateLocked("a decision used %s %d of %v though revision %d took it back before", st.Action, st.Revision, reg, floor)
		}
	}
	for l, promises := range links {
		if l[0] == subject && latest(promises, era) > 0 && !slices.Contains(rec.Subjects, l[1]) {
			s.violateLocked("a decision did not follow the link %v", l)
		}
	}
}

// tokenLocked checks that a decision knows what the person was told of.
func (s *simulation) tokenLocked(subject Subject, seen map[register]State, atLeast Revision) {
	s.history.mu.Lock()
	defer s.history.mu.Unlock()
	for i, e := range s.history.events {
		reg := register{e.Subject, e.Purpose}
		if at := Revision(i + 1); at <= atLeast && e.Subject == subject && e.Action != Link && seen[reg].Revision < at {
			s.violateLocked("a decision with the token %d did not see revision %d of %v", atLeast, at, reg)
		}
	}
}

// latest is the highest revision that was promised and is not lost.
func latest(promises []promise, era int) Revision {
	var last Revision
	for _, p := range promises {
		if p.era == era {
			last = max(last, p.revision)
		}
	}
	return last
}

// failover loses the last events. For the registers that is a write.
func (s *simulation) failover(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tally.failovers++
	op := porcupine.Operation{Call: s.tickLocked(), Metadata: "failover"}
	kept, lost := s.history.rewind(n)
	op.Return = s.tickLocked()
	s.lost = op.Return
	value := map[register]int{}
	for _, e := range kept {
		value[register{e.Subject, e.Purpose}], _ = strconv.Atoi(e.Notice)
	}
	changed := map[register]bool{}
	for _, e := range lost {
		changed[register{e.Subject, e.Purpose}] = e.Action != Link
	}
	for reg := range changed {
		op.Input = access{write: value[reg]}
		s.ops[reg] = append(s.ops[reg], op)
	}
	// The promises that were not lost go on.
	_, era := s.history.head()
	for _, promises := range s.floors {
		carry(promises, era, Revision(len(kept)))
	}
	for _, promises := range s.links {
		carry(promises, era, Revision(len(kept)))
	}
	for subject, told := range s.tokens {
		one := []promise{told}
		carry(one, era, Revision(len(kept)))
		s.tokens[subject] = one[0]
	}
}

// carry takes promises into an era, as far as its history holds them.
func carry(promises []promise, era int, end Revision) {
	for i := range promises {
		if promises[i].era == era-1 && promises[i].revision <= end {
			promises[i].era = era
		}
	}
}

func (s *simulation) violateLocked(format string, args ...any) {
	if len(s.violations) < 10 {
		s.violations = append(s.violations, fmt.Sprintf("%v: ", time.Since(s.start))+fmt.Sprintf(format, args...))
	}
}

// verdict returns what was wrong.
func (s *simulation) verdict() []string {
	wrong := s.violations
	for reg, history := range s.ops {
		switch linearizable(history, 10*time.Second) {
		case porcupine.Ok:
			s.tally.histories++
		case porcupine.Unknown:
			s.tally.undecided++
		case porcupine.Illegal:
			wrong = append(wrong, fmt.Sprintf("the history of %v is not linearizable:\n%s", reg, transcript(history)))
		}
	}
	return wrong
}

// tell tells all histories.
func (s *simulation) tell() string {
	var text strings.Builder
	for reg, history := range s.ops {
		fmt.Fprintf(&text, "%v\n%s", reg, transcript(history))
	}
	return text.String()
}

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
	if t.decisions == 0 || t.unknown*2 > t.decisions || t.withdrawals == 0 || t.failed == 0 || t.crashes == 0 || t.failovers == 0 || t.undecided*1000 > t.histories {
		tb.Errorf("the simulation does not try enough: %v", t)
	}
}
