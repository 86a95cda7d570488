package freshness

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/modicum-proxy/modicum/internal/consent"
)

type (
	histories map[register][]porcupine.Operation
	link      [2]consent.Subject
)

// promise is an acknowledged event. It is over when the history loses it.
type promise struct {
	revision consent.Revision
	era      int
}

// promiseLocked remembers what the answer to a choice said.
func (s *simulation) promiseLocked(revision consent.Revision, e consent.Event) {
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
	case e.Action == consent.Link:
		for _, l := range []link{{e.Subject, e.Other}, {e.Other, e.Subject}} {
			s.links[l] = append(s.links[l], kept)
		}
	case e.Action.Restricts():
		reg := register{e.Subject, e.Purpose}
		s.floors[reg] = append(s.floors[reg], kept)
	}
}

// obeyLocked checks the one promise that must hold whatever happens: what was
// taken back before the decision began is not what it found.
func (s *simulation) obeyLocked(subject consent.Subject, rec *consent.Record, seen map[register]consent.State, floors map[register][]promise, links map[link][]promise, era int) {
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
func (s *simulation) tokenLocked(subject consent.Subject, seen map[register]consent.State, atLeast consent.Revision) {
	s.history.mu.Lock()
	defer s.history.mu.Unlock()
	for i, e := range s.history.events {
		reg := register{e.Subject, e.Purpose}
		if at := consent.Revision(i + 1); at <= atLeast && e.Subject == subject && e.Action != consent.Link && seen[reg].Revision < at {
			s.violateLocked("a decision with the token %d did not see revision %d of %v", atLeast, at, reg)
		}
	}
}

// latest is the highest revision that was promised and is not lost.
func latest(promises []promise, era int) consent.Revision {
	var last consent.Revision
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
		changed[register{e.Subject, e.Purpose}] = e.Action != consent.Link
	}
	for reg := range changed {
		op.Input = access{write: value[reg]}
		s.ops[reg] = append(s.ops[reg], op)
	}
	// The promises that were not lost go on.
	_, era := s.history.head()
	for _, promises := range s.floors {
		carry(promises, era, consent.Revision(len(kept)))
	}
	for _, promises := range s.links {
		carry(promises, era, consent.Revision(len(kept)))
	}
	for subject, told := range s.tokens {
		one := []promise{told}
		carry(one, era, consent.Revision(len(kept)))
		s.tokens[subject] = one[0]
	}
}

// carry takes promises into an era, as far as its history holds them.
func carry(promises []promise, era int, end consent.Revision) {
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
