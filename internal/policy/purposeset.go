package policy

import (
	"iter"
	"math/bits"
)

// PurposeID is the index of a purpose in [Set.Purposes].
type PurposeID uint8

// MaxPurposes is how many purposes a set can hold.
const MaxPurposes = 256

// PurposeSet is a set of purposes of one [Set]. It is a comparable value; the
// zero value is empty.
type PurposeSet [MaxPurposes / 64]uint64

// Has reports whether the set holds id.
func (p PurposeSet) Has(id PurposeID) bool { return p[id/64]&(1<<(id%64)) != 0 }

// With returns the set with id added.
func (p PurposeSet) With(id PurposeID) PurposeSet {
	p[id/64] |= 1 << (id % 64)
	return p
}

// Without returns the set with id removed.
func (p PurposeSet) Without(id PurposeID) PurposeSet {
	p[id/64] &^= 1 << (id % 64)
	return p
}

// Union returns what either set holds.
func (p PurposeSet) Union(q PurposeSet) PurposeSet {
	for i := range p {
		p[i] |= q[i]
	}
	return p
}

// Intersects reports whether the sets have a purpose in common.
func (p PurposeSet) Intersects(q PurposeSet) bool {
	for i := range p {
		if p[i]&q[i] != 0 {
			return true
		}
	}
	return false
}

// IsEmpty reports whether the set holds nothing.
func (p PurposeSet) IsEmpty() bool { return p == PurposeSet{} }

// All yields the purposes of the set in order of their ids.
func (p PurposeSet) All() iter.Seq[PurposeID] {
	return func(yield func(PurposeID) bool) {
		for i, word := range p {
			for ; word != 0; word &= word - 1 {
				if !yield(PurposeID(64*i + bits.TrailingZeros64(word))) { //nolint:gosec // G115: at most 255
					return
				}
			}
		}
	}
}
