package submission

import (
	"encoding/binary"
	"math/bits"
	"unicode/utf8"

	"github.com/tidwall/gjson"
)

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
	defer p.passes.Put(s)
	s.begin(dst, body, lim, rep)
	err := s.document()
	s.end()
	out := s.out
	s.b, s.out, s.rep = nil, nil, nil
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
	members  int

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
	write  bool   // something in it may be kept
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
		same  = true        // the member's name is spelled as we would
		end   int
		fl    flags
		k     kind
		err   error

		nodes    = s.plan.nodes
		outcomes = s.rep.Outcomes
	)
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
	switch act := nodes[at].scalar; {
	case act == keep && f.write:
		outcomes[nodes[at].leaf].Kept++
		from := start
		switch {
		case i != key || fl&separator != 0 || !same:
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
		if slot == 0 || s.shapes.slots[slot].noted != s.shapes.texts {
			s.note(f, slot)
		}
	}
next:
	i = end

after:
	if b[i] <= ' ' {
		i = skipSpace(b, i)
	}
	if f.object {
		if b[i] == ',' {
			i++
			goto member
		}
		if b[i] != '}' {
			return s.expected("',' or '}'", i)
		}
		goto closing
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
		i = skipSpace(b, i+1)
		start, key, slot, same, at, shape = i, i, 0, true, nodes[f.node].element, f.below
		goto value
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

open:
	if len(s.stack) > s.lim.Depth {
		return &Error{Status: 400, Rule: "depth", Detail: "the JSON nests deeper than the limit (max_depth)", Offset: int64(i)}
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
		start, key, slot, same, at, shape = i, i, 0, true, nodes[f.node].element, f.below
		goto value
	}
	if b[i] == '}' {
		goto closing
	}
	f.next = s.shapes.places[f.shape].first

member:
	if b[i] <= ' ' {
		i = skipSpace(b, i)
	}
	if s.members++; s.members > s.lim.Fields {
		return &Error{Status: 413, Rule: "fields", Detail: "the JSON has more members than the limit (max_fields)", Offset: int64(i)}
	}
	start = i
	slot = f.next
	if slot != 0 && s.shapes.foretells(&s.shapes.slots[slot], b, i) {
		i += int(s.shapes.slots[slot].size)
		same = s.shapes.slots[slot].same
	} else {
		if slot, i, err = s.name(f, start); err != nil {
			return err
		}
		same = false
	}
	{
		n := &s.shapes.slots[slot]
		if f.seen&n.seen != 0 || n.seen == 0 && s.large(f, slot) {
			return &Error{
				Status: 400, Rule: "duplicate-name", Offset: int64(start),
				Detail: "an object has one name twice, and applications disagree on which counts",
			}
		}
		f.seen |= n.seen
		f.prev, f.next = slot, n.next
		at, shape = n.node, n.shape
	}
	key = i
	if b[i] <= ' ' {
		i = skipSpace(b, i)
	}
	if (b[i] == '{' || b[i] == '[') && shape == 0 {
		shape = s.shapes.below(slot)
	}
	goto value
}

// enter decides about a container at node at before it is read: which node
// stands for what it holds, and whether anything of it may be kept.
func (s *jsonPass) enter(f *frame, at, slot int32, object bool, start, key int) (inside int32, write bool) {
	n := &s.plan.nodes[at]
	if len(s.stack) == 1 {
		return at, true // what arrives is JSON even when nothing is kept
	}
	known, write := n.element != void, n.array
	if object {
		known, write = len(n.names) > 0 || n.any != void, n.object
	}
	switch {
	case known:
		return at, write && f.write
	case n.leaf != none:
		s.strip(f, n.leaf, ReasonWrongType, slot, start, key)
	case f.node != void:
		s.rep.Undeclared++
		s.note(f, slot)
	}
	return void, false
}

// scalar is a value that a field has to decide about.
type scalar struct {
	node, slot int32
	start, key int // of its member
	from, end  int
	kind       kind
	flags      flags
}

// decide lets the field of a scalar say what goes on.
func (s *jsonPass) decide(f *frame, v scalar) {
	leaf := s.plan.nodes[v.node].leaf
	field := &s.plan.fields[leaf]
	raw := s.b[v.from:v.end]
	text := raw
	if v.kind == kindText {
		text = unquote(raw, v.flags)
	}
	if field.Watch {
		s.rep.watch(leaf, text)
	}
	if !field.Kept {
		s.strip(f, leaf, field.Reason, v.slot, v.start, v.key)
		return
	}
	if field.File {
		s.strip(f, leaf, ReasonWrongType, v.slot, v.start, v.key)
		return
	}
	as := v.kind
	if field.Rule != nil {
		var reason string
		s.scratch, as, reason = field.Rule.apply(s.scratch[:0], text, v.kind)
		if reason != "" {
			s.strip(f, leaf, reason, v.slot, v.start, v.key)
			return
		}
	}
	s.rep.keep(leaf)
	if !f.write {
		return
	}
	if field.Rule == nil || as == v.kind && string(s.scratch) == string(text) {
		s.write(f, v)
		return
	}
	s.lead(f, v.slot, v.start, v.key)
	s.flush()
	if as == kindText {
		s.out = appendJSONString(s.out, s.scratch)
	} else {
		s.out = append(s.out, s.scratch...)
	}
}

// write lets a scalar go on as it came.
func (s *jsonPass) write(f *frame, v scalar) {
	s.lead(f, v.slot, v.start, v.key)
	if v.flags&separator == 0 {
		s.emit(v.from, v.end)
	} else {
		s.emitEscaped(v.from, v.end)
	}
}

// strip reports that a field's value is left out, and writes the constant
// that stands in for it.
func (s *jsonPass) strip(f *frame, leaf int32, reason string, slot int32, start, key int) {
	s.rep.strip(leaf, reason)
	if c := s.plan.fields[leaf].Otherwise; c != nil && f.write {
		s.lead(f, slot, start, key)
		s.flush()
		s.out = append(s.out, c.JSON...)
	}
}

// lead writes what stands before a value: the comma, and the name of a
// member. start is where the member or element begins in the input, key
// where its colon ends.
func (s *jsonPass) lead(f *frame, slot int32, start, key int) {
	if f.empty {
		f.empty = false
	} else if s.b[start-1] == ',' {
		start--
		s.emit(start, start+1)
		start++
	} else {
		s.flush()
		s.out = append(s.out, ',')
	}
	if slot == 0 {
		return
	}
	n := &s.shapes.slots[slot]
	if n.same && key-start == int(n.size) {
		s.emit(start, key)
		return
	}
	s.flush()
	s.out = append(appendJSONString(s.out, s.shapes.name(n)), ':')
}

// emit notes that b[from:to] goes on as it came.
func (s *jsonPass) emit(from, to int) {
	if from != s.to {
		s.flush()
		s.from = from
	}
	s.to = to
}

func (s *jsonPass) flush() {
	s.out = append(s.out, s.b[s.from:s.to]...)
	s.from = s.to
}

// emitEscaped writes a string in which a parser of forms would find a
// separator.
func (s *jsonPass) emitEscaped(from, to int) {
	s.flush()
	for _, c := range s.b[from:to] {
		if c == '&' || c == ';' {
			s.out = append(s.out, '\\', 'u', '0', '0', hexDigits[c>>4]|0x20, hexDigits[c&15]|0x20)
		} else {
			s.out = append(s.out, c)
		}
	}
}

// name reads a name that was not predicted, as far as the colon after it.
func (s *jsonPass) name(f *frame, i int) (slot int32, end int, err error) {
	b := s.b
	if b[i] != '"' {
		return 0, 0, s.expected("a name in double quotes", i)
	}
	end, fl := scanString(b, i)
	if fl >= broken {
		return 0, 0, s.broken(end, fl)
	}
	name := unquote(b[i:end], fl)
	if len(name) > s.lim.Name {
		return 0, 0, &Error{Status: 413, Rule: "name-length", Detail: "a name is longer than the limit (max_name)", Offset: int64(i)}
	}
	hash := hashName(name)
	if slot = s.shapes.find(f.shape, name, hash); slot == 0 {
		slot = s.shapes.add(f.shape, name, hash, fl)
		s.shapes.slots[slot].node = s.plan.member(f.node, name, hash)
	} else if n := &s.shapes.slots[slot]; n.size == 0 && fl&escaped == 0 {
		s.shapes.foresee(n, fl)
	}
	if f.prev == 0 {
		s.shapes.places[f.shape].first = slot
	} else {
		s.shapes.slots[f.prev].next = slot
	}
	if end = skipSpace(b, end); b[end] != ':' {
		return 0, 0, s.expected("':'", end)
	}
	return slot, end + 1, nil
}

// large marks a name past the 64th of its place, and tells whether the
// object had it already.
func (s *jsonPass) large(f *frame, slot int32) (had bool) {
	if f.id == 0 {
		f.id = s.shapes.large.open()
	}
	return s.shapes.large.mark(f.id, slot)
}

// member returns the node of the member called name of an object at node at.
func (p *Plan) member(at int32, name []byte, hash uint32) int32 {
	n := &p.nodes[at]
	if e := n.find(name, hash); e != nil {
		return e.node
	}
	return n.any
}

// note remembers the path of a value that no field declares, once for each
// member of a shape and once for a list.
func (s *jsonPass) note(f *frame, slot int32) {
	switch {
	case slot != 0:
		n := &s.shapes.slots[slot]
		if n.noted == s.shapes.texts {
			return
		}
		n.noted = s.shapes.texts
	case f.noted:
		return
	default:
		f.noted = true
	}
	switch {
	case s.rep.full():
	case slot == 0:
		path := s.path(nil)
		s.rep.remember(path, hashName(path))
	default:
		n := &s.shapes.slots[slot]
		if n.pathSize == 0 {
			path := s.path(s.shapes.name(n))
			n.path, n.pathSize, n.pathHash = int32(len(s.shapes.arena)), int32(len(path)), hashName(path) //nolint:gosec // G115: bounded by the limit on a body
			s.shapes.arena = append(s.shapes.arena, path...)
		}
		s.rep.remember(s.shapes.arena[n.path:n.path+n.pathSize], n.pathHash)
	}
}

// path spells the path of a member of the open container, or of an element
// when name is nil.
func (s *jsonPass) path(name []byte) []byte {
	path := s.scratch[:0]
	for i := range s.stack {
		path = s.appendPath(path, &s.stack[i])
	}
	switch {
	case name != nil:
		path = appendSegment(path, name)
	case len(s.stack) > 1:
		path = appendSegment(path, []byte("*"))
	}
	s.scratch = path
	return path
}

// appendPath appends the segment that leads to the container g.
func (s *jsonPass) appendPath(path []byte, g *frame) []byte {
	switch {
	case g.slot != 0:
		return appendSegment(path, s.shapes.name(&s.shapes.slots[g.slot]))
	case g.shape > topShape:
		return appendSegment(path, []byte("*"))
	}
	return path
}

// unquote returns what a checked string says. gjson reads the rare escapes:
// what it is given here has passed the gate.
func unquote(raw []byte, fl flags) []byte {
	if fl&escaped == 0 {
		return raw[1 : len(raw)-1]
	}
	return []byte(gjson.ParseBytes(raw).Str)
}

// appendSegment appends one segment of a path, spelled as a policy would.
func appendSegment(path, name []byte) []byte {
	if len(path) > 0 {
		path = append(path, '.')
	}
	for _, c := range name {
		if c == '.' || c == '\\' {
			path = append(path, '\\')
		}
		path = append(path, c)
	}
	return path
}

// expected is the error for a byte that the grammar does not allow.
func (s *jsonPass) expected(what string, i int) error {
	if i >= len(s.b)-Padding {
		return &Error{Status: 400, Rule: "json-syntax", Detail: "the JSON ends where " + what + " is expected", Offset: int64(len(s.b) - Padding)}
	}
	return &Error{Status: 400, Rule: "json-syntax", Detail: "the JSON does not hold the expected " + what, Offset: int64(i)}
}

// literals are the three words of JSON, found by three bits of their first
// letter. Together they need no branch.
var literals = [8]struct {
	word, mask uint64
	size       int
	kind       kind
}{
	't' >> 1 & 7: {word: 't' | 'r'<<8 | 'u'<<16 | 'e'<<24, mask: 1<<32 - 1, size: 4, kind: kindBoolean},
	'f' >> 1 & 7: {word: 'f' | 'a'<<8 | 'l'<<16 | 's'<<24 | 'e'<<32, mask: 1<<40 - 1, size: 5, kind: kindBoolean},
	'n' >> 1 & 7: {word: 'n' | 'u'<<8 | 'l'<<16 | 'l'<<24, mask: 1<<32 - 1, size: 4, kind: kindNull},
	// A mask of 0 would let any byte be a word of no length.
	0: {word: 1}, 1: {word: 1}, 4: {word: 1}, 5: {word: 1}, 6: {word: 1},
}

// flags tell what a token holds, or why it is none.
type flags uint8

const (
	separator   flags = 1 << iota // '&' or ';'
	escaped                       // a backslash escape
	nonASCII                      // checked UTF-8
	broken                        // here and above: no token; the reason follows
	badNumber   = broken | 1
	longNumber  = broken | 2
	badString   = broken | 3
	badEscape   = broken | 4
	loneHalf    = broken | 5
	invalidUTF8 = broken | 6
)

func (s *jsonPass) broken(i int, fl flags) error {
	e := &Error{Status: 400, Offset: int64(i)}
	switch fl {
	case badNumber:
		e.Rule, e.Detail = "json-syntax", "a number does not follow the JSON grammar"
	case longNumber:
		e.Rule, e.Detail = "number-length", "a number has more than 40 characters"
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

const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// scanString reads the string whose opening quote is b[i]. It returns the
// position after the closing quote, or that of the fault. b ends in zeros.
func scanString(b []byte, i int) (end int, fl flags) {
	start := i
	i++
	high := uint64(0)
	for {
		w := b[i : i+16]
		v0 := binary.LittleEndian.Uint64(w)
		v1 := binary.LittleEndian.Uint64(w[8:])
		stop, v := special(v0), v0
		if next := special(v1); stop == 0 {
			high |= v0
			i += 8
			stop, v = next, v1
		}
		if stop == 0 {
			high |= v
			i += 8
			continue
		}
		n := bits.TrailingZeros64(stop) >> 3
		high |= v & (1<<(n*8) - 1)
		i += n
		if b[i] == '"' {
			if high&highs != 0 {
				fl |= nonASCII
				if !utf8.Valid(b[start:i]) {
					return start, invalidUTF8
				}
			}
			return i + 1, fl
		}
		switch b[i] {
		case '&', ';':
			fl |= separator
			i++
		case '\\':
			n, fault := scanEscape(b, i)
			if fault != 0 {
				return i, fault
			}
			fl |= escaped
			i += n
		default:
			return i, badString
		}
	}
}

// special marks, by their high bits, the bytes of w that end the easy run of
// a string: below 0x20; '"' or '&', which differ in one bit; '\'; ';'. A
// borrow can mark a byte above a true one, never below: the lowest holds.
func special(w uint64) uint64 {
	q := w&^(0x04*ones) ^ '"'*ones
	e := w ^ '\\'*ones
	t := w ^ ';'*ones
	return ((w - 0x20*ones) | (q - ones) | (e - ones) | (t - ones)) &^ w & highs
}

// scanEscape returns the length of the escape at b[i], a surrogate pair
// being one.
func scanEscape(b []byte, i int) (n int, fault flags) {
	switch b[i+1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return 2, 0
	case 'u':
		r := hex4(b[i+2:])
		switch {
		case r < 0:
			return 0, badEscape
		case r < 0xd800 || r > 0xdfff:
			return 6, 0
		case r > 0xdbff || b[i+6] != '\\' || b[i+7] != 'u':
			return 0, loneHalf
		}
		if low := hex4(b[i+8:]); low < 0xdc00 || low > 0xdfff {
			return 0, loneHalf
		}
		return 12, 0
	}
	return 0, badEscape
}

// hex4 reads four hexadecimal digits; −1 when they are none.
func hex4(b []byte) int {
	r := 0
	for _, c := range b[:4] {
		switch {
		case c-'0' < 10:
			c -= '0'
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			c = c | 0x20 - 'a' + 10
		default:
			return -1
		}
		r = r<<4 | int(c)
	}
	return r
}

// scanNumber reads the number at b[i].
func scanNumber(b []byte, i int) (end int, fl flags) {
	start := i
	if b[i] == '-' {
		i++
	}
	switch {
	case b[i] == '0':
		i++
	case b[i]-'1' <= 8:
		i = skipDigits(b, i)
	default:
		return i, badNumber
	}
	if b[i] == '.' {
		i++
		if b[i]-'0' > 9 {
			return i, badNumber
		}
		i = skipDigits(b, i)
	}
	if b[i]|0x20 == 'e' {
		i++
		if b[i] == '+' || b[i] == '-' {
			i++
		}
		if b[i]-'0' > 9 {
			return i, badNumber
		}
		i = skipDigits(b, i)
	}
	if i-start > maxNumber {
		return start, longNumber
	}
	return i, 0
}

// skipDigits skips decimal digits, eight at once.
func skipDigits(b []byte, i int) int {
	for {
		t := binary.LittleEndian.Uint64(b[i:]) ^ '0'*ones
		if other := (t + (0x80-10)*ones | t) & highs; other != 0 {
			return i + bits.TrailingZeros64(other)>>3
		}
		i += 8
	}
}

// skipSpace skips JSON's four white-space characters, eight spaces at once.
func skipSpace(b []byte, i int) int {
	for {
		switch b[i] {
		case ' ':
			if binary.LittleEndian.Uint64(b[i:]) == ' '*ones {
				i += 8
				continue
			}
		case '\n', '\t', '\r':
		default:
			return i
		}
		i++
	}
}
