package submission

import (
	"encoding/binary"
	"math/bits"
	"unicode/utf8"
)

// flags tell what a token holds, or why it is none.
type flags uint8

const (
	separator   flags = 1 << iota // '&', ';' or '='
	escaped                       // a backslash escape
	nonASCII                      // checked UTF-8
	broken                        // here and above: no token; the reason follows
	badNumber   = broken | 1
	longNumber  = broken | 2
	badString   = broken | 3
	badEscape   = broken | 4
	loneHalf    = broken | 5
	invalidUTF8 = broken | 6
)

// literals are the three words of JSON, found by three bits of their first
// letter. Together they need no branch.
var literals = [8]struct {
	word, mask uint64
	size       int
	kind       kind
}{
	't' >> 1 & 7: {word: 't' | 'r'<<8 | 'u'<<16 | 'e'<<24, mask: 1<<32 - 1, size: 4, kind: kindBoolean},
	'f' >> 1 & 7: {word: 'f' | 'a'<<8 | 'l'<<16 | 's'<<24 | 'e'<<32, mask: 1<<40 - 1, size: 5, kind: kindBoolean},
	'n' >> 1 & 7: {word: 'n' | 'u'<<8 | 'l'<<16 | 'l'<<24, mask: 1<<32 - 1, size: 4, kind: kindNull},
	// A mask of 0 would let any byte be a word of no length.
	0: {word: 1}, 1: {word: 1}, 4: {word: 1}, 5: {word: 1}, 6: {word: 1},
}

const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// scanString reads the string whose opening quote is b[i]. It returns the
// position after the closing quote, or that of the fault. b ends in zeros.
func scanString(b []byte, i int) (end int, fl flags) {
	start := i
	i++
	high := uint64(0)
	for {
		w := b[i : i+16]
		v0 := binary.LittleEndian.Uint64(w)
		v1 := binary.LittleEndian.Uint64(w[8:])
		stop, v := special(v0), v0
		if next := special(v1); stop == 0 {
			high |= v0
			i += 8
			stop, v = next, v1
		}
		if stop == 0 {
			high |= v
			i += 8
			continue
		}
		n := bits.TrailingZeros64(stop) >> 3
		high |= v & (1<<(n*8) - 1)
		i += n
		if b[i] == '"' {
			if high&highs != 0 {
				fl |= nonASCII
				if !utf8.Valid(b[start:i]) {
					return start, invalidUTF8
				}
			}
			return i + 1, fl
		}
		switch b[i] {
		case '&', ';', '=':
			fl |= separator
			i++
		case '\\':
			n, fault := scanEscape(b, i)
			if fault != 0 {
				return i, fault
			}
			fl |= escaped
			i += n
		default:
			return i, badString
		}
	}
}

// special marks, by their high bits, the bytes of w that end the easy run of
// a string: below 0x20; '"' or '&', which differ in one bit; '\'; ';'; '='. A
// borrow can mark a byte above a true one, never below: the lowest holds.
func special(w uint64) uint64 {
	q := w&^(0x04*ones) ^ '"'*ones
	e := w ^ '\\'*ones
	t := w ^ ';'*ones
	u := w ^ '='*ones
	return ((w - 0x20*ones) | (q - ones) | (e - ones) | (t - ones) | (u - ones)) &^ w & highs
}

// scanEscape returns the length of the escape at b[i], a surrogate pair
// being one.
func scanEscape(b []byte, i int) (n int, fault flags) {
	switch b[i+1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return 2, 0
	case 'u':
		r := hex4(b[i+2:])
		switch {
		case r < 0:
			return 0, badEscape
		case r < 0xd800 || r > 0xdfff:
			return 6, 0
		case r > 0xdbff || b[i+6] != '\\' || b[i+7] != 'u':
			return 0, loneHalf
		}
		if low := hex4(b[i+8:]); low < 0xdc00 || low > 0xdfff {
			return 0, loneHalf
		}
		return 12, 0
	}
	return 0, badEscape
}

// hex4 reads four hexadecimal digits; −1 when they are none.
func hex4(b []byte) int {
	r := 0
	for _, c := range b[:4] {
		switch {
		case c-'0' < 10:
			c -= '0'
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			c = c | 0x20 - 'a' + 10
		default:
			return -1
		}
		r = r<<4 | int(c)
	}
	return r
}

// scanNumber reads the number at b[i].
func scanNumber(b []byte, i int) (end int, fl flags) {
	start := i
	if b[i] == '-' {
		i++
	}
	switch {
	case b[i] == '0':
		i++
	case b[i]-'1' <= 8:
		i = skipDigits(b, i)
	default:
		return i, badNumber
	}
	if b[i] == '.' {
		i++
		if b[i]-'0' > 9 {
			return i, badNumber
		}
		i = skipDigits(b, i)
	}
	if b[i]|0x20 == 'e' {
		i++
		if b[i] == '+' || b[i] == '-' {
			i++
		}
		if b[i]-'0' > 9 {
			return i, badNumber
		}
		i = skipDigits(b, i)
	}
	if i-start > maxNumber {
		return start, longNumber
	}
	return i, 0
}

// skipDigits skips decimal digits, eight at once.
func skipDigits(b []byte, i int) int {
	for {
		t := binary.LittleEndian.Uint64(b[i:]) ^ '0'*ones
		if other := (t + (0x80-10)*ones | t) & highs; other != 0 {
			return i + bits.TrailingZeros64(other)>>3
		}
		i += 8
	}
}

// skipSpace skips JSON's four white-space characters, eight spaces at once.
func skipSpace(b []byte, i int) int {
	for {
		switch b[i] {
		case ' ':
			if binary.LittleEndian.Uint64(b[i:]) == ' '*ones {
				i += 8
				continue
			}
		case '\n', '\t', '\r':
		default:
			return i
		}
		i++
	}
}
