package submission

import (
	"hash/maphash"
	"math/bits"
)

// role is how a place was used so far in one submission.
type role uint8

const (
	asValue      role = 1 << iota // name=
	asObject                      // name[member]
	emptyValue                    // name[]=
	emptyBranch                   // name[][…]
	indexValue                    // name[0]=
	indexBranch                   // name[0][…]
	inList                        // the place is an element
	asEmpty                       // name= with nothing, and nothing else so far: see emptylist.go
	elementRoles = emptyValue | emptyBranch | indexValue | indexBranch
)

// mixed reports whether roles contradict each other. A value holds nothing.
// Applications number the elements of name[] differently when name[0] comes too; only
// jQuery.param writes both, for a list that holds values and containers.
func (r role) mixed() bool {
	r &^= inList | asEmpty
	if r&asValue != 0 && r != asValue {
		return true
	}
	lists := r & elementRoles
	one := lists&(lists-1) == 0
	return !one && lists != indexValue|indexBranch && lists != emptyValue|indexBranch
}

// namePlace is an entry of the table: the place that a segment leads to from
// another one.
type namePlace struct {
	segment  int64 // a named member's node; freeMember; emptyElement; the rest are indexes
	parent   int32
	from, to int32 // a free member's text
	id       int32 // 0: the entry is free
}

const (
	freeMember   = 0
	emptyElement = -1
	firstIndex   = -2 // and downwards
)

// maxNamePlaces is the largest table, in entries, that is kept for the next form.
const maxNamePlaces = 1 << 13

// use adds a role to a place, and reports whether it contradicts an earlier one.
func (n *names) use(here int32, r role) (mixed bool) {
	n.roles[here] |= r
	return n.roles[here].mixed()
}

// at returns the place that a segment leads to from a place.
func (n *names) at(parent int32, segment int64, text []byte) int32 {
	if 2*(n.used+1) > len(n.table) {
		n.grow()
	}
	if segment != freeMember {
		text = nil
	}
	e := n.probe(parent, segment, text)
	if e.id == 0 {
		from := int32(len(n.texts)) //nolint:gosec // G115: a body is smaller than 2^31
		n.texts = append(n.texts, text...)
		*e = namePlace{
			parent: parent, segment: segment, from: from, to: int32(len(n.texts)), //nolint:gosec // G115: as above
			id: int32(len(n.roles)), //nolint:gosec // G115: as above
		}
		n.roles = append(n.roles, 0)
		n.used++
	}
	return e.id
}

// probe returns the entry of a place, or the free one where it belongs.
func (n *names) probe(parent int32, segment int64, text []byte) *namePlace {
	mask := uint64(len(n.table) - 1) //nolint:gosec // G115: grow was there
	for i := hashPlace(parent, segment, text); ; i++ {
		e := &n.table[i&mask]
		if e.id == 0 || e.parent == parent && e.segment == segment && string(n.texts[e.from:e.to]) == string(text) {
			return e
		}
	}
}

func (n *names) grow() {
	old := n.table
	n.table = make([]namePlace, max(64, 2*len(old)))
	for _, e := range old {
		if e.id != 0 {
			*n.probe(e.parent, e.segment, n.texts[e.from:e.to]) = e
		}
	}
}

// placeSeed keys the table: a client cannot choose what collides.
var placeSeed = maphash.Bytes(nameSeed, []byte("place"))

func hashPlace(parent int32, segment int64, text []byte) uint64 {
	h := uint64(uint32(parent))*0xbf58476d1ce4e5b9 ^ uint64(segment) //nolint:gosec // G115: bits, not numbers
	if len(text) > 0 {
		h ^= maphash.Bytes(nameSeed, text)
	}
	high, low := bits.Mul64(h^placeSeed, 0x9e3779b97f4a7c15)
	return high ^ low
}
