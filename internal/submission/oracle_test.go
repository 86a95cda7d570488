package submission

import (
	"encoding/json"
	"io"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var errEOF = io.EOF

// member is a name and a value of an object, in order.
type member struct {
	name  string
	value any
}

// oracle filters a valid JSON text the slow and obviously right way: into a
// tree, every path of the tree against every path of the plan, and back.
func oracle(tb testing.TB, p *Plan, in string) string {
	tb.Helper()
	d := json.NewDecoder(strings.NewReader(in))
	d.UseNumber()
	tree := readTree(tb, d)
	kept, ok := filter(declaredBy(p), nil, tree)
	if !ok {
		switch tree.(type) {
		case []member:
			kept = []member{}
		case []any:
			kept = []any{}
		default:
			kept = nil
		}
	}
	var b strings.Builder
	writeTree(tb, &b, kept)
	return b.String()
}

func readTree(tb testing.TB, d *json.Decoder) any {
	tb.Helper()
	tok, err := d.Token()
	if err != nil {
		tb.Fatal(err)
	}
	switch tok {
	case json.Delim('{'):
		object := []member{}
		for d.More() {
			name, err := d.Token()
			if err != nil {
				tb.Fatal(err)
			}
			object = append(object, member{name.(string), readTree(tb, d)})
		}
		_, _ = d.Token()
		return object
	case json.Delim('['):
		list := []any{}
		for d.More() {
			list = append(list, readTree(tb, d))
		}
		_, _ = d.Token()
		return list
	}
	return tok
}

// filter keeps a scalar whose path is allowed, and a container in which
// something could be kept.
func filter(fields []declared, path []string, v any) (any, bool) {
	switch v := v.(type) {
	case []member:
		if !reaches(fields, path, false) {
			return nil, false
		}
		object := []member{}
		for _, m := range v {
			// The client's "*" is a name like any other.
			if kept, ok := filter(fields, append(slices.Clone(path), "."+m.name), m.value); ok {
				object = append(object, member{m.name, kept})
			}
		}
		return object, true
	case []any:
		if !reaches(fields, path, true) {
			return nil, false
		}
		list := []any{}
		for _, e := range v {
			if kept, ok := filter(fields, append(slices.Clone(path), "*"), e); ok {
				list = append(list, kept)
			}
		}
		return list, true
	}
	kept, declared := allows(fields, path)
	// A null in the place of a branch says that the branch is not there.
	return v, kept || v == nil && !declared && (reaches(fields, path, false) || reaches(fields, path, true))
}

// covers reports whether a field's path leads along path, as far as both go.
func covers(field, path []string) bool {
	for i, segment := range path {
		switch {
		case i >= len(field):
			return false
		case field[i] == "**":
			return true
		case segment == "*":
			if field[i] != "*" {
				return false
			}
		case field[i] == "*" || "."+field[i] != segment:
			return false
		}
	}
	return true
}

var plainForm = regexp.MustCompile(`^[\p{L}\p{M}\p{Nd} _-]*$`)

var indexForm = regexp.MustCompile(`^(0|[1-9][0-9]{0,17})$`)

// scalarAbove reports whether a place on the path, below a "**" that begins after
// from segments, is declared as a scalar: the "**" then covers nothing below it.
func scalarAbove(fields []declared, path []string, from int) bool {
	for i := from + 1; i <= len(path); i++ {
		scalar, own := false, false
		for _, f := range fields {
			n := len(f.Path)
			scalar = scalar || n == i && !slices.Contains(f.Path, "**") && covers(f.Path, path[:i])
			own = own || n == i+1 && f.Path[i] == "**" && covers(f.Path[:i], path[:i])
		}
		if scalar && !own {
			return true
		}
	}
	return false
}

// resolve spells a path as the fields that are to be asked about it do, and is
// false where no "**" may match a member on it. Below "**", a member without a
// field of its name is asked about as an element, where there are fields for
// elements; and an element, where there are none but for names, as what holds it.
func resolve(fields []declared, path []string) (asked []string, ok bool) {
	for _, segment := range path {
		i := len(asked)
		name, isMember := strings.CutPrefix(segment, ".")
		own, element, names, folded, below := false, false, false, false, false
		for _, f := range fields {
			if n := len(f.Path); n > 0 && f.Path[n-1] == "**" && n-1 <= i && covers(f.Path[:n-1], asked[:n-1]) && !scalarAbove(fields, asked, n-1) {
				below = true
			}
			if i >= len(f.Path) || slices.Contains(f.Path[:i+1], "**") || !covers(f.Path[:i], asked) {
				continue
			}
			if f.Path[i] == "*" {
				element = true
				continue
			}
			names = true
			own = own || f.Path[i] == name
			folded = folded || foldName([]byte(f.Path[i])) == foldName([]byte(name))
		}
		switch {
		case isMember && own, !below:
		case isMember && !element && names && !folded && indexForm.MatchString(name):
			continue
		case isMember && (folded || slices.Contains([]string{"__proto__", "constructor", "prototype"}, name) || names && !plainForm.MatchString(name)):
			return nil, false
		case isMember && element:
			segment = "*"
		case !isMember && !element && names:
			continue
		}
		asked = append(asked, segment)
	}
	return asked, true
}

// allows finds the most telling field for a scalar: one that names it, or
// else the longest "**" above it.
func allows(fields []declared, path []string) (kept, known bool) {
	path, ok := resolve(fields, path)
	if !ok {
		return false, false
	}
	best := -1
	for _, f := range fields {
		if !covers(f.Path, path) {
			continue
		}
		n := len(f.Path)
		switch {
		case n == len(path) && !slices.Contains(f.Path, "**"):
			return f.Kept, true
		case n <= len(path)+1 && n > 0 && f.Path[n-1] == "**" && n > best && !scalarAbove(fields, path, n-1):
			best, kept = n, f.Kept
		}
	}
	if element := append(slices.Clone(path), "*"); best >= 0 {
		for _, f := range fields {
			if len(f.Path) == len(element) && !slices.Contains(f.Path, "**") && f.Path[len(path)] == "*" && covers(f.Path, element) {
				return f.Kept, true // some read a scalar as a list of one
			}
		}
	}
	return kept, best >= 0
}

// reaches reports whether something below a container is kept.
func reaches(fields []declared, path []string, list bool) bool {
	path, ok := resolve(fields, path)
	if !ok {
		return false
	}
	best, subtree, element := -1, false, false
	for _, f := range fields {
		if n := len(f.Path); n > 0 && f.Path[n-1] == "**" && n <= len(path)+1 && covers(f.Path, path) && !scalarAbove(fields, path, n-1) {
			best = 0
		}
		element = element || len(f.Path) > len(path) && f.Path[len(path)] == "*" && !slices.Contains(f.Path[:len(path)], "**") && covers(f.Path[:len(path)], path)
	}
	below := best == 0
	best = -1
	for _, f := range fields {
		n := len(f.Path)
		if !covers(f.Path, path) {
			continue
		}
		if n > 0 && f.Path[n-1] == "**" && n <= len(path)+1 {
			if n > best && !scalarAbove(fields, path, n-1) {
				best, subtree = n, f.Kept
			}
			continue
		}
		if !f.Kept || n <= len(path) {
			continue
		}
		switch of := f.Path[len(path)] == "*"; {
		case of == list, below && of && !list, below && list && !element:
			return true
		}
	}
	return subtree
}

func writeTree(tb testing.TB, b *strings.Builder, v any) {
	tb.Helper()
	switch v := v.(type) {
	case []member:
		b.WriteByte('{')
		for i, m := range v {
			if i > 0 {
				b.WriteByte(',')
			}
			writeTree(tb, b, m.name)
			b.WriteByte(':')
			writeTree(tb, b, m.value)
		}
		b.WriteByte('}')
	case []any:
		b.WriteByte('[')
		for i, e := range v {
			if i > 0 {
				b.WriteByte(',')
			}
			writeTree(tb, b, e)
		}
		b.WriteByte(']')
	default:
		raw, err := json.Marshal(v)
		if err != nil {
			tb.Fatal(err)
		}
		b.Write(raw)
	}
}
