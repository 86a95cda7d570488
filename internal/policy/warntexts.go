package policy

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// declaredText is a text that people read, with what it is.
type declaredText struct {
	textValue
	what string
}

// texts returns the texts of the policy that are sentences in a language. Names of
// companies and places are the same in all of them.
func (c *compiler) texts() []declaredText {
	var all []declaredText
	add := func(what string, t textValue) {
		if t.given() && len(t.text) > 0 {
			all = append(all, declaredText{t, what})
		}
	}
	addField := func(name string, r *rules) {
		add(fmt.Sprintf("the label of %q", name), r.Label)
		add(fmt.Sprintf("the why of %q", name), r.Why)
	}
	for _, d := range c.documents {
		for i := range d.Purposes {
			e := &d.Purposes[i]
			add(fmt.Sprintf("the title of %q", e.Name), e.Value.Title)
			add(fmt.Sprintf("the description of %q", e.Name), e.Value.Description)
			add(fmt.Sprintf("the benefit of %q", e.Name), e.Value.Benefit)
		}
		for i := range d.Fields {
			addField(d.Fields[i].Name, &d.Fields[i].Value.rules)
		}
		for i := range d.Collections {
			for j := range d.Collections[i].Value.Fields {
				e := &d.Collections[i].Value.Fields[j]
				addField(e.Name, &e.Value.rules)
			}
		}
	}
	return all
}

// maxPlaces is how many places one warning names.
const maxPlaces = 5

// warnOfTranslations reports, once for each language, which texts lack one that
// others have: the pages are half in another language then.
func (c *compiler) warnOfTranslations() {
	all := c.texts()
	languages := make(map[string]bool)
	for _, t := range all {
		for tag := range t.text {
			languages[tag] = true
		}
	}
	delete(languages, "")
	for _, language := range slices.Sorted(maps.Keys(languages)) {
		var places []string
		var at []Position
		for _, t := range all {
			if _, ok := t.text[language]; !ok {
				places, at = append(places, t.what), append(at, t.at)
			}
		}
		if len(places) == 0 {
			continue
		}
		c.problems.add(Diagnostic{
			Severity: Warning, Code: "half-translated", Position: at[0], Related: at[1:min(len(at), maxPlaces)],
			Message: fmt.Sprintf("the language %q, which other texts have, is missing from %s", language, firstOf(places)),
			Hint:    "write each text in the same languages, as {en: …, ru: …}",
		})
	}
}

// firstOf joins the first words of a list, and says how many more there are.
func firstOf(words []string) string {
	if more := len(words) - maxPlaces; more > 0 {
		return fmt.Sprintf("%s and %d more", strings.Join(words[:maxPlaces], ", "), more)
	}
	return strings.Join(words, ", ")
}

// warnOfUnnamed reports the fields of a collection that people are asked for by
// the name that they have in the form.
func (c *compiler) warnOfUnnamed(collection *Collection) {
	var names []string
	var at Position
	for i := range collection.Fields {
		f := &collection.Fields[i]
		asked := slices.ContainsFunc(f.Purposes, func(id PurposeID) bool { return c.set.Purposes[id].Basis == Consent })
		tick := slices.ContainsFunc(collection.Consents, func(consent ConsentField) bool { return consent.Path.Equal(f.Path) })
		if asked && !tick && f.Category == "" && f.Label == nil {
			if names == nil {
				at = f.Position
			}
			names = append(names, fmt.Sprintf("%q", f.Name))
		}
	}
	if names != nil {
		c.warning("unnamed-field", at, "people who are asked for their consent read the names of these fields: "+firstOf(names),
			"write a label, such as label: E-mail address, or a category, such as category: user.contact.email")
	}
}
