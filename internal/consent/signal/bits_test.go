package signal

import (
	"slices"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// binary spells base64url as a text of zeros and ones: the slow, obviously
// right form that the tests compare with.
func binary(text string) (string, bool) {
	var b strings.Builder
	for _, c := range text {
		i := strings.IndexRune(alphabet, c)
		if i < 0 {
			return "", false
		}
		digits := strconv.FormatInt(int64(i), 2)
		b.WriteString(strings.Repeat("0", 6-len(digits)) + digits)
	}
	return b.String(), true
}

// encode spells zeros and ones as base64url.
func encode(digits string) string {
	for len(digits)%6 != 0 {
		digits += "0"
	}
	var b strings.Builder
	for ; digits != ""; digits = digits[6:] {
		i, _ := strconv.ParseInt(digits[:6], 2, 8)
		b.WriteByte(alphabet[i])
	}
	return b.String()
}

// fibonacciOf encodes a number as the GPP specification tells, "Encoding and
// Decoding".
func fibonacciOf(n int) string {
	terms := []int{1, 2}
	for terms[len(terms)-1] <= n {
		terms = append(terms, terms[len(terms)-1]+terms[len(terms)-2])
	}
	digits := ""
	for _, term := range slices.Backward(terms) {
		switch {
		case term <= n:
			n -= term
			digits = "1" + digits
		case digits != "":
			digits = "0" + digits
		}
	}
	return digits + "1"
}

// gppHeader encodes a header with items, each from its first to its last id.
func gppHeader(items ...[2]int) string {
	digits, last := "000011000001", 0
	count := strconv.FormatInt(int64(len(items)), 2)
	digits += strings.Repeat("0", 12-len(count)) + count
	for _, item := range items {
		if item[0] == item[1] {
			digits += "0" + fibonacciOf(item[0]-last)
		} else {
			digits += "1" + fibonacciOf(item[0]-last) + fibonacciOf(item[1]-item[0])
		}
		last = item[1]
	}
	return encode(digits)
}

func thousands() [][2]int {
	items := make([][2]int, 4095)
	for i := range items {
		items[i] = [2]int{3*i + 8, 3*i + 9}
	}
	return items
}

// TestFibonacci has the table of the GPP specification, "About Fibonacci
// Encoding".
func TestFibonacci(t *testing.T) {
	for want, digits := range map[int]string{
		1: "11", 2: "011", 3: "0011", 4: "1011", 5: "00011", 6: "10011", 7: "01011",
	} {
		b := bits{text: encode(digits)}
		if got := b.fibonacci(); got != want || b.bad || b.at != len(digits) {
			t.Errorf("%s is %d after %d bits", digits, got, b.at)
		}
		if got := fibonacciOf(want); got != digits {
			t.Errorf("the oracle encodes %d as %s", want, got)
		}
	}
	for _, text := range []string{"", "A", "k", strings.Repeat("A", 100), "qqqqqqqqqqqq", "A+", strings.Repeat("A", 5) + "D"} {
		b := bits{text: text}
		if got := b.fibonacci(); got != 0 || !b.bad {
			t.Errorf("%q is %d", text, got)
		}
	}
}

// TestFibonacciRanges has the bits of iabgpp-java's
// FibonacciIntegerRangeEncoderTest, and of the specification's table of types.
func TestFibonacciRanges(t *testing.T) {
	for digits, items := range map[string][][2]int{
		"000000000000":               {},
		"0000000000010011":           {{2, 2}},
		"00000000000110111011":       {{2, 6}},
		"000000000010001110011011":   {{2, 2}, {5, 7}},
		"0000000000100001110110011":  {{3, 3}, {5, 8}},
		"00000000001000111001101011": {{2, 2}, {5, 12}},
	} {
		if got, want := gppHeader(items...), encode("000011000001"+digits); got != want {
			t.Errorf("%v is %s, not %s", items, got, want)
		}
		var want []int
		for _, item := range items {
			for n := item[0]; n <= item[1]; n++ {
				want = append(want, n)
			}
		}
		b := bits{text: encode(digits)}
		if got := slices.Collect(b.fibonacciRange); !slices.Equal(got, want) || !b.ends() {
			t.Errorf("%s are %v, not %v", digits, got, want)
		}
	}
}

func TestBitsAgainstTheOracle(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringOfN(rapid.RuneFrom([]rune(alphabet+"+=. ")), 0, 40, -1).Draw(t, "text")
		digits, _ := binary(text)
		b, at := bits{text: text}, 0
		for _, n := range rapid.SliceOfN(rapid.IntRange(1, 32), 0, 12).Draw(t, "widths") {
			got := b.number(n)
			if at+n > len(digits) {
				// Past the end, or not of the alphabet: the oracle does not go on.
				if bad := b.bad; !bad && isBase64URL(text) {
					t.Fatalf("reads %d bits past the end of %q", at+n-len(digits), text)
				}
				return
			}
			want, _ := strconv.ParseUint("0"+digits[at:at+n], 2, 64)
			at += n
			if uint64(got) != want || b.bad || b.left() != len(digits)-at {
				t.Fatalf("bits %d to %d of %q are %b, not %b", at-n, at, text, got, want)
			}
		}
		if got, want := b.ends(), len(digits) == 6*len(text) && len(digits)-at <= maxPadding && !strings.Contains(digits[at:], "1"); got != want {
			t.Fatalf("after %d bits of %q: it ends: %v", at, text, got)
		}
	})
}

func TestFibonacciRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 60_000).Draw(t, "n")
		digits := fibonacciOf(n)
		b := bits{text: encode(digits)}
		if got := b.fibonacci(); got != n || b.at != len(digits) {
			t.Fatalf("%d reads as %d", n, got)
		}
	})
}
