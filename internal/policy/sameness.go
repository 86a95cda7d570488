package policy

import (
	"fmt"
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"
)

// maxWildcards bounds the wildcards of one place: each is asked about a name that
// is not declared there literally.
const maxWildcards = 64

// openSegment is a wildcard at one place of a collection, with the first field
// whose path contains it.
type openSegment struct {
	Segment
	field   *Field
	literal int
	program *syntax.Prog
}

// ties reports wildcards that match the same name and say equally much of it: it
// would be open which of them counts.
func (c *compiler) ties(collection *Collection) {
	places := make(map[string][]openSegment)
	for i := range collection.Fields {
		f := &collection.Fields[i]
		for at, s := range f.Path {
			if s.Kind != Wildcard {
				continue
			}
			place := f.Path[:at].Key() + "\x00"
			if slices.ContainsFunc(places[place], func(o openSegment) bool { return o.Text == s.Text }) {
				continue
			}
			expression, literal := s.expression()
			program, err := compileProgram(expression)
			if err != nil {
				c.problems.report("bad-path", f.Position, fmt.Sprintf("the segment %s is too large: %v", s.Text, err), "")
				continue
			}
			o := openSegment{Segment: s, field: f, literal: literal, program: program}
			for _, before := range places[place] {
				c.tie(&before, &o)
			}
			if places[place] = append(places[place], o); len(places[place]) == maxWildcards+1 {
				c.problems.report("too-many-wildcards", f.Position,
					fmt.Sprintf("more than %d wildcards stand at one place", maxWildcards), "declare what they have in common")
			}
		}
	}
}

func (c *compiler) tie(before, o *openSegment) {
	if before.literal != o.literal || !intersect(before.program, o.program) {
		return
	}
	hint := "write more of the name in one of them, or narrow its expression"
	if before.shape() == o.shape() {
		hint = fmt.Sprintf("write %s in both paths", before.Text)
	}
	c.problems.add(Diagnostic{
		Code: "tied-wildcards", Position: o.field.Position, Related: []Position{before.field.Position},
		Message: fmt.Sprintf("the wildcards %s and %s, at %v, can match the same name, and neither is more exact", o.Text, before.Text, before.field.Position),
		Hint:    hint,
	})
}

// shape is what a wildcard matches, without its words.
func (o *openSegment) shape() string {
	whole, _ := o.expression()
	return whole
}

// folds reports fields whose names PHP, Rack or qs take for one where names nest
// with brackets. PHP makes one name of a.b, a_b and "a b", takes a[b]c for a[b],
// and foo[bar for foo_bar; Rack and qs take [email] for email.
func (c *compiler) folds(collection *Collection) {
	if collection.Dots {
		return
	}
	first := make(map[string]*Field)
	var odd []int
	for i := range collection.Fields {
		f := &collection.Fields[i]
		if len(f.Path) == 0 || f.Path[0].Kind != Literal {
			continue
		}
		if strings.ContainsAny(f.Path[0].Text, "[]") && !nests(f.Path[0].Text) {
			odd = append(odd, i)
		}
		name := phpName(f.Path[0].Text)
		if before := first[name]; before != nil && before.Path[0].Text != f.Path[0].Text {
			c.folded(before, f)
		} else if before == nil {
			first[name] = f
		}
	}
	for _, i := range odd {
		for j := range collection.Fields {
			if !slices.Contains(odd, j) && readsAs(&collection.Fields[i], &collection.Fields[j]) {
				c.folded(&collection.Fields[min(i, j)], &collection.Fields[max(i, j)])
				break
			}
		}
	}
}

func (c *compiler) folded(before, f *Field) {
	c.problems.add(Diagnostic{
		Code: "one-name", Position: f.Position, Related: []Position{before.Position},
		Message: fmt.Sprintf("some applications take %s and %s, at %v, for one name in a form", f.Name, before.Name, before.Position),
		Hint:    "remove one, or write names: dots if the application does not nest with brackets",
	})
}

// phpName returns what PHP makes of a name in a form, as far as it is not an array.
func phpName(name string) string {
	if i := strings.IndexByte(name, '['); i >= 0 && strings.IndexByte(name[i:], ']') >= 0 {
		return name
	}
	return strings.NewReplacer(" ", "_", ".", "_", "[", "_").Replace(strings.TrimLeft(name, " "))
}

var nested = regexp.MustCompile(`^[^][]+(\[[^][]*\])+$`)

// nests reports whether brackets nest in a name: it is never taken as a whole, so a
// form cannot reach its field.
func nests(name string) bool { return nested.MatchString(name) }

// readsAs reports whether some parser may take a name with brackets that nest
// nothing for one that leads to another field, or to what holds or is held by it.
func readsAs(f, other *Field) bool {
	pieces := strings.FieldsFunc(f.Path[0].Text, func(r rune) bool { return r == '[' || r == ']' })
	for i := range min(len(pieces), len(other.Path)) {
		s := other.Path[i]
		switch s.Kind {
		case Literal:
			if phpName(s.Text) != phpName(pieces[i]) {
				return false
			}
		case Wildcard:
			if !s.Matches(pieces[i]) {
				return false
			}
		case Subtree:
			return i > 0
		case Element:
			if i == 0 {
				return false
			}
		}
	}
	return len(pieces) > 0 && len(other.Path) > 0
}
