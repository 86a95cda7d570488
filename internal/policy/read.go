package policy

import (
	"errors"
	"fmt"
	"reflect"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// reader reads one policy file into a [document]. It goes on after a problem, so
// that all of them are reported at once.
type reader struct {
	file     string
	problems *problems
}

// value is a part of the language that reads itself from YAML.
type value interface {
	read(r *reader, n ast.Node)
}

// readDocument reads a file; nil if it is no YAML that a policy may be written in.
func readDocument(source Source, p *problems) *document {
	r := &reader{file: source.Name, problems: p}
	text := strings.ReplaceAll(strings.TrimPrefix(string(source.Data), "\uFEFF"), "\r\n", "\n")
	p.lines[source.Name] = strings.Split(text, "\n")
	if !r.legible([]byte(text)) {
		return nil
	}
	root, ok := r.parse(text)
	if !ok {
		return nil
	}
	var d document
	r.members(root, "a policy file", &d)
	return &d
}

// parse returns the root of the file.
func (r *reader) parse(text string) (root ast.Node, ok bool) {
	defer func() {
		// The parser may panic on a file that is broken in some way that it was not
		// tested with. That must not stop a proxy that runs with the old policy.
		if recover() != nil {
			ok = false
			r.problems.report("syntax", Position{File: r.file}, "the YAML of the file cannot be read", "")
		}
	}()
	tokens := lexer.Tokenize(text)
	if !r.acceptable(tokens) {
		return nil, false
	}
	// The parser allows duplicate keys, so that each is reported with both places.
	file, err := parser.Parse(tokens, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		d := Diagnostic{Code: "syntax", Position: Position{File: r.file}, Message: "the YAML of the file cannot be read"}
		if syntax, isSyntax := errors.AsType[*yaml.SyntaxError](err); isSyntax {
			d.Message = "the YAML is broken: " + syntax.Message
			if syntax.Token != nil {
				d.Position = r.position(syntax.Token)
			}
			d.Hint = r.syntaxHint(syntax.Message, d.Position)
		}
		r.problems.add(d)
		return nil, false
	}
	for _, doc := range file.Docs {
		if doc.Body != nil {
			root = doc.Body
		}
	}
	if root == nil {
		r.problems.report("empty-file", Position{File: r.file}, "the file is empty", `a policy file begins with "version: 1"`)
	}
	return root, root != nil
}

func (r *reader) position(t *token.Token) Position {
	return Position{File: r.file, Line: t.Position.Line, Column: t.Position.Column}
}

// at returns where a node begins. A block mapping has the position of its first
// colon in the tree: its first key is meant.
func (r *reader) at(n ast.Node) Position {
	switch n := n.(type) {
	case *ast.MappingNode:
		if !n.IsFlowStyle && len(n.Values) > 0 {
			return r.at(n.Values[0].Key)
		}
	case *ast.MappingValueNode:
		return r.at(n.Key)
	}
	return r.position(n.GetToken())
}

// expected reports a node of the wrong kind.
func (r *reader) expected(what string, n ast.Node, hint string) {
	r.problems.report("wrong-kind", r.at(n), fmt.Sprintf("expected %s, found %s", what, kindOf(n)), hint)
}

// kindOf names the kind of a node in the words of an operator.
func kindOf(n ast.Node) string {
	switch n.(type) {
	case *ast.NullNode:
		return "nothing"
	case *ast.MappingNode, *ast.MappingValueNode:
		return "a map"
	case *ast.SequenceNode:
		return "a list"
	case *ast.StringNode, *ast.LiteralNode:
		return "a text"
	case *ast.BoolNode:
		return "true or false"
	case *ast.IntegerNode, *ast.FloatNode, *ast.InfinityNode, *ast.NanNode:
		return "a number"
	default:
		return "something else"
	}
}

// pair is an entry of a mapping.
type pair struct {
	key  string
	at   Position
	node ast.Node
}

// mapping returns the entries of a mapping in their order. Keys declared twice
// are reported, and only the first is returned.
func (r *reader) mapping(n ast.Node, what string) ([]pair, bool) {
	var values []*ast.MappingValueNode
	switch n := n.(type) {
	case *ast.MappingNode:
		values = n.Values
	case *ast.MappingValueNode:
		values = []*ast.MappingValueNode{n}
	default:
		r.expected(what, n, "write it as {key: value}")
		return nil, false
	}
	pairs := make([]pair, 0, len(values))
	first := make(map[string]Position, len(values))
	for _, v := range values {
		key, ok := r.key(v.Key)
		if !ok {
			continue
		}
		at := r.at(v.Key)
		if before, twice := first[key]; twice {
			r.problems.add(Diagnostic{
				Code: "duplicate-key", Position: at, Related: []Position{before},
				Message: fmt.Sprintf("the key %q is already at %v", key, before), Hint: "keep one of the two",
			})
			continue
		}
		first[key] = at
		pairs = append(pairs, pair{key: key, at: at, node: v.Value})
	}
	return pairs, true
}

// pairs returns the entries of a mapping as they are written. It reports nothing,
// which [reader.mapping] does.
func (r *reader) pairs(n ast.Node) (pairs []pair) {
	var values []*ast.MappingValueNode
	switch n := n.(type) {
	case *ast.MappingNode:
		values = n.Values
	case *ast.MappingValueNode:
		values = []*ast.MappingValueNode{n}
	}
	for _, v := range values {
		if key, ok := v.Key.(*ast.StringNode); ok {
			pairs = append(pairs, pair{key: key.Value, at: r.at(v.Key), node: v.Value})
		}
	}
	return pairs
}

// key returns the text of a key. Numbers and booleans are names too: a form may
// have a field called 1.
func (r *reader) key(n ast.MapKeyNode) (string, bool) {
	switch n := n.(type) {
	case *ast.StringNode:
		return n.Value, true
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode:
		return n.GetToken().Value, true
	default:
		r.expected("a name", n, "write it in quotes")
		return "", false
	}
}

// members reads a mapping into the struct that into points to: each key into the
// field with its tag.
func (r *reader) members(n ast.Node, what string, into any) {
	pairs, ok := r.mapping(n, what)
	if !ok {
		return
	}
	keys := keysOf(reflect.TypeOf(into).Elem())
	given := make(map[string]bool, len(pairs))
	for _, p := range pairs {
		key, known := keys.byName[p.key]
		if !known {
			hint := didYouMean(p.key, keys.names)
			if p.node.GetToken().Type == token.ImplicitNullType {
				hint = "inside braces a comma ends a value; write a text that contains one in quotes"
			}
			r.problems.report("unknown-key", p.at, fmt.Sprintf("%s has no key %q", what, p.key), hint)
			continue
		}
		given[p.key] = true
		reflect.ValueOf(into).Elem().FieldByIndex(key.index).Addr().Interface().(value).read(r, p.node)
	}
	for _, name := range keys.names {
		if keys.byName[name].required && !given[name] {
			r.problems.report("missing-key", r.at(n), fmt.Sprintf("%s needs the key %q", what, name), "")
		}
	}
}

// structKeys are the keys of a struct of the language, in the order of its fields.
type structKeys struct {
	names  []string
	byName map[string]structKey
}

type structKey struct {
	index    []int
	required bool
}

// keysOf reads the tags of a struct of the language.
func keysOf(t reflect.Type) structKeys {
	keys := structKeys{byName: make(map[string]structKey)}
	for _, f := range reflect.VisibleFields(t) {
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == "" {
			continue
		}
		keys.names = append(keys.names, name)
		keys.byName[name] = structKey{index: f.Index, required: options != "omitzero"}
	}
	return keys
}
