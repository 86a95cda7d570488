package submission

import (
	"bytes"
	"fmt"
	"regexp"
	"regexp/syntax"
	"strings"
	"unicode/utf8"
)

// maxWildcards bounds the wildcards of one place: each is asked about a name that
// has no node of its own.
const maxWildcards = 64

// wildcard is the members of a node whose names match an expression.
type wildcard struct {
	segment Segment
	node    int32
	literal int     // bytes of a name that the policy spells: more is more exact
	names   matcher // the names
	joined  matcher // what [joinName] makes of them
	folded  matcher // what [foldJoined] makes of that
}

// matcher decides about whole names. RE2 is asked last: most names differ in
// their beginning or end, and most expressions are characters of one class.
type matcher struct {
	prefix, suffix string
	run            *run           // what stands between the two; nil: re decides
	re             *regexp.Regexp // of the whole name
	instructions   int            // of the program of re
}

// run is a number of bytes of one class.
type run struct {
	least, most int
	class       [256]bool
}

// compile compiles a wildcard, once for a plan.
func (p *Plan) compile(s Segment) (wildcard, error) {
	if w, ok := p.compiled[s.Text]; ok {
		return w, nil
	}
	if p.compiled == nil {
		p.compiled = make(map[string]wildcard)
	}
	var names, joined, folded []Part
	w := wildcard{segment: s}
	for _, part := range s.Parts {
		if part.Expression == "" {
			w.literal += len(part.Literal)
			names = append(names, Part{Literal: part.Literal})
			joined = append(joined, Part{Literal: joinName([]byte(part.Literal))})
			folded = append(folded, Part{Literal: foldJoined(joinName([]byte(part.Literal)))})
			continue
		}
		tree, err := syntax.Parse(part.Expression, syntax.Perl)
		if err != nil {
			return w, fmt.Errorf("the wildcard %q: %w", s.Text, err)
		}
		names = append(names, Part{Expression: part.Expression})
		joined = append(joined, Part{Expression: mapExpression(tree, joinRune)})
		folded = append(folded, Part{Expression: mapExpression(tree, foldRune)})
	}
	var err error
	for _, m := range []struct {
		to     *matcher
		pieces []Part
	}{{&w.names, names}, {&w.joined, joined}, {&w.folded, folded}} {
		if *m.to, err = newMatcher(m.pieces); err != nil {
			return w, fmt.Errorf("the wildcard %q: %w", s.Text, err)
		}
	}
	p.compiled[s.Text] = w
	return w, nil
}

func newMatcher(pieces []Part) (m matcher, err error) {
	var whole strings.Builder
	whole.WriteString(`^(?s:`)
	expressions := 0
	for _, p := range pieces {
		switch {
		case p.Expression != "":
			expressions++
			whole.WriteString(`(?:` + p.Expression + `)`)
			m.suffix = ""
			continue
		case expressions == 0:
			m.prefix += p.Literal
		}
		m.suffix += p.Literal
		whole.WriteString(regexp.QuoteMeta(p.Literal))
	}
	whole.WriteString(`)$`)
	if expressions == 0 {
		m.suffix = ""
	}
	if expressions == 1 {
		for _, p := range pieces {
			if p.Expression != "" {
				m.run = newRun(p.Expression)
			}
		}
	}
	if m.re, err = regexp.Compile(whole.String()); err != nil {
		return m, err
	}
	m.instructions = instructions(m.re)
	return m, nil
}

// newRun returns the run that an expression is, or nil.
func newRun(expression string) *run {
	tree, err := syntax.Parse(expression, syntax.Perl)
	if err != nil {
		return nil
	}
	r := run{least: 1, most: 1}
	switch tree.Op { //nolint:exhaustive // others are no run
	case syntax.OpCharClass:
	case syntax.OpStar, syntax.OpPlus:
		r.least, r.most = 0, -1
		if tree.Op == syntax.OpPlus {
			r.least = 1
		}
		tree = tree.Sub[0]
	case syntax.OpRepeat:
		r.least, r.most = tree.Min, tree.Max
		tree = tree.Sub[0]
	default:
		return nil
	}
	if tree.Op != syntax.OpCharClass {
		return nil
	}
	for i := 0; i < len(tree.Rune); i += 2 {
		for c := tree.Rune[i]; c <= tree.Rune[i+1]; c++ {
			if c >= utf8.RuneSelf {
				return nil
			}
			r.class[c] = true
		}
	}
	return &r
}

func (r *run) matches(text []byte) bool {
	if len(text) < r.least || r.most >= 0 && len(text) > r.most {
		return false
	}
	for _, c := range text {
		if !r.class[c] {
			return false
		}
	}
	return true
}

// fits reports whether a name can match, and whether that is decided.
func (m *matcher) fits(name []byte) (match, decided bool) {
	inner := len(name) - len(m.prefix) - len(m.suffix)
	if inner < 0 || len(name) == 0 || string(name[:len(m.prefix)]) != m.prefix || !bytes.HasSuffix(name, []byte(m.suffix)) {
		return false, true
	}
	if m.run == nil {
		return true, false
	}
	return m.run.matches(name[len(m.prefix) : len(m.prefix)+inner]), true
}

// matches reports whether a name matches, whatever that costs.
func (m *matcher) matches(name []byte) bool {
	match, decided := m.fits(name)
	return match && (decided || m.re.Match(name))
}

// match is matches for a name of a submission, which may cause so much work only.
func (m *matcher) match(name []byte, rep *Report) bool {
	if rep.work += int64(len(name)); rep.work > maxWork {
		return false
	}
	match, decided := m.fits(name)
	if !match || decided {
		return match
	}
	rep.work += int64(len(name)) * patternWork * int64(m.instructions)
	return rep.work <= maxWork && m.re.Match(name)
}

// spells reports whether the policy writes more than the first word of a name that
// the wildcard matches: it knows then that "form:items:{n}" stands beside "form". What
// a bracket or a dot follows may be below the sibling, in another spelling: Spring
// takes a[00] for a[0].
func (w *wildcard) spells(firstWord []byte) bool {
	n := len(firstWord)
	return w != nil && len(w.names.prefix) > n && w.names.prefix[n] != '[' && w.names.prefix[n] != '.'
}

// wildcardOf returns the most exact wildcard that a name matches, and its place in
// their order; nil if there is none.
func (n *node) wildcardOf(name []byte, rep *Report) (w *wildcard, place int) {
	for i := range n.wildcards {
		if n.wildcards[i].names.match(name, rep) {
			return &n.wildcards[i], i
		}
	}
	return nil, -1
}

// compares reports whether a name that matches the wildcard at a place has to be
// compared with others.
func (n *node) compares(place int) bool {
	return len(n.wildcards) > 1 || len(n.wildcards) == 1 && place != 0
}

// resembles reports whether some parser takes a name for one that another
// wildcard matches: because it ignores letter case, takes one sign for another,
// or, if the other wildcard says more of the name, ignores signs. place is that
// of the wildcard that the name matches, −1 if there is none.
func (n *node) resembles(name []byte, place int, rep *Report) bool {
	if !n.compares(place) {
		return false
	}
	joined := joinName(name)
	folded := foldJoined(joined)
	for i := range n.wildcards {
		w := &n.wildcards[i]
		if i == place || w.names.match(name, rep) {
			continue // the order decides
		}
		if w.joined.match([]byte(joined), rep) {
			return true
		}
		if more := place < 0 || w.literal > n.wildcards[place].literal; more && w.folded.match([]byte(folded), rep) {
			return true
		}
	}
	return false
}
