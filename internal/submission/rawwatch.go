package submission

import (
	"bytes"
	"net/http"
	"unicode"
	"unicode/utf8"
)

// RawWatch watches a body that goes on as it came for what applications read in a
// body of any type: 35 of 42 frameworks parse JSON, some forms, and some take the
// boundary of parts from the first line. What it refuses is that which would carry
// the plan's fields past the plan; see RULES.md, raw/disguised-body.
type RawWatch struct {
	// fields are the first names of the plan's fields, as rawFold has them. Those
	// that do not pass as written are set.
	fields map[string]bool
	open   bool // any name belongs to a field

	begun   bool // more than white space and zeros has come
	plain   bool // nothing but what a form is written in has come
	inName  bool // a name may have begun
	cut     bool // the rest of the name is a segment below its first one
	escape  int  // how many hexadecimal digits of an escape are to come
	high    byte // the first of them
	name    [256]byte
	size    int // of name
	tooLong bool
}

// NewRawWatch returns a watch for one body under the plan.
func (p *Plan) NewRawWatch() *RawWatch {
	w := &RawWatch{fields: make(map[string]bool, len(p.fields)), plain: true, inName: true}
	for i := range p.fields {
		f := &p.fields[i]
		if len(f.Path) == 0 || f.Path[0].Kind != Name {
			w.open = true
			continue
		}
		name := rawFold([]byte(f.Path[0].Text))
		w.fields[name] = w.fields[name] || !f.Kept || f.Rule != nil || f.Watch || f.Box || f.Boolean || f.JSON
	}
	return w
}

// Begin checks the beginning of the body; whole reports that it is all of it. It
// does not replace Next, which gets the beginning too.
func (w *RawWatch) Begin(b []byte, whole bool) *Error {
	rest, comments := skipBlank(b), 0
	if bytes.HasPrefix(rest, []byte("--")) {
		return disguised("as a multipart form does")
	}
	for ; ; comments++ {
		after := skipBlank(skipComment(rest))
		if len(after) == len(rest) {
			break
		}
		rest = after
	}
	switch {
	case len(rest) == 0 && !whole && comments > 0:
		return disguised("with a longer comment than is looked at")
	case len(rest) == 0: // Next goes on
	case rest[0] == '{', rest[0] == '[', bytes.HasPrefix(rest, []byte(")]}'")):
		return disguised("as JSON does")
	}
	return nil
}

func disguised(how string) *Error {
	return &Error{
		Status: http.StatusUnsupportedMediaType, Rule: "disguised-body", Offset: -1,
		Detail: "the body passes unread (read: pass), and begins " + how + ", which many applications read under any type",
	}
}

// skipBlank skips what some parser takes for white space, byte order marks of any
// encoding, and the zeros of UTF-16 and UTF-32.
func skipBlank(b []byte) []byte {
	for len(b) > 0 {
		r, size := utf8.DecodeRune(b)
		switch {
		case r == utf8.RuneError && size == 1:
			if c := b[0]; c != 0xfe && c != 0xff && c != 0x85 && c != 0xa0 {
				return b
			}
		case r > ' ' && r != 0x7f && !unicode.IsSpace(r) && !unicode.In(r, unicode.Cf, unicode.Zs):
			return b
		}
		b = b[size:]
	}
	return b
}

// skipComment skips a comment, which some parsers of JSON allow.
func skipComment(b []byte) []byte {
	var end string
	switch {
	case bytes.HasPrefix(b, []byte("#")), bytes.HasPrefix(b, []byte("//")):
		end = "\n"
	case bytes.HasPrefix(b, []byte("/*")):
		end = "*/"
	default:
		return b
	}
	if _, after, ok := bytes.Cut(b[1:], []byte(end)); ok {
		return after
	}
	return nil
}

// Next checks what comes next of the body, in pieces of any size.
func (w *RawWatch) Next(b []byte) *Error {
	for i := 0; i < len(b); i++ {
		if !w.plain && !w.inName {
			next := bytes.IndexAny(b[i:], "&;")
			if next < 0 {
				return nil
			}
			i += next
		}
		c := b[i]
		if !w.begun && c > ' ' && c != 0x7f {
			w.begun = true
			if c == '{' || c == '[' {
				return disguised("as JSON does")
			}
		}
		if w.plain && (c < ' ' && w.size > 0 || c == ' ' && w.size > 0 || c >= 0x7f) {
			w.plain = false
		}
		switch {
		case c == '&' || c == ';':
			w.inName, w.cut, w.tooLong, w.size, w.escape = true, false, false, 0, 0
		case !w.inName:
		case c == '=':
			if err := w.check(); err != nil {
				return err
			}
			w.inName = false
		default:
			w.add(c)
		}
	}
	return nil
}

// add takes a byte of a name, which may be part of an escape.
func (w *RawWatch) add(c byte) {
	switch {
	case c == '%':
		w.escape = 2
		return
	case w.escape > 0 && unhex[c] >= notHex:
		w.escape = 0
	case w.escape == 2:
		w.high, w.escape = unhex[c]<<4, 1
		return
	case w.escape == 1:
		c, w.escape = w.high|unhex[c]&15, 0
	}
	switch c = rawFolded(c); {
	case c == 0 || w.cut:
	case c == '[' || c == '.':
		w.cut = w.size > 0
	case w.size == len(w.name):
		w.tooLong = true
	default:
		w.name[w.size] = c
		w.size++
	}
}

// check checks a name that has a value. A field that passes as written may stand
// in a text or a picture; if all that came is what forms are written in, the body
// is a form.
func (w *RawWatch) check() *Error {
	if w.size == 0 || w.tooLong {
		return nil
	}
	altered, declared := w.fields[string(w.name[:w.size])]
	if altered || w.plain && (declared || w.open) {
		return &Error{
			Status: http.StatusUnsupportedMediaType, Rule: "disguised-body", Offset: -1,
			Detail: "the body passes unread (read: pass), and reads as a form that contains a declared field, which some applications read under any type",
		}
	}
	return nil
}

// rawFold returns what a name has in common with those that some parser of forms
// takes for it, up to where a segment below it may begin, as [RawWatch.add] does: a
// name of the policy can have a dot or a bracket itself.
func rawFold(name []byte) string {
	var folded []byte
	for _, c := range name {
		switch c = rawFolded(c); {
		case c == 0:
		case c != '[' && c != '.':
			folded = append(folded, c)
		case len(folded) > 0:
			return string(folded)
		}
	}
	return string(folded)
}

// rawFolded returns a byte of a name in lower case; 0 for what does not count.
func rawFolded(c byte) byte {
	switch {
	case c <= ' ', c == '_', c == '-', c == '+', c == 0x7f:
		return 0
	case 'A' <= c && c <= 'Z':
		return c + 'a' - 'A'
	}
	return c
}
