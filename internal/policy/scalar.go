package policy

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"
)

// scalar is a value of a submission, as the policy writes it.
type scalar struct {
	place
	Constant

	kind string // text, number, boolean or null
}

// jsonNumber is a number that YAML and JSON read in the same way. YAML's others (0x1F, 007,
// 1_000, .5) mean one thing to one reader and another to the next.
var jsonNumber = regexp.MustCompile(`^-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?$`)

func (s *scalar) read(r *reader, n ast.Node) {
	s.at = r.at(n)
	switch n := n.(type) {
	case *ast.StringNode:
		s.kind, s.Constant = "text", textConstant(n.Value)
		if n.GetToken().Type == token.StringType && jsonNumber.MatchString(n.Value) {
			// The parser takes a number that overflows a float for a text.
			s.kind, s.JSON = "number", n.Value
		}
	case *ast.LiteralNode:
		s.kind, s.Constant = "text", textConstant(n.Value.Value)
	case *ast.IntegerNode, *ast.FloatNode, *ast.InfinityNode, *ast.NanNode:
		written := n.GetToken().Value
		s.kind, s.Constant = "number", Constant{JSON: written, Text: written}
		if !jsonNumber.MatchString(written) {
			r.problems.report("ambiguous-number", s.at, fmt.Sprintf("%s is not a number of JSON", written),
				"write it as JSON does, or in quotes if it is a text")
		}
	case *ast.BoolNode:
		written := strconv.FormatBool(n.Value)
		s.kind, s.Constant = "boolean", Constant{JSON: written, Text: written}
	case *ast.NullNode:
		s.kind, s.Constant = "null", Constant{JSON: "null"}
		if n.GetToken().Type == token.ImplicitNullType {
			r.expected("a value", n, `write null, or "" for an empty text`)
		}
	default:
		hint := ""
		if _, isMap := n.(ast.MapNode); isMap {
			hint = "write a text that contains a colon and a space in quotes"
		}
		r.expected("a value", n, hint)
	}
}

// separators escapes what json.Marshal leaves of the bytes at which a parser of
// forms that is handed the body would take it apart.
var separators = strings.NewReplacer(";", `\u003b`, "=", `\u003d`)

// textConstant spells a text.
func textConstant(text string) Constant {
	spelled, _ := json.Marshal(text) //nolint:errchkjson // a string always marshals
	return Constant{JSON: separators.Replace(string(spelled)), Text: text}
}

// scalarList is one value or a list of them.
type scalarList struct {
	place
	values []scalar
}

func (l *scalarList) read(r *reader, n ast.Node) {
	l.at = r.at(n)
	l.values = oneOrMore[scalar](r, n)
	if len(l.values) == 0 {
		r.problems.report("empty-list", l.at, "expected at least one value, found none", "")
	}
}

// constant is a value in place of that of a field.
type constant struct{ scalar }

// example is a submission of a test, as JSON with its members in the order of
// the file.
type example struct {
	place
	json json.RawMessage
}

func (e *example) read(r *reader, n ast.Node) {
	e.at = r.at(n)
	var b bytes.Buffer
	r.appendJSON(&b, n)
	e.json = b.Bytes()
}

// appendJSON writes a node as JSON. The nesting is bounded: see [shape].
func (r *reader) appendJSON(b *bytes.Buffer, n ast.Node) {
	switch n := n.(type) {
	case *ast.MappingNode, *ast.MappingValueNode:
		pairs, _ := r.mapping(n, "a map")
		b.WriteByte('{')
		for i, p := range pairs {
			if i > 0 {
				b.WriteByte(',')
			}
			b.WriteString(textConstant(p.key).JSON)
			b.WriteByte(':')
			r.appendJSON(b, p.node)
		}
		b.WriteByte('}')
	case *ast.SequenceNode:
		b.WriteByte('[')
		for i, v := range n.Values {
			if i > 0 {
				b.WriteByte(',')
			}
			r.appendJSON(b, v)
		}
		b.WriteByte(']')
	default:
		var s scalar
		s.read(r, n)
		b.WriteString(s.JSON)
	}
}
