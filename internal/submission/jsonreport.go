package submission

import (
	"strings"

	"github.com/tidwall/gjson"
)

// note remembers the path of a value that no field declares, once for each
// member of a shape and once for a list.
func (s *jsonPass) note(f *frame, slot int32) {
	switch {
	case slot != 0:
		n := &s.shapes.slots[slot]
		if n.reported == s.shapes.texts {
			return
		}
		n.reported = s.shapes.texts
	case f.reported:
		return
	default:
		f.reported = true
	}
	switch {
	case s.rep.full():
	case slot == 0:
		path := s.path(nil)
		s.rep.remember(path, hashName(path))
	default:
		n := &s.shapes.slots[slot]
		if n.pathSize == 0 {
			path := s.path(n)
			n.path, n.pathSize, n.pathHash = int32(len(s.shapes.arena)), int32(len(path)), hashName(path) //nolint:gosec // G115: bounded by the limit on a body
			s.shapes.arena = append(s.shapes.arena, path...)
		}
		s.rep.remember(s.shapes.arena[n.path:n.path+n.pathSize], n.pathHash)
	}
}

// path spells the path of a member of the open container, or of an element
// when n is nil.
func (s *jsonPass) path(n *slot) []byte {
	path := append(s.scratch[:0], s.plan.above...)
	for i := range s.stack {
		path = s.appendPath(path, &s.stack[i])
	}
	switch {
	case n != nil:
		path = s.appendMember(path, n)
	case len(s.stack) > 1:
		path = appendElement(path)
	}
	s.scratch = path
	return path
}

// appendPath appends the segment that leads to the container g.
func (s *jsonPass) appendPath(path []byte, g *frame) []byte {
	switch {
	case g.slot != 0:
		return s.appendMember(path, &s.shapes.slots[g.slot])
	case g.shape > topShape:
		return appendElement(path)
	}
	return path
}

// appendMember appends the segment of a member. What a wildcard matches can identify
// a person, so the wildcard stands for it.
func (s *jsonPass) appendMember(path []byte, n *slot) []byte {
	if wildcard := s.plan.nodes[n.node].wildcard; wildcard != "" {
		return appendSpelled(path, wildcard)
	}
	return appendSegment(path, s.shapes.name(n))
}

// unquote returns the text of a string that has been checked. gjson decodes the
// rare escapes.
func unquote(raw []byte, fl flags) []byte {
	if fl&escaped == 0 {
		return raw[1 : len(raw)-1]
	}
	return []byte(gjson.ParseBytes(raw).Str)
}

// appendSegment appends a name to a path, spelled as a policy would.
func appendSegment(path, name []byte) []byte {
	if len(path) > 0 {
		path = append(path, '.')
	}
	for _, c := range name {
		if strings.IndexByte(`.*[]{}\`, c) >= 0 {
			path = append(path, '\\')
		}
		path = append(path, c)
	}
	return path
}

// appendElement appends the segment of the elements of a list.
func appendElement(path []byte) []byte {
	return appendSpelled(path, "*")
}

// appendSpelled appends a segment that is written as the policy has it.
func appendSpelled(path []byte, segment string) []byte {
	if len(path) > 0 {
		path = append(path, '.')
	}
	return append(path, segment...)
}

// expected is the error for a byte that the grammar does not allow.
func (s *jsonPass) expected(what string, i int) error {
	if i >= len(s.b)-Padding {
		return &Error{Status: 400, Rule: "json-syntax", Detail: "the JSON ends where " + what + " is expected", Offset: int64(len(s.b) - Padding)}
	}
	return &Error{Status: 400, Rule: "json-syntax", Detail: "the JSON has something else where " + what + " is expected", Offset: int64(i)}
}

func (s *jsonPass) tooMany(i int) error {
	return &Error{Status: 413, Rule: "fields", Detail: "the JSON has more members and elements than the limit (max_fields)", Offset: int64(i)}
}

// broken is the error for what looked like a token and is none.
func (s *jsonPass) broken(i int, fl flags) error {
	e := &Error{Status: 400, Offset: int64(i)}
	switch fl { //nolint:exhaustive // the flags below broken are no faults
	case noScalar:
		return s.expected("a value", i)
	case badNumber:
		e.Rule, e.Detail = "json-syntax", "a number does not follow the JSON grammar"
	case longNumber:
		e.Rule, e.Detail = "number-length", "a number has more than 128 characters"
	case badEscape:
		e.Rule, e.Detail = "json-syntax", "a string holds an escape that JSON does not know"
	case loneHalf:
		e.Rule, e.Detail = "lone-surrogate", "a string holds half of a surrogate pair, which applications read differently"
	case invalidUTF8:
		e.Rule, e.Detail = "utf-8", "a string is not valid UTF-8"
	default:
		if i >= len(s.b)-Padding {
			return s.expected("the end of a string", i)
		}
		e.Rule, e.Detail = "json-syntax", "a string holds a control character"
	}
	return e
}
