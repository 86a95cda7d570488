package policy

import (
	"errors"
	"fmt"
	"regexp"
	"regexp/syntax"
	"strings"
)

// Part is a piece of the names that a wildcard matches: what Expression matches,
// or if that is empty, Literal.
type Part struct {
	Literal string
	// Expression is RE2, without anchors. It matches the characters that the policy
	// spells; "." and what is said by exclusion, such as [^x], match letters, digits, "-" and "_"
	// of ASCII only.
	Expression string
}

// anyName is the expression of a wildcard that has none, and wordClass the
// characters that a wildcard matches if its expression does not spell others.
const (
	anyName   = wordClass + `{1,64}`
	wordClass = `[A-Za-z0-9_-]`
)

// maxProgram bounds the size of a compiled expression, in instructions: what RE2 does
// for a name grows with it.
const maxProgram = 1000

var wildcardName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_-]*$`)

// cutWildcard parses the wildcard that text begins with, and returns its length.
func cutWildcard(text string) (part Part, size int, err error) {
	end, ok := wildcardEnd(text)
	if !ok {
		return part, 0, &pathError{"the path has a brace that is not closed", `write {word}, or \{ if it is part of a name`}
	}
	word, expression, given := strings.Cut(text[1:end], ":")
	switch {
	case strings.HasSuffix(word, "..."):
		return part, 0, &pathError{"a wildcard matches one segment", "write ** for everything below"}
	case !wildcardName.MatchString(word):
		return part, 0, &pathError{fmt.Sprintf("a wildcard is {word} or {word:expression}, and %q is not a word", word), `write \{ and \} if the braces are part of a name`}
	case !given:
		expression = anyName
	case expression == "":
		return part, 0, &pathError{fmt.Sprintf("the wildcard {%s:} has no expression", word), fmt.Sprintf("write {%s}", word)}
	}
	part.Expression, err = narrowed(expression)
	if anchored, ok := errors.AsType[*pathError](err); ok {
		anchored.complaint = fmt.Sprintf("the expression of the wildcard {%s} %s", word, anchored.complaint)
		return part, 0, anchored
	}
	if err != nil {
		return part, 0, fmt.Errorf("the expression of the wildcard {%s} %w", word, err)
	}
	return part, end + 1, nil
}

// wildcardEnd returns where the brace is closed that text begins with. Braces in
// a class or behind a backslash do not count; if there is no end like that, the
// expression is broken, and they do.
func wildcardEnd(text string) (end int, ok bool) {
	for _, classes := range []bool{true, false} {
		depth, class := 0, -1
		for i := 0; i < len(text); i++ {
			switch c := text[i]; {
			case c == '\\':
				i++
			case class >= 0:
				if c == ']' && i > class+1 && text[class+1:i] != "^" {
					class = -1
				}
				if strings.HasPrefix(text[i:], "[:") {
					if closing := strings.Index(text[i:], ":]"); closing > 0 {
						i += closing + 1
					}
				}
			case c == '[' && classes && depth > 0:
				class = i
			case c == '{':
				depth++
			case c == '}':
				if depth--; depth == 0 {
					return i, true
				}
			}
		}
	}
	return 0, false
}

// narrowed returns an expression that matches what another one does, as far as a
// wildcard may.
func narrowed(expression string) (string, error) {
	tree, err := syntax.Parse(expression, syntax.Perl)
	if err != nil {
		return "", fmt.Errorf("is not RE2: %s", strings.TrimPrefix(err.Error(), "error parsing regexp: "))
	}
	if err := narrow(tree); err != nil {
		return "", err
	}
	narrow := tree.String()
	program, err := compileProgram(narrow)
	if err != nil {
		return "", fmt.Errorf("is not RE2: %w", err)
	}
	if n := len(program.Inst); n > maxProgram {
		return "", fmt.Errorf("compiles to %d instructions, more than %d", n, maxProgram)
	}
	return narrow, nil
}

func compileProgram(expression string) (*syntax.Prog, error) {
	tree, err := syntax.Parse(expression, syntax.Perl)
	if err != nil {
		return nil, err
	}
	return syntax.Compile(tree.Simplify())
}

// narrow restricts the classes of an expression.
func narrow(tree *syntax.Regexp) error {
	switch tree.Op { //nolint:exhaustive // others match no characters themselves
	case syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		tree.Op, tree.Rune = syntax.OpCharClass, []rune{0, '\U0010FFFF'}
		tree.Rune = narrowClass(tree.Rune)
	case syntax.OpCharClass:
		tree.Rune = narrowClass(tree.Rune)
	case syntax.OpLiteral:
		for _, c := range tree.Rune {
			if c < ' ' || c == 0x7f {
				return errors.New("contains a control character, which no name does")
			}
		}
	case syntax.OpBeginLine, syntax.OpEndLine, syntax.OpBeginText, syntax.OpEndText, syntax.OpWordBoundary, syntax.OpNoWordBoundary:
		return &pathError{`contains an anchor (^, $, \A, \z or \b)`, "remove it: the expression matches as a whole"}
	}
	if tree.Op == syntax.OpCharClass && len(tree.Rune) == 0 {
		tree.Op = syntax.OpNoMatch
	}
	for _, sub := range tree.Sub {
		if err := narrow(sub); err != nil {
			return err
		}
	}
	return nil
}

// narrowClass restricts the ranges of a class: one with more than half of Unicode
// excludes characters, and matches only those of a word; no class matches control
// characters.
func narrowClass(ranges []rune) []rune {
	size := 0
	for i := 0; i < len(ranges); i += 2 {
		size += int(ranges[i+1]-ranges[i]) + 1
	}
	allowed := []rune{' ', '~', 0xa0, '\U0010FFFF'}
	if size > 0x110000/2 {
		allowed = []rune{'-', '-', '0', '9', 'A', 'Z', '_', '_', 'a', 'z'}
	}
	var narrow []rune
	for i := 0; i < len(ranges); i += 2 {
		for j := 0; j < len(allowed); j += 2 {
			if low, high := max(ranges[i], allowed[j]), min(ranges[i+1], allowed[j+1]); low <= high {
				narrow = append(narrow, low, high)
			}
		}
	}
	return narrow
}

// Matches reports whether a segment can match a name: for tests of a policy, not for
// submissions.
func (s Segment) Matches(name string) bool {
	switch s.Kind {
	case Literal:
		return s.Text == name
	case Element:
		return true
	case Wildcard:
		whole, _ := s.expression()
		re, err := regexp.Compile("^(?s:" + whole + ")$")
		return err == nil && re.MatchString(name)
	case Subtree:
	}
	return false
}

// expression returns what a wildcard matches as one expression, and how many
// bytes of it are literal.
func (s Segment) expression() (whole string, literal int) {
	var b strings.Builder
	for _, p := range s.Parts {
		literal += len(p.Literal)
		b.WriteString(regexp.QuoteMeta(p.Literal))
		if p.Expression != "" {
			b.WriteString("(?:" + p.Expression + ")")
		}
	}
	return b.String(), literal
}
