package minimize

import "strings"

// tokenList writes names as an RFC 9651 list of tokens, or of strings where
// a name is no token.
func tokenList(names []string) string {
	var b []byte
	for i, name := range names {
		if i > 0 {
			b = append(b, ", "...)
		}
		if isToken(name) {
			b = append(b, name...)
		} else {
			b = appendString(b, name)
		}
	}
	return string(b)
}

func isToken(s string) bool {
	if s == "" || !isAlpha(s[0]) {
		return false
	}
	for i := range len(s) {
		if c := s[i]; !isAlpha(c) && (c < '0' || c > '9') && strings.IndexByte("-_.:/*", c) < 0 {
			return false
		}
	}
	return true
}

func isAlpha(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }

// appendString writes s as an RFC 9651 string, or as a display string when
// it holds more than printable ASCII.
func appendString(b []byte, s string) []byte {
	const hexDigits = "0123456789abcdef"
	display := strings.ContainsFunc(s, func(r rune) bool { return r < 0x20 || r > 0x7e })
	if display {
		b = append(b, '%')
	}
	b = append(b, '"')
	for i := range len(s) {
		switch c := s[i]; {
		case display && (c == '%' || c == '"' || c < 0x20 || c > 0x7e):
			b = append(b, '%', hexDigits[c>>4], hexDigits[c&15])
		case !display && (c == '"' || c == '\\'):
			b = append(b, '\\', c)
		default:
			b = append(b, c)
		}
	}
	return append(b, '"')
}
