package submission

import (
	"encoding/binary"
	"hash/maphash"
)

// shapes remembers which members objects had, place by place in the
// structure of the texts, and which came after which. So one comparison
// tells the next member's name, that it is valid, whether its object had it
// already, and what the plan says of it. Lists of like objects profit, and
// so does the next submission of the same form.
//
// A name has one slot at a place, however it is spelled, and an object
// marks the slots it had: what a client sends can make the prediction fail,
// never make a name look like another or a second one like a first.
//
// It holds names, no values, and a bounded number of them between texts.
type shapes struct {
	slots  []slot     // slots[0] is no slot
	places []position // places[0] is no place, places[topShape] the top value
	arena  []byte     // names as "name": with quotes and colon, and paths
	table  []int32    // finds slots by place and name: a power of two long, at most half full
	texts  uint32     // counts the texts read, for slot.noted
	large  largeObjects
}

// position is a place in the structure of the texts.
type position struct {
	first   int32 // the slot that came first in the last object here; 0: none
	element int32 // the place of the elements of a list here; 0: not yet known
	slots   int32 // how many names are known here
}

// slot is a name at a place.
type slot struct {
	head     [2]uint64 // the first 16 bytes of "name": as words, and
	mask     [2]uint64 // which of them count
	next     int32     // the slot that came next last time; 0: none
	size     int32     // of "name": in bytes; 0: cannot be foretold
	node     int32     // of the plan
	shape    int32     // the place of a container that the member holds; 0: not yet known
	seen     uint64    // its mark in an object; 0: it is told by largeObjects
	odd      int       // 0: our spelling is the arena's
	act      action    // of node, and
	leaf     int32     // its field
	at       int32     // where it stands in the arena
	length   int32     // of the name
	hash     uint32
	place    int32
	noted    uint32 // the text in which it was reported as undeclared
	path     int32  // its path in the arena, once it was
	pathSize int32
	pathHash uint32
}

// never is the head of a name that cannot be foretold: its mask is 0.
var never = [2]uint64{1}

const (
	topShape = int32(1)
	// maxShapes bounds what is kept for the next text.
	maxShapes = 1 << 10
)

func (s *shapes) reset() {
	s.slots = append(s.slots[:0], slot{head: never})
	s.places = append(s.places[:0], position{}, position{})
	s.arena = s.arena[:0]
	if s.table == nil {
		s.table = make([]int32, 64)
	}
	clear(s.table)
}

func (s *shapes) begin() { s.texts++ }

// end forgets all when it has become too much.
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

// element returns the place of the elements of a list.
func (s *shapes) element(shape int32) int32 {
	if s.places[shape].element == 0 {
		s.places[shape].element = s.newPlace()
	}
	return s.places[shape].element
}

// below returns the place of the container that a member holds.
func (s *shapes) below(at int32) int32 {
	if s.slots[at].shape == 0 {
		s.slots[at].shape = s.newPlace()
	}
	return s.slots[at].shape
}

func (s *shapes) newPlace() int32 {
	s.places = append(s.places, position{})
	return int32(len(s.places) - 1) //nolint:gosec // G115: bounded by the limit on a body
}

// foretold tells whether the first 16 bytes of the slot's name and colon
// stand in w.
func (n *slot) foretold(w []byte) bool {
	return binary.LittleEndian.Uint64(w)&n.mask[0] == n.head[0] && binary.LittleEndian.Uint64(w[8:])&n.mask[1] == n.head[1]
}

// foretoldRest tells whether the rest of them stand in b[i:].
func (s *shapes) foretoldRest(n *slot, b []byte, i int) bool {
	return i+int(n.size) <= len(b) && string(b[i+16:i+int(n.size)]) == string(s.arena[n.at+16:n.at+n.size])
}

// find returns the slot of a name at a place, 0 when it is new there.
func (s *shapes) find(shape int32, name []byte, hash uint32) int32 {
	mask := len(s.table) - 1
	for i := first(shape, hash, mask); s.table[i] != 0; i = (i + 1) & mask {
		n := &s.slots[s.table[i]]
		if n.hash == hash && n.place == shape && string(s.name(n)) == string(name) {
			return s.table[i]
		}
	}
	return 0
}

// foresee lets a name be foretold by its spelling, once it came without
// escapes: what the arena holds is then what the text held.
func (s *shapes) foresee(n *slot, fl flags) {
	text := s.arena[n.at : n.at+16 : cap(s.arena)]
	n.size = n.length + 3
	n.odd = int(fl & separator)
	n.mask = [2]uint64{1<<(min(n.size, 8)*8) - 1, 1<<(min(max(n.size, 8)-8, 8)*8) - 1}
	n.head = [2]uint64{binary.LittleEndian.Uint64(text) & n.mask[0], binary.LittleEndian.Uint64(text[8:]) & n.mask[1]}
}

// add makes the slot of a name that is new at a place; fl tells how it was
// spelled.
func (s *shapes) add(shape int32, name []byte, hash uint32, fl flags) int32 {
	n := slot{head: never, odd: 1, place: shape, hash: hash, at: int32(len(s.arena)), length: int32(len(name))} //nolint:gosec // G115: bounded by the limit on a body
	if ordinal := s.places[shape].slots; ordinal < 64 {
		n.seen = 1 << ordinal
	}
	s.places[shape].slots++
	s.arena = append(append(append(s.arena, '"'), name...), "\":0123456789abcdef"...)
	s.arena = s.arena[:len(s.arena)-16]
	if fl&escaped == 0 {
		s.foresee(&n, fl)
	}
	s.slots = append(s.slots, n)
	if 2*len(s.slots) > len(s.table) {
		s.table = make([]int32, 2*len(s.table))
		for at := range s.slots[1:] {
			s.enter(int32(at + 1))
		}
	} else {
		s.enter(int32(len(s.slots) - 1)) //nolint:gosec // G115: as above
	}
	return int32(len(s.slots) - 1) //nolint:gosec // G115: as above
}

func (s *shapes) enter(at int32) {
	mask := len(s.table) - 1
	i := first(s.slots[at].place, s.slots[at].hash, mask)
	for s.table[i] != 0 {
		i = (i + 1) & mask
	}
	s.table[i] = at
}

func (s *shapes) name(n *slot) []byte {
	return s.arena[n.at+1 : n.at+1+n.length]
}

// first is where the search in a table begins. The hash is keyed, so that a
// client cannot choose what lies together.
func first(of int32, hash uint32, mask int) int {
	return int(hash^uint32(of)*0x9e3779b1) & mask //nolint:gosec // G115: of is an index
}

// largeObjects tells which slots without a mark an object had: those past
// the 64th name of a place. One table serves all objects of a text.
type largeObjects struct {
	entries []largeEntry // a power of two long, at most half full
	count   int
	ids     int32
}

type largeEntry struct{ object, slot int32 } // slot 0: free

// open returns the number of another object.
func (t *largeObjects) open() int32 {
	t.ids++
	return t.ids
}

// mark notes that an object has the slot, and tells whether it had already.
func (t *largeObjects) mark(object, at int32) (had bool) {
	if 2*(t.count+1) > len(t.entries) {
		old := t.entries
		t.entries = make([]largeEntry, max(256, 2*len(old)))
		for _, e := range old {
			if e.slot != 0 {
				t.entries[t.find(e)] = e
			}
		}
	}
	e := largeEntry{object: object, slot: at}
	i := t.find(e)
	if t.entries[i] == e {
		return true
	}
	t.entries[i] = e
	t.count++
	return false
}

// find returns where e stands, or would. The hash is keyed, as that of names.
func (t *largeObjects) find(e largeEntry) int {
	mask := len(t.entries) - 1
	i := int(maphash.Comparable(nameSeed, e)) & mask //nolint:gosec // G115: the mask takes what fits
	for t.entries[i].slot != 0 && t.entries[i] != e {
		i = (i + 1) & mask
	}
	return i
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
