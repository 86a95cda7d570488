package consent

import (
	"crypto/hmac"
	"crypto/rand"
	"encoding/base64"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// CookieName is the name of our cookie. Browsers take a __Host- cookie only
// from the host itself, over a secure connection and for all paths, so that
// no neighbour can set it.
const CookieName = "__Host-modicum"

// cookieLife is how long a browser is asked to keep the cookie, in seconds:
// the 400 days that RFC 6265bis allows.
const cookieLife = 400 * 24 * 60 * 60

// cookie is what ours says: "1.<id>.<revision>.<key id>.<signature>". The id
// is 16 random bytes in base64url, the revision in base 36 that of the
// person's last choice, by which the next proxy knows what it has to have
// read. The signature keeps others from making up identities.
type cookie struct {
	id       string
	revision Revision
	key      *key
}

const (
	cookieIDSize   = 22 // characters of 16 bytes
	cookieSignSize = 22
	maxCookie      = 128
)

// newCookie returns a cookie with an id of its own.
func (k *Keys) newCookie() cookie {
	var id [16]byte
	_, _ = rand.Read(id[:]) // it never fails
	return cookie{id: base64.RawURLEncoding.EncodeToString(id[:]), key: &k.keys[0]}
}

// readCookie returns the cookie of a request; ok is false when there is none
// that we signed. Of several, the first of ours counts.
func (k *Keys) readCookie(h http.Header) (c cookie, ok bool) {
	for _, line := range h["Cookie"] {
		for line != "" {
			var pair string
			pair, line, _ = strings.Cut(line, ";")
			name, value, _ := strings.Cut(strings.Trim(pair, " \t"), "=")
			if name != CookieName {
				continue
			}
			if c, ok = k.parseCookie(value); ok {
				return c, true
			}
		}
	}
	return cookie{}, false
}

func (k *Keys) parseCookie(value string) (cookie, bool) {
	if len(value) > maxCookie || !strings.HasPrefix(value, "1.") {
		return cookie{}, false
	}
	signed, signature, ok := cutLast(value)
	if !ok {
		return cookie{}, false
	}
	rest, keyID, ok := cutLast(signed)
	if !ok {
		return cookie{}, false
	}
	rest, revision, ok := cutLast(rest)
	if !ok {
		return cookie{}, false
	}
	id, ok := strings.CutPrefix(rest, "1.")
	c := cookie{id: id, key: k.byID(keyID)}
	if !ok || c.key == nil || len(c.id) != cookieIDSize || len(signature) != cookieSignSize {
		return cookie{}, false
	}
	var buf [cookieSignSize]byte
	if !hmac.Equal(c.key.sign(buf[:0], signed), []byte(signature)) {
		return cookie{}, false
	}
	n, err := strconv.ParseInt(revision, 36, 64)
	c.revision = Revision(n)
	return c, err == nil && n >= 0
}

func cutLast(s string) (before, after string, ok bool) {
	i := strings.LastIndexByte(s, '.')
	if i <= 0 {
		return s, "", false
	}
	return s[:i], s[i+1:], true
}

// sign appends the signature of a text.
func (k *key) sign(b []byte, text string) []byte {
	return k.cookie.append(b, 16, text)
}

func (c *cookie) subject() Subject {
	return c.key.subject(Identity{Kind: ByCookie, Value: c.id})
}

// String returns the value of the Set-Cookie header.
func (c *cookie) String() string {
	signed := "1." + c.id + "." + strconv.FormatInt(int64(c.revision), 36) + "." + c.key.id
	return (&http.Cookie{
		Name: CookieName, Value: signed + "." + string(c.key.sign(nil, signed)),
		Path: "/", MaxAge: cookieLife, Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode,
	}).String()
}

// HideCookie takes our cookies out of what the application gets, this one and
// that of the pages' forms: it has no use for them.
func HideCookie(h http.Header) {
	lines := h["Cookie"]
	ours := func(line string) bool { return strings.Contains(line, CookieName) }
	if !slices.ContainsFunc(lines, ours) {
		return
	}
	lines = slices.Clone(lines) // others may hold the old list
	for i, line := range lines {
		if !ours(line) {
			continue
		}
		var kept []string
		for pair := range strings.SplitSeq(line, ";") {
			pair = strings.Trim(pair, " \t")
			if name, _, _ := strings.Cut(pair, "="); name != CookieName && !strings.HasPrefix(name, CookieName+"-") {
				kept = append(kept, pair)
			}
		}
		lines[i] = strings.Join(kept, "; ")
	}
	h["Cookie"] = lines
	if len(lines) == 1 && lines[0] == "" {
		delete(h, "Cookie")
	}
}
