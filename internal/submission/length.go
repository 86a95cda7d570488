package submission

import (
	"bytes"
	"io"
)

// growth is by how much a form may become longer, beyond what our boundary adds to
// each part: by quotes around names and by constants.
const growth = 4 << 10

// emptyLines are what a form is made longer with.
var emptyLines = bytes.Repeat(crlf, 8<<10)

// KeepLength makes the form about as long as was announced, and returns how long:
// Read returns that many bytes in all, or fails before. It must be called before
// the first Read.
//
// The heirs of CGI (WSGI, FastCGI) know a body by its Content-Length only: for
// Django and PHP, a chunked body is empty. But how much of a form goes on is known
// only when it has been read. So what was left out is replaced by empty lines
// behind the closing delimiter, which readers skip (RFC 2046, section 5.1.1,
// "epilogue").
func (m *Multipart) KeepLength(announced int64) int64 {
	s := m.parts
	m.length = announced + growth + int64(max(0, len(s.mark)-len(s.delimiter)))*int64(s.lim.Fields)
	return m.length
}

// overgrown refuses a form that leaves no room for its closing delimiter (RULES.md,
// multipart/form-growth). It must fail before Read has returned m.length bytes: an
// application that does not look for the closing delimiter would take the form
// for whole.
func (m *Multipart) overgrown() error {
	s := m.parts
	if m.length == 0 || m.written+int64(len(s.out)+len(s.span)+len(s.mark)+len("--\r\n")) <= m.length {
		return nil
	}
	s.out, s.span = s.out[:0], nil
	e := tooLarge("form-growth", "the form would be forwarded longer than it came")
	e.Offset = s.offset()
	return e
}

func (m *Multipart) pad() error {
	n := min(m.padding, int64(len(emptyLines)))
	m.parts.span = emptyLines[:n]
	if m.padding -= n; m.padding > 0 {
		return nil
	}
	return io.EOF
}
