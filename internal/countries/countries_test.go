package countries

import (
	"strings"
	"testing"

	"golang.org/x/text/language"
)

// The table names countries only, none twice, and misses none of those that
// the tables of Unicode know, but for what no longer is one, islands that have
// a code only for the post, and the United Nations.
func TestIsCode(t *testing.T) {
	const others = " AC AN CP CQ CS DG EA EZ FQ IC NT PC SU TA UN YU "
	for a := 'A'; a <= 'Z'; a++ {
		for b := 'A'; b <= 'Z'; b++ {
			code := string(a) + string(b)
			region, err := language.ParseRegion(code)
			want := err == nil && region.IsCountry() && region.Canonicalize().String() == code && !strings.Contains(others, " "+code+" ")
			if got := IsCode(code); got != want || strings.Count(" "+codes, " "+code+" ") > 1 {
				t.Errorf("%s: %v, want %v", code, got, want)
			}
		}
	}
	for _, code := range []string{"", "D", "de", "DEU", "D ", " D"} {
		if IsCode([]byte(code)) {
			t.Errorf("%q is taken for a country", code)
		}
	}
}
