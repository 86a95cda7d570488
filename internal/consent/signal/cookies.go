package signal

import (
	"net/url"
	"strings"
)

// Bounds of a cookie. Browsers keep 4096 bytes of one.
const (
	maxCookie = 8 << 10
	maxCopies = 4
)

// readCookies reads the cookies of the platforms that are trusted. One that
// cannot be read denies all that it could have granted: an unknown is a no,
// and another platform's word must not stand in for it.
func (r *Reader) readCookies(fields []string, s *Signals) {
	var copies [len(sources)]int
	for _, field := range fields {
		for field != "" {
			var pair string
			pair, field, _ = strings.Cut(field, ";")
			name, value, _ := strings.Cut(strings.Trim(pair, " \t"), "=")
			if value != "" {
				r.readCookie(name, value, s, &copies)
			}
		}
	}
}

func (r *Reader) readCookie(name, value string, s *Signals, copies *[len(sources)]int) {
	switch name {
	case "klaro":
		r.hear(atKlaro, value, r.klaro, s, copies)
	case "cc_cookie":
		r.hear(atCookieConsent, value, r.cookieConsent, s, copies)
	case "fides_consent":
		r.hear(atFides, value, r.fides, s, copies)
	case "euconsent-v2":
		r.hear(atTCF, value, r.publisherTC, s, copies)
	case "__gpp":
		r.hearGPP(value, s, copies)
	}
}

// hear adds what a cookie says to what its copies say.
func (r *Reader) hear(at int, value string, read func(value string) (said, bool), s *Signals, copies *[len(sources)]int) {
	if r.trust[at].IsEmpty() || copies[at] > maxCopies {
		return
	}
	copies[at]++
	var now said
	ok := false
	if copies[at] <= maxCopies && len(value) <= maxCookie {
		now, ok = read(value)
	}
	if !ok {
		now = said{denied: r.trust[at]}
	}
	if copies[at] == 1 {
		s.said[at] = now
		return
	}
	s.said[at].merge(now)
}

// hearGPP adds what a GPP string says: by itself, and as a copy of the TC
// string that it may hold.
func (r *Reader) hearGPP(value string, s *Signals, copies *[len(sources)]int) {
	if r.trust[atGPP].IsEmpty() && r.trust[atTCF].IsEmpty() {
		return
	}
	var held gppString
	ok := len(value) <= maxCookie
	if ok {
		held, ok = readGPP(value)
	}
	r.hear(atGPP, value, func(string) (said, bool) { return r.optedOut(held), ok }, s, copies)
	if held.holdsTC {
		r.hear(atTCF, held.tc, func(text string) (said, bool) {
			consents, readable := r.publisherTC(text)
			return consents, readable && ok
		}, s, copies)
	}
}

// unescape undoes encodeURIComponent. A plus stands for itself there.
func unescape(value string) (string, bool) {
	if !strings.Contains(value, "%") {
		return value, true
	}
	text, err := url.PathUnescape(value)
	return text, err == nil
}
