package submission

import "bytes"

// decimal is a number in its digits: whole and fraction, one after the
// other, times ten to the power of exponent.
type decimal struct {
	negative        bool
	whole, fraction []byte
	exponent        int // of the last digit
}

const (
	// maxPlaces bounds round(n) either way.
	maxPlaces = 100
	// maxExponent is where an exponent is no longer counted: further out
	// a number rounds as this one does.
	maxExponent = 1 << 30
)

// parseDecimal reads a number of JSON or of an HTML form (where "007", ".5"
// are numbers too): text, for a float would not return what it was given.
func parseDecimal(s []byte) (d decimal, ok bool) {
	d.negative = len(s) > 0 && s[0] == '-'
	if d.negative {
		s = s[1:]
	}
	d.whole, s = cutDigits(s)
	if len(s) > 0 && s[0] == '.' {
		d.fraction, s = cutDigits(s[1:])
		if len(d.fraction) == 0 {
			return d, false
		}
	}
	if len(d.whole)+len(d.fraction) == 0 {
		return d, false
	}
	if len(s) > 0 && s[0]|0x20 == 'e' {
		s = s[1:]
		minus := len(s) > 0 && s[0] == '-'
		if minus || len(s) > 0 && s[0] == '+' {
			s = s[1:]
		}
		var digits []byte
		if digits, s = cutDigits(s); len(digits) == 0 {
			return d, false
		}
		for _, c := range digits {
			d.exponent = min(d.exponent*10+int(c-'0'), maxExponent)
		}
		if minus {
			d.exponent = -d.exponent
		}
	}
	d.exponent -= len(d.fraction)
	return d, len(s) == 0
}

func cutDigits(s []byte) (digits, rest []byte) {
	n := 0
	for n < len(s) && s[n]-'0' < 10 {
		n++
	}
	return s[:n], s[n:]
}

// appendRounded appends a number rounded as SQL's ROUND does: to so many
// decimals, or tens when places is negative, half away from zero. A number
// without digits beyond goes on as written.
func appendRounded(dst, number []byte, places int) ([]byte, bool) {
	d, ok := parseDecimal(number)
	if !ok || places > maxPlaces || places < -maxPlaces {
		return dst, false
	}
	surplus := -places - d.exponent
	if surplus <= 0 {
		return append(dst, number...), true
	}
	start := len(dst)
	dst = append(dst, '0') // takes the last carry
	dst = append(append(dst, d.whole...), d.fraction...)
	count := len(dst) - surplus // of dst, up to the last digit that stays
	up := count > start && dst[count] >= '5'
	dst = dst[:max(count, start+1)]
	if up {
		i := len(dst) - 1
		for ; dst[i] == '9'; i-- {
			dst[i] = '0'
		}
		dst[i]++
	}
	// dst[start:] counts units of ten to the power of −places: write the
	// number behind, then move it over them.
	digits, end := bytes.TrimLeft(dst[start:], "0"), len(dst)
	whole := max(0, len(digits)-max(places, 0))
	if d.negative && len(digits) > 0 {
		dst = append(dst, '-')
	}
	if whole == 0 {
		dst = append(dst, '0')
	}
	dst = append(dst, digits[:whole]...)
	if places > 0 {
		dst = append(dst, '.')
		dst = appendZeros(dst, places-(len(digits)-whole))
		dst = append(dst, digits[whole:]...)
	} else if len(digits) > 0 {
		dst = appendZeros(dst, -places)
	}
	return append(dst[:start], dst[end:]...), true
}

func appendZeros(dst []byte, n int) []byte {
	for range n {
		dst = append(dst, '0')
	}
	return dst
}
