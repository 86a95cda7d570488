package submission

import "slices"

// Some frameworks write a hidden field of the same name beside a check box, so
// that a box which is not checked sends something. The two are one answer
// (RULES.md, form/check-boxes): the box goes on if it came, and the hidden field
// otherwise.

// hiddenPair is where a hidden field was written in the form, from:to, and how it
// was counted.
type hiddenPair struct {
	leaf           int32
	from, to       int
	kept, stripped uint32
	watched        bool // the report has its value
	dropped        bool // the box came, or an element of the list
}

// noteValue notes a value that goes on as it came. It reports whether that may come
// beside those that did.
func (s *formPass) noteValue(b []byte, start int) bool {
	a := s.answered()
	first, _ := a.first(false)
	if *first == 0 {
		*first = int32(start) + 1 //nolint:gosec // G115: a body is smaller than 2^31
		return true
	}
	return sameValue(b, int(*first)-1, start)
}

// noteAnswer notes a value of a field that can be a check box. beside reports that
// it is a hidden field beside a box that came, which does not go on.
func (s *formPass) noteAnswer(a *answer, b []byte, start int, no bool) (beside, ok bool) {
	first, ok := a.first(no)
	if *first == 0 {
		*first = int32(start) + 1 //nolint:gosec // G115: as above
	} else if !sameValue(b, int(*first)-1, start) {
		return false, false
	}
	if ok && !no && a.no != 0 && a.held != 0 {
		s.takeBack(a.held)
	}
	return no && a.yes != 0, ok
}

// noteHidden notes a hidden field, which is taken back if the box comes, or an element
// of the list.
func (s *formPass) noteHidden(a *answer, h hiddenPair) {
	s.hidden = append(s.hidden, h)
	a.held = int32(len(s.hidden)) //nolint:gosec // G115: as above
}

// takeBack undoes what was counted for a hidden field that does not go on. A value
// that was watched before it stays.
func (s *formPass) takeBack(held int32) {
	h := &s.hidden[held-1]
	h.dropped = true
	o := s.rep.outcome(h.leaf)
	o.Kept, o.Stripped = o.Kept-h.kept, o.Stripped-h.stripped
	if h.watched {
		s.rep.Forget(int(h.leaf))
	}
}

// withoutHidden takes hidden fields that do not go on out of the form out[start:].
func (s *formPass) withoutHidden(out []byte, start int) []byte {
	end, rest := -1, 0
	for _, h := range s.hidden {
		switch {
		case !h.dropped || h.from == h.to:
			continue
		case end < 0:
			end = h.from
		default:
			end += copy(out[end:], out[rest:h.from])
		}
		rest = h.to
	}
	if end < 0 {
		return out
	}
	end += copy(out[end:], out[rest:])
	if out = out[:end]; len(out) > start && out[start] == '&' {
		out = append(out[:start], out[start+1:]...)
	}
	return out
}

// sameValue reports whether the values at b[i:] and b[j:], which have been checked,
// are the same text.
func sameValue(b []byte, i, j int) bool {
	for {
		c, n := decodeByte(b, i)
		d, m := decodeByte(b, j)
		switch {
		case c != d || n == 0 != (m == 0):
			return false
		case n == 0:
			return true
		}
		i, j = i+n, j+m
	}
}

// decodeByte returns a byte of a value and the size of its spelling; 0 at the end.
func decodeByte(b []byte, i int) (c byte, size int) {
	switch {
	case i == len(b) || b[i] == '&':
		return 0, 0
	case b[i] == '+':
		return ' ', 1
	case b[i] == '%':
		return unhex[b[i+1]]<<4 | unhex[b[i+2]]&15, 3
	}
	return b[i], 1
}

// heldField is a hidden field of a multipart form that has not gone on yet.
type heldField struct {
	leaf, place int32
	name, text  []byte // as it goes on
}

// noteText notes the text of a part whose name takes one value. beside is as in
// noteAnswer.
func (s *parts) noteText(no bool) (beside bool, err *Error) {
	a := s.answered()
	if s.sum.size == 0 && s.plan.fields[s.leaf].File {
		return false, nil // Yii sends it before a file; it never goes on
	}
	first, ok := a.first(no)
	sum := s.sum.sum()
	switch {
	case *first == 0:
		s.firsts = append(s.firsts, sum)
		*first = int32(len(s.firsts)) //nolint:gosec // G115: at most the parts of a form
	case *first == aFile || s.firsts[*first-1] != sum:
		ok = false
	}
	// The hidden field has gone on before another part, and the box comes after it.
	late := a.no != 0 && a.held == 0 && !no
	if !ok || late {
		return false, s.repeated("form", s.leaf)
	}
	return no && a.yes != 0, nil
}

// aFile is the first value of a name that came with a file, whose content is not
// compared.
const aFile = -1

// noteFile refuses a file under a name that takes one value and had one.
func (s *parts) noteFile() *Error {
	a := s.answered()
	if a.yes != 0 || a.no != 0 {
		return s.repeated("form", s.leaf)
	}
	a.yes = aFile
	return nil
}

// holdHidden holds the hidden field that was read last, until it is clear whether
// the box comes.
func (s *parts) holdHidden() {
	s.held = append(s.held, heldField{s.leaf, s.here, slices.Clone(s.name), slices.Clone(s.value)})
	s.answers[s.here].held = 1
}

// dropHidden drops the hidden field of the box that came.
func (s *parts) dropHidden() {
	s.held = slices.DeleteFunc(s.held, func(h heldField) bool { return h.place == s.here })
}

// releaseHidden writes those hidden fields that no longer wait for a box.
func (s *parts) releaseHidden(waits func(*heldField) bool) {
	s.held = slices.DeleteFunc(s.held, func(h heldField) bool {
		if waits(&h) {
			return false
		}
		s.answers[h.place].held = 0
		s.roles[h.place] &^= asEmpty
		s.write(h.name, &partHeader{}, h.text, h.leaf)
		return true
	})
}

// waitsForBox reports whether a hidden field waits for a box or a list that may come behind
// the part that begins. That of a boolean does not: applications that read the
// fields before a file only would lose it if it were moved behind one.
func (s *parts) waitsForBox(h *heldField) bool {
	f := &s.plan.fields[h.leaf]
	return f.Box || f.Boolean && s.twice && h.place == s.here
}

// isElsewhere reports whether a hidden field has another name than the part.
func (s *parts) isElsewhere(h *heldField) bool { return h.place != s.here }
