package submission

import (
	"encoding/binary"
	"hash/maphash"
)

// shapes remembers, for each place in the structure of the texts, which names
// objects had there and which name followed which. If the predicted name comes,
// one comparison shows that it is valid, whether the object has had it already
// and what the plan does with its value. Lists of objects of one form profit,
// and so does the next submission of that form. Of objects in no order, recent
// finds most names.
//
// A name has one slot at a place, however it is spelled, and an object marks
// the slots it had. So a client can make a prediction fail, but cannot make one
// name pass for another or hide that a name came twice.
//
// It holds names, no values, and between texts a bounded number of them.
type shapes struct {
	slots  []slot              // slots[0] stands for no slot
	places []position          // places[0] stands for no place, places[topShape] for the top value
	arena  []byte              // names as "name": with quotes and colon, and paths
	table  []int32             // finds slots by place and name: a power of two long, at most half full
	recent [recentSize]int32   // the slot last found at each recentIndex
	byNode map[placeNode]int32 // the places of the elements of indexed lists
	texts  uint32              // counts the texts read, for slot.reported
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
	size     int32     // of "name": in bytes; 0: the name has come with escapes only
	node     int32     // of the plan
	shape    int32     // the place of a container that the member holds; 0: not yet known
	bit      uint64    // of frame.seen; 0: largeObjects keeps count instead
	rewrite  int       // not 0: the name needs escapes when it is written
	action   action    // of node, and
	leaf     int32     // its field
	at       int32     // where "name": stands in the arena
	length   int32     // of the name
	hash     uint32    // of the name
	place    int32     // where the name occurs
	reported uint32    // the last text in which it was reported as undeclared
	path     int32     // its path in the arena, once it was reported
	pathSize int32
	pathHash uint32
}

// neverMatches is the head of a name that cannot be predicted: its mask is 0.
var neverMatches = [2]uint64{1}

const (
	topShape = int32(1)
	// maxShapes bounds what is kept for the next text.
	maxShapes = 1 << 10
)

func (s *shapes) reset() {
	s.slots = append(s.slots[:0], slot{head: neverMatches})
	s.places = append(s.places[:0], position{}, position{})
	s.arena = s.arena[:0]
	if s.table == nil {
		s.table = make([]int32, 64)
	}
	clear(s.table)
	clear(s.recent[:])
	clear(s.byNode)
}

func (s *shapes) begin() { s.texts++ }

// end forgets everything if it has become too much.
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

// placeNode is a list's place and the node of some of its elements.
type placeNode struct{ shape, node int32 }

// elementAt is element for those elements of an indexed list that lead to a node:
// what a name leads to is remembered by place.
func (s *shapes) elementAt(shape, node int32) int32 {
	at, ok := s.byNode[placeNode{shape, node}]
	if !ok {
		if s.byNode == nil {
			s.byNode = make(map[placeNode]int32)
		}
		at = s.newPlace()
		s.byNode[placeNode{shape, node}] = at
	}
	return at
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

// matches reports whether w begins with the name and its colon, as far as 16
// bytes show.
func (n *slot) matches(w []byte) bool {
	return binary.LittleEndian.Uint64(w)&n.mask[0] == n.head[0] && binary.LittleEndian.Uint64(w[8:])&n.mask[1] == n.head[1]
}

// matchesRest reports whether the rest of the name and its colon stand in
// b[i+16:].
func (s *shapes) matchesRest(n *slot, b []byte, i int) bool {
	return i+int(n.size) <= len(b) && string(b[i+16:i+int(n.size)]) == string(s.arena[n.at+16:n.at+n.size])
}

// recentSize is the length of shapes.recent.
const recentSize = 1 << 10

// recentIndex returns where recent has the name at a place that w begins with,
// quote included: it mixes the first 16 bytes up to the closing quote. Names that
// share an index are a matter of speed, not of safety.
func recentIndex(w []byte, place int32) int {
	const m0, m1, m2 = 0x94d049bb133111eb, 0x9e3779b97f4a7c15, 0xbf58476d1ce4e5b9 // odd, with no pattern
	v0, v1 := binary.LittleEndian.Uint64(w[1:]), binary.LittleEndian.Uint64(w[9:])
	q0, q1 := quotes(v0), quotes(v1)
	v0 &= q0 ^ (q0 - 1) // up to the first quote; all of it if there is none
	v1 &= q1 ^ (q1 - 1)
	if q0 != 0 {
		v1 = 0
	}
	h := v0 ^ v1*m1 ^ uint64(uint32(place))*m2 //nolint:gosec // G115: bits, not numbers
	return int(h * m0 >> (64 - 10))            // the bits of recentSize
}

// lookUp returns the slot of the name at b[i] and where its colon ends; slot 0 and
// i if the name has to be read.
func (s *shapes) lookUp(place int32, b []byte, i int) (slot int32, end int) {
	slot = s.recent[recentIndex(b[i:i+17], place)]
	n := &s.slots[slot]
	if n.place == place && n.matches(b[i:i+16]) && (n.size <= 16 || s.matchesRest(n, b, i)) {
		return slot, i + int(n.size)
	}
	return 0, i
}

// follow predicts that a slot comes where it has just come in f.
func (s *shapes) follow(f *frame, slot int32) {
	if f.prev == 0 {
		s.places[f.shape].first = slot
	} else {
		s.slots[f.prev].next = slot
	}
}

// quotes marks, by its high bit, the first double quote in w; bytes above may be
// marked too.
func quotes(w uint64) uint64 {
	x := w ^ '"'*ones
	return (x - ones) &^ x & highs
}

// find returns the slot of a name at a place, or 0 if it is new there.
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

// predict makes a slot match the spelling of its name without escapes; fl are
// the flags of that spelling.
func (s *shapes) predict(n *slot, fl flags) {
	text := s.arena[n.at : n.at+16 : cap(s.arena)]
	n.size = n.length + int32(len(`"":`))
	n.rewrite = int(fl & separator)
	n.mask = [2]uint64{1<<(min(n.size, 8)*8) - 1, 1<<(min(max(n.size, 8)-8, 8)*8) - 1}
	n.head = [2]uint64{binary.LittleEndian.Uint64(text) & n.mask[0], binary.LittleEndian.Uint64(text[8:]) & n.mask[1]}
}

// add makes the slot of a name that is new at a place.
func (s *shapes) add(shape int32, name []byte, hash uint32) int32 {
	n := slot{head: neverMatches, rewrite: 1, place: shape, hash: hash, at: int32(len(s.arena)), length: int32(len(name))} //nolint:gosec // G115: bounded by the limit on a body
	if ordinal := s.places[shape].slots; ordinal < 64 {
		n.bit = 1 << ordinal
	}
	s.places[shape].slots++
	s.arena = append(append(append(s.arena, '"'), name...), "\":0123456789abcdef"...)
	s.arena = s.arena[:len(s.arena)-16] // predict reads 16 bytes
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
// client cannot choose names that collide.
func first(of int32, hash uint32, mask int) int {
	return int(hash^uint32(of)*0x9e3779b1) & mask //nolint:gosec // G115: of is an index
}

// largeObjects holds which slots without a bit the objects of a text have had:
// those after the 64th name of a place.
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

// mark notes that an object has the slot, and reports whether it had it
// already.
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

// find returns the index of e, or of the free entry for it. The hash is keyed, as
// that of names is.
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
