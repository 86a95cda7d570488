package policy

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"github.com/goccy/go-yaml/ast"
	"golang.org/x/text/language"
)

// namePattern is what purposes, collections and definitions may be called: their
// names become tokens of header values (RFC 9651), labels and log members.
var namePattern = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_-]{0,63}$`)

// place is where a part of a policy is written; the zero value is that of a part
// that is not given.
type place struct{ at Position }

func (p place) given() bool { return p.at.Line != 0 }

// named is a map of the language, in the order of the file.
type named[T any, P interface {
	*T
	value
}] []entry[T]

// entry is one entry of a map.
type entry[T any] struct {
	Name  string
	at    Position // of the name
	Value T
}

func (m *named[T, P]) read(r *reader, n ast.Node) {
	pairs, ok := r.mapping(n, "a map")
	if !ok {
		return
	}
	*m = make(named[T, P], len(pairs))
	for i, p := range pairs {
		e := &(*m)[i]
		e.Name, e.at = p.key, p.at
		P(&e.Value).read(r, p.node)
	}
}

// list is a list of the language.
type list[T any, P interface {
	*T
	value
}] []T

func (l *list[T, P]) read(r *reader, n ast.Node) {
	if _, ok := n.(*ast.SequenceNode); !ok {
		r.expected("a list", n, "")
		return
	}
	*l = oneOrMore[T, P](r, n)
}

// oneOrMore reads a list, or a value that stands for a list of one.
func oneOrMore[T any, P interface {
	*T
	value
}](r *reader, n ast.Node) []T {
	nodes := []ast.Node{n}
	if sequence, ok := n.(*ast.SequenceNode); ok {
		nodes = sequence.Values
	}
	values := make([]T, len(nodes))
	for i, node := range nodes {
		P(&values[i]).read(r, node)
	}
	return values
}

// word is a text without languages.
type word struct {
	place
	text string
}

func (w *word) read(r *reader, n ast.Node) {
	w.at = r.at(n)
	switch n := n.(type) {
	case *ast.StringNode:
		w.text = n.Value
	case *ast.LiteralNode:
		w.text = n.Value.Value
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode:
		r.expected("a text", n, "write it in quotes")
		return
	default:
		r.expected("a text", n, "")
		return
	}
	if w.text == "" {
		r.problems.report("empty-text", w.at, "expected a text, found an empty one", "")
	}
}

// among reports a word that is not one of the known ones.
func (w word) among(r *reader, what string, known []string) {
	if w.text != "" && !slices.Contains(known, w.text) {
		r.problems.report("unknown-"+what, w.at, fmt.Sprintf("there is no %s %q", what, w.text), didYouMean(w.text, known))
	}
}

// wordList is one word or a list of them.
type wordList struct {
	place
	words []word
}

func (l *wordList) read(r *reader, n ast.Node) {
	l.at, l.words = r.at(n), oneOrMore[word](r, n)
}

// texts returns the words; nil only if the key was not written.
func (l wordList) texts() []string {
	if l.words == nil {
		return nil
	}
	texts := make([]string, len(l.words))
	for i, w := range l.words {
		texts[i] = w.text
	}
	return texts
}

// textValue is a text, plain or in languages.
type textValue struct {
	place
	text Text
}

func (t *textValue) read(r *reader, n ast.Node) {
	t.at = r.at(n)
	t.text = Text{}
	if _, isMap := n.(ast.MapNode); !isMap {
		t.text[""] = r.plainText(n)
		return
	}
	pairs, _ := r.mapping(n, "a text or a map of languages")
	for _, p := range pairs {
		tag, err := language.Parse(p.key)
		if err != nil || len(p.key) < 2 {
			r.problems.report("unknown-language", p.at, fmt.Sprintf("%q is not a language tag", p.key),
				`write a BCP 47 tag such as "en" or "pt-BR"`)
			continue
		}
		if _, twice := t.text[tag.String()]; twice {
			r.problems.report("duplicate-key", p.at, fmt.Sprintf("the language %v already has a text", tag),
				"keep one of the two")
		}
		t.text[tag.String()] = r.plainText(p.node)
	}
	if len(pairs) == 0 {
		r.problems.report("empty-text", t.at, "expected a text, found an empty map", "")
	}
}

// plainText reads a text that people are shown. It has no control characters but
// white space: not every store can store them with the consent to the text.
func (r *reader) plainText(n ast.Node) string {
	var w word
	w.read(r, n)
	if strings.ContainsFunc(w.text, func(c rune) bool { return unicode.IsControl(c) && !unicode.IsSpace(c) }) {
		r.problems.report("control-character", w.at, "the text contains a control character", "write the text without it")
	}
	return w.text
}

// textList is one text or a list of them.
type textList []textValue

func (l *textList) read(r *reader, n ast.Node) { *l = oneOrMore[textValue](r, n) }

// boolean is true or false.
type boolean struct {
	place
	set bool
}

func (b *boolean) read(r *reader, n ast.Node) {
	b.at = r.at(n)
	written, ok := n.(*ast.BoolNode)
	if !ok {
		r.expected("true or false", n, "write true or false, without quotes")
		return
	}
	b.set = written.Value
}
