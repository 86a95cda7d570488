package policy

import (
	"regexp/syntax"
	"unicode"
)

// maxPairs bounds the search for a name that two expressions match, in pairs of
// instructions.
const maxPairs = 100_000

// pairSearch looks for a text that two programs match as a whole. It follows both
// at once, a pair of instructions at a time.
type pairSearch struct {
	a, b *syntax.Prog
	seen map[[2]uint32]bool
	open [][2]uint32
}

// intersect reports whether some text matches both expressions. If that cannot be
// decided within bounds, it is taken to be so.
func intersect(a, b *syntax.Prog) bool {
	s := pairSearch{a: a, b: b, seen: make(map[[2]uint32]bool)}
	s.add(uint32(a.Start), uint32(b.Start)) //nolint:gosec // G115: at most maxProgram for each part
	for len(s.open) > 0 {
		if len(s.seen) > maxPairs {
			return true
		}
		at := s.open[len(s.open)-1]
		s.open = s.open[:len(s.open)-1]
		x, y := &a.Inst[at[0]], &b.Inst[at[1]]
		switch {
		case x.Op == syntax.InstFail || y.Op == syntax.InstFail:
		case isEmpty(x.Op):
			for _, next := range outs(x) {
				s.add(next, at[1])
			}
		case isEmpty(y.Op):
			for _, next := range outs(y) {
				s.add(at[0], next)
			}
		case x.Op == syntax.InstMatch && y.Op == syntax.InstMatch:
			return true
		case x.Op == syntax.InstMatch || y.Op == syntax.InstMatch:
		case overlap(runesOf(x), runesOf(y)):
			s.add(x.Out, y.Out)
		}
	}
	return false
}

func (s *pairSearch) add(x, y uint32) {
	if at := [2]uint32{x, y}; !s.seen[at] {
		s.seen[at] = true
		s.open = append(s.open, at)
	}
}

// isEmpty reports whether an instruction goes on without a character.
func isEmpty(op syntax.InstOp) bool {
	switch op { //nolint:exhaustive // the others do not
	case syntax.InstAlt, syntax.InstAltMatch, syntax.InstCapture, syntax.InstNop, syntax.InstEmptyWidth:
		return true
	}
	return false
}

func outs(i *syntax.Inst) []uint32 {
	if i.Op == syntax.InstAlt || i.Op == syntax.InstAltMatch {
		return []uint32{i.Out, i.Arg}
	}
	return []uint32{i.Out}
}

// runesOf returns the ranges of characters that an instruction matches.
func runesOf(i *syntax.Inst) []rune {
	switch {
	case i.Op == syntax.InstRuneAny || i.Op == syntax.InstRuneAnyNotNL:
		return []rune{0, unicode.MaxRune}
	case len(i.Rune) != 1:
		return i.Rune
	}
	r := i.Rune[0]
	ranges := []rune{r, r}
	if i.Op == syntax.InstRune && i.Arg&uint32(syntax.FoldCase) != 0 {
		for other := unicode.SimpleFold(r); other != r; other = unicode.SimpleFold(other) {
			ranges = append(ranges, other, other)
		}
	}
	return ranges
}

func overlap(a, b []rune) bool {
	for i := 0; i < len(a); i += 2 {
		for j := 0; j < len(b); j += 2 {
			if a[i] <= b[j+1] && b[j] <= a[i+1] {
				return true
			}
		}
	}
	return false
}
