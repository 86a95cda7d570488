package policy

import (
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
