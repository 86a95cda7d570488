package submission

// document reads the whole text.
func (s *jsonPass) document() error {
	s.stack = append(s.stack, frame{write: true, empty: true})
	i, err := s.top(skipSpace(s.b, 0))
	for err == nil && len(s.stack) > 1 {
		if f := s.innermost(); f.object {
			i, err = s.object(f, i)
		} else {
			i, err = s.list(f, i)
		}
	}
	if err != nil {
		return err
	}
	if i = skipSpace(s.b, i); i < len(s.b)-Padding {
		return &Error{Status: 400, Rule: "trailing-data", Detail: "the body goes on after its JSON value", Offset: int64(i)}
	}
	s.flush()
	if s.stack[0].empty {
		s.out = append(s.out, "null"...)
	}
	return nil
}

// top reads the top value if it is a scalar, or opens it.
func (s *jsonPass) top(i int) (int, error) {
	it := item{node: root, start: i, value: i}
	if isOpening(s.b[i]) {
		return s.open(it, topShape, i)
	}
	end, k, fl := scanScalar(s.b, i)
	if fl >= broken {
		return 0, s.broken(end, fl)
	}
	switch n := &s.plan.nodes[root]; {
	case n.scalar != actionStrip:
		s.decide(s.innermost(), scalar{item: it, from: i, end: end, kind: k, flags: fl})
	case k == kindNull && n.isBranch(): // which is written where nothing is
	default:
		s.rep.Undeclared++
		s.note(s.innermost(), 0)
	}
	return end, nil
}

// object reads members of f, the innermost container, until a member opens
// another or f ends.
//
// Most names are predicted, and most of their values go on as they came or
// are left out. What these need is written out here; the rest is in methods.
func (s *jsonPass) object(f *frame, i int) (_ int, err error) {
	b, outcomes := s.b, s.rep.Outcomes
	for {
		if s.items++; s.items > s.lim.Fields {
			return 0, s.tooMany(i)
		}
		if b[i] <= ' ' {
			i = skipSpace(b, i)
		}
		start, slot := i, f.next
		n := &s.shapes.slots[slot]
		if n.matches(b[i:i+16]) && (n.size <= 16 || s.shapes.matchesRest(n, b, i)) {
			i += int(n.size)
		} else {
			if slot, i = s.shapes.lookUp(f.shape, b, i); slot == 0 {
				if slot, i, err = s.readName(f, i); err != nil {
					return 0, err
				}
			}
			s.shapes.follow(f, slot)
			n = &s.shapes.slots[slot]
		}
		if f.seen&n.bit != 0 || n.bit == 0 && s.large(f, slot) {
			return 0, &Error{
				Status: 400, Rule: "duplicate-name", Offset: int64(start),
				Detail: "an object has one name twice, and applications disagree on which counts",
			}
		}
		f.seen |= n.bit
		f.prev, f.next = slot, n.next

		value := i
		if b[i] <= ' ' {
			i = skipSpace(b, i)
		}
		var (
			end int
			k   kind // kindText
			fl  flags
		)
		if c := b[i]; c == '"' {
			end, fl = scanString(b, i)
		} else if isOpening(c) {
			return s.open(item{node: n.node, slot: slot, start: start, value: value}, s.shapes.below(slot), i)
		} else {
			end, k, fl = scanScalar(b, i)
		}
		switch {
		case fl >= broken:
			return 0, s.broken(end, fl)
		case n.action == actionPass && f.write:
			outcomes[n.leaf].Kept++
			if n.rewrite|(start+int(n.size)-i)|int(fl&separator) == 0 {
				s.copyItem(f, start, end)
			} else {
				s.write(f, scalar{item: item{slot: slot, start: start, value: value}, from: i, end: end, flags: fl})
			}
		case n.action != actionStrip:
			s.decide(f, scalar{item: item{node: n.node, slot: slot, start: start, value: value}, from: i, end: end, kind: k, flags: fl})
		case k == kindNull && s.plan.nodes[n.node].isBranch():
			s.writeNull(f, scalar{item: item{node: n.node, slot: slot, start: start, value: value}, from: i, end: end})
		case f.node != void:
			s.rep.Undeclared++
			if n.reported != s.shapes.texts {
				s.note(f, slot)
			}
		}
		if b[end] != ',' {
			return s.after(end)
		}
		i = end + 1
	}
}

// list reads elements of f, the innermost container, until an element opens
// another or f ends.
func (s *jsonPass) list(f *frame, i int) (int, error) {
	b, outcomes := s.b, s.rep.Outcomes
	at := s.plan.nodes[f.node].element
	n := &s.plan.nodes[at]
	for {
		if s.items++; s.items > s.lim.Fields {
			return 0, s.tooMany(i)
		}
		if f.indexed {
			at = s.plan.elementOf(f.node, f.count, s.rep)
			n = &s.plan.nodes[at]
			f.count++
		}
		start := i
		if b[i] <= ' ' {
			i = skipSpace(b, i)
		}
		if isOpening(b[i]) {
			shape := f.element
			if f.indexed {
				shape = s.shapes.elementAt(f.shape, at)
			}
			return s.open(item{node: at, start: start, value: start}, shape, i)
		}
		end, k, fl := scanScalar(b, i)
		switch {
		case fl >= broken:
			return 0, s.broken(end, fl)
		case n.scalar == actionPass && f.write:
			outcomes[n.leaf].Kept++
			if start-i|int(fl&separator) == 0 {
				s.copyItem(f, start, end)
			} else {
				s.write(f, scalar{item: item{start: start, value: start}, from: i, end: end, flags: fl})
			}
		case n.scalar != actionStrip:
			s.decide(f, scalar{item: item{node: at, start: start, value: start}, from: i, end: end, kind: k, flags: fl})
		case k == kindNull && n.isBranch():
			s.writeNull(f, scalar{item: item{node: at, start: start, value: start}, from: i, end: end})
		case f.node != void:
			s.rep.Undeclared++
			if !f.reported {
				s.note(f, 0)
			}
		}
		if f.indexed {
			s.fill(f, start)
		}
		if b[end] != ',' {
			return s.after(end)
		}
		i = end + 1
	}
}

// open pushes the container that begins at b[i] as the value of it, and
// returns where the first member or element begins. An empty container is
// popped at once.
func (s *jsonPass) open(it item, shape int32, i int) (int, error) {
	if len(s.stack) > s.lim.Depth {
		return 0, &Error{Status: 400, Rule: "depth", Detail: "the JSON nests deeper than the limit (max_depth)", Offset: int64(i)}
	}
	f, object := s.innermost(), s.b[i] == '{'
	node, write := s.enter(f, it, object)
	if write {
		s.lead(f, it)
		s.emit(i, i+1)
	} else if f.indexed {
		s.fill(f, it.start)
	}
	if len(s.stack) < cap(s.stack) {
		s.stack = s.stack[:len(s.stack)+1]
	} else {
		s.stack = append(s.stack, frame{})
	}
	f = s.innermost()
	f.node, f.shape, f.slot, f.object, f.write = node, shape, it.slot, object, write
	f.empty, f.reported, f.indexed, f.prev, f.id, f.seen = true, false, false, 0, 0, 0
	if object {
		f.next = s.shapes.places[shape].first
	} else {
		f.element = s.shapes.element(shape)
		f.indexed, f.count, f.written = s.plan.nodes[node].isIndexed(), 0, 0
	}
	if i++; s.b[i] <= ' ' {
		i = skipSpace(s.b, i)
	}
	if s.b[i] == f.bracket() {
		return s.after(i)
	}
	return i, nil
}

// after reads what may follow a value, from b[i] on: a comma, or brackets that
// close containers, which it pops. It returns the position behind the comma, or
// behind the top value.
func (s *jsonPass) after(i int) (int, error) {
	for len(s.stack) > 1 {
		f := s.innermost()
		if i = skipSpace(s.b, i); s.b[i] == ',' {
			return i + 1, nil
		}
		if s.b[i] != f.bracket() {
			return 0, s.expected("',' or '"+string(f.bracket())+"'", i)
		}
		if f.write {
			s.emit(i, i+1)
		}
		s.stack = s.stack[:len(s.stack)-1]
		i++
	}
	return i, nil
}

// readName reads the name at b[i] byte by byte.
func (s *jsonPass) readName(f *frame, i int) (slot int32, end int, err error) {
	b, start := s.b, i
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
		slot = s.shapes.add(f.shape, name, hash)
		n := &s.shapes.slots[slot]
		n.node = s.plan.member(f.node, name, hash, s.rep)
		n.action, n.leaf = s.plan.nodes[n.node].scalar, s.plan.nodes[n.node].leaf
	}
	if n := &s.shapes.slots[slot]; n.size == 0 && fl&escaped == 0 {
		s.shapes.predict(n, fl)
	}
	s.shapes.recent[recentIndex(b[start:start+17], f.shape)] = slot
	if end = skipSpace(b, end); b[end] != ':' {
		return 0, 0, s.expected("':'", end)
	}
	return slot, end + 1, nil
}

// isOpening reports whether c opens a container: '[' and '{' differ in one bit.
func isOpening(c byte) bool { return c|0x20 == '{' }

// bracket returns the byte that closes the container.
func (f *frame) bracket() byte {
	if f.object {
		return '}'
	}
	return ']'
}
