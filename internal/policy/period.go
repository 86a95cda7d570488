package policy

import (
	"cmp"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Period is a span of time in one unit: hours, days, weeks, calendar months or
// years. The zero value is no period.
type Period struct {
	Count int
	Unit  string // "h", "d", "w", "mo" or "y"
}

// periodPattern is how a period is written. There is no m: it would be taken
// for minutes by some and for months by others.
var periodPattern = regexp.MustCompile(`^[1-9][0-9]{0,4}(?:h|d|w|mo|y)$`)

// ParsePeriod reads a period as a policy writes it: "36h", "30d", "18mo".
func ParsePeriod(text string) (p Period, ok bool) {
	if !periodPattern.MatchString(text) {
		return Period{}, false
	}
	digits := strings.TrimRight(text, "hdwmoy")
	count, err := strconv.Atoi(digits)
	return Period{Count: count, Unit: text[len(digits):]}, err == nil
}

// After returns the time that lies the period after t; the zero time if there
// is no period. A month that lacks the day of t ends the period on its last
// day, so that data is never kept too long.
func (p Period) After(t time.Time) time.Time {
	months := p.Count
	switch p.Unit {
	case "h":
		return t.Add(time.Duration(p.Count) * time.Hour)
	case "d":
		return bounded(t.AddDate(0, 0, p.Count))
	case "w":
		return bounded(t.AddDate(0, 0, 7*p.Count))
	case "mo":
	case "y":
		months *= 12
	default:
		return time.Time{}
	}
	end := t.AddDate(0, months, 0)
	if end.Day() != t.Day() {
		end = end.AddDate(0, 0, -end.Day())
	}
	return bounded(end)
}

// Longest returns the longest time that the period can last, by the calendar, or
// the longest that a Duration holds, which is 292 years.
func (p Period) Longest() time.Duration {
	const day = 24 * time.Hour
	unit := map[string]time.Duration{"h": time.Hour, "d": day, "w": 7 * day, "mo": 31 * day, "y": 366 * day}[p.Unit]
	if p.Count > 0 && unit > math.MaxInt64/time.Duration(p.Count) {
		return math.MaxInt64
	}
	return time.Duration(p.Count) * unit
}

// bounded keeps a time within what RFC 3339 can write.
func bounded(t time.Time) time.Time {
	if last := time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC); t.After(last) {
		return last
	}
	return t
}

// Term returns when a consent given at a time ends by itself: after the
// purpose's Expires or, without it, its Retention, since data may not be used
// for longer than it is kept. The zero time: never.
func (p *Purpose) Term(given time.Time) time.Time {
	period, _ := ParsePeriod(cmp.Or(p.Expires, p.Retention))
	return period.After(given)
}
