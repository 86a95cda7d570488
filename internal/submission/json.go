package submission

// Padding is how many bytes past a body the JSON pass reads and overwrites. A
// body with less spare capacity is copied first.
const Padding = 64

// maxNumber is the most characters of a number (RULES.md, json/number-length).
const maxNumber = 128

// JSON reads body as one JSON value and appends to dst what the plan keeps
// of it, members in the order they came. The spare capacity of body is
// overwritten. On an error, an [*Error], dst is returned as it came.
//
// The reading is RFC 8259 to the letter with the bounds of I-JSON (RFC 7493):
// UTF-8 only, no name twice in an object at any depth, also in what is
// left out, nothing after the value.
func (p *Plan) JSON(dst, body []byte, lim Limits, rep *Report) ([]byte, error) {
	out, _, err := p.rebuildJSON(dst, body, lim, rep)
	if err != nil {
		return out, err
	}
	return out, nil
}

// rebuildJSON is JSON, and returns how many members and elements the text has.
func (p *Plan) rebuildJSON(dst, body []byte, lim Limits, rep *Report) (out []byte, members int, refusal *Error) {
	s := p.passes.Get().(*jsonPass)
	s.begin(dst, body, lim, rep)
	err := s.document()
	if fault := s.inner.exceeded(rep); fault != nil {
		s.shapes.reset() // names that were not looked at count as undeclared there
		if err == nil {
			err = fault
		}
	}
	s.end()
	out, members = s.out, s.items
	s.b, s.out, s.rep = nil, nil, nil
	p.passes.Put(s) // not after a panic, which may leave shapes incomplete
	if err != nil {
		return dst, members, err.(*Error) //nolint:errorlint,forcetypeassert // there are no others
	}
	return out, members, nil
}

// jsonPass is one strict pass over a JSON text. It writes while it reads: a
// span of the text that goes on unchanged is noted in from and to, and copied
// to out only when something else has to be written.
//
// # States
//
// The state between two tokens is the stack of open containers and a position
// in the text. There is a function for each:
//
//   - top: the text begins;
//   - object: a member comes, in the innermost container, an object;
//   - list: an element comes, in the innermost container, a list;
//   - after: a value has ended, and a comma or a closing bracket comes.
//
// Each goes on as long as the innermost container stays the same. Where a value
// opens a container, open pushes its frame; where one closes, after pops it.
// Both return to document, which calls the function for the new innermost
// container. So nesting takes memory, but never a deeper call.
//
// # Invariants
//
//   - stack[0] stands for the text itself. It is never popped before the end, and
//     every container has the one that holds it below it on the stack.
//   - object and list begin behind '{', '[' or ',', where a member or element has
//     to come: an empty container is popped before they see it.
//   - A name has one slot at a place, and an object has each slot once.
//   - A pointer into stack is valid until open, one into shapes.slots until
//     readName.
//   - What is written so far is out and then b[from:to]. No part of the text is
//     written twice, and none before it has been checked.
//   - If a frame has write set, so have those below it on the stack: their
//     brackets are written, and a value can be at any time. empty is set until
//     the first one.
//   - b ends in Padding zeros. No token holds a zero, so each ends there at the
//     latest, and 17 bytes can be read wherever a token may begin.
type jsonPass struct {
	plan *Plan
	rep  *Report
	lim  Limits

	b        []byte // the text and its padding
	out      []byte
	from, to int // the span of b that is still to be copied to out
	items    int // members and elements so far

	stack   []frame
	shapes  shapes
	padded  []byte // a copy of a text that came without room for padding
	scratch []byte
	inner   jsonTexts // in strings of this one
}

// frame is an open container.
type frame struct {
	node     int32  // of the plan
	shape    int32  // the place in shapes
	slot     int32  // of the member that holds the container; 0 in a list
	object   bool   // or else a list
	write    bool   // something in it may go on
	empty    bool   // nothing is written yet
	reported bool   // of a list: an undeclared element was reported
	indexed  bool   // of a list: its elements lead to different fields
	count    int    // of an indexed list: its elements so far
	written  int    // members or elements
	element  int32  // of a list: the place of its elements
	prev     int32  // of an object: the slot of its last member; 0: none yet
	next     int32  // of an object: the slot that came after prev last time; 0: none
	id       int32  // of an object with more names than seen has bits; 0: none yet
	seen     uint64 // the bits of the names that the object has had
}

// item is a member of the innermost object, up to its colon, or an element of
// the innermost list.
type item struct {
	node  int32 // of the plan, for the value
	slot  int32 // of a member; 0: an element, or the top value
	start int   // where the member or element begins
	value int   // where the value may begin: behind the colon of a member
}

func newJSONPass(p *Plan) *jsonPass {
	s := &jsonPass{plan: p}
	s.shapes.reset()
	return s
}

func (s *jsonPass) begin(dst, body []byte, lim Limits, rep *Report) {
	if cap(body)-len(body) < Padding {
		s.padded = append(s.padded[:0], body...)
		s.padded = append(s.padded, make([]byte, Padding)...)
		s.b = s.padded
	} else {
		s.b = body[:len(body)+Padding]
		clear(s.b[len(body):])
	}
	if lim.Name < s.lim.Name {
		s.shapes.reset() // a site with another limit left longer names
	}
	s.out, s.lim, s.rep = dst, lim, rep
	s.from, s.to, s.items = 0, 0, 0
	s.inner.begin()
	s.stack = s.stack[:0]
	s.shapes.begin()
}

// maxRetained is the largest buffer that a pass keeps for the next text.
const maxRetained = 1 << 20

func (s *jsonPass) end() {
	s.shapes.end()
	if cap(s.padded) > maxRetained {
		s.padded = nil
	}
}

// innermost returns the container that is read.
func (s *jsonPass) innermost() *frame { return &s.stack[len(s.stack)-1] }
