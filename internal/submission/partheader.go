package submission

import (
	"net/http"
	"strings"
	"unicode/utf8"
)

// partHeader is the content of the header block of a part.
type partHeader struct {
	name     string
	file     bool // it came with a file name
	filename string
	kind     string // type/subtype, or ""
	json     bool   // it holds a JSON text
	nested   bool   // the type was one of parts or messages
}

// parsePartHeader reads a header block of RFC 7578: one Content-Disposition
// with one name. Frameworks disagree on which of two headers counts, on
// which of two names, on continuations (name*0) and on backslashes.
//
// Names and file names may hold UTF-8, as browsers send it; nothing else may.
func parsePartHeader(block string) (h partHeader, err *Error) {
	var seen parameterNames
	named := false
	for len(block) > 0 {
		var line string
		line, block, _ = strings.Cut(block, "\r\n")
		n := tokenLen(line)
		if n == 0 || n == len(line) || line[n] != ':' {
			return h, partError("part-header", "a line in the header of a part is not of the form name: value")
		}
		if !seen.add(line[:n]) {
			return h, partError("part-header-repeated", "the header of a part has a line twice, or more than eight lines")
		}
		value := strings.Trim(line[n+1:], " ")
		if strings.ContainsFunc(value, isControl) {
			return h, partError("control", "the header of a part holds a control character")
		}
		switch strings.ToLower(line[:n]) {
		case "content-disposition":
			named = true
			err = h.disposition(value)
		case "content-type":
			h.contentType(value)
		case "content-transfer-encoding":
			err = transferEncoding(value)
		default: // goes no further
		}
		if err != nil {
			return h, err
		}
	}
	if !named {
		return h, partError("part-header", "a part has no Content-Disposition")
	}
	return h, nil
}

func partError(rule, detail string) *Error {
	return &Error{Status: http.StatusBadRequest, Rule: rule, Detail: detail}
}

func isControl(r rune) bool { return r < ' ' || r == 0x7f }

func (h *partHeader) disposition(value string) *Error {
	kind, rest, _ := strings.Cut(value, ";")
	if !strings.EqualFold(strings.TrimRight(kind, " "), "form-data") {
		return partError("content-disposition", "the Content-Disposition of a part is not form-data")
	}
	var seen parameterNames
	var extended string
	escaped := false // a file name contained an escaped quote
	for rest != "" {
		p, after, ok := parameterWith(rest, (*parameter).quotedInPart)
		if !ok || p.name == "" {
			return partError("content-disposition", "a parameter of a Content-Disposition is not well-formed; only a filename may contain a backslash")
		}
		rest = after
		if !seen.add(p.name) {
			return partError("content-disposition", "a Content-Disposition has a parameter twice, or more than eight")
		}
		if !utf8.ValidString(p.value) {
			return partError("utf-8", "a Content-Disposition is not valid UTF-8")
		}
		switch strings.ToLower(p.name) {
		case "name":
			if escaped {
				return partError("content-disposition", "a name follows a filename with an escaped quote, at which some readers end the filename")
			}
			h.name = p.value
		case "filename":
			h.file, h.filename, escaped = true, p.value, p.escaped
		case "filename*":
			if extended, ok = extendedValue(p.value); !ok {
				return partError("content-disposition", "the filename* of a Content-Disposition is not UTF-8 in the form of RFC 8187")
			}
		default:
			// size and the like go no further. Continuations would be read by some.
			if strings.IndexByte(p.name, '*') >= 0 {
				return partError("content-disposition", "a Content-Disposition has a continued or extended parameter other than filename*")
			}
		}
	}
	if !seen.has("name") {
		return partError("content-disposition", "a Content-Disposition has no name")
	}
	if !h.file && seen.has("filename*") {
		h.file, h.filename = true, extended
	}
	return nil
}

// extendedValue decodes the form of RFC 8187, in which some clients send
// the names of files.
func extendedValue(s string) (string, bool) {
	charset, rest, _ := strings.Cut(s, "'")
	_, escaped, ok := strings.Cut(rest, "'")
	if !ok || !strings.EqualFold(charset, "utf-8") {
		return "", false
	}
	var b strings.Builder
	for i := 0; i < len(escaped); i++ {
		c := escaped[i]
		if c == '%' {
			if i+2 >= len(escaped) || (unhex[escaped[i+1]]|unhex[escaped[i+2]])&notHex != 0 {
				return "", false
			}
			c = unhex[escaped[i+1]]<<4 | unhex[escaped[i+2]]&15
			i += 2
		}
		b.WriteByte(c)
	}
	name := b.String()
	return name, plainText(name) && utf8.ValidString(name)
}

// contentType takes the type of a part without its parameters. A part that
// is a message of its own would be taken apart by some frameworks: a file of
// such a type goes on as bytes.
func (h *partHeader) contentType(value string) {
	value, _, _ = strings.Cut(strings.ToLower(value), ";")
	value = strings.Trim(value, " ")
	if strings.HasPrefix(value, "multipart") || strings.HasPrefix(value, "message") {
		h.kind, h.nested = "application/octet-stream", true
	} else if m, ok := mediaOf(value); ok {
		h.kind = m.Type
	}
}

// transferEncoding takes those that leave the content as it is. Some
// frameworks decode the others, some do not.
func transferEncoding(value string) *Error {
	for _, plain := range [...]string{"7bit", "8bit", "binary"} {
		if strings.EqualFold(value, plain) {
			return nil
		}
	}
	return partError("transfer-encoding", "the Content-Transfer-Encoding of a part is not 7bit, 8bit or binary")
}

// appendPartHeader writes the header block of a part, and the empty line
// after it. A name that leads to a field came without quote, backslash and
// control character.
func appendPartHeader(dst, name []byte, h *partHeader) []byte {
	dst = append(dst, `Content-Disposition: form-data; name="`...)
	dst = append(dst, name...)
	dst = append(dst, '"')
	if h.file {
		dst = append(dst, `; filename="`...)
		dst = appendFilename(dst, h.filename)
		dst = append(dst, '"')
	}
	if h.kind != "" && (h.file || h.json) {
		dst = append(dst, "\r\nContent-Type: "...)
		dst = append(dst, h.kind...)
	}
	return append(dst, "\r\n\r\n"...)
}

// appendFilename writes a quote as browsers do, and likewise what could be another
// parameter: a semicolon before one, and the "=" of " name=". Rack finds another name
// in "x; name=ssn", and older versions of it in "x name=ssn" too.
func appendFilename(dst []byte, name string) []byte {
	parameters := strings.IndexByte(name, '=') >= 0
	for i := range len(name) {
		switch c := name[i]; {
		case c == '"', c == ';' && parameters, c == '=' && endsInName(name[:i]):
			dst = append(dst, '%', hexDigits[c>>4], hexDigits[c&15])
		default:
			dst = append(dst, c)
		}
	}
	return dst
}

func endsInName(s string) bool {
	const word = " name"
	return len(s) >= len(word) && strings.EqualFold(s[len(s)-len(word):], word)
}
