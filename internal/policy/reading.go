package policy

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"
)

// readings are the ways of reading a body of another media type.
var readings = []string{string(ReadJSON), string(ReadPass)}

// readingDecl is a way of reading.
type readingDecl struct{ word }

func (d *readingDecl) read(r *reader, n ast.Node) {
	d.word.read(r, n)
	d.among(r, "reading", readings)
}

// passes reports whether bodies of some type pass as received.
func (d *collectionDecl) passes() bool {
	return slices.ContainsFunc(d.Read, func(e entry[readingDecl]) bool { return e.Value.text == string(ReadPass) })
}

// read compiles what a collection says about other media types.
func (c *compiler) read(collection *Collection, decl *collectionDecl) {
	r := &reader{problems: c.problems}
	for i := range decl.Read {
		e := &decl.Read[i]
		name := strings.ToLower(e.Name)
		r.checkMediaType(word{place{e.at}, name})
		if _, twice := collection.Read[name]; twice {
			c.problems.report("duplicate-key", e.at, fmt.Sprintf("the media type %q is named twice", name), "keep one of the two")
		}
		c.checkReading(name, e)
		if collection.Read == nil {
			collection.Read = make(map[string]Reading)
		}
		collection.Read[name] = Reading(e.Value.text)
	}
	if decl.passes() {
		collection.MaxPassed = cmp.Or(decl.Max.n, DefaultMaxWhole)
	}
}

// checkReading reports a media type that is read in its own way already.
func (c *compiler) checkReading(name string, e *entry[readingDecl]) {
	main, sub, _ := strings.Cut(name, "/")
	isJSON := main == "application" && (sub == "json" || strings.HasSuffix(sub, "+json"))
	switch {
	case name == "application/x-www-form-urlencoded", main == "multipart":
		c.problems.report("read-already", e.at, fmt.Sprintf("bodies of the type %q are read as forms anyway", name),
			"remove it, or write whole: PURPOSE if the application needs the bytes as they came")
	case isJSON && e.Value.text == string(ReadPass):
		c.problems.report("read-already", e.at, fmt.Sprintf("bodies of the type %q are read as JSON anyway", name),
			"remove it, or write whole: PURPOSE if the application needs the bytes as they came")
	}
}

// noteOfPassed says where bodies pass unread, and warns of bodies that never pass,
// because no field has a purpose that could apply.
func (c *compiler) noteOfPassed(collection *Collection) {
	if collection.MaxPassed == 0 {
		return
	}
	types := slices.DeleteFunc(slices.Sorted(maps.Keys(collection.Read)), func(t string) bool { return collection.Read[t] != ReadPass })
	if len(collection.Fields) == 0 {
		c.problems.add(Diagnostic{
			Severity: Warning, Code: "never-passes", Position: collection.Position,
			Message: fmt.Sprintf("every body of the type %s is refused in the collection %q, which has no field: such a body passes only if the purpose of a field applies",
				oneOf(types), collection.Name),
			Hint: "declare a field of the query, such as fields: {name: PURPOSE}, even if none is sent",
		})
		return
	}
	c.problems.add(Diagnostic{
		Severity: Note, Code: "passes-unread", Position: collection.Position,
		Message: fmt.Sprintf("bodies of the type %s pass as received in the collection %q: only the query is minimized", oneOf(types), collection.Name),
	})
}
