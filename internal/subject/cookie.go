package subject

import (
	"crypto/hmac"
	"crypto/rand"
	"encoding/base64"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/modicum-proxy/modicum/internal/consent"
)

// CookieName is the name of our cookie. Browsers take a __Host- cookie only
// from the host itself, over a secure connection and for all paths, so no
// other subdomain can set it.
const CookieName = "__Host-modicum"

// cookieLife is how long a browser is asked to keep the cookie, in seconds:
// the 400 days that RFC 6265bis allows.
const cookieLife = 400 * 24 * 60 * 60

// Cookie is the content of our cookie: "1.<id>.<revision>.<key id>.<signature>". The id
// is 16 random bytes in base64url; the revision, in base 36, is that of the
// person's last choice, so that the next proxy knows how much it must have
// read. The signature prevents forged identities. The zero Cookie means that
// there is none.
type Cookie struct {
	// Revision is that of the person's last choice.
	Revision consent.Revision

	id  string
	key *key
}

const (
	cookieIDSize   = 22 // characters of 16 bytes
	cookieSignSize = 22
	maxCookie      = 128
)

// NewCookie returns a cookie with a new random id.
func (k *Keys) NewCookie() Cookie {
	var id [16]byte
	_, _ = rand.Read(id[:]) // it never fails
	return Cookie{id: base64.RawURLEncoding.EncodeToString(id[:]), key: &k.keys[0]}
}

// ReadCookie returns the cookie of a request; ok is false if none was signed
// with one of the keys. The first valid one counts.
func (k *Keys) ReadCookie(h http.Header) (c Cookie, ok bool) {
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
	return Cookie{}, false
}

func (k *Keys) parseCookie(value string) (Cookie, bool) {
	if len(value) > maxCookie {
		return Cookie{}, false
	}
	parts := strings.Split(value, ".")
	if len(parts) != 5 || parts[0] != "1" {
		return Cookie{}, false
	}
	id, revision, keyID, signature := parts[1], parts[2], parts[3], parts[4]
	c := Cookie{id: id, key: k.byID(keyID)}
	if c.key == nil || len(id) != cookieIDSize || len(signature) != cookieSignSize {
		return Cookie{}, false
	}
	var buf [cookieSignSize]byte
	if signed := strings.TrimSuffix(value, "."+signature); !hmac.Equal(c.key.cookie.append(buf[:0], 16, signed), []byte(signature)) {
		return Cookie{}, false
	}
	n, err := strconv.ParseInt(revision, 36, 64)
	c.Revision = consent.Revision(n)
	return c, err == nil && n >= 0
}

// IsZero reports whether there is no cookie.
func (c *Cookie) IsZero() bool { return c.id == "" }

// Subject returns the pseudonym of the cookie's id.
func (c *Cookie) Subject() consent.Subject {
	return c.key.subject(Identity{Kind: ByCookie, Value: c.id})
}

// String returns the value of the Set-Cookie header.
func (c *Cookie) String() string {
	signed := "1." + c.id + "." + strconv.FormatInt(int64(c.Revision), 36) + "." + c.key.id
	return (&http.Cookie{
		Name: CookieName, Value: signed + "." + string(c.key.cookie.append(nil, 16, signed)),
		Path: "/", MaxAge: cookieLife, Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode,
	}).String()
}

// HideCookie removes our cookies from the header that the application gets:
// this one and that of the pages' forms.
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
