package submission

import (
	"slices"
	"strings"
)

// parameter is one name=value of a header.
type parameter struct {
	name, value string
	// escaped says that the value contains an escaped quote, at which it ends for
	// some parsers.
	escaped bool
}

// parameterNames are the names that one header has had: few, so that a long
// header cannot make the search slow.
type parameterNames struct {
	names [8]string
	count int
}

// add notes name, without regard to case; false if it was there already or
// there is no room.
func (n *parameterNames) add(name string) bool {
	if n.count == len(n.names) || n.has(name) {
		return false
	}
	n.names[n.count] = name
	n.count++
	return true
}

func (n *parameterNames) has(name string) bool {
	return slices.ContainsFunc(n.names[:n.count], func(other string) bool { return strings.EqualFold(other, name) })
}

// nextParameter reads one parameter of RFC 9110, section 5.6.6, and what
// follows the ';' after it. An empty parameter, as before a stray ';', has
// no name.
//
// A quoted value may not hold a backslash: some parsers unescape it, some
// (for the paths of old browsers) do not, and both find another value.
func nextParameter(s string) (p parameter, rest string, ok bool) {
	return parameterWith(s, (*parameter).quoted)
}

// parameterWith reads a parameter as [nextParameter] does. quoted reads a quoted
// value whose first quote has been read, and returns what follows its last.
func parameterWith(s string, quoted func(p *parameter, s string) (rest string, ok bool)) (p parameter, rest string, ok bool) {
	s = strings.TrimLeft(s, " \t")
	if s == "" {
		return p, "", true
	}
	if s[0] == ';' {
		return p, s[1:], true
	}
	n := tokenLen(s)
	if n == 0 || n == len(s) || s[n] != '=' {
		return p, "", false
	}
	p.name, s = s[:n], s[n+1:]
	if s != "" && s[0] == '"' {
		if s, ok = quoted(&p, s[1:]); !ok {
			return p, "", false
		}
	} else {
		if n = tokenLen(s); n == 0 {
			return p, "", false
		}
		p.value, s = s[:n], s[n:]
	}
	s = strings.TrimLeft(s, " \t")
	if s == "" {
		return p, "", true
	}
	return p, s[1:], s[0] == ';'
}

// quoted reads a quoted value without backslashes.
func (p *parameter) quoted(s string) (rest string, ok bool) {
	p.value, rest, ok = strings.Cut(s, `"`)
	return rest, ok && plainText(p.value)
}

// plainText holds no backslash and no control character.
func plainText(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return isControl(r) || r == '\\' })
}

// tokenLen returns how many bytes at the start of s a token of RFC 9110 has.
func tokenLen(s string) int {
	for i := range len(s) {
		if !isTokenChar(s[i]) {
			return i
		}
	}
	return len(s)
}

func isTokenChar(c byte) bool {
	return isAlphanumeric(c) || c > ' ' && c < 0x7f && strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0
}

// maxJSONParameter is the most bytes of a parameter of a JSON type.
const maxJSONParameter = 256

// jsonParameter returns the name under which a parameter of a JSON type goes on;
// empty if it does not. JSON:API has ext and profile, JSON-LD profile, many APIs
// version, and OData the others.
func jsonParameter(name string) string {
	name = strings.ToLower(name)
	switch name {
	case "ext", "profile", "version", "odata":
		return name
	case "ieee754compatible":
		return "IEEE754Compatible"
	}
	// Without the '*' of RFC 8187, whose value some parsers decode.
	if rest, ok := strings.CutPrefix(name, "odata."); ok && rest != "" && strings.Trim(rest, ".abcdefghijklmnopqrstuvwxyz0123456789") == "" {
		return name
	}
	return ""
}

// validJSONParameter reports whether a parameter of a JSON type may go on with a
// value. Some applications search the header for "charset=", or split it at
// semicolons and commas although they are quoted. They must not find a parameter
// in the value.
func validJSONParameter(value string) bool {
	if len(value) > maxJSONParameter || strings.ContainsFunc(value, func(r rune) bool { return r < ' ' || r > '~' }) {
		return false
	}
	lower := strings.ToLower(value)
	return !strings.Contains(lower, "charset") && !strings.Contains(lower, "boundary") &&
		(!strings.ContainsAny(value, ";,") || !strings.Contains(value, "="))
}

// quotedUnlessToken returns a value as it is written into a header. It contains no
// quote and no backslash.
func quotedUnlessToken(value string) string {
	if value != "" && tokenLen(value) == len(value) {
		return value
	}
	return `"` + value + `"`
}
