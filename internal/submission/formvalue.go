package submission

import (
	"bytes"
	"slices"
	"unicode/utf8"
)

// readValue returns the value at b[start:], decoded, and where it ends.
func (s *formPass) readValue(b []byte, start int) (text []byte, end int, err *Error) {
	end = skipUnreserved(b, start)
	if end == len(b) || b[end] == '&' {
		return b[start:end], end, nil
	}
	if n := bytes.IndexByte(b[end:], '&'); n < 0 {
		end = len(b)
	} else {
		end += n
	}
	text, low, err := s.decode(s.value, b, start, end)
	s.value = text
	if err == nil && low && !isText(text) {
		err = s.malformed("control", "a value in the "+s.where+" holds a control character", start)
	}
	return text, end, err
}

// appendValue writes the value at b[start:] anew, and returns where it ends.
// What is spelled as we would is copied in spans.
func (s *formPass) appendValue(out, b []byte, start int) ([]byte, int, *Error) {
	mark, from := len(out), start
	for i := start; ; {
		i = skipUnreserved(b, i)
		if i == len(b) || b[i] == '&' {
			return append(out, b[from:i]...), i, nil
		}
		c, size, same := b[i], 1, false
		switch {
		case c == '+':
			c = ' '
		case c == '%' && i+2 < len(b):
			high, low := unhex[b[i+1]], unhex[b[i+2]]
			if high|low >= notHex {
				return nil, 0, s.badEscape(i)
			}
			c, size, same = high<<4|low&15, 3, (high|low)&lowerHex == 0
		case c == '%':
			return nil, 0, s.badEscape(i)
		}
		if class := classes[c]; class != escapedText {
			if class == otherBytes {
				text, end, err := s.readValue(b, start)
				if err != nil {
					return nil, 0, err
				}
				return appendFormEscaped(out[:mark], text), end, nil
			}
			same = false
		}
		if !same {
			out = appendFormEscaped(append(out, b[from:i]...), []byte{c})
			from = i + size
		}
		i += size
	}
}

// skipValue checks the value at b[start:] and returns where it ends.
func (s *formPass) skipValue(b []byte, start int) (int, *Error) {
	for i := start; ; {
		i = skipPlain(b, i)
		if i == len(b) || b[i] == '&' {
			return i, nil
		}
		if b[i] == '%' && i+2 < len(b) {
			high, low := unhex[b[i+1]], unhex[b[i+2]]
			if high|low >= notHex {
				return 0, s.badEscape(i)
			}
			if classes[high<<4|low&15] != otherBytes {
				i += 3
				continue
			}
		}
		_, end, err := s.readValue(b, start)
		return end, err
	}
}

// decode decodes the escapes of b[start:end] into buf. low reports whether the
// text holds a control character.
func (s *formPass) decode(buf, b []byte, start, end int) (text []byte, low bool, err *Error) {
	text = slices.Grow(buf[:0], end-start)[:end-start]
	n, seen := 0, byte(0)
	for i := start; i < end; i++ {
		c := b[i]
		switch c {
		case '+':
			c = ' '
		case '%':
			if i+2 >= end {
				return text, false, s.badEscape(i)
			}
			high, low := unhex[b[i+1]], unhex[b[i+2]]
			if high|low >= notHex {
				return text, false, s.badEscape(i)
			}
			c = high<<4 | low&15
			i += 2
		}
		seen |= c
		low = low || c < ' ' || c == 0x7f
		text[n] = c
		n++
	}
	text = text[:n]
	if seen >= utf8.RuneSelf && !utf8.Valid(text) {
		err = s.malformed("utf-8", "the "+s.where+" is not valid UTF-8", start)
	}
	return text, low, err
}
