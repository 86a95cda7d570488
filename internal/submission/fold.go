package submission

import (
	"cmp"
	"strings"
	"unicode"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// foldName returns what a name has in common with those that some application
// takes for it: its letters, marks and digits, without regard to case. Go's
// encoding/json ignores case by Unicode's rules ("K" is k), its successor
// '_' and '-' as well, and Jackson and .NET can be told to ignore either.
func foldName(name []byte) string {
	text := string(name)
	for _, c := range name {
		if c >= 0x80 {
			text = cases.Fold().String(norm.NFKC.String(text))
			break
		}
	}
	folded := strings.Map(func(r rune) rune {
		switch {
		case 'A' <= r && r <= 'Z':
			return r + 'a' - 'A'
		case r == 'ı': // the lower case of I in Turkish
			return 'i'
		case unicode.IsLetter(r), unicode.IsDigit(r), unicode.IsMark(r):
			return r
		}
		return -1
	}, text)
	return cmp.Or(folded, text) // a name of signs alone is alike to itself
}
