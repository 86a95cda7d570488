package policy

import (
	"fmt"
	"slices"
	"strings"
)

// warn reports what is legal but odd in a set that has no error.
func (c *compiler) warn() {
	var used PurposeSet
	for _, collection := range c.set.Collections {
		used = used.Union(collection.Purposes)
		c.warnOfPatterns(collection)
		c.warnOfLinks(collection)
		c.warnOfUnnamed(collection)
		c.noteOfWhole(collection)
		c.noteOfPassed(collection)
		c.noteOfMode(collection)
		for i := range collection.Fields {
			c.warnOfField(&collection.Fields[i])
			c.warnOfText(collection, &collection.Fields[i])
		}
	}
	c.warnOfShared()
	c.warnOfTranslations()
	for i := range c.set.Purposes {
		p := &c.set.Purposes[i]
		if !used.Has(p.ID) {
			c.warning("unused-purpose", p.Position, fmt.Sprintf("no field is for the purpose %q", p.Name),
				"remove it, or say which fields are for it")
		}
		if p.Retention == "" && p.Basis != NotPersonal {
			c.warning("no-retention", p.Position, fmt.Sprintf("the purpose %q has no retention (GDPR Art. 5(1)(e))", p.Name),
				"write how long the data is kept, such as retention: 1y")
		}
	}
}

// warnOfPatterns reports patterns that no request matches, since they are written
// in the notation of another tool, and those that match more than they seem to.
func (c *compiler) warnOfPatterns(collection *Collection) {
	for _, p := range collection.Patterns {
		if right, why := respellPattern(p.Text); right != nil {
			c.warning("never-matches", p.Position, fmt.Sprintf("no request matches the pattern %q: %s", p.Text, why), remedyOfPattern(p.Text, right))
			continue
		}
		switch method, _, _ := splitPattern(p.Text); method {
		case "GET", "HEAD", "OPTIONS", "TRACE": // pages are often served from a whole folder
		default:
			if strings.HasSuffix(p.Text, "/") {
				c.warning("subtree-pattern", p.Position,
					fmt.Sprintf("the pattern %q matches everything below it, since it ends in a slash", p.Text),
					fmt.Sprintf(`write %q for this path alone, or %q if everything below it is meant`, p.Text+"{$}", p.Text+"{rest...}"))
			}
		}
	}
}

// warnOfLinks reports consents that only a GET could give: whoever follows a
// link has consented to nothing, so a tick in an address does not count.
func (c *compiler) warnOfLinks(collection *Collection) {
	for _, pattern := range collection.Patterns {
		if method, _, _ := splitPattern(pattern.Text); method != "GET" && method != "HEAD" {
			return
		}
	}
	for _, consent := range collection.Consents {
		c.warning("consent-by-link", consent.Position,
			fmt.Sprintf("no checkbox gives the consent to the purpose %q: a GET does not show a choice, since a link can send it", c.set.Purposes[consent.Purpose].Name),
			"let the form be sent with POST")
	}
}

// warnOfShared reports purposes that one consent on a platform is taken for.
// Consents are asked for one by one (GDPR recital 43), so a form that does the
// same is an error; but how a platform words its question we do not see.
func (c *compiler) warnOfShared() {
	first := make(map[Signals]*Purpose)
	for i := range c.set.Purposes {
		p := &c.set.Purposes[i]
		for _, said := range p.Signals.consents() {
			if said == (Signals{}) {
				continue
			}
			if before := first[said]; before != nil {
				c.problems.add(Diagnostic{
					Severity: Warning, Code: "shared-signal", Position: p.Position, Related: []Position{before.Position},
					Message: fmt.Sprintf("the purposes %q and %q take the same signal for their consent", before.Name, p.Name),
					Hint:    "ask for each consent by itself (GDPR recital 43)",
				})
			}
			first[said] = p
		}
	}
}

// warnOfText reports a JSON text of which nothing can pass.
func (c *compiler) warnOfText(collection *Collection, f *Field) {
	below := func(other Field) bool {
		return len(other.Path) > len(f.Path) && other.Path[:len(f.Path)].Equal(f.Path)
	}
	if f.Type == "json" && !slices.ContainsFunc(collection.Fields, below) {
		c.warning("empty-json", f.Position, fmt.Sprintf("nothing in the JSON text %q passes: no path leads to a member of it", f.Name),
			fmt.Sprintf("declare %q and so on, or %q for all of it; for JSON that the application signed, write type: text", f.Name+".name", f.Name+".**"))
	}
}

func (c *compiler) warnOfField(f *Field) {
	if right, why := respellName(f.Name); right != "" {
		c.warning("never-matches", f.Position, fmt.Sprintf("no submission has the path %q: %s", f.Name, why), fmt.Sprintf("write %q", right))
	}
	if all := len(c.set.Purposes); all > 2 && len(f.Purposes) == all {
		c.warning("every-purpose", f.Position, fmt.Sprintf("the field %q is for every purpose", f.Name),
			"name the purposes that need it")
	}
	if f.Type == "file" && f.Max == 0 {
		c.warning("unbounded-file", f.Position, fmt.Sprintf("the file %q has no max", f.Name),
			"write the most bytes that make sense, such as max: 5MiB")
	}
	if len(f.Path) == 1 && f.Path.ends(Subtree) {
		c.warning("everything-passes", f.Position, fmt.Sprintf("the path %q lets the whole submission pass", f.Name),
			"name the fields that the purpose needs")
	}
	if !isSpecial(f.Category) {
		return
	}
	for _, id := range f.Purposes {
		if p := &c.set.Purposes[id]; p.Basis != Consent && p.Basis != LegalObligation {
			c.warning("special-category", f.Position,
				fmt.Sprintf("the field %q is of the special category %s (GDPR Art. 9) and passes for the purpose %q on the basis of %s", f.Name, f.Category, p.Name, p.Basis),
				"use a purpose with basis: consent or legal_obligation, or collect less")
		}
	}
}

func (c *compiler) warning(code string, at Position, message, hint string) {
	c.problems.add(Diagnostic{Severity: Warning, Code: code, Position: at, Message: message, Hint: hint})
}

// noteOfMode says what is only reported, to whoever reads the policy.
func (c *compiler) noteOfMode(collection *Collection) {
	if collection.Mode == "report" {
		c.problems.add(Diagnostic{
			Severity: Note, Code: "only-reported", Position: collection.Position,
			Message: fmt.Sprintf("the collection %q is only reported: its requests are forwarded unchanged, whatever the site's mode is", collection.Name),
		})
	}
}
