package pages

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/url"
)

// formCookie ties a form to the browser that it was made for. A __Host-
// cookie cannot be set by a neighbouring domain, so nobody can make a browser
// use a token that was made for another. It names nobody and ends with the
// browser's session.
const formCookie = "__Host-modicum-form"

const formCookieSize = 22 // characters of 16 bytes in base64url

// formSecret returns what the browser's cookie holds; empty: it sent none.
func formSecret(r *http.Request) string {
	c, err := r.Cookie(formCookie)
	if err != nil || len(c.Value) != formCookieSize {
		return ""
	}
	return c.Value
}

// token returns what a form for the person behind a request has to carry. If
// the browser has no cookie yet it sets one on h.
func (p *Pages) token(h http.Header, r *http.Request) string {
	secret := formSecret(r)
	if secret == "" {
		var random [16]byte
		_, _ = rand.Read(random[:]) // it never fails
		secret = base64.RawURLEncoding.EncodeToString(random[:])
		h.Add("Set-Cookie", (&http.Cookie{
			// Lax, since a person may come here by a link in a letter.
			Name: formCookie, Value: secret, Path: "/", Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode,
		}).String())
	}
	return p.sign(secret, p.Person(r))
}

func (p *Pages) sign(secret, person string) string {
	mac := hmac.New(sha256.New, p.Key)
	mac.Write([]byte("modicum form\x00" + secret + "\x00" + person))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// untrusted tells why a form is not taken, as the name of a problem; empty:
// it is. One that was made while nobody was known is taken after the same
// browser got our cookie: a form that was sent twice must not fail.
func (p *Pages) untrusted(r *http.Request, form url.Values) string {
	secret := formSecret(r)
	if secret == "" {
		return "cookie"
	}
	given, person := []byte(form.Get("token")), p.Person(r)
	if hmac.Equal(given, []byte(p.sign(secret, person))) || hmac.Equal(given, []byte(p.sign(secret, ""))) {
		return ""
	}
	return "token"
}
