package signal

import (
	"strings"

	"github.com/modicum-proxy/modicum/internal/policy"
)

// maxADPC is the most bytes of ADPC fields that are read.
const maxADPC = 16 << 10

// directMarketing is the one objection that ADPC defines (GDPR Art. 21(2)).
const directMarketing = "direct-marketing"

// adpc is what ADPC fields say (Advanced Data Protection Control, unofficial
// draft, 6 and 7): items such as consent="q1 q2", withdraw=* and
// object=direct-marketing, in any order, in one field or in many.
type adpc struct {
	consented, withdrawn, objected policy.PurposeSet
	withdrawAll, objectAll         bool
	objectMarketing                bool
	// malformed says that a part was not understood. Scripts can set the header,
	// and a proxy may have broken it: the restrictions that are understood count,
	// and consents do not.
	malformed bool
}

// readADPC returns the choices of all ADPC fields together: keys may repeat, and
// an RFC 9651 dictionary would keep only the last.
func (r *Reader) readADPC(fields []string) Choices {
	var a adpc
	left := maxADPC
	for _, field := range fields {
		if len(field) > left {
			field, a.malformed = field[:left], true
		}
		left -= len(field)
		for field != "" {
			field = r.readItem(field, &a)
		}
	}
	return r.choices(&a)
}

// choices resolves what was said: a specific identifier takes precedence over *,
// and a restriction over a consent.
func (r *Reader) choices(a *adpc) Choices {
	if a.malformed {
		a.consented = policy.PurposeSet{}
	}
	c := Choices{
		Consented: without(both(a.consented, r.consents), a.withdrawn.Union(a.objected)),
		Withdrawn: a.withdrawn, Objected: a.objected,
	}
	if a.withdrawAll {
		c.Withdrawn = c.Withdrawn.Union(without(r.consents, c.Consented))
	}
	if a.objectAll {
		c.Objected = c.Objected.Union(without(r.choosable, c.Consented))
	}
	if a.objectMarketing {
		// The policy does not say what direct marketing is. The purposes to which
		// Global Privacy Control objects are.
		c.Objected = c.Objected.Union(without(r.gpc, c.Consented))
	}
	c.Objected = both(c.Objected, r.choosable)
	// Browsers repeat the header with each request: of two choices about one
	// purpose, each would be stored again after the other.
	c.Withdrawn = without(both(c.Withdrawn, r.consents), c.Objected)
	return c
}

// readItem reads one item, key=value, and returns what follows its comma.
func (r *Reader) readItem(field string, a *adpc) (rest string) {
	field = strings.TrimLeft(field, " \t,")
	key, value, hasValue := cutItem(field)
	if !hasValue {
		// The whole item is one word, or there is none.
		_, rest, _ = strings.Cut(field, ",")
		a.malformed = a.malformed || field != ""
		return rest
	}
	ids, rest, ok := cutValue(value)
	if !ok {
		a.malformed = true
	}
	name := strings.Trim(key, " \t")
	switch {
	case name == "consent":
		r.consent(ids, a)
	case strings.EqualFold(name, "withdraw"):
		r.restrict(ids, a, &a.withdrawn, &a.withdrawAll)
	case strings.EqualFold(name, "object"):
		r.restrict(ids, a, &a.objected, &a.objectAll)
	default:
		a.malformed = true
	}
	if name != key {
		a.malformed = true
	}
	return rest
}

// cutItem cuts an item at its equals sign, which stands before any comma.
func cutItem(field string) (key, value string, ok bool) {
	i := strings.IndexAny(field, "=,")
	if i < 0 || field[i] == ',' {
		return "", "", false
	}
	return field[:i], field[i+1:], true
}

// cutValue returns the identifiers of a value, and what follows the comma
// after it. A value is one bare identifier, or several in quotes.
func cutValue(value string) (ids, rest string, ok bool) {
	quoted, isQuoted := strings.CutPrefix(value, `"`)
	if !isQuoted {
		ids, rest, _ = strings.Cut(value, ",")
		ids = strings.TrimRight(ids, " \t")
		return ids, rest, !strings.ContainsAny(ids, " \t\"")
	}
	ids, rest, ok = strings.Cut(quoted, `"`)
	if !ok {
		return ids, "", false
	}
	junk, rest, _ := strings.Cut(rest, ",")
	return ids, rest, strings.Trim(junk, " \t") == "" && !strings.Contains(ids, `\`)
}

// consent adds the purposes of identifiers that are served now. There is no
// consent to everything, and none to a text that is no longer shown.
func (r *Reader) consent(ids string, a *adpc) {
	for id := range words(ids) {
		if id == "*" {
			a.malformed = true
			continue
		}
		if purpose, ok := r.ids[id]; ok {
			a.consented = a.consented.With(purpose)
		}
	}
}

// restrict adds the purposes of identifiers that are served now or were
// served once, with another text.
func (r *Reader) restrict(ids string, a *adpc, purposes *policy.PurposeSet, all *bool) {
	for id := range words(ids) {
		switch {
		case id == "*":
			*all = true
			continue
		case id == directMarketing && purposes == &a.objected:
			a.objectMarketing = true
			continue
		}
		purpose, ok := r.ids[id]
		if !ok {
			var name string
			if name, _, ok = strings.Cut(id, "~"); ok {
				purpose, ok = r.set.PurposeID(name)
			}
		}
		if ok {
			*purposes = purposes.With(purpose)
		}
	}
}

// words yields the words of a text, which spaces, tabs and quotes separate.
func words(text string) func(yield func(string) bool) {
	return strings.FieldsFuncSeq(text, func(c rune) bool { return c == ' ' || c == '\t' || c == '"' })
}
