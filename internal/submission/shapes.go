package submission

import "encoding/binary"

// shapes remembers which members the last object at each place had, in
// order, so that one comparison tells the next member's name, that it is
// valid and new in its object, and what the plan says of it. Lists of like
// objects profit, and so does the next submission of the same form.
//
// Invariant: the slots of one list bear different names. A list is therefore
// followed forwards only, and left for good at the first name it does not
// foretell; from there every name is looked for among those before it.
// What a client sends can make prediction fail, never make it wrong.
//
// It holds names, no values, and at most maxShapes of them between texts.
type shapes struct {
	slots  []slot  // slots[0] is no slot
	places []place // places[0] is no place, places[topShape] the top value
	arena  []byte  // names as "name": with quotes and colon, one after the other
	free   int32   // a list of slots to use again
	texts  uint32  // counts the texts read, for slot.noted
	large  largeObjects
}

// place is a position in the structure of the texts: what it predicts.
type place struct {
	first   int32 // the list of the last object here, and
	last    int32 // its end
	element int32 // the place of the elements of a list here
}

// slot is a member that an object had.
type slot struct {
	head     [2]uint64 // the first 16 bytes of "name": as words, and
	mask     [2]uint64 // which of them count
	size     int32     // of "name": in bytes; 0: cannot be foretold
	at       int32     // where it stands in the arena
	length   int32     // of the name
	hash     uint32
	node     int32 // of the plan
	shape    int32 // the place of a container below; 0: not yet known
	next     int32
	ordinal  int32  // in its list
	noted    uint32 // the text in which it was reported as undeclared
	path     int32  // its path in the arena, once it was
	pathSize int32
	pathHash uint32
	same     bool // our spelling is the arena's
}

// roster is the list of the names that an open object has had so far: the
// slots of the list it follows before the next one, or a list of its own.
type roster struct {
	next        int32  // the prediction; 0: none
	skipped     uint64 // ordinals of followed slots that did not come
	own         bool   // the list was made for this object
	first, last int32  // of the own list
	seen        uint64 // of the own list: a set of the hashes' low bits, to tell what is surely new
	id          uint32 // of a large object
}

const (
	topShape = int32(1)
	// maxShapes bounds what is kept for the next text.
	maxShapes = 1 << 10
	// lookahead is how many members that do not come are forgiven.
	lookahead = 3
	// largeObject is the number of names from which a table finds them.
	largeObject = 24
)

func (s *shapes) reset() {
	s.slots = append(s.slots[:0], slot{})
	s.places = append(s.places[:0], place{}, place{})
	s.arena, s.free = s.arena[:0], 0
}

func (s *shapes) begin() { s.texts++ }

// end forgets all when it has become too much. Slots are used again within
// a text, so that only a text of many shapes does that.
func (s *shapes) end() {
	s.large.reset()
	if len(s.slots) <= maxShapes && len(s.places) <= maxShapes && len(s.arena) <= 64*maxShapes && s.texts != 0 {
		return
	}
	if cap(s.slots) > 8*maxShapes || cap(s.places) > 8*maxShapes || cap(s.arena) > maxRetained {
		*s = shapes{texts: s.texts}
	}
	s.reset()
}

// open begins an object at a place.
func (s *shapes) open(shape int32) roster {
	return roster{next: s.places[shape].first}
}

// element returns the place of the elements of a list.
func (s *shapes) element(shape int32) int32 {
	if s.places[shape].element == 0 {
		s.places[shape].element = int32(len(s.places)) //nolint:gosec // G115: bounded by the limit on a body
		s.places = append(s.places, place{})
	}
	return s.places[shape].element
}

// below returns the place of the container that a member holds.
func (s *shapes) below(at int32) int32 {
	if s.slots[at].shape == 0 {
		s.slots[at].shape = int32(len(s.places)) //nolint:gosec // G115: as above
		s.places = append(s.places, place{})
	}
	return s.slots[at].shape
}

// foretells tells whether b[i:] begins with the slot's name and colon.
func (s *shapes) foretells(n *slot, b []byte, i int) bool {
	w := b[i : i+16]
	return binary.LittleEndian.Uint64(w)&n.mask[0] == n.head[0] &&
		binary.LittleEndian.Uint64(w[8:])&n.mask[1] == n.head[1] &&
		n.size != 0 && (n.size <= 16 || s.foretellsRest(n, b, i))
}

func (s *shapes) foretellsRest(n *slot, b []byte, i int) bool {
	return i+int(n.size) <= len(b) && string(b[i+16:i+int(n.size)]) == string(s.arena[n.at+16:n.at+n.size])
}

// skip looks for the name at b[i:] a few slots after the one that was
// expected, members that do not always come being usual.
func (s *shapes) skip(r *roster, b []byte, i int) (at int32) {
	skipped := r.skipped
	at = r.next
	for range lookahead {
		n := &s.slots[at]
		if n.ordinal > 63 {
			return 0
		}
		skipped |= 1 << n.ordinal
		if at = n.next; at == 0 {
			return 0
		}
		if s.foretells(&s.slots[at], b, i) {
			r.skipped = skipped
			return at
		}
	}
	return 0
}

// add puts a name that was not foretold on the list of an object; seen says
// that the object has it already.
func (s *shapes) add(r *roster, shape int32, name []byte, hash uint32, fl flags) (at int32, seen bool) {
	if !r.own {
		s.leave(r, shape)
	}
	if bit := uint64(1) << (hash & 63); r.seen&bit == 0 {
		r.seen |= bit
	} else if s.has(r, hash, name) {
		return 0, true
	}
	at = s.link(r, hash)
	n := &s.slots[at]
	*n = slot{hash: hash, at: int32(len(s.arena)), length: int32(len(name)), ordinal: n.ordinal} //nolint:gosec // G115: bounded by the limit on a body
	s.arena = append(append(append(s.arena, '"'), name...), "\":0123456789abcdef"...)
	text := s.arena[n.at:]
	s.arena = s.arena[:len(s.arena)-16]
	if fl&escaped == 0 {
		n.size = n.length + 3
		n.same = fl&separator == 0
		n.mask[0] = 1<<(min(n.size, 8)*8) - 1
		n.mask[1] = 1<<(min(max(n.size, 8)-8, 8)*8) - 1
		n.head[0] = binary.LittleEndian.Uint64(text) & n.mask[0]
		n.head[1] = binary.LittleEndian.Uint64(text[8:]) & n.mask[1]
	}
	return at, false
}

// leave copies the slots that an object matched so far into a list of its
// own, which grows at its end only.
func (s *shapes) leave(r *roster, shape int32) {
	r.own = true
	for i := s.places[shape].first; i != r.next; {
		n := s.slots[i]
		next := n.next
		if n.ordinal > 63 || r.skipped&(1<<n.ordinal) == 0 {
			r.seen |= 1 << (n.hash & 63)
			at := s.link(r, n.hash)
			n.ordinal, n.next = s.slots[at].ordinal, 0
			s.slots[at] = n
		}
		i = next
	}
	r.next = 0
}

// link appends a slot to the own list of an object, a free one if there is
// any; all but its hash, ordinal and place in the list is the caller's.
func (s *shapes) link(r *roster, hash uint32) int32 {
	at := s.free
	if at != 0 {
		s.free = s.slots[at].next
	} else {
		at = int32(len(s.slots)) //nolint:gosec // G115: bounded by the limit on a body
		s.slots = append(s.slots, slot{})
	}
	ordinal := int32(0)
	if r.last == 0 {
		r.first = at
	} else {
		s.slots[r.last].next = at
		ordinal = s.slots[r.last].ordinal + 1
	}
	r.last = at
	n := &s.slots[at]
	n.hash, n.ordinal, n.next = hash, ordinal, 0
	switch {
	case ordinal == largeObject:
		r.id = s.large.open()
		for i := r.first; i != 0; i = s.slots[i].next {
			s.large.insert(r.id, s.slots[i].hash, i)
		}
	case ordinal > largeObject:
		s.large.insert(r.id, hash, at)
	}
	return at
}

// has tells whether the own list of an object holds a name.
func (s *shapes) has(r *roster, hash uint32, name []byte) bool {
	if r.id != 0 {
		return s.large.has(s, r.id, hash, name)
	}
	for i := r.first; i != 0; i = s.slots[i].next {
		if n := &s.slots[i]; n.hash == hash && string(s.name(n)) == string(name) {
			return true
		}
	}
	return false
}

// settle lets an object that left the prediction be the next one. What it
// replaces is free: no other object at this place is open.
func (s *shapes) settle(shape int32, r *roster) {
	if !r.own {
		return
	}
	p := &s.places[shape]
	if p.first != 0 {
		s.slots[p.last].next = s.free
		s.free = p.first
	}
	p.first, p.last = r.first, r.last
}

func (s *shapes) name(n *slot) []byte {
	return s.arena[n.at+1 : n.at+1+n.length]
}

// largeObjects finds the names of objects with many members: one hash table
// for all of a text, so that a duplicate is found in constant time.
type largeObjects struct {
	entries []largeEntry // a power of two long, at most half full
	count   int
	ids     uint32
}

type largeEntry struct {
	id, hash uint32
	slot     int32 // 0: free
}

func (t *largeObjects) open() uint32 {
	t.ids++
	return t.ids
}

func (t *largeObjects) insert(id, hash uint32, at int32) {
	if 2*(t.count+1) > len(t.entries) {
		old := t.entries
		t.entries = make([]largeEntry, max(256, 2*len(old)))
		for _, e := range old {
			if e.slot != 0 {
				t.put(e)
			}
		}
	}
	t.count++
	t.put(largeEntry{id: id, hash: hash, slot: at})
}

func (t *largeObjects) put(e largeEntry) {
	i := t.first(e.id, e.hash)
	for t.entries[i].slot != 0 {
		i = (i + 1) & (len(t.entries) - 1)
	}
	t.entries[i] = e
}

func (t *largeObjects) has(s *shapes, id, hash uint32, name []byte) bool {
	for i := t.first(id, hash); t.entries[i].slot != 0; i = (i + 1) & (len(t.entries) - 1) {
		if e := t.entries[i]; e.id == id && e.hash == hash && string(s.name(&s.slots[e.slot])) == string(name) {
			return true
		}
	}
	return false
}

// first is where the search for a name begins. The hash is keyed, so the
// client cannot choose what lies together.
func (t *largeObjects) first(id, hash uint32) int {
	return int((hash ^ id*0x9e3779b1) & uint32(len(t.entries)-1)) //nolint:gosec // G115: a table is never that long
}

func (t *largeObjects) reset() {
	t.ids = 0
	switch {
	case len(t.entries) > 4*maxShapes:
		*t = largeObjects{}
	case t.count > 0:
		clear(t.entries)
		t.count = 0
	}
}
