package freshness

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/anishathalye/porcupine"
	"github.com/google/uuid"

	"github.com/modicum-proxy/modicum/internal/consent"
)

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

func (s *simulation) subject(rng *rand.Rand) consent.Subject {
	return consent.Subject("s" + strconv.Itoa(rng.IntN(s.plan.Subjects)))
}

// numbered returns the same id in each run of a seed.
func numbered(write int) uuid.UUID {
	return uuid.NewSHA1(uuid.Nil, strconv.AppendInt(nil, int64(write), 10))
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
func (s *simulation) choose(id int, in *instance, subject consent.Subject, rng *rand.Rand) {
	actions := []consent.Action{consent.Grant, consent.Grant, consent.Grant, consent.Withdraw, consent.Withdraw, consent.Refuse, consent.Object, consent.Expire}
	e := consent.Event{Subject: subject, Purpose: purpose(rng.IntN(s.plan.Purposes)), Action: actions[rng.IntN(len(actions))]}
	reg := register{e.Subject, e.Purpose}

	s.mu.Lock()
	s.writes++
	write := s.writes
	e.ID, e.Notice, e.Time = numbered(write), strconv.Itoa(write), time.Now()
	in.busy[reg]++
	in.denied[reg] = 0 // until it is known
	call := s.tickLocked()
	s.mu.Unlock()

	ctx, cancel := patience(rng)
	defer cancel()
	revision, err := in.registry.Append(ctx, e)
	denied := in.registry.Denied(e.Purpose, []consent.Subject{e.Subject})
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
		if e.Action.TakesBack() && !dead && !errors.Is(err, consent.ErrPending) {
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

// join links two subjects.
func (s *simulation) join(_ int, in *instance, subject consent.Subject, rng *rand.Rand) {
	e := consent.Event{Action: consent.Link, Subject: subject, Other: s.subject(rng)}
	if e.Other == e.Subject {
		return
	}
	s.mu.Lock()
	s.writes++
	e.ID, e.Time = numbered(s.writes), time.Now()
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
func (s *simulation) decide(id int, in *instance, subject consent.Subject, rng *rand.Rand) {
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
		denied[reg] = in.registry.Denied(reg.Purpose, []consent.Subject{reg.Subject})
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
		if !errors.Is(err, consent.ErrUnavailable) && ctx.Err() == nil {
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
func (s *simulation) readLocked(rec *consent.Record, op porcupine.Operation) map[register]consent.State {
	seen := map[register]consent.State{}
	for _, subject := range rec.Subjects {
		for i := range s.plan.Purposes {
			seen[register{subject, purpose(i)}] = consent.State{}
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
