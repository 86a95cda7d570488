package submission

import (
	"bytes"
	"io"
)

// growth is how much longer than it came a form may get, beyond what our
// boundary adds to each of its parts: quotes about names, constants.
const growth = 4 << 10

// emptyLines are what a form is made longer with.
var emptyLines = bytes.Repeat(crlf, 8<<10)

// KeepLength makes the form about as long as it is announced to be, and
// returns how long: Read gives that many bytes, or fails before. Call it
// before the first Read.
//
// What follows CGI (WSGI, FastCGI) knows a body by its Content-Length only:
// to Django and PHP, one in chunks is empty. But how much of a form goes on
// is not known before it was read. So what was left out is made up for behind
// the closing delimiter, with empty lines that readers skip (RFC 2046,
// section 5.1.1, "epilogue").
func (m *Multipart) KeepLength(announced int64) int64 {
	s := m.parts
	m.length = announced + growth + int64(max(0, len(s.mark)-len(s.delimiter)))*int64(s.lim.Fields)
	return m.length
}

// overgrown refuses a form that leaves no room for its closing delimiter. It
// must fail before it is as long as was said: what is cut off there passes
// for whole where a closing delimiter is not asked for.
func (m *Multipart) overgrown() error {
	s := m.parts
	if m.length == 0 || m.given+int64(len(s.out)+len(s.span)+len(s.mark)+len("--\r\n")) <= m.length {
		return nil
	}
	s.out, s.span = s.out[:0], nil
	e := tooLarge("form-growth", "what goes on of the form is longer than what came")
	e.Offset = s.offset()
	return e
}

// pad goes on with some of what the form lacks in length.
func (m *Multipart) pad() error {
	n := min(m.lack, int64(len(emptyLines)))
	m.parts.span = emptyLines[:n]
	if m.lack -= n; m.lack > 0 {
		return nil
	}
	return io.EOF
}
