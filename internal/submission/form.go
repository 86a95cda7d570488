package submission

import (
	"bytes"
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
	name  []byte // decoded, when it came with escapes
	value []byte // decoded, as above
	stem  stem

	hidden []hiddenPair
}

func (s *formPass) rebuild(p *Plan, dst, b []byte, lim Limits, rep *Report) ([]byte, error) {
	s.begin(p, lim, rep)
	s.stem, s.hidden = stem{}, s.hidden[:0]
	out, err := s.pairs(dst, b)
	s.stem.raw = nil
	s.end()
	if err != nil {
		return dst, err
	}
	return out, nil
}

// pairs follows the form pair by pair.
func (s *formPass) pairs(dst, b []byte) (out []byte, err *Error) {
	out = dst
	for i, count := 0, 0; i < len(b); i++ { // past the '&'
		if b[i] == '&' {
			continue // nothing between two of them
		}
		if count++; count+s.inner.members > s.lim.Fields {
			return nil, s.over("fields", "the "+s.where+" has more pairs than the limit (max_fields)", i)
		}
		name, err := s.readName(b, i)
		if err != nil {
			return nil, err
		}
		if s.emptied != 0 {
			s.dropEmpty()
		}
		if i = name.end; i < len(b) && b[i] == '=' {
			i++
		}
		start := i
		if s.plan.nodes[name.at].scalar == actionStrip {
			s.omit(b, name)
			i, err = s.skipValue(b, i)
			if s.begins && i == start {
				s.noteEmpty()
			}
		} else {
			out, i, err = s.pair(out, b, name, i, len(dst))
		}
		if err != nil {
			return nil, err
		}
	}
	return s.withoutHidden(out, len(dst)), s.inner.exceeded(s.rep)
}

// pair writes a pair whose value is at b[start:], behind those of out[from:]. It
// returns where the value ends.
func (s *formPass) pair(out, b []byte, name formName, start, from int) ([]byte, int, *Error) {
	node, mark := &s.plan.nodes[name.at], len(out)
	if len(out) > from {
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
		out, end, err := s.appendValue(out, b, start)
		switch {
		case err != nil:
		case s.single && !s.noteValue(b, start):
			err = s.repeated(s.where, node.leaf)
		case s.begins && end == start:
			s.noteHidden(s.noteEmpty(), hiddenPair{leaf: node.leaf, from: mark, to: len(out), kept: 1})
		}
		return out, end, err
	}
	text, end, err := s.readValue(b, start)
	if err != nil {
		return nil, 0, err
	}
	var a *answer
	no := false
	if s.single {
		a, no = s.answered(), s.plan.fields[node.leaf].isNo(text)
		beside, ok := s.noteAnswer(a, b, start, no)
		switch {
		case !ok:
			return nil, 0, s.repeated(s.where, node.leaf)
		case beside:
			return out[:mark], end, nil
		}
	}
	before, watched := *s.rep.outcome(node.leaf), len(s.rep.watched)
	if text, ok := s.decide(text, node.leaf); ok {
		out = appendFormEscaped(out, text)
	} else {
		out = out[:mark]
	}
	if s.begins && end == start {
		a, no = s.noteEmpty(), true
	}
	if no {
		after := s.rep.outcome(node.leaf)
		s.noteHidden(a, hiddenPair{
			leaf: node.leaf, from: mark, to: len(out),
			kept: after.Kept - before.Kept, stripped: after.Stripped - before.Stripped, watched: len(s.rep.watched) > watched,
		})
	}
	return out, end, nil
}

// omit reports a name that no field declares.
func (s *formPass) omit(b []byte, name formName) {
	raw := b[name.start:name.end]
	switch {
	case s.rep.full():
		s.undeclared(raw)
		return
	case name.same && bytes.IndexByte(raw, '%') >= 0:
		// Spelled as we do, escapes included, and read by its stem.
		s.name, _, _ = s.decode(s.name, b, name.start, name.end)
	case name.same:
		s.undeclared(raw)
		return
	}
	s.undeclared(s.name)
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
