package submission

import (
	"regexp/syntax"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// Two names can be one to an application: to one that ignores letter case, as
// Go's encoding/json does; to PHP, which takes a dot or a blank for an
// underscore; to one that ignores signs, as encoding/json/v2 can. joinName and
// foldJoined map such names to one text. Both work rune by rune, so what they make of
// all names that an expression matches is an expression too: see mapExpression.

// joinName returns a name in lower case, with all signs as one.
func joinName(name []byte) string { return mapName(name, joinRune) }

// foldJoined returns what is left of a joined name without signs.
func foldJoined(joined string) string { return strings.ReplaceAll(joined, "_", "") }

func mapName(name []byte, mapRune func(rune) string) string {
	var b strings.Builder
	for _, r := range string(name) {
		b.WriteString(mapRune(r))
	}
	return b.String()
}

func joinRune(r rune) string {
	switch {
	case 'A' <= r && r <= 'Z':
		return string(r + 'a' - 'A')
	case 'a' <= r && r <= 'z', '0' <= r && r <= '9':
		return string(r)
	case r < utf8.RuneSelf:
		return "_"
	case r == 'ı', r == 'İ': // of Turkish; Java compares both as i
		return "i"
	}
	var b strings.Builder
	for _, c := range norm.NFKD.String(cases.Fold().String(norm.NFKC.String(string(r)))) {
		switch {
		case c < utf8.RuneSelf:
			b.WriteString(joinRune(c))
		case unicode.IsLetter(c), unicode.IsDigit(c), unicode.IsMark(c):
			b.WriteRune(c)
		default:
			b.WriteByte('_')
		}
	}
	return b.String()
}

func foldRune(r rune) string { return foldJoined(joinRune(r)) }

// mapExpression returns an expression that matches what mapRune makes of the
// texts that another one matches, rune by rune. Of large classes, it matches
// more than that.
func mapExpression(tree *syntax.Regexp, mapRune func(rune) string) string {
	inner := func() string { return "(?:" + mapExpression(tree.Sub[0], mapRune) + ")" }
	switch tree.Op {
	case syntax.OpNoMatch:
		return `[^\x00-\x{10FFFF}]`
	case syntax.OpLiteral:
		return syntaxQuote(mapName([]byte(string(tree.Rune)), mapRune))
	case syntax.OpCharClass:
		return mapClass(tree, mapRune)
	case syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		return `(?s:.*)`
	case syntax.OpConcat, syntax.OpAlternate:
		subs := make([]string, len(tree.Sub))
		for i, sub := range tree.Sub {
			subs[i] = "(?:" + mapExpression(sub, mapRune) + ")"
		}
		if tree.Op == syntax.OpConcat {
			return strings.Join(subs, "")
		}
		return strings.Join(subs, "|")
	case syntax.OpCapture:
		return inner()
	case syntax.OpStar:
		return inner() + "*"
	case syntax.OpQuest:
		return inner() + "?"
	case syntax.OpPlus, syntax.OpRepeat:
		return mapRepeat(tree, mapRune)
	case syntax.OpEmptyMatch, syntax.OpBeginLine, syntax.OpEndLine, syntax.OpBeginText, syntax.OpEndText,
		syntax.OpWordBoundary, syntax.OpNoWordBoundary:
		return ""
	default:
		return `(?s:.*)`
	}
}

// mapRepeat is mapExpression for a repetition. A class of which some runes are
// left out may be repeated less often, which keeps the expression small.
func mapRepeat(tree *syntax.Regexp, mapRune func(rune) string) string {
	least, most := 1, -1
	if tree.Op == syntax.OpRepeat {
		least, most = tree.Min, tree.Max
	}
	inner := mapExpression(tree.Sub[0], mapRune)
	if class, ok := strings.CutSuffix(inner, "]?"); ok && strings.HasPrefix(inner, "[") {
		inner, least = class+"]", 0
	} else {
		inner = "(?:" + inner + ")"
	}
	if most < 0 {
		return inner + "{" + strconv.Itoa(least) + ",}"
	}
	return inner + "{" + strconv.Itoa(least) + "," + strconv.Itoa(most) + "}"
}

// maxMapped bounds the runes of a class that are mapped one by one.
const maxMapped = 512

func mapClass(tree *syntax.Regexp, mapRune func(rune) string) string {
	size := 0
	for i := 0; i < len(tree.Rune); i += 2 {
		if size += int(tree.Rune[i+1]-tree.Rune[i]) + 1; size > maxMapped {
			return `(?s:.*)`
		}
	}
	var class strings.Builder
	var texts []string
	seen, empty := make(map[string]bool), false
	for i := 0; i < len(tree.Rune); i += 2 {
		for r := tree.Rune[i]; r <= tree.Rune[i+1]; r++ {
			text := mapRune(r)
			switch {
			case seen[text]:
			case text == "":
				empty = true
			case utf8.RuneCountInString(text) == 1:
				class.WriteString(syntaxQuote(text))
			default:
				texts = append(texts, syntaxQuote(text))
			}
			seen[text] = true
		}
	}
	if class.Len() > 0 {
		texts = append(texts, "["+class.String()+"]")
	}
	expression := strings.Join(texts, "|")
	if len(texts) > 1 {
		expression = "(?:" + expression + ")"
	}
	if empty && expression != "" {
		expression += "?"
	}
	return expression
}

// syntaxQuote escapes a text for an expression, in a class or outside.
func syntaxQuote(text string) string {
	var b strings.Builder
	for _, r := range text {
		if r < utf8.RuneSelf && joinRune(r) == "_" {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	return b.String()
}
