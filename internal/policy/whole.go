package policy

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"
)

// mediaTypes is one media type or a list of them, in lower case.
type mediaTypes struct{ wordList }

// mediaTypeForm is that of a media type in RFC 6838, section 4.2.
var mediaTypeForm = regexp.MustCompile(`^[a-z0-9][a-z0-9!#$&^_.+-]{0,126}/[a-z0-9][a-z0-9!#$&^_.+-]{0,126}$`)

func (m *mediaTypes) read(r *reader, n ast.Node) {
	m.wordList.read(r, n)
	for i := range m.words {
		m.words[i].text = strings.ToLower(m.words[i].text)
		r.checkMediaType(m.words[i])
	}
}

// checkMediaType reports a word that is not a media type in lower case.
func (r *reader) checkMediaType(w word) {
	if w.text == "" || mediaTypeForm.MatchString(w.text) {
		return
	}
	hint := "write type/subtype, such as application/json"
	if name, _, ok := strings.Cut(w.text, ";"); ok && mediaTypeForm.MatchString(strings.TrimSpace(name)) {
		hint = "write " + strings.TrimSpace(name) + ": a type is compared without its parameters"
	} else if strings.Contains(w.text, "*") {
		hint = "write each type out: a star would let unforeseen types pass"
	}
	r.problems.report("bad-media-type", w.at, fmt.Sprintf("%q is not a media type", w.text), hint)
}

// besideWhole are the keys that may accompany whole.
var besideWhole = []string{"on", "mode", "whole", "types", "max"}

// whole compiles what a collection says about requests that pass unread.
func (c *compiler) whole(collection *Collection, decl *collectionDecl) {
	if !decl.Whole.given() {
		if decl.Types.given() {
			c.problems.report("without-whole", decl.Types.at, `the key "types" has no effect without the key "whole"`,
				"remove it, or write whole: PURPOSE; to accept other media types, write read")
		}
		if decl.Max.given() && !decl.passes() {
			c.problems.report("without-whole", decl.Max.at, `the key "max" has no effect: no bodies pass unread here`,
				"remove it, or write whole: PURPOSE or read: {TYPE: pass}; the max of a field is among its rules")
		}
		return
	}
	for _, key := range decl.keys {
		if !slices.Contains(besideWhole, key.key) {
			c.problems.report("beside-whole", key.at, fmt.Sprintf("what passes whole is not read, so the key %q has no effect beside %q", key.key, "whole"),
				"remove one of the two: only on, mode, types and max may accompany whole")
		}
	}
	if decl.Types.given() && len(decl.Types.words) == 0 {
		c.problems.report("empty-list", decl.Types.at, "expected at least one media type, found none", "leave the key out to let any type pass")
	}
	ids := c.resolve([]word{decl.Whole})
	if len(ids) == 0 {
		return
	}
	if c.set.byConsent.Has(ids[0]) {
		c.problems.report("whole-by-consent", decl.Whole.at,
			fmt.Sprintf("the purpose %q rests on consent, and nothing can be stripped from what passes whole if the consent is missing", decl.Whole.text),
			"name a purpose of another basis, or declare fields")
	}
	w := &Whole{Purpose: ids[0], Max: cmp.Or(decl.Max.n, DefaultMaxWhole), Position: decl.Whole.at}
	for _, t := range decl.Types.words {
		w.Types = append(w.Types, t.text)
	}
	slices.Sort(w.Types)
	collection.Whole, collection.Purposes = w, collection.Purposes.With(w.Purpose)
}

// noteOfWhole says where nothing is minimized, to whoever reads the policy.
func (c *compiler) noteOfWhole(collection *Collection) {
	if w := collection.Whole; w != nil {
		c.problems.add(Diagnostic{
			Severity: Note, Code: "passes-whole", Position: w.Position,
			Message: fmt.Sprintf("nothing is minimized in the collection %q: whatever is sent there passes for the purpose %q", collection.Name, c.set.Purposes[w.Purpose].Name),
		})
	}
}
