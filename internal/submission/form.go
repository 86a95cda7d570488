package submission

import (
	"bytes"
	"net/http"
	"slices"
	"sync"
	"unicode/utf8"
)

// Form reads body as application/x-www-form-urlencoded and appends to dst
// what the plan keeps of it, pairs in the order they came. On an error, an
// [*Error], dst is returned as it came.
//
// The reading is WHATWG's, of UTF-8 only, and strict where its parser
// forgives: '&' alone separates, '%' always begins an escape.
func (p *Plan) Form(dst, body []byte, lim Limits, rep *Report) ([]byte, error) {
	s := formPasses.Get().(*formPass)
	defer formPasses.Put(s)
	s.where = "body"
	return s.rebuild(p, dst, body, lim, rep)
}

// Query is [Plan.Form] for the query of a URL, without its question mark.
func (p *Plan) Query(dst, query []byte, lim Limits, rep *Report) ([]byte, error) {
	s := formPasses.Get().(*formPass)
	defer formPasses.Put(s)
	s.where = "query"
	return s.rebuild(p, dst, query, lim, rep)
}

var formPasses = sync.Pool{New: func() any { return new(formPass) }}

// formPass is one pass over a form, with what it needs besides.
type formPass struct {
	texts
	where string // the query or the body, for errors
	lim   Limits
	name  []byte // decoded, when it came with escapes
	value []byte // decoded, as above
}

func (s *formPass) rebuild(p *Plan, dst, b []byte, lim Limits, rep *Report) ([]byte, error) {
	s.begin(p, rep)
	s.lim = lim
	out, err := s.pairs(dst, b)
	s.end()
	if err != nil {
		return dst, err
	}
	return out, nil
}

// pairs follows the form pair by pair.
func (s *formPass) pairs(dst, b []byte) ([]byte, *Error) {
	out, count := dst, 0
	for i := 0; i < len(b); i++ { // past the '&'
		start := i
		name, i2, raw, err := s.readName(b, i)
		i = i2
		if err != nil {
			return nil, err
		}
		if i < len(b) && b[i] == '=' {
			i++
		} else if i == start {
			continue // nothing between two '&'
		}
		if count++; count > s.lim.Fields {
			return nil, s.over("fields", "the "+s.where+" has more pairs than the limit (max_fields)", start)
		}
		at, f := s.resolve(name, s.lim.Depth)
		if f != faultNone {
			return nil, f.error(s.where, int64(start))
		}
		node := &s.plan.nodes[at]
		act := node.scalar
		if isCharset(name) {
			act = strip
		}
		if act == strip {
			s.undeclared(name)
			if i, err = s.skipValue(b, i); err != nil {
				return nil, err
			}
			continue
		}
		mark := len(out)
		if len(out) > len(dst) {
			out = append(out, '&')
		}
		if raw {
			out = append(out, name...)
		} else {
			out = appendFormEscaped(out, name)
		}
		out = append(out, '=')
		if act == keep {
			s.rep.keep(node.leaf)
			if out, i, err = s.appendValue(out, b, i); err != nil {
				return nil, err
			}
			continue
		}
		text, end, err := s.readValue(b, i)
		if err != nil {
			return nil, err
		}
		i = end
		if text, ok := s.decide(text, node.leaf); ok {
			out = appendFormEscaped(out, text)
		} else {
			out = out[:mark]
		}
	}
	return out, nil
}

// readName returns the name at b[i:], decoded, and where it ends. same tells
// that b spells it as we do.
func (s *formPass) readName(b []byte, start int) (name []byte, end int, same bool, err *Error) {
	end = skipUnreserved(b, start)
	if end == len(b) || b[end] == '=' || b[end] == '&' {
		name, same = b[start:end], true
	} else {
		for end < len(b) && b[end] != '=' && b[end] != '&' {
			end++
		}
		var low bool
		if name, low, err = s.decode(s.name, b, start, end); err != nil {
			return nil, end, false, err
		}
		s.name = name
		if low {
			return nil, end, false, s.malformed("control", "a name in the "+s.where+" holds a control character", start)
		}
	}
	if len(name) > s.lim.Name {
		return nil, end, false, s.over("name-length", "a name in the "+s.where+" is longer than the limit (max_name)", start)
	}
	return name, end, same, nil
}

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

// decode undoes the escapes of b[start:end] into buf. low tells that the
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

func (s *formPass) badEscape(at int) *Error {
	return s.malformed("percent-encoding", "a '%' in the "+s.where+" is not followed by two hexadecimal digits", at)
}

func (s *formPass) malformed(rule, detail string, offset int) *Error {
	return &Error{Status: http.StatusBadRequest, Rule: rule, Detail: detail, Offset: int64(offset)}
}

func (s *formPass) over(rule, detail string, offset int) *Error {
	return &Error{Status: http.StatusRequestEntityTooLarge, Rule: rule, Detail: detail, Offset: int64(offset)}
}
