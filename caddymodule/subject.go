package caddymodule

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/modicum-proxy/modicum/internal/minimize"
	"github.com/modicum-proxy/modicum/internal/subject"
)

// Subject says what a person is known by, besides our own cookie. Exactly one
// of its fields is set.
type Subject struct {
	// Placeholder holds the name of the user who logged in, from a handler
	// that runs before this one: `{http.auth.user.id}` of basic_auth,
	// `{http.reverse_proxy.header.Remote-User}` of forward_auth.
	Placeholder string `json:"placeholder,omitempty"`
	// Header is a request header that a proxy before this one sets. It counts
	// only in requests that come from one of the server's trusted_proxies.
	Header string `json:"header,omitempty"`
	// JWT is a token whose signature is verified.
	JWT *JWT `json:"jwt,omitempty"`
	// Field is a field of submissions.
	Field string `json:"field,omitempty"`
	// Kind is what Field holds: `email` or `phone`.
	Kind string `json:"kind,omitempty"`
	// Realm says whose names Placeholder, Header or JWT give: one name in two
	// realms is two persons. Logins that several sites share have one realm.
	// Default: the issuer of a token, or else the host of the request.
	Realm string `json:"realm,omitempty"`
}

// JWT says where a token is found and what is asked of it.
type JWT struct {
	// Key holds the key that verifies: a PEM public key or certificate, a JWK
	// set, or the shared secret of HS256, HS384 and HS512.
	Key *Secret `json:"key,omitempty"`
	// Cookie is the cookie that holds the token. Default: none, the token
	// comes as `Authorization: Bearer`.
	Cookie string `json:"cookie,omitempty"`
	// Claim is the claim that names the person. Default: sub.
	Claim string `json:"claim,omitempty"`
	// Issuer has to be the token's iss. Default: any.
	Issuer string `json:"issuer,omitempty"`
	// Audience has to be among the token's aud. Default: any.
	Audience string `json:"audience,omitempty"`

	verifier *subject.Verifier
}

// login is a way to learn who logged in, and in which realm that is a name.
// The empty name: nobody did; the empty realm: it is the site's.
type login func(*http.Request) (name, realm string)

// subjects reads the options into what the service needs.
func (h *Handler) subjects() (identify func(*http.Request) (subject.Identity, bool), fields map[string]subject.Kind, err error) {
	var logins []login
	fields = map[string]subject.Kind{}
	for i := range h.Subject {
		s := &h.Subject[i]
		switch {
		case s.Placeholder != "":
			if err := checkPlaceholder(s.Placeholder); err != nil {
				return nil, nil, err
			}
			logins = append(logins, s.placeholder)
		case s.Header != "":
			logins = append(logins, s.header)
		case s.JWT != nil:
			if err := s.JWT.provision(); err != nil {
				return nil, nil, err
			}
			logins = append(logins, s.jwt)
		case s.Field != "":
			kind := subject.Kind(s.Kind)
			if kind != subject.ByEmail && kind != subject.ByPhone {
				return nil, nil, fmt.Errorf("subject field %s %q: expected email or phone", s.Field, s.Kind)
			}
			if s.Realm != "" {
				return nil, nil, fmt.Errorf("subject field %s: an address has no realm", s.Field)
			}
			fields[s.Field] = kind
		default:
			return nil, nil, errors.New("subject: expected placeholder, header, jwt or field")
		}
	}
	if len(logins) == 0 {
		return nil, fields, nil
	}
	return func(r *http.Request) (subject.Identity, bool) {
		for _, who := range logins {
			if name, realm := who(r); name != "" {
				if realm == "" {
					realm = minimize.Hostname(r)
				}
				return subject.Identity{Kind: subject.ByUser, Value: name, Realm: realm}, true
			}
		}
		return subject.Identity{}, false
	}, fields, nil
}

// checkPlaceholder refuses a text that holds what clients can set, and one
// without a placeholder, which would make one person of everybody.
func checkPlaceholder(text string) error {
	found := placeholders.FindAllString(text, -1)
	if len(found) > 0 && !slices.ContainsFunc(found, func(name string) bool {
		return !strings.HasPrefix(name, "{http.auth.") && !strings.HasPrefix(name, "{http.reverse_proxy.header.") && !strings.HasPrefix(name, "{http.vars.")
	}) {
		return nil
	}
	return fmt.Errorf("subject placeholder %s: a client must not say who it is; name what a handler that authenticates has set: {http.auth.…}, {http.reverse_proxy.header.…} or {http.vars.…}", text)
}

func (s *Subject) placeholder(r *http.Request) (name, realm string) {
	repl, ok := r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer)
	if !ok {
		return "", ""
	}
	// With a part of it missing, all who did not log in would be one person.
	name, err := repl.ReplaceOrErr(s.Placeholder, true, true)
	if err != nil {
		return "", ""
	}
	return name, s.Realm
}

// header believes the header only where a client cannot have set it.
func (s *Subject) header(r *http.Request) (name, realm string) {
	values := r.Header.Values(s.Header)
	if !fromTrustedProxy(r) || len(values) != 1 {
		return "", ""
	}
	return values[0], s.Realm
}

// jwt returns the claim of a token, and who issued it.
func (s *Subject) jwt(r *http.Request) (name, realm string) {
	name, issuer := s.JWT.verifier.Verify(r)
	return name, cmp.Or(s.Realm, issuer)
}

// fromTrustedProxy reports whether a request comes from one of the server's
// trusted_proxies.
func fromTrustedProxy(r *http.Request) bool {
	trusted, _ := caddyhttp.GetVar(r.Context(), caddyhttp.TrustedProxyVarKey).(bool)
	return trusted
}

var errNoKey = errors.New("subject jwt: expected a key: key file <path> or key env <name>")

// provision reads the key.
func (j *JWT) provision() error {
	if j.Key == nil {
		return errNoKey
	}
	data, err := j.Key.read()
	if err == nil {
		j.verifier, err = subject.NewVerifier(subject.TokenOptions{
			Key: data, Cookie: j.Cookie, Claim: j.Claim, Issuer: j.Issuer, Audience: j.Audience,
		})
	}
	if err != nil {
		return fmt.Errorf("subject jwt: key: %w", err)
	}
	return nil
}
