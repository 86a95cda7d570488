package submission

import "strconv"

// enter decides about a container before it is read: which node its members
// or elements are looked up at, and whether anything in it may go on.
func (s *jsonPass) enter(f *frame, it item, object bool) (node int32, write bool) {
	n := &s.plan.nodes[it.node]
	if len(s.stack) == 1 {
		return it.node, true // what goes on is JSON even if nothing is kept
	}
	known, write := n.element != void || n.numbers, n.array
	if object {
		known, write = len(n.names) > 0 || len(n.wildcards) > 0 || n.any != void, n.object
	}
	switch {
	case known:
		return it.node, write && f.write
	case n.leaf != none:
		s.strip(f, n.leaf, ReasonWrongType, it)
	case f.node != void:
		s.rep.Undeclared++
		s.note(f, it.slot)
	}
	return void, false
}

type scalar struct {
	item
	from, end int
	kind      kind
	flags     flags
}

// decide applies a field to a scalar and writes what goes on.
func (s *jsonPass) decide(f *frame, v scalar) {
	leaf := s.plan.nodes[v.node].leaf
	field := &s.plan.fields[leaf]
	raw := s.b[v.from:v.end]
	text := raw
	if v.kind == kindText {
		text = unquote(raw, v.flags)
	}
	if field.Watch && v.kind != kindNull { // which says nothing
		s.rep.watch(leaf, text, field.Box && v.slot == 0 && v.node != root)
	}
	if field.Compare {
		s.rep.compare(leaf, text, v.kind == kindNull)
	}
	if field.JSON && v.kind != kindNull {
		s.decideText(f, v, leaf, text)
		return
	}
	if !field.Kept {
		s.strip(f, leaf, field.Reason, v.item)
		return
	}
	if field.File {
		s.strip(f, leaf, ReasonWrongType, v.item)
		return
	}
	as := v.kind
	if field.Rule != nil {
		if !s.rep.spend(field.Rule, len(text)) {
			return // Plan.JSON refuses the text
		}
		var reason string
		s.scratch, as, reason = field.Rule.apply(s.scratch[:0], text, v.kind)
		if reason != "" {
			s.strip(f, leaf, reason, v.item)
			return
		}
	}
	s.rep.countKept(leaf)
	if !f.write {
		return
	}
	if field.Rule == nil || as == v.kind && string(s.scratch) == string(text) {
		s.write(f, v)
		return
	}
	s.lead(f, v.item)
	s.flush()
	if as == kindText {
		s.out = appendJSONString(s.out, s.scratch)
	} else {
		s.out = append(s.out, s.scratch...)
	}
}

// decideText applies a field that holds a JSON text to a scalar.
func (s *jsonPass) decideText(f *frame, v scalar, leaf int32, text []byte) {
	field := &s.plan.fields[leaf]
	reason := ReasonWrongType
	if v.kind == kindText {
		lim := s.lim
		lim.Fields -= s.items
		before := s.inner.members
		s.scratch, reason = s.inner.read(s.plan, leaf, s.scratch[:0], text, lim, s.rep)
		s.items += s.inner.members - before
		s.inner.members = before
	}
	switch {
	case !field.Kept:
		s.strip(f, leaf, field.Reason, v.item)
	case reason != "":
		s.strip(f, leaf, reason, v.item)
	default:
		s.rep.countKept(leaf)
		if f.write {
			s.lead(f, v.item)
			s.flush()
			s.out = appendJSONString(s.out, s.scratch)
		}
	}
}

// writeNull writes a null in the place of a branch (RULES.md, json/null-branches).
// Where nothing below may pass, it is left out like the branch itself: if it were
// not, its absence would tell that there was something.
func (s *jsonPass) writeNull(f *frame, v scalar) {
	if f.write && s.plan.nodes[v.node].live {
		s.write(f, v)
	}
}

// write writes a scalar as it came, but for separators of forms.
func (s *jsonPass) write(f *frame, v scalar) {
	s.lead(f, v.item)
	if v.flags&separator == 0 {
		s.emit(v.from, v.end)
	} else {
		s.emitEscaped(v.from, v.end)
	}
}

// strip records that a field's value is left out, and writes the constant that
// the policy has in its place, if any.
func (s *jsonPass) strip(f *frame, leaf int32, reason string, it item) {
	s.rep.countStripped(leaf, reason)
	if c := s.plan.fields[leaf].Otherwise; c != nil && f.write {
		s.lead(f, it)
		s.flush()
		s.out = append(s.out, c.JSON...)
	}
}

// lead writes what stands before a value: the comma, and the name of a member.
func (s *jsonPass) lead(f *frame, it item) {
	start := s.comma(f, it.start)
	if it.slot == 0 {
		s.emit(start, it.start)
		return
	}
	n := &s.shapes.slots[it.slot]
	if n.rewrite == 0 && it.value-it.start == int(n.size) {
		s.emit(start, it.value)
		return
	}
	s.emit(start, it.start)
	s.flush()
	s.out = append(appendJSONString(s.out, s.shapes.name(n)), ':')
}

// copyItem writes a member or element, b[start:end], as it came.
func (s *jsonPass) copyItem(f *frame, start, end int) {
	s.emit(s.comma(f, start), end)
}

// fill writes a null in the place of the element of an indexed list that begins at
// b[start], if nothing is written for it: the elements after it keep their numbers.
func (s *jsonPass) fill(f *frame, start int) {
	if f.write && f.written < f.count {
		s.lead(f, item{start: start})
		s.flush()
		s.out = append(s.out, "null"...)
	}
}

// comma separates what begins at b[start] from what is written in f before it.
// It returns start−1 if the comma is b[start-1], for the caller to emit.
func (s *jsonPass) comma(f *frame, start int) int {
	f.written++
	switch {
	case f.empty:
		f.empty = false
	case s.b[start-1] == ',':
		return start - 1
	default:
		s.flush()
		s.out = append(s.out, ',')
	}
	return start
}

// emit writes b[from:to], as soon as something else follows it.
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
		if c == '&' || c == ';' || c == '=' {
			s.out = append(s.out, '\\', 'u', '0', '0', hexDigits[c>>4]|0x20, hexDigits[c&15]|0x20)
		} else {
			s.out = append(s.out, c)
		}
	}
}

// large marks a name after the 64th of its place, and reports whether the
// object had it already.
func (s *jsonPass) large(f *frame, slot int32) (had bool) {
	if f.id == 0 {
		f.id = s.shapes.large.open()
	}
	return s.shapes.large.mark(f.id, slot)
}

// member returns the node of the member called name of an object at node at.
func (p *Plan) member(at int32, name []byte, hash uint32, rep *Report) int32 {
	n := &p.nodes[at]
	if e := n.find(name, hash); e != nil {
		return e.node
	}
	free, _ := p.openMember(at, name, rep)
	return free
}

// isIndexed reports whether the elements of a list at the node lead to different
// fields.
func (n *node) isIndexed() bool {
	return n.numbers || !n.star && n.element != void && len(n.wildcards) > 0
}

// elementOf returns the node of an element of a list at an indexed node: that of its
// number, of "*" or of "**". A wildcard matches no element, but what it would
// match as a name does not pass by "**": PHP reads a list as it does an object.
func (p *Plan) elementOf(at int32, index int, rep *Report) int32 {
	var digits [20]byte
	name := strconv.AppendInt(digits[:0], int64(index), 10)
	n := &p.nodes[at]
	if e := n.find(name, hashName(name)); e != nil {
		return e.node
	}
	if !n.star && len(n.wildcards) > 0 {
		if free, by := p.openMember(at, name, rep); free == void || by != nil {
			return void
		}
	}
	return n.element
}
