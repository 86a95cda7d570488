package policy

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// respellName returns what the path of a field in the notation of another tool is
// in ours, and in what the two differ; empty if it is written in ours, or if no
// translation is known. A dollar, a slash or a colon inside a name is part of it:
// "$type", "a/b" and "form:email" are names.
func respellName(written string) (right, why string) {
	if len(written) > maxPathLength {
		return "", ""
	}
	for _, notation := range []func(string) (string, string){unquoted, jsonPointer, jsonPath, arrows, numberSign} {
		right, why = notation(written)
		if right == "" {
			continue
		}
		// One notation can stand in another: “$.user.email”.
		if again, also := respellName(right); again != "" {
			return again, why + ", " + also
		}
		if _, err := ParsePath(right); err == nil {
			return right, why
		}
	}
	return "", ""
}

// quotes are the marks that texts are put between, as one string of pairs.
const quotes = "“”„“””‘’‚‘’’«»»«‹›″″′′\"\"''``"

// unquoted takes off quotes that YAML does not know, and takes for part of a name.
func unquoted(written string) (right, why string) {
	name, pairs := []rune(written), []rune(quotes)
	last := len(name) - 1
	if last < 2 {
		return "", ""
	}
	for i := 0; i < len(pairs); i += 2 {
		inner := name[1:last]
		if name[0] == pairs[i] && name[last] == pairs[i+1] && !slices.Contains(inner, pairs[i]) && !slices.Contains(inner, pairs[i+1]) {
			return string(inner), "the quotes are part of the name"
		}
	}
	return "", ""
}

// literalName escapes what a path would read as more than a name.
var literalName = strings.NewReplacer(`\`, `\\`, ".", `\.`, "*", `\*`, "[", `\[`, "]", `\]`, "{", `\{`, "}", `\}`)

// jsonPointer translates /user/email and #/user/email (RFC 6901).
func jsonPointer(written string) (right, why string) {
	names, ok := strings.CutPrefix(strings.TrimPrefix(written, "#"), "/")
	if !ok || strings.Trim(names, "/") == "" {
		return "", ""
	}
	segments := strings.Split(strings.Trim(names, "/"), "/")
	for i, s := range segments {
		switch s {
		case "*", "**":
		case "-": // the element after the last one
			segments[i] = "*"
		default:
			segments[i] = literalName.Replace(strings.NewReplacer("~1", "/", "~0", "~").Replace(s))
		}
	}
	return strings.Join(segments, "."), "the names of a path are joined by dots, as in address.city"
}

var (
	quotedMember = regexp.MustCompile(`\[\s*(?:"([^"\]]+)"|'([^'\]]+)')\s*\]`)
	anyElement   = regexp.MustCompile(`\[[0-9]*\]`)
)

// jsonPath translates $.user.email and $['user'] (RFC 9535), and .user.email of jq.
func jsonPath(written string) (right, why string) {
	right = quotedMember.ReplaceAllStringFunc(written, func(member string) string {
		return "." + literalName.Replace(strings.Trim(member, `[]'" `))
	})
	right = strings.ReplaceAll(right, "[*]", ".*")
	if after, ok := strings.CutPrefix(right, "$"); ok && after != "" && (after[0] == '.' || after[0] == '[') {
		right = anyElement.ReplaceAllString(after, ".*")
	} else if strings.HasPrefix(right, ".") {
		right = anyElement.ReplaceAllString(right, ".*")
	} else if right == written {
		return "", ""
	}
	return strings.TrimLeft(right, "."), "a path has only names, dots and stars, as in address.city and items.*.sku"
}

var arrowForm = regexp.MustCompile(`\s*->>?\s*'?([\w$-]+)'?`)

// arrows translates user->email of PHP, Laravel and SQL.
func arrows(written string) (right, why string) {
	if loc := arrowForm.FindStringIndex(written); loc == nil || loc[0] == 0 {
		return "", ""
	}
	return strings.TrimPrefix(arrowForm.ReplaceAllString(written, ".$1"), "$"), "the names of a path are joined by dots, as in address.city"
}

// numberSign translates items.#.sku of gjson.
func numberSign(written string) (right, why string) {
	segments := strings.Split(written, ".")
	for i, s := range segments[1:] {
		if s == "#" {
			segments[i+1], why = "*", "any element of a list is a star"
		}
	}
	if why == "" {
		return "", ""
	}
	return strings.Join(segments, "."), why
}

// reportPath reports a path that is none.
func (p *problems) reportPath(at Position, written string, err error) {
	if right, why := respellName(written); right != "" {
		p.report("bad-path", at, fmt.Sprintf("%q is not a path: %s", written, why), fmt.Sprintf("write %q", right))
		return
	}
	if wrong, ok := errors.AsType[*pathError](err); ok {
		p.report("bad-path", at, wrong.complaint, wrong.remedy)
		return
	}
	p.report("bad-path", at, err.Error(), "")
}
