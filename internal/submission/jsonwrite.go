package submission

// enter decides about a container at node at before it is read: which node
// stands for what it holds, and whether anything of it may go on.
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
	if field.Watch && v.kind != kindNull { // which says nothing
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
		if !s.rep.spend(field.Rule, len(text)) {
			return // document refuses it
		}
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
	if n.odd == 0 && key-start == int(n.size) {
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
		if c == '&' || c == ';' || c == '=' {
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
		n := &s.shapes.slots[slot]
		n.node = s.plan.member(f.node, name, hash)
		n.act, n.leaf = s.plan.nodes[n.node].scalar, s.plan.nodes[n.node].leaf
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
	free := n.openMember(name)
	if _, ok := parseIndex(name); ok && free != void && n.element == at {
		return at // {"0": …} is a list to PHP
	}
	return free
}
