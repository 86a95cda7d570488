package policy

import (
	"cmp"
	"fmt"
	"mime"
	"strings"
)

// collections compiles the collections of all files and the routes to them.
func (c *compiler) collections() {
	declared := make(map[string]Position)
	routed := newPatterns(c.problems)
	nesting := c.nesting()
	for _, d := range c.documents {
		for i := range d.Collections {
			e := &d.Collections[i]
			if !c.declare("collection", e.Name, e.at, declared) {
				continue
			}
			collection := &Collection{Name: e.Name, ID: len(c.set.Collections), Position: e.at, Mode: e.Value.Mode.text, set: c.set}
			if e.Value.On.given() && len(e.Value.On.words) == 0 {
				c.problems.report("no-pattern", e.Value.On.at, "the collection has no pattern",
					`write one, such as "POST /checkout"`)
			}
			c.whole(collection, &e.Value)
			collection.Dots = cmp.Or(e.Value.Names.text, nesting) == "dots"
			c.read(collection, &e.Value)
			c.fields(collection, e.Value.Fields)
			c.consents(collection, e.Value.Consents)
			c.ties(collection)
			c.folds(collection)
			c.when(collection, &e.Value)
			for _, w := range e.Value.On.words {
				routed.add(w, collection)
			}
			for _, f := range collection.Fields {
				for _, id := range f.Purposes {
					collection.Purposes = collection.Purposes.With(id)
				}
			}
			c.set.Collections = append(c.set.Collections, collection)
		}
	}
	c.set.divisions = routed.divide()
	c.set.routes = routed.routes
}

// nesting returns how names nest in collections that say nothing of it.
func (c *compiler) nesting() string {
	var said word
	for _, d := range c.documents {
		switch {
		case d.Names.text == "":
		case said.text == "":
			said = d.Names.word
		case said.text != d.Names.text:
			c.problems.add(Diagnostic{
				Code: "declared-twice", Position: d.Names.at, Related: []Position{said.at},
				Message: fmt.Sprintf("the key \"names\" is %s here, and %s at %v", d.Names.text, said.text, said.at), Hint: "keep it in one file, or write it in the collections",
			})
		}
	}
	return said.text
}

func (c *compiler) fields(collection *Collection, declared []entry[fieldDecl]) {
	for i := range declared {
		// A path has one spelling only, so a path declared twice is a key written
		// twice, which the reader has reported.
		if f, ok := c.field(&declared[i]); ok {
			collection.Fields = append(collection.Fields, f)
		}
	}
}

// consents compiles the fields that give a consent. One that the collection does
// not list becomes a field of it, for the purpose it consents to.
func (c *compiler) consents(collection *Collection, declared []entry[consentDecl]) {
	given := make(map[string]Position, len(declared))
	for i := range declared {
		e := &declared[i]
		purpose, ok := c.consentPurpose(word{place{e.at}, e.Name})
		field := e.Value.Field
		if field.text == "" {
			continue
		}
		path, err := ParsePath(field.text)
		if name := tickName(field.text); name != "" {
			c.problems.report("not-tickable", field.at, "a consent comes from one field, which may be sent as a list of one", "write "+name)
			continue
		}
		if err != nil {
			c.problems.reportPath(field.at, field.text, err)
			continue
		}
		key := path.Key()
		if before, twice := given[key]; twice {
			// GDPR Art. 7(2) and recital 43: consents are given separately.
			c.problems.add(Diagnostic{
				Code: "bundled-consent", Position: field.at, Related: []Position{before},
				Message: fmt.Sprintf("the field %q already gives a consent, at %v", field.text, before),
				Hint:    "each purpose has a field of its own: one tick for two purposes is no free consent",
			})
			continue
		}
		given[key] = field.at
		if c.tickable(collection, field, path) && ok {
			c.consent(collection, ConsentField{Purpose: purpose, Path: path, Value: e.Value.Value.Text, Position: e.at}, field)
		}
	}
}

// tickName returns the path of a tick that is written as a list, as news for news[]
// and news.*; empty: it is written in another way.
func tickName(written string) string {
	name, isList := strings.CutSuffix(written, "[]")
	if !isList {
		name, isList = strings.CutSuffix(written, ".*")
	}
	if path, err := ParsePath(withoutBrackets(name)); !isList || err != nil || path.IsOpen() {
		return ""
	}
	return withoutBrackets(name)
}

// tickable reports a path that cannot hold the one answer of a person.
func (c *compiler) tickable(collection *Collection, field word, path Path) bool {
	complaint := ""
	if path.IsOpen() {
		complaint = "a consent comes from one field, and this path can match many"
	}
	if f := collection.at(path); f != nil && f.Type == "json" {
		complaint = "a JSON text is no consent"
	} else if f != nil && f.Type == "file" {
		complaint = "a file is no consent"
	}
	if complaint != "" {
		c.problems.report("not-tickable", field.at, complaint, "name the field of a checkbox")
	}
	return complaint == ""
}

func (c *compiler) consent(collection *Collection, consent ConsentField, field word) {
	if collection.at(consent.Path) == nil {
		collection.Fields = append(collection.Fields, Field{
			Name: field.text, Path: consent.Path, Purposes: []PurposeID{consent.Purpose}, Position: field.at,
		})
	}
	collection.Consents = append(collection.Consents, consent)
}

// at returns the field with a path, nil if the collection declares none.
func (c *Collection) at(path Path) *Field {
	for i := range c.Fields {
		if c.Fields[i].Path.Equal(path) {
			return &c.Fields[i]
		}
	}
	return nil
}

// tests compiles the examples of all files.
func (c *compiler) tests() {
	for _, d := range c.documents {
		for i := range d.Tests {
			decl := &d.Tests[i]
			t := Test{
				On: decl.On.text, Type: decl.Type.text, Given: decl.Given.json, Consents: decl.Consents.texts(),
				Expect: Expect{
					Kept: decl.Expect.Kept.texts(), Stripped: decl.Expect.Stripped.texts(), Refused: decl.Expect.Refused.set,
				},
				Position: decl.at,
			}
			if t.Type == "" {
				t.Type = "application/json"
			}
			c.checkTest(decl, &t)
			c.set.Tests = append(c.set.Tests, t)
		}
	}
}

func (c *compiler) checkTest(decl *testDecl, t *Test) {
	on, _, _ := strings.Cut(t.On, "?")
	method, host, path := splitPattern(on)
	complaint := patternComplaint(method, host, path)
	if method == "" || strings.ContainsAny(path, "{}#") {
		complaint = "a test is about one request"
	}
	if t.On != "" && complaint != "" {
		c.problems.report("bad-request", decl.On.at, fmt.Sprintf("%q is not a request: %s", t.On, complaint),
			`write METHOD [HOST]/path[?query], such as "POST /checkout"`)
	}
	if _, _, err := mime.ParseMediaType(t.Type); err != nil || !strings.Contains(t.Type, "/") {
		c.problems.report("bad-media-type", decl.Type.at, fmt.Sprintf("%q is not a media type", t.Type),
			`write one such as "application/x-www-form-urlencoded"`)
	}
	for _, w := range decl.Consents.words {
		c.consentPurpose(w)
	}
	e := &decl.Expect
	if e.given() && !e.Kept.given() && !e.Stripped.given() && !e.Refused.given() {
		c.problems.report("expects-nothing", decl.at, "the test expects nothing", "say what is kept, stripped or refused")
	}
}
