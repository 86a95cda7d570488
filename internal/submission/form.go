package submission

import (
	"net/http"
	"sync"
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
	stem  stem
}

func (s *formPass) rebuild(p *Plan, dst, b []byte, lim Limits, rep *Report) ([]byte, error) {
	s.begin(p, rep)
	s.lim, s.stem = lim, stem{}
	out, err := s.pairs(dst, b)
	s.stem.raw = nil
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
		if b[i] == '&' {
			continue // nothing between two of them
		}
		if count++; count > s.lim.Fields {
			return nil, s.over("fields", "the "+s.where+" has more pairs than the limit (max_fields)", i)
		}
		name, err := s.readName(b, i)
		if err != nil {
			return nil, err
		}
		if i = name.end; i < len(b) && b[i] == '=' {
			i++
		}
		node := &s.plan.nodes[name.at]
		if node.scalar == actionStrip {
			s.omit(b, name)
			if i, err = s.skipValue(b, i); err != nil {
				return nil, err
			}
			continue
		}
		mark := len(out)
		if len(out) > len(dst) {
			out = append(out, '&')
		}
		if name.same {
			out = append(out, b[name.start:name.end]...)
		} else {
			out = appendFormEscaped(out, s.name)
		}
		out = append(out, '=')
		if node.scalar == actionPass {
			s.rep.countKept(node.leaf)
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
		now, f := s.noteBox(text, node.leaf)
		if f != faultNone {
			return nil, f.error(s.where, int64(name.start))
		}
		if !now {
			s.holdHidden(out[mark:], node.leaf)
			out = out[:mark]
			continue
		}
		if text, ok := s.decide(text, node.leaf); ok {
			out = appendFormEscaped(out, text)
		} else {
			out = out[:mark]
		}
	}
	out = s.writeHidden(dst, out)
	return out, s.rep.workExceeded()
}

// holdHidden holds a pair of a hidden field, written up to its value, until it is
// clear whether the check box comes.
func (s *formPass) holdHidden(pair []byte, leaf int32) {
	if pair[0] == '&' {
		pair = pair[1:]
	}
	b := s.box(leaf)
	b.name = append(b.name[:0], pair...)
}

// writeHidden writes the hidden fields of check boxes that did not come.
func (s *formPass) writeHidden(dst, out []byte) []byte {
	for i := range s.boxes {
		b := &s.boxes[i]
		if b.checked || !b.hidden {
			continue
		}
		if text, ok := s.decide(b.text, b.leaf); ok {
			if len(out) > len(dst) {
				out = append(out, '&')
			}
			out = appendFormEscaped(append(out, b.name...), text)
		}
	}
	return out
}

// omit reports a name that no field declares.
func (s *formPass) omit(b []byte, name formName) {
	if name.same || s.rep.full() {
		s.undeclared(b[name.start:name.end])
	} else {
		s.undeclared(s.name)
	}
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
