package policy

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Condition is a value by which a collection is told apart from others with the same
// pattern.
type Condition struct {
	Name     string // the path as the policy writes it
	Path     Path   // of literal names
	Field    int    // the index of that field
	Values   []string
	Position Position
}

// Division divides the requests to one pattern among collections, by values of the
// submission: a front controller serves all its actions under one path.
type Division struct {
	// Paths are those of the values that decide.
	Paths []Path
	// Names are parallel to Paths, as the policy writes them.
	Names []string
	// Collections have conditions. At most one of them matches.
	Collections []*Collection
	Dots        bool        // as in each of the collections
	Rest        *Collection // has what no other matches; nil: nothing declares that
}

// Choose returns the collection of a request with these values, parallel to Paths;
// nil is a value that is not given. It returns false if one of them is not a value
// of the policy but some application takes it for one.
func (d *Division) Choose(values []*string) (*Collection, bool) {
	for i, value := range values {
		if value != nil && d.misspells(i, *value) {
			return nil, false
		}
	}
	for _, c := range d.Collections {
		if !slices.ContainsFunc(c.When, func(condition Condition) bool {
			i := slices.IndexFunc(d.Paths, condition.Path.Equal)
			return values[i] == nil || !slices.Contains(condition.Values, *values[i])
		}) {
			return c, true
		}
	}
	return d.Rest, true
}

// misspells reports whether a value is none of those that decide at a path, but
// folds to one.
func (d *Division) misspells(i int, value string) bool {
	folded, similar := foldValue(value), false
	for _, c := range d.Collections {
		for _, condition := range c.When {
			if !condition.Path.Equal(d.Paths[i]) {
				continue
			}
			if slices.Contains(condition.Values, value) {
				return false
			}
			similar = similar || slices.ContainsFunc(condition.Values, func(claimed string) bool {
				return foldValue(claimed) == folded || isTruth(claimed, folded)
			})
		}
	}
	return similar
}

// isTruth reports whether a folded value is another word for true or false, if a
// value of the policy is one of the two: to type: boolean, "on" is true.
func isTruth(claimed, folded string) bool {
	switch folded {
	case "true", "on", "yes", "#1":
		return claimed == "true"
	case "false", "off", "no", "#0":
		return claimed == "false"
	}
	return false
}

// foldValue returns what a value has in common with those that some application
// takes for it: letter case, compatible characters, white space, '_' and '-' do not
// count, and numbers that are equal are one.
func foldValue(value string) string {
	folded := strings.NewReplacer("_", "", "-", "", " ", "", "\t", "", "\r", "", "\n", "").Replace(foldText(value))
	if len(value) <= 64 {
		if number, err := strconv.ParseFloat(strings.TrimSpace(foldText(value)), 64); err == nil {
			return "#" + strconv.FormatFloat(number, 'g', -1, 64)
		}
	}
	return folded
}

// Holds reports whether a request to this route can belong to a collection.
func (r *Route) Holds(c *Collection) bool {
	return r.Collection == c || r.Division != nil && (r.Division.Rest == c || slices.Contains(r.Division.Collections, c))
}

// maxWhenValue bounds the values that decide, in bytes: longer ones are not looked
// for in a submission.
const maxWhenValue = 256

// when compiles the conditions of a collection, after its fields.
func (c *compiler) when(collection *Collection, decl *collectionDecl) {
	for i := range decl.When {
		e := &decl.When[i]
		condition := Condition{Name: e.Name, Position: e.at, Field: -1}
		var err error
		if condition.Path, err = ParsePath(e.Name); err != nil {
			c.problems.reportPath(e.at, e.Name, err)
			continue
		}
		if len(condition.Path) == 0 || condition.Path.IsOpen() {
			c.problems.report("bad-when", e.at, fmt.Sprintf("%q can match many fields, and one decides which collection applies", e.Name), "name one field")
			continue
		}
		for _, v := range e.Value.values {
			if v.kind == "null" || len(v.Text) > maxWhenValue {
				c.problems.report("bad-when", v.at, "the value cannot decide which collection applies", fmt.Sprintf("write a text of at most %d bytes, a number, true or false", maxWhenValue))
			}
			condition.Values = append(condition.Values, v.Text)
		}
		condition.Field = slices.IndexFunc(collection.Fields, func(f Field) bool { return f.Path.Equal(condition.Path) })
		c.checkWhen(collection, condition)
		collection.When = append(collection.When, condition)
	}
}

// checkWhen reports a condition on a field that the application may not receive:
// without it, the application would take another action with these fields.
func (c *compiler) checkWhen(collection *Collection, condition Condition) {
	if condition.Field < 0 {
		c.problems.report("when-undeclared", condition.Position, fmt.Sprintf("the field %q decides which collection applies, and is not declared: the application would not receive it", condition.Name),
			fmt.Sprintf("add it to the fields, such as %s: PURPOSE", condition.Name))
		return
	}
	f := &collection.Fields[condition.Field]
	always := slices.ContainsFunc(f.Purposes, func(id PurposeID) bool { return !c.set.byConsent.Has(id) && !c.set.objection.Has(id) })
	switch {
	case len(f.Purposes) > 0 && !always:
		c.problems.report("when-conditional", f.Position, fmt.Sprintf("the field %q decides which collection applies, and passes only with a consent or without an objection", f.Name),
			"add a purpose with another basis, such as one with basis: not_personal")
	case f.Keep.Kind != "" || f.Otherwise != nil || f.Type == "file":
		c.problems.report("when-conditional", f.Position, fmt.Sprintf("the field %q decides which collection applies, and must pass as it is", f.Name),
			"remove keep and otherwise, and the type if it is file")
	}
	if condition.Path[len(condition.Path)-1].Text == "operationName" {
		c.warning("when-graphql", condition.Position, "in GraphQL, the document beside operationName determines what runs, whatever the name is",
			"let the server accept persisted queries only, and use the name of the query, such as documentId or extensions.persistedQuery.sha256Hash")
	}
}

// sharedPattern is a pattern that several collections may have.
type sharedPattern struct {
	patterns []Pattern // parallel to members
	members  []*Collection
}

// sameRequests returns a key that is equal for patterns that match the same requests.
func sameRequests(method, host, path string) string {
	segments := strings.Split(path, "/")
	for i, s := range segments {
		switch {
		case strings.HasPrefix(s, "{") && strings.HasSuffix(s, "...}"):
			segments[i] = ""
		case strings.HasPrefix(s, "{") && s != "{$}":
			segments[i] = "{}"
		}
	}
	return joinPattern(method, host, strings.Join(segments, "/"))
}

// share adds a collection to those of a pattern, or reports why it ties with one of
// them.
func (ps *patterns) share(s *sharedPattern, p Pattern, c *Collection) {
	for i, other := range s.members {
		before := s.patterns[i]
		tie, hint := true, "give them different values of the same field"
		switch {
		case other == c:
			hint = "remove one of the two"
		case c.Whole != nil || other.Whole != nil:
			hint = "what passes whole is not read: give it a pattern of its own"
		case len(c.When) == 0 && len(other.When) == 0:
			hint = "remove one of the two, or divide them with when, by a value of the submission"
		case len(c.When) > 0 && len(other.When) > 0 && !disjoint(c, other):
		case !maps.Equal(c.Read, other.Read) || c.MaxPassed != other.MaxPassed:
			hint = "write the same read in both: a body is read before it is known which of the two applies"
		case c.Mode != other.Mode:
			hint = "write the same mode in both: the body is read before it is known which of the two applies"
		case c.Dots != other.Dots:
			hint = "write the same names in both: a form is read before it is known which of the two applies"
		default:
			tie = false
		}
		if tie {
			ps.problems.add(Diagnostic{
				Code: "pattern-conflict", Position: p.Position, Related: []Position{before.Position},
				Message: fmt.Sprintf("the pattern %q ties with %q of the collection %q at %v", p.Text, before.Text, other.Name, before.Position),
				Hint:    hint,
			})
			return
		}
	}
	s.members, s.patterns = append(s.members, c), append(s.patterns, p)
	c.Patterns = append(c.Patterns, p)
}

// disjoint reports whether no request can meet the conditions of both collections.
func disjoint(a, b *Collection) bool {
	return slices.ContainsFunc(a.When, func(one Condition) bool {
		return slices.ContainsFunc(b.When, func(other Condition) bool {
			return one.Path.Equal(other.Path) && !slices.ContainsFunc(one.Values, func(v string) bool { return slices.Contains(other.Values, v) })
		})
	})
}

// divide gives the patterns that collections share, or that a collection has for
// some values only, the division of their requests.
func (ps *patterns) divide() (divisions []*Division) {
	known := make(map[string]*Division) // patterns of the same collections have one
	for _, key := range slices.Sorted(maps.Keys(ps.shared)) {
		s := ps.shared[key]
		if len(s.members) == 1 && len(s.members[0].When) == 0 {
			continue
		}
		slices.SortFunc(s.members, func(a, b *Collection) int { return a.ID - b.ID })
		ids := make([]int, len(s.members))
		for i, c := range s.members {
			ids[i] = c.ID
		}
		id := fmt.Sprint(ids)
		if known[id] == nil {
			known[id] = newDivision(s.members)
			ps.checkOpen(known[id])
			divisions = append(divisions, known[id])
		}
		head := known[id].Rest
		if head == nil {
			head = s.members[0]
		}
		text := s.patterns[0].Text
		method, host, path := splitPattern(text)
		ps.routes.add(method, host, path, Route{Collection: head, Pattern: text, Division: known[id]})
	}
	return divisions
}

func newDivision(members []*Collection) *Division {
	d := new(Division)
	for _, c := range members {
		d.Dots = c.Dots
		if len(c.When) == 0 {
			d.Rest = c
			continue
		}
		d.Collections = append(d.Collections, c)
		for _, condition := range c.When {
			if !slices.ContainsFunc(d.Paths, condition.Path.Equal) {
				d.Paths, d.Names = append(d.Paths, condition.Path), append(d.Names, condition.Name)
			}
		}
	}
	return d
}

// checkOpen reports a collection that would let names through which some application
// takes for that of a value that decides ("ACTION").
func (ps *patterns) checkOpen(d *Division) {
	for _, c := range append([]*Collection{d.Rest}, d.Collections...) {
		for i, path := range d.Paths {
			if c == nil || slices.ContainsFunc(c.Fields, func(f Field) bool { return f.Path.Equal(path) }) {
				continue
			}
			open := slices.IndexFunc(c.Fields, func(f Field) bool { return f.Path.covers(path) })
			if open >= 0 {
				ps.problems.report("when-open", c.Fields[open].Position,
					fmt.Sprintf("the field %q lets names through that some applications take for %q, which decides which collection applies", c.Fields[open].Name, d.Names[i]),
					fmt.Sprintf("add %s to the fields of the collection %q too", d.Names[i], c.Name))
			}
		}
	}
}

// covers reports whether an open segment of the path may match one of another path,
// which has none.
func (p Path) covers(other Path) bool {
	for i, s := range p {
		switch {
		case i == len(other):
			return false
		case s.Kind == Literal:
			if s.Text != other[i].Text {
				return false
			}
		default:
			return s.Kind != Element
		}
	}
	return false
}
