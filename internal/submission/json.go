package submission

import "encoding/binary"

// Padding is how many bytes past a body the JSON pass wants to be able to
// overwrite and read. A body with less spare capacity is copied first.
const Padding = 64

// maxNumber is the most characters of a number: CANONICAL, "JSON".
const maxNumber = 40

// JSON reads body as one JSON value and appends to dst what the plan keeps
// of it, members in the order they came. The spare capacity of body is
// overwritten. On an error, an [*Error], dst is returned as it came.
//
// The reading is RFC 8259 to the letter with the bounds of I-JSON (RFC 7493):
// UTF-8 only, no name twice in an object at any depth, also among what is
// left out, nothing after the value.
func (p *Plan) JSON(dst, body []byte, lim Limits, rep *Report) ([]byte, error) {
	s := p.passes.Get().(*jsonPass)
	s.begin(dst, body, lim, rep)
	err := s.document()
	if fault := rep.workExceeded(); err == nil && fault != nil {
		err = fault
	}
	s.end()
	out := s.out
	s.b, s.out, s.rep = nil, nil, nil
	p.passes.Put(s) // not after a panic: what it remembers may be half done
	if err != nil {
		return dst, err
	}
	return out, nil
}

// jsonPass is one strict pass over a JSON text. It writes as it reads: a
// span of input that goes on unchanged is only noted, and copied when
// something else interrupts it.
type jsonPass struct {
	plan *Plan
	rep  *Report
	lim  Limits

	b        []byte // the text, then Padding zero bytes, which end any token
	out      []byte
	from, to int // the span of b that is still to be copied to out
	members  int // and elements

	stack   []frame
	shapes  shapes
	padded  []byte // a copy of a text that came without room for padding
	scratch []byte
}

// frame is an open container.
type frame struct {
	node   int32  // of the plan
	shape  int32  // predicts what the container holds
	slot   int32  // the member that holds the container; 0 in a list
	object bool   // or else a list
	write  bool   // something in it may go on
	empty  bool   // nothing is written yet
	noted  bool   // an undeclared element was reported
	below  int32  // the place of a list's elements
	prev   int32  // the slot of an object's last member; 0: none yet
	next   int32  // the slot that may be its next one; 0: none
	id     int32  // of an object with a name that has no mark; 0: none yet
	seen   uint64 // the marks of an object's names
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
		s.shapes.reset() // longer names are remembered from another site
	}
	s.out, s.lim, s.rep = dst, lim, rep
	s.from, s.to, s.members = 0, 0, 0
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

// document is the machine: a value, then what may follow it, with an
// explicit stack so that nesting costs no call.
func (s *jsonPass) document() error {
	b := s.b
	var (
		at    = int32(root) // the node of the value
		shape = topShape    // predicts the value
		slot  int32         // the member that the value belongs to; 0: an element, or the top
		start int           // where the member or element begins
		key   int           // just after the colon of the member
		odd   int           // 1: the member's name is not spelled as we would
		end   int
		fl    flags
		k     kind
		err   error

		nodes    = s.plan.nodes
		outcomes = s.rep.Outcomes
		act      = nodes[root].scalar
		leaf     = nodes[root].leaf
	)
	n := &s.shapes.slots[0] // that of slot
	s.stack = append(s.stack, frame{write: true, empty: true})
	f := &s.stack[0] // the container we are in
	i := skipSpace(b, 0)
	start, key = i, i

value:
	switch c := b[i]; {
	case c == '"':
		end, fl = scanString(b, i)
		k = kindText
	case c == '{' || c == '[':
		goto open
	case c-'0' < 10 || c == '-':
		end, fl = scanNumber(b, i)
		k = kindNumber
	case c <= ' ':
		if i = skipSpace(b, i); b[i] <= ' ' {
			return s.expected("value", i)
		}
		goto value
	default:
		l := &literals[c>>1&7]
		if binary.LittleEndian.Uint64(b[i:])&l.mask != l.word {
			return s.expected("value", i)
		}
		end, fl, k = i+l.size, 0, l.kind
	}
	if fl >= broken {
		return s.broken(end, fl)
	}
	switch {
	case act == keep && f.write:
		outcomes[leaf].Kept++
		from := start
		switch {
		case (i-key)|int(fl&separator)|odd != 0:
			s.write(f, scalar{slot: slot, start: start, key: key, from: i, end: end, flags: fl})
			goto next
		case f.empty:
			f.empty = false
		case b[start-1] == ',':
			from--
		default:
			s.flush()
			s.out = append(s.out, ',')
		}
		if from != s.to {
			s.flush()
			s.from = from
		}
		s.to = end
	case act != strip:
		s.decide(f, scalar{slot: slot, start: start, key: key, from: i, end: end, kind: k, flags: fl, node: at})
	case f.node != void:
		s.rep.Undeclared++
		if slot == 0 || n.noted != s.shapes.texts {
			s.note(f, slot)
		}
	}
next:
	i = end

after:
	if f.object {
		if b[i] == ',' {
			i++
			goto member
		}
		if end = skipSpace(b, i); end > i {
			i = end
			goto after
		}
		if b[i] != '}' {
			return s.expected("',' or '}'", i)
		}
		goto closing
	}
	if b[i] <= ' ' {
		i = skipSpace(b, i)
	}
	if len(s.stack) == 1 {
		if i < len(b)-Padding {
			return &Error{Status: 400, Rule: "trailing-data", Detail: "the body goes on after its JSON value", Offset: int64(i)}
		}
		s.flush()
		if f.empty {
			s.out = append(s.out, "null"...)
		}
		return nil
	}
	if b[i] == ',' {
		i++
		goto element
	}
	if b[i] != ']' {
		return s.expected("',' or ']'", i)
	}

closing:
	if f.write {
		s.emit(i, i+1)
	}
	i++
	s.stack = s.stack[:len(s.stack)-1]
	f = &s.stack[len(s.stack)-1]
	goto after

element:
	if s.members++; s.members > s.lim.Fields {
		return s.tooMany(i)
	}
	start, key, slot, odd, at, shape = i, i, 0, 0, nodes[f.node].element, f.below
	act, leaf = nodes[at].scalar, nodes[at].leaf
	goto value

open:
	if len(s.stack) > s.lim.Depth {
		return &Error{Status: 400, Rule: "depth", Detail: "the JSON nests deeper than the limit (max_depth)", Offset: int64(i)}
	}
	if shape == 0 {
		shape = s.shapes.below(slot)
	}
	{
		object := b[i] == '{'
		inside, write := s.enter(f, at, slot, object, start, key)
		if write {
			s.lead(f, slot, start, key)
			s.emit(i, i+1)
		}
		if len(s.stack) < cap(s.stack) {
			s.stack = s.stack[:len(s.stack)+1]
		} else {
			s.stack = append(s.stack, frame{})
		}
		f = &s.stack[len(s.stack)-1]
		f.node, f.shape, f.slot, f.object, f.write = inside, shape, slot, object, write
		f.empty, f.noted, f.prev, f.id, f.seen = true, false, 0, 0, 0
	}
	i++
	if b[i] <= ' ' {
		i = skipSpace(b, i)
	}
	if !f.object {
		f.below = s.shapes.element(f.shape)
		if b[i] == ']' {
			goto closing
		}
		goto element
	}
	if b[i] == '}' {
		goto closing
	}
	f.next = s.shapes.places[f.shape].first

member:
	if s.members++; s.members > s.lim.Fields {
		return s.tooMany(i)
	}
	slot = f.next
named:
	start = i
	n = &s.shapes.slots[slot]
	if n.foretold(b[i:i+16]) && (n.size <= 16 || s.shapes.foretoldRest(n, b, i)) {
		i += int(n.size)
		odd = n.odd
	} else {
		if end = skipSpace(b, i); end > i {
			i = end
			goto named
		}
		if slot, i, err = s.name(f, start); err != nil {
			return err
		}
		n, odd = &s.shapes.slots[slot], 1
	}
	{
		if f.seen&n.seen != 0 || n.seen == 0 && s.large(f, slot) {
			return &Error{
				Status: 400, Rule: "duplicate-name", Offset: int64(start),
				Detail: "an object has one name twice, and applications disagree on which counts",
			}
		}
		f.seen |= n.seen
		f.prev, f.next = slot, n.next
		at, shape, act, leaf = n.node, n.shape, n.act, n.leaf
	}
	key = i
	goto value
}
