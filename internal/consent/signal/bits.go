package signal

import "strings"

// alphabet is base64url (RFC 4648, 5), each character six bits.
const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

// sextets holds the six bits of each character, and 0xff for all others.
var sextets = func() (table [256]byte) {
	for i := range table {
		table[i] = 0xff
	}
	for i := range len(alphabet) {
		table[alphabet[i]] = byte(i)
	}
	return table
}()

// bits reads numbers out of base64url without padding, the most significant
// bit first. The strings of the IAB are not padded to whole bytes, so that
// encoding/base64 does not read them. A bit beyond the end, or of
// another character, is 0 and sets bad.
type bits struct {
	text string
	at   int // the next bit
	bad  bool
}

// left returns how many bits follow.
func (b *bits) left() int { return 6*len(b.text) - b.at }

// number reads a number of n bits, at most 32.
func (b *bits) number(n int) uint32 {
	var value uint32
	for range n {
		value = value<<1 | b.bit()
	}
	return value
}

func (b *bits) bit() uint32 {
	if b.left() <= 0 {
		b.bad = true
		return 0
	}
	sextet := sextets[b.text[b.at/6]]
	if sextet == 0xff {
		b.bad = true
		return 0
	}
	bit := sextet >> (5 - b.at%6) & 1
	b.at++
	return uint32(bit)
}

func (b *bits) skip(n int) {
	if b.left() < n {
		b.bad = true
		return
	}
	b.at += n
}

// maxPadding is the most bits of padding: encoders pad to whole characters,
// bytes, or both.
const maxPadding = 23

// ends reports whether everything could be read and only padding follows.
func (b *bits) ends() bool {
	if b.left() > maxPadding {
		return false
	}
	for b.left() > 0 && !b.bad {
		if b.bit() != 0 {
			return false
		}
	}
	return !b.bad
}

// maxFibonacci is the most bits of a number in Fibonacci coding.
const maxFibonacci = 24

// fibonacci reads a positive number in Fibonacci coding: bits that stand for
// 1, 2, 3, 5, 8, …, ended by a second 1 in a row.
func (b *bits) fibonacci() int {
	sum, last := 0, uint32(0)
	term, next := 1, 2
	for range maxFibonacci {
		bit := b.bit()
		if bit == 1 && last == 1 {
			return sum
		}
		if bit == 1 {
			sum += term
		}
		last = bit
		term, next = next, term+next
	}
	b.bad = true
	return 0
}

// fibonacciRange yields the ascending numbers of a range in Fibonacci coding. Its
// items are one number or a group, encoded as the difference to the number before.
func (b *bits) fibonacciRange(yield func(n int) bool) {
	last := 0
	for range b.number(12) {
		group := b.bit() == 1
		first := last + b.fibonacci()
		last = first
		if group {
			last += b.fibonacci()
		}
		if b.bad {
			return
		}
		for n := first; n <= last; n++ {
			if !yield(n) {
				return
			}
		}
	}
}

// isBase64URL reports whether a text is base64url and not empty.
func isBase64URL(text string) bool {
	return text != "" && strings.Trim(text, alphabet) == ""
}
