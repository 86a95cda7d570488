package caddymodule

import (
	"bytes"
	"cmp"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/modicum-proxy/modicum/internal/consent"
	"github.com/modicum-proxy/modicum/internal/minimize"
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

	key        any
	algorithms []jose.SignatureAlgorithm
}

// login is a way to learn who logged in, and in which realm that is a name.
// The empty name: nobody did; the empty realm: it is the site's.
type login func(*http.Request) (name, realm string)

// subjects reads the options into what the service needs.
func (h *Handler) subjects() (identify func(*http.Request) (consent.Identity, bool), fields map[string]consent.Kind, err error) {
	var logins []login
	fields = map[string]consent.Kind{}
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
			kind := consent.Kind(s.Kind)
			if kind != consent.ByEmail && kind != consent.ByPhone {
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
	return func(r *http.Request) (consent.Identity, bool) {
		for _, who := range logins {
			if name, realm := who(r); name != "" {
				if realm == "" {
					realm = minimize.Hostname(r)
				}
				return consent.Identity{Kind: consent.ByUser, Value: name, Realm: realm}, true
			}
		}
		return consent.Identity{}, false
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
	name, issuer := s.JWT.subject(r)
	return name, cmp.Or(s.Realm, issuer)
}

// fromTrustedProxy reports whether a request comes from one of the server's
// trusted_proxies.
func fromTrustedProxy(r *http.Request) bool {
	trusted, _ := caddyhttp.GetVar(r.Context(), caddyhttp.TrustedProxyVarKey).(bool)
	return trusted
}

// clockSkew is how far the clocks of whoever signs and of this machine may
// be apart.
const clockSkew = time.Minute

// subject returns the claim of a token that is valid now, and its issuer.
func (j *JWT) subject(r *http.Request) (name, issuer string) {
	compact := ""
	if j.Cookie != "" {
		if cookies := r.CookiesNamed(j.Cookie); len(cookies) == 1 {
			compact = cookies[0].Value
		}
	} else if scheme, token, ok := strings.Cut(r.Header.Get("Authorization"), " "); ok && strings.EqualFold(scheme, "Bearer") {
		compact = strings.TrimSpace(token)
	}
	if compact == "" {
		return "", ""
	}
	token, err := jwt.ParseSigned(compact, j.algorithms)
	if err != nil {
		return "", ""
	}
	var registered jwt.Claims
	claims := map[string]any{}
	if err := token.Claims(j.key, &registered, &claims); err != nil {
		return "", ""
	}
	expected := jwt.Expected{Issuer: j.Issuer, Time: time.Now()}
	if j.Audience != "" {
		expected.AnyAudience = jwt.Audience{j.Audience}
	}
	if registered.Expiry == nil || registered.ValidateWithLeeway(expected, clockSkew) != nil {
		return "", "" // a token that never ends cannot be taken back
	}
	name, _ = claims[j.Claim].(string)
	return name, registered.Issuer
}

var errNoKey = errors.New("subject jwt: expected a key: key file <path> or key env <name>")

// provision reads the key, which says what algorithms are accepted: a public
// key must not be taken for a shared secret.
func (j *JWT) provision() error {
	setDefault(&j.Claim, "sub")
	if j.Key == nil {
		return errNoKey
	}
	data, err := j.Key.read()
	if err != nil {
		return fmt.Errorf("subject jwt: key: %w", err)
	}
	block, _ := pem.Decode(data)
	switch {
	case block != nil:
		j.key, err = publicKey(block)
	case bytes.HasPrefix(bytes.TrimSpace(data), []byte("{")):
		var set jose.JSONWebKeySet
		err = json.Unmarshal(data, &set)
		if err == nil && len(set.Keys) == 0 {
			err = errors.New("the JWK set has no keys")
		}
		for i := range set.Keys {
			if !set.Keys[i].IsPublic() {
				err = errors.New("the JWK set holds a private or symmetric key: expected public keys")
			}
		}
		j.key = set
	case len(data) < 32:
		err = fmt.Errorf("the secret has %d bytes, at least 32 are needed", len(data))
	default:
		j.key = data
	}
	if err != nil {
		return fmt.Errorf("subject jwt: key: %w", err)
	}
	j.algorithms = algorithms(j.key)
	return nil
}

func publicKey(block *pem.Block) (any, error) {
	if block.Type == "CERTIFICATE" {
		certificate, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, err
		}
		return certificate.PublicKey, nil
	}
	if strings.Contains(block.Type, "PRIVATE") {
		return nil, errors.New("the file holds a private key: expected the public one, which is enough to verify")
	}
	key, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("expected a public key in PKIX form: %w", err)
	}
	return key, nil
}

func algorithms(key crypto.PublicKey) []jose.SignatureAlgorithm {
	switch key.(type) {
	case *rsa.PublicKey:
		return []jose.SignatureAlgorithm{jose.RS256, jose.RS384, jose.RS512, jose.PS256, jose.PS384, jose.PS512}
	case *ecdsa.PublicKey:
		return []jose.SignatureAlgorithm{jose.ES256, jose.ES384, jose.ES512}
	case ed25519.PublicKey:
		return []jose.SignatureAlgorithm{jose.EdDSA}
	case []byte:
		return []jose.SignatureAlgorithm{jose.HS256, jose.HS384, jose.HS512}
	}
	return []jose.SignatureAlgorithm{ // of a set, whose keys are public
		jose.RS256, jose.RS384, jose.RS512, jose.PS256, jose.PS384, jose.PS512, jose.ES256, jose.ES384, jose.ES512, jose.EdDSA,
	}
}
