package submission

import (
	"encoding/binary"
	"math/bits"
	"unicode/utf8"
)

// flags say what a token holds, or why there is no token.
type flags uint8

const (
	separator flags = 1 // '&', ';' or '='
	escaped   flags = 2 // a backslash escape
)

// From broken on there is no token, and the flags are the reason.
const (
	broken flags = 8 + iota
	badNumber
	longNumber
	badString
	badEscape
	loneHalf
	invalidUTF8
	noScalar
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

// scanScalar reads the string, number or literal at b[i]. It returns the
// position after it, or that of the fault. b ends in zeros.
func scanScalar(b []byte, i int) (end int, k kind, fl flags) {
	switch c := b[i]; {
	case c == '"':
		end, fl = scanString(b, i)
		return end, kindText, fl
	case c-'0' < 10 || c == '-':
		end, fl = scanNumber(b, i)
		return end, kindNumber, fl
	}
	l := &literals[b[i]>>1&7]
	if binary.LittleEndian.Uint64(b[i:])&l.mask != l.word {
		return i, 0, noScalar
	}
	return i + l.size, l.kind, 0
}

// scanString reads the string whose opening quote is b[i], as scanScalar does.
func scanString(b []byte, i int) (end int, fl flags) {
	start := i
	i++
	high := uint64(0) // of all words read; of those behind the string too
	for {
		w := b[i : i+16]
		v0, v1 := binary.LittleEndian.Uint64(w), binary.LittleEndian.Uint64(w[8:])
		high |= v0 | v1
		s0, s1 := special(v0), special(v1)
		if s0|s1 == 0 {
			i += 16
			continue
		}
		// No branch here: where strings end cannot be predicted.
		n0, n1 := bits.TrailingZeros64(s0), bits.TrailingZeros64(s1)
		in1 := -(n0 >> 6) // all ones if the first word has no special byte
		i += (n0 + n1&in1) >> 3
		switch b[i] {
		case '"':
			if high&highs != 0 && !utf8.Valid(b[start:i]) {
				return start, invalidUTF8
			}
			return i + 1, fl
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

// scanNumber reads the number at b[i], as scanScalar does.
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
