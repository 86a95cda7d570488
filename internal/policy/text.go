package policy

import (
	"maps"
	"slices"
	"strings"
)

// Text is a text in languages: BCP 47 tag to text. The tag "" holds a text that
// the policy gives without a language.
type Text map[string]string

// In returns the text in lang, or in its base language, or the one without a
// language, or the English one, or the first by tag; empty if there is none.
func (t Text) In(lang string) string {
	base, _, _ := strings.Cut(lang, "-")
	for _, tag := range []string{lang, base, "", "en"} {
		if text, ok := t[tag]; ok {
			return text
		}
	}
	for _, tag := range slices.Sorted(maps.Keys(t)) {
		return t[tag]
	}
	return ""
}
