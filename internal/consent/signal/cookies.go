package signal

import (
	"net/url"
	"strings"

	"github.com/modicum-proxy/modicum/internal/policy"
)

// Bounds of a cookie. Browsers keep 4096 bytes of one.
const (
	maxCookie = 8 << 10
	maxCopies = 4
)

// cookie is a cookie that is trusted about some purposes.
type cookie struct {
	at    int               // the index of its source
	about policy.PurposeSet // what it can grant, and denies if it cannot be read
	// names are what the platform calls the purposes: services, categories or
	// notices.
	names map[string]policy.PurposeSet
	// revisions are the purposes that need a recent consent.
	revisions []leastRevision
	answer    *answer // of a cookie of any other platform
}

// leastRevision is the least revision of a consent to some purposes.
type leastRevision struct {
	least    int64
	purposes policy.PurposeSet
}

// copies is what the copies of one cookie say.
type copies struct {
	said

	n int // how many there are
}

// The indexes of the cookies with IAB strings.
const (
	tcfCookie = iota
	gppCookie
	iabCookies
)

// readCookies reads the cookies that are trusted. One that cannot be read denies
// everything that it could have granted, so that another platform does not decide
// in its place.
func (r *Reader) readCookies(fields []string, s *Signals) {
	var few [8]copies
	all := few[:]
	if len(r.cookies) > len(few) {
		all = make([]copies, len(r.cookies))
	}
	for _, field := range fields {
		for field != "" {
			var pair string
			pair, field, _ = strings.Cut(field, ";")
			name, value, _ := strings.Cut(strings.Trim(pair, " \t"), "=")
			if value != "" {
				r.readCookie(name, value, all)
			}
		}
	}
	for i := range r.cookies {
		source := &s.said[r.cookies[i].at]
		source.grant(all[i].granted)
		source.deny(all[i].denied)
	}
}

// readCookie reads one copy of a cookie.
func (r *Reader) readCookie(name, value string, all []copies) {
	for _, i := range r.named[name] {
		c := &r.cookies[i]
		if i == gppCookie {
			r.readGPP(value, all)
			continue
		}
		all[i].add(c.about, value, func(value string) (said, bool) { return r.readValue(c, value) })
	}
}

func (r *Reader) readValue(c *cookie, value string) (said, bool) {
	switch c.at {
	case atTCF:
		return r.publisherTC(value)
	case atFides:
		return c.fides(value)
	case atCookieConsent:
		return c.cookieConsent(value)
	case atKlaro:
		return c.klaro(value)
	case atCookie:
		consents, ok := c.answer.read(value)
		if consents {
			return said{granted: c.about}, ok
		}
		return said{denied: c.about}, ok
	default:
		return said{}, false
	}
}

// readGPP reads a GPP string: by itself, and as a copy of the TC string that it
// may contain.
func (r *Reader) readGPP(value string, all []copies) {
	var held gppString
	ok := len(value) <= maxCookie
	if ok {
		held, ok = readGPP(value)
	}
	all[gppCookie].add(r.cookies[gppCookie].about, value, func(string) (said, bool) { return r.optedOut(held), ok })
	if held.holdsTC {
		all[tcfCookie].add(r.cookies[tcfCookie].about, held.tc, func(text string) (said, bool) {
			consents, readable := r.publisherTC(text)
			return consents, readable && ok
		})
	}
}

// add adds what one more copy of a cookie says about some purposes.
func (c *copies) add(about policy.PurposeSet, value string, read func(value string) (said, bool)) {
	if about.IsEmpty() || c.n > maxCopies {
		return
	}
	c.n++
	var now said
	ok := false
	if c.n <= maxCopies && len(value) <= maxCookie {
		now, ok = read(value)
	}
	if !ok {
		now = said{denied: about}
	}
	if c.n == 1 {
		c.said = now
		return
	}
	c.merge(now)
}

// unescape undoes encodeURIComponent. A plus stands for itself there.
func unescape(value string) (string, bool) {
	if !strings.Contains(value, "%") {
		return value, true
	}
	text, err := url.PathUnescape(value)
	return text, err == nil
}
