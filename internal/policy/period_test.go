package policy

import (
	"math"
	"testing"
	"time"
)

func TestTerm(t *testing.T) {
	given := time.Date(2027, 1, 31, 10, 0, 0, 0, time.UTC)
	for _, test := range []struct{ expires, retention, want string }{
		{"", "", "0001-01-01T00:00:00Z"},
		{"36h", "3y", "2027-02-01T22:00:00Z"},
		{"", "30d", "2027-03-02T10:00:00Z"},
		{"2w", "", "2027-02-14T10:00:00Z"},
		{"1mo", "", "2027-02-28T10:00:00Z"}, // not in March
		{"13mo", "", "2028-02-29T10:00:00Z"},
		{"", "1y", "2028-01-31T10:00:00Z"},
		{"99999y", "", "9999-12-31T00:00:00Z"},
	} {
		p := Purpose{Expires: test.expires, Retention: test.retention}
		if got := p.Term(given).Format(time.RFC3339); got != test.want {
			t.Errorf("expires %q, retention %q: %s, expected %s", test.expires, test.retention, got, test.want)
		}
	}
}

func TestParsePeriod(t *testing.T) {
	for text, want := range map[string]Period{
		"36h": {36, "h"}, "30d": {30, "d"}, "2w": {2, "w"}, "18mo": {18, "mo"}, "99999y": {99999, "y"},
		"": {}, "0d": {}, "01d": {}, "100000d": {}, "d": {}, "3": {}, "3m": {}, "3 d": {}, "-3d": {}, "3dd": {}, "3d\n": {},
	} {
		if got, ok := ParsePeriod(text); got != want || ok != (want != Period{}) {
			t.Errorf("%q: %v, %v", text, got, ok)
		}
	}
}

// Evidence must not be deleted too soon: a period that no Duration can hold is
// the longest one, not a negative or a short one.
func TestLongestPeriod(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"3y": 3 * 366 * 24 * time.Hour, "1mo": 31 * 24 * time.Hour, "292y": math.MaxInt64, "600y": math.MaxInt64, "99999w": math.MaxInt64, "": 0,
	} {
		p, _ := ParsePeriod(text)
		if got := p.Longest(); got != want {
			t.Errorf("%q: %v, want %v", text, got, want)
		}
	}
}
