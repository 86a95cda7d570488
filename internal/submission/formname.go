package submission

import "bytes"

// formName is a name in a form.
type formName struct {
	start, end int
	at         int32 // the node that it leads to
	same       bool  // the form spells it as we do; or else it is decoded in formPass.name
}

// stem is the last name in brackets up to its last segment. The members of
// an element follow each other, so the next name probably begins like it, and
// one comparison replaces decoding and resolving.
type stem struct {
	raw  []byte // of the form
	size int    // decoded
	same bool   // the form spells it as we do
}

// readName reads and resolves the name at b[start:].
func (s *formPass) readName(b []byte, start int) (formName, *Error) {
	if n := len(s.stem.raw); n > 0 && b[start] == s.stem.raw[0] && bytes.HasPrefix(b[start:], s.stem.raw) {
		if segment, end, same := lastSegment(b, start+n); end > 0 && s.stem.size+len("[]")+len(segment) <= s.lim.Name {
			at, f := s.below(segment)
			if f != faultNone {
				return formName{}, s.refusal(f, s.where, int64(start))
			}
			name := formName{start: start, end: end, at: at, same: same && s.stem.same}
			if !name.same {
				s.name, _, _ = s.decode(s.name, b, start, end)
			}
			return name, nil
		}
	}
	end := skipUnreserved(b, start)
	name := formName{start: start, end: end, same: true}
	text := b[start:end]
	if end < len(b) && b[end] != '=' && b[end] != '&' {
		for end < len(b) && b[end] != '=' && b[end] != '&' {
			end++
		}
		var low bool
		var err *Error
		if s.name, low, err = s.decode(s.name, b, start, end); err != nil {
			return name, err
		}
		if low {
			return name, s.malformed("control", "a name in the "+s.where+" holds a control character", start)
		}
		text = s.name
		name.end, name.same = end, false
	}
	if len(text) > s.lim.Name {
		return name, s.over("name-length", "a name in the "+s.where+" is longer than the limit (max_name)", start)
	}
	var f fault
	if name.at, f = s.resolve(text, s.lim.Depth); f != faultNone {
		return name, s.refusal(f, s.where, int64(start))
	}
	if isCharset(text) {
		name.at, s.begins = void, false
	}
	if !name.same {
		s.remember(b[start:end])
	}
	return name, nil
}

// remember makes a stem of the name that was decoded and resolved last.
func (s *formPass) remember(raw []byte) {
	s.stem.raw = nil
	if !s.branched {
		return
	}
	s.stem.size = bytes.LastIndexByte(s.name, '[')
	s.scratch = appendFormEscaped(s.scratch[:0], s.name[:s.stem.size])
	s.stem.same = bytes.HasPrefix(raw, s.scratch)
	if s.stem.same {
		s.stem.raw = raw[:len(s.scratch)]
	} else if i := bytes.LastIndexByte(raw, '['); i > 0 && bytes.IndexByte(raw[i:], '%') < 0 {
		// With an escape behind it, it need not be the bracket that decode
		// found last.
		s.stem.raw = raw[:i]
	}
}

// lastSegment reads what follows a stem: a segment in brackets, and then the
// end of the name. same reports whether b spells it as we do. The end is 0 if
// something else follows.
func lastSegment(b []byte, i int) (segment []byte, end int, same bool) {
	i, escaped := skipBracket(b, i, '[')
	if i == 0 {
		return nil, 0, false
	}
	n := skipUnreserved(b, i)
	end, same = skipBracket(b, n, ']')
	if end == 0 || end < len(b) && b[end] != '=' && b[end] != '&' {
		return nil, 0, false
	}
	return b[i:n], end, escaped && same
}

// skipBracket returns the position after a bracket, and whether it is
// escaped as we do it; 0 if there is none.
func skipBracket(b []byte, i int, bracket byte) (end int, same bool) {
	switch {
	case i < len(b) && b[i] == bracket:
		return i + 1, false
	case i+2 < len(b) && b[i] == '%' && b[i+1] == '5' && b[i+2] == hexDigits[bracket&15]:
		return i + 3, true
	}
	return 0, false
}
