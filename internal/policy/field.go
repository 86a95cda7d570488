package policy

import (
	"fmt"
	"maps"
	"slices"
)

// shared gathers the field definitions of the files. Each is checked by itself,
// so that a mistake is reported even if no collection uses it.
func (c *compiler) shared() {
	declared := make(map[string]Position)
	for _, d := range c.documents {
		for i := range d.Fields {
			e := &d.Fields[i]
			if !c.declare("field definition", e.Name, e.at, declared) {
				continue
			}
			c.definitions[e.Name] = e.Value.rules
			c.resolve(e.Value.For.words)
			c.check(&e.Value.rules)
		}
	}
}

// field compiles a field of a collection; false if its path is none.
func (c *compiler) field(e *entry[fieldDecl]) (Field, bool) {
	r, known := e.Value.rules, true
	if use := e.Value.Use; use.text != "" {
		var definition rules
		definition, known = c.definitions[use.text]
		r.inherit(definition)
		if !known {
			c.problems.report("unknown-definition", use.at, fmt.Sprintf("the top-level fields have no definition %q", use.text),
				didYouMean(use.text, slices.Sorted(maps.Keys(c.definitions))))
		}
	}
	path, err := ParsePath(e.Name)
	if err != nil {
		c.problems.reportPath(e.at, e.Name, err)
	}
	f := Field{
		Name: e.Name, Path: path, Purposes: c.resolve(r.For.words), Keep: r.Keep.Keep, Type: r.Type.text,
		Max: r.Max.n, Pattern: r.Pattern.re, Required: r.Required.set, Category: r.Category.text,
		Label: r.Label.text, Why: r.Why.text,
		List: path.ends(Element), Position: e.at,
	}
	for _, v := range r.OneOf.values {
		f.OneOf = append(f.OneOf, v.Text)
	}
	if r.Otherwise.given() {
		f.Otherwise = &r.Otherwise.Constant
	}
	if len(r.For.words) == 0 && known {
		c.problems.report("missing-purpose", e.at, fmt.Sprintf("the field %q has no purpose", e.Name),
			"say what it is for, or remove it: what is not declared does not pass")
	}
	c.check(&r)
	if path.ends(Subtree) {
		c.refuse("a subtree, which is kept whole,", &r, "keep", "type", "max", "pattern", "one_of", "otherwise")
	}
	return f, err == nil
}

// inherit takes from a definition what a field does not say itself.
func (r *rules) inherit(definition rules) {
	inherit(&r.For, definition.For)
	inherit(&r.Keep, definition.Keep)
	inherit(&r.Type, definition.Type)
	inherit(&r.Max, definition.Max)
	inherit(&r.Pattern, definition.Pattern)
	inherit(&r.OneOf, definition.OneOf)
	inherit(&r.Otherwise, definition.Otherwise)
	inherit(&r.Required, definition.Required)
	inherit(&r.Category, definition.Category)
	inherit(&r.Label, definition.Label)
	inherit(&r.Why, definition.Why)
}

func inherit[T interface{ given() bool }](own *T, shared T) {
	if !(*own).given() {
		*own = shared
	}
}

// keepTypes are the types whose values a reduction makes sense of. A field
// without a type may have any.
var keepTypes = map[string][]string{
	"year":      {"date"},
	"month":     {"date"},
	"first":     {"text", "email", "phone", "url", "uuid"},
	"last":      {"text", "email", "phone", "url", "uuid"},
	"domain":    {"email"},
	"network":   {"text"},
	"round":     {"integer", "number"},
	"pseudonym": {"email", "phone", "date", "integer", "number", "url", "country", "uuid", "text"},
}

// check reports rules that make no sense together.
func (c *compiler) check(r *rules) {
	kind := r.Type.text
	if kind == "file" {
		c.refuse("a file", r, "keep", "pattern", "one_of", "otherwise")
	} else if r.Max.bytes {
		c.problems.report("bad-max", r.Max.at, "only the max of a file is a number of bytes",
			"write a number of characters, or add type: file")
	}
	if kind == "json" {
		c.refuse("a JSON text, whose members have rules,", r, "keep", "pattern", "one_of", "otherwise")
	}
	types := keepTypes[r.Keep.Kind]
	if len(types) > 0 && kind != "file" && kind != "json" && slices.Contains(valueTypes, kind) && !slices.Contains(types, kind) {
		c.problems.report("keep-of-type", r.Keep.at, fmt.Sprintf("keep: %s does not apply to type: %s", r.Keep.Kind, kind),
			"it is made for type: "+oneOf(types))
	}
	for _, v := range r.OneOf.values {
		if kind == "json" {
			break
		}
		c.checkConstant("one_of", v, kind)
	}
	// An empty constant means no value, which fits any type; and if values are
	// reduced, their type is no longer that of the field.
	if o := r.Otherwise; o.given() && o.Text != "" && r.Keep.Kind == "" && kind != "file" && kind != "json" {
		c.checkConstant("otherwise", o.scalar, kind)
	}
	if r.Category.text != "" && !slices.Contains(categories(), r.Category.text) {
		c.problems.add(Diagnostic{
			Severity: Warning, Code: "unknown-category", Position: r.Category.at,
			Message: fmt.Sprintf("fideslang has no data category %q", r.Category.text), Hint: didYouMean(r.Category.text, categories()),
		})
	}
}

// refuse reports rules that are made for one scalar and stand at what is none.
func (c *compiler) refuse(what string, r *rules, keys ...string) {
	places := map[string]place{
		"keep": r.Keep.place, "type": r.Type.place, "max": r.Max.place, "pattern": r.Pattern.place,
		"one_of": r.OneOf.place, "otherwise": r.Otherwise.place,
	}
	for _, key := range keys {
		if at := places[key]; at.given() {
			c.problems.report("misplaced-rule", at.at, fmt.Sprintf("%s has no %s", what, key), "remove it")
		}
	}
}

// checkConstant reports a value that its own field would not let pass.
func (c *compiler) checkConstant(key string, v scalar, kind string) {
	if v.kind == "null" {
		if key != "otherwise" {
			c.problems.report("wrong-constant", v.at, fmt.Sprintf("the value of %s is null", key),
				`write a text, a number, true or false; "null" in quotes is a text`)
		}
		return
	}
	if hint := misfit(kind, v); hint != "" {
		c.problems.report("wrong-constant", v.at, fmt.Sprintf("the value of %s is not a valid %s", key, kind), hint)
	}
}
