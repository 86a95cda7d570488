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
	texts  uint32  // counts the texts read, for slot.noted
	large  largeObjects
}

// place is a position in the structure of the texts: what it predicts.
type place struct {
	first   int32 // the list of the last object here
	element int32 // the place of the elements of a list here
}

// slot is a member that an object had.
type slot struct {
	head    uint64 // the first bytes of "name": as a word, and
	mask    uint64 // which of them count; 0 with a size of 0: cannot be predicted
	size    int32  // of "name": in bytes
	at      int32  // where it stands in the arena
	length  int32  // of the name
	hash    uint32
	node    int32 // of the plan
	shape   int32 // the place of a container below; 0: not yet known
	next    int32
	ordinal int32 // in its list
	noted   uint32
	same    bool // our spelling is the arena's
}

// roster is the list of the names that an open object has had so far.
type roster struct {
	first, last int32  // of the list, as far as it was matched or made
	next        int32  // the prediction; 0: none
	seen        uint64 // a set of the hashes' low bits, to tell what is surely new
	skipped     uint64 // ordinals of followed slots that did not come
	own         bool   // the list was made for this object
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
	s.arena = s.arena[:0]
}

func (s *shapes) begin() { s.texts++ }

func (s *shapes) end() {
	s.large.reset()
	if len(s.slots) > maxShapes || len(s.places) > maxShapes || s.texts == 0 {
		*s = shapes{texts: s.texts}
		s.reset()
	}
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

// predict returns the slot whose name and colon stand at b[i:] and the
// position after them, or 0 and i when it is none that was foretold.
func (s *shapes) predict(r *roster, b []byte, i int) (at int32, end int) {
	at = r.next
	if at == 0 {
		return 0, i
	}
	w := binary.LittleEndian.Uint64(b[i:])
	n := &s.slots[at]
	for try := 0; ; try++ {
		if w&n.mask == n.head && n.size > 0 && (n.size <= 8 || s.matches(n, b[i:])) {
			break
		}
		if at = n.next; at == 0 || try == lookahead {
			return 0, i
		}
		n = &s.slots[at]
	}
	if at != r.next {
		if !s.skip(r, at) {
			return 0, i
		}
	}
	r.last, r.next = at, n.next
	r.seen |= 1 << (n.hash & 63)
	return at, i + int(n.size)
}

func (s *shapes) matches(n *slot, b []byte) bool {
	return len(b) >= int(n.size) && string(b[8:n.size]) == string(s.arena[n.at+8:n.at+n.size])
}

// skip notes that the slots from the prediction up to at did not come.
func (s *shapes) skip(r *roster, at int32) bool {
	var skipped uint64
	for i := r.next; i != at; i = s.slots[i].next {
		if s.slots[i].ordinal > 63 {
			return false
		}
		skipped |= 1 << s.slots[i].ordinal
	}
	r.skipped |= skipped
	return true
}

// add puts a name that was not foretold on the list of an object; seen says
// that the object has it already.
func (s *shapes) add(r *roster, shape int32, name []byte, fl flags) (at int32, seen bool) {
	if !r.own {
		s.leave(r, shape)
	}
	hash := hashName(name)
	if bit := uint64(1) << (hash & 63); r.seen&bit == 0 {
		r.seen |= bit
	} else if s.has(r, hash, name) {
		return 0, true
	}
	n := slot{hash: hash, at: int32(len(s.arena)), length: int32(len(name))} //nolint:gosec // G115: bounded by the limit on a body
	s.arena = append(append(append(s.arena, '"'), name...), '"', ':')
	if fl&escaped == 0 {
		n.size = n.length + 3
		n.same = fl&separator == 0
		n.mask = 1<<(min(n.size, 8)*8) - 1
		s.arena = append(s.arena, make([]byte, 8)...)
		n.head = binary.LittleEndian.Uint64(s.arena[n.at:]) & n.mask
		s.arena = s.arena[:len(s.arena)-8]
	}
	return s.link(r, n), false
}

// leave copies the slots that an object matched so far into a list of its
// own, which grows at its end only.
func (s *shapes) leave(r *roster, shape int32) {
	last := r.last
	r.own, r.last, r.next = true, 0, 0
	if last == 0 {
		return
	}
	for i := s.places[shape].first; ; i = s.slots[i].next {
		n := s.slots[i]
		if n.ordinal > 63 || r.skipped&(1<<n.ordinal) == 0 {
			s.link(r, n)
		}
		if i == last {
			return
		}
	}
}

// link appends a slot to the own list of an object.
func (s *shapes) link(r *roster, n slot) int32 {
	at := int32(len(s.slots)) //nolint:gosec // G115: as above
	n.next, n.ordinal = 0, 0
	if r.last == 0 {
		r.first = at
	} else {
		s.slots[r.last].next = at
		n.ordinal = s.slots[r.last].ordinal + 1
	}
	r.last = at
	s.slots = append(s.slots, n)
	switch {
	case n.ordinal == largeObject:
		r.id = s.large.open()
		for i := r.first; i != 0; i = s.slots[i].next {
			s.large.insert(r.id, s.slots[i].hash, i)
		}
	case n.ordinal > largeObject:
		s.large.insert(r.id, n.hash, at)
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

// settle lets an object that left the prediction be the next one.
func (s *shapes) settle(shape int32, r *roster) {
	if r.own {
		s.places[shape].first = r.first
	}
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
