package submission

import (
	"encoding/binary"
	"math/bits"
)

// skipUnreserved returns the position of the first byte of b[i:] that RFC 3986
// does not have as unreserved; '~' may stop it too.
func skipUnreserved(b []byte, i int) int {
	for ; i+8 <= len(b); i += 8 {
		w := binary.LittleEndian.Uint64(b[i:])
		// Each pair of sums differs in the high bit of those bytes that lie
		// in a range. Bytes from 0x80 are left to the last term.
		low := w &^ highs
		letter := low | 0x20*ones
		in := (letter + (0x80-'a')*ones) ^ (letter + (0x7f-'z')*ones)
		in |= (low + (0x80-'0')*ones) ^ (low + (0x7f-'9')*ones)
		in |= (low + (0x80-'-')*ones) ^ (low + (0x7f-'.')*ones)
		in |= (low + (0x80-'_')*ones) ^ (low + (0x7f-'_')*ones)
		if stop := (^in | w) & highs; stop != 0 {
			return i + bits.TrailingZeros64(stop)>>3
		}
	}
	for i < len(b) && unreserved[b[i]] {
		i++
	}
	return i
}

// skipPlain returns the position of the first byte of b[i:] that ends a
// value or may not stand in one as it is: '&', '%', a control character or
// one beyond ASCII.
func skipPlain(b []byte, i int) int {
	for ; i+8 <= len(b); i += 8 {
		w := binary.LittleEndian.Uint64(b[i:])
		low := w &^ highs
		in := low + (0x80-0x20)*ones         // not a control character
		in &^= low + ones                    // nor 0x7f
		amp := (low ^ '&'*ones) + 0x7f*ones  // nor '&'
		cent := (low ^ '%'*ones) + 0x7f*ones // nor '%'
		if stop := (^(in & amp & cent) | w) & highs; stop != 0 {
			return i + bits.TrailingZeros64(stop)>>3
		}
	}
	for i < len(b) && b[i] != '&' && b[i] != '%' && b[i] >= ' ' && b[i] < 0x7f {
		i++
	}
	return i
}

// class is what becomes of a byte of a value.
type class uint8

const (
	otherBytes  class = iota // a control character, or one beyond ASCII
	unescaped                // unreserved: written as it is
	escapedText              // written with an escape
)

// classes are those of all bytes.
var classes = func() (table [256]class) {
	for c := range table {
		switch {
		case unreserved[c]:
			table[c] = unescaped
		case c >= ' ' && c < 0x7f, c == '\t', c == '\r', c == '\n':
			table[c] = escapedText
		}
	}
	return table
}()

// Marks beside the value of a hexadecimal digit.
const (
	lowerHex = 0x10 // not as we write it
	notHex   = 0x20 // none at all
)

// unhex is the value of a hexadecimal digit.
var unhex = func() (table [256]byte) {
	for c := range table {
		table[c] = notHex
	}
	for i := range byte(10) {
		table['0'+i] = i
	}
	for i := range byte(6) {
		table['A'+i], table['a'+i] = 10+i, (10+i)|lowerHex
	}
	return table
}()

// isText reports whether a text has no control characters but tabs and line
// ends.
func isText(s []byte) bool {
	for _, c := range s {
		if c < ' ' && c != '\t' && c != '\r' && c != '\n' || c == 0x7f {
			return false
		}
	}
	return true
}
