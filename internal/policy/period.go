package policy

import (
	"strconv"
	"strings"
	"time"
)

// Term returns when a consent that is given at a time ends by itself: after
// the purpose's Expires or, without it, its Retention, since data may not be
// used for longer than it is kept. The zero time: never.
func (p *Purpose) Term(given time.Time) time.Time {
	period := p.Expires
	if period == "" {
		period = p.Retention
	}
	return after(given, period)
}

// after returns the time that lies a period after t, in calendar months and
// years; the zero time for no period. A month that lacks the day ends it
// sooner: a period is never exceeded.
func after(t time.Time, period string) time.Time {
	digits := strings.TrimRight(period, "hdwmoy")
	n, err := strconv.Atoi(digits)
	if err != nil {
		return time.Time{}
	}
	months := 0
	switch period[len(digits):] {
	case "h":
		return t.Add(time.Duration(n) * time.Hour)
	case "d":
		return bounded(t.AddDate(0, 0, n))
	case "w":
		return bounded(t.AddDate(0, 0, 7*n))
	case "mo":
		months = n
	case "y":
		months = 12 * n
	}
	ends := t.AddDate(0, months, 0)
	if ends.Day() != t.Day() {
		ends = ends.AddDate(0, 0, -ends.Day())
	}
	return bounded(ends)
}

// bounded keeps a time within what RFC 3339 can write.
func bounded(t time.Time) time.Time {
	if last := time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC); t.After(last) {
		return last
	}
	return t
}
