package policy

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
)

// digest returns the hex SHA-256 of the canonical form of a set: what it says, as
// JSON with sorted keys. Positions are left out, names stand for ids, and short
// forms and shared definitions are resolved, so that only a change of meaning
// changes it. Tests are left out as well: they change nothing that passes.
func (s *Set) digest() string {
	purposes := make(map[string]any, len(s.Purposes))
	for i := range s.Purposes {
		purposes[s.Purposes[i].Name] = s.Purposes[i].canonical()
	}
	collections := make(map[string]any, len(s.Collections))
	for _, c := range s.Collections {
		collections[c.Name] = s.canonicalCollection(c)
	}
	controller := s.Controller
	controller.Position = Position{}
	form, err := json.Marshal(map[string]any{
		"version": 1, "controller": controller, "purposes": purposes, "collections": collections,
	})
	if err != nil {
		panic("the canonical form of a policy set has to be JSON: " + err.Error()) // strings, numbers and maps of them
	}
	sum := sha256.Sum256(form)
	return hex.EncodeToString(sum[:])
}

func (p Purpose) canonical() any {
	p.Position, p.ID = Position{}, 0 // another purpose may move it in the order
	return p
}

func (s *Set) canonicalCollection(c *Collection) any {
	patterns := make([]string, len(c.Patterns))
	for i, p := range c.Patterns {
		patterns[i] = p.Text
	}
	slices.Sort(patterns)
	fields := make(map[string]any, len(c.Fields))
	for i := range c.Fields {
		fields[c.Fields[i].Path.Key()] = s.canonicalField(&c.Fields[i])
	}
	consents := make(map[string]any, len(c.Consents))
	for _, consent := range c.Consents {
		consents[s.Purposes[consent.Purpose].Name] = []any{consent.Path.canonical(), consent.Value}
	}
	form := map[string]any{"on": patterns, "fields": fields, "consents": consents}
	if w := c.Whole; w != nil { // keys that a policy does not use leave its version as it was
		form["whole"] = []any{s.Purposes[w.Purpose].Name, w.Types, w.Max}
	}
	if len(c.When) > 0 {
		when := make(map[string][]string, len(c.When))
		for _, condition := range c.When {
			when[condition.Path.Key()] = slices.Sorted(slices.Values(condition.Values))
		}
		form["when"] = when
	}
	if len(c.Read) > 0 {
		form["read"] = []any{c.Read, c.MaxPassed}
	}
	if c.Dots {
		form["names"] = "dots"
	}
	if c.Mode != "" {
		form["mode"] = c.Mode
	}
	return form
}

func (s *Set) canonicalField(f *Field) any {
	purposes := make([]string, len(f.Purposes))
	for i, id := range f.Purposes {
		purposes[i] = s.Purposes[id].Name
	}
	pattern := ""
	if f.Pattern != nil {
		pattern = f.Pattern.String()
	}
	canonical := map[string]any{
		"path": f.Path.canonical(), "for": purposes, "keep": f.Keep, "type": f.Type, "max": f.Max, "pattern": pattern,
		"one_of": f.OneOf, "otherwise": f.Otherwise, "required": f.Required, "category": f.Category,
	}
	// Policies without them keep their version.
	if f.Label != nil {
		canonical["label"] = f.Label
	}
	if f.Why != nil {
		canonical["why"] = f.Why
	}
	return canonical
}
