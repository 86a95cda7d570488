package submission

import "strings"

// quotedInPart reads a quoted value of a part's Content-Disposition. It is what
// [parameter.quoted] reads, but a file name may contain backslashes.
//
// Browsers of old and Java clients send the path of the file, Go and Python write
// a quote as \". Whichever it is, the file name ends at the same quote, unless that
// quote could be an escaped one: it is, unless the header ends with it. The name
// is written anew, so that an application reads it in one way.
func (p *parameter) quotedInPart(s string) (rest string, ok bool) {
	if !strings.EqualFold(p.name, "filename") {
		return p.quoted(s)
	}
	end := strings.IndexByte(s, '"')
	for end >= 0 && end+1 < len(s) && escapes(s[:end]) {
		p.escaped = true
		if next := strings.IndexByte(s[end+1:], '"'); next >= 0 {
			end += 1 + next
		} else {
			end = -1
		}
	}
	if end < 0 {
		return "", false
	}
	p.value = cleanFilename(s[:end])
	return s[end+1:], true
}

// escapes reports whether the last character of s is a backslash that is not
// escaped itself.
func escapes(s string) bool {
	return (len(s)-len(strings.TrimRight(s, `\`)))%2 == 1
}

// cleanFilename returns the last segment of a name that contains a backslash or is
// an absolute path: the folders of a person are no data that a form asks for.
// Browsers send relative paths with slashes when a folder is uploaded. A path
// without a last segment becomes "file": applications take a file without a name
// for none, and it would be lost.
func cleanFilename(name string) string {
	backslash := strings.IndexByte(name, '\\') >= 0
	if backslash {
		name = strings.ReplaceAll(name, `\"`, `"`)
		backslash = strings.IndexByte(name, '\\') >= 0
	}
	drive := len(name) > 2 && isAlphanumeric(name[0]) && name[1:3] == ":/"
	if !backslash && !drive && !strings.HasPrefix(name, "/") {
		return name
	}
	name = name[strings.LastIndexAny(name, `/\`)+1:]
	if name == "" || name == "." || name == ".." {
		return "file"
	}
	return name
}
