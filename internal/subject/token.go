package subject

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
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// TokenOptions say where a token (RFC 7519) is found and what it must hold.
type TokenOptions struct {
	// Key is a PEM public key or certificate, a JWK set, or the shared secret
	// of HS256, HS384 and HS512.
	Key []byte
	// Cookie is the cookie that holds the token. Default: none, the token
	// comes as `Authorization: Bearer`.
	Cookie string
	// Claim is the claim that names the person. Default: sub.
	Claim string
	// Issuer must be the token's iss. Default: any.
	Issuer string
	// Audience must be among the token's aud. Default: any.
	Audience string
}

// Verifier verifies the tokens of requests.
type Verifier struct {
	options    TokenOptions
	key        any
	algorithms []jose.SignatureAlgorithm
}

// minSecret is the least bytes of a shared secret (RFC 7518, section 3.2).
const minSecret = 32

// NewVerifier returns a verifier. The kind of key determines which algorithms
// it accepts: a public key must not serve as a shared secret (CVE-2015-9235).
func NewVerifier(o TokenOptions) (*Verifier, error) {
	o.Claim = cmp.Or(o.Claim, "sub")
	v := &Verifier{options: o}
	block, _ := pem.Decode(o.Key)
	var err error
	switch {
	case block != nil:
		v.key, err = publicKey(block)
	case bytes.HasPrefix(bytes.TrimSpace(o.Key), []byte("{")):
		v.key, err = publicKeySet(o.Key)
	case len(o.Key) < minSecret:
		err = fmt.Errorf("the secret has %d bytes, at least %d are needed", len(o.Key), minSecret)
	default:
		v.key = o.Key
	}
	if err != nil {
		return nil, err
	}
	v.algorithms = algorithms(v.key)
	return v, nil
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

func publicKeySet(data []byte) (jose.JSONWebKeySet, error) {
	var set jose.JSONWebKeySet
	if err := json.Unmarshal(data, &set); err != nil {
		return set, err
	}
	if len(set.Keys) == 0 {
		return set, errors.New("the JWK set has no keys")
	}
	for i := range set.Keys {
		if !set.Keys[i].IsPublic() {
			return set, errors.New("the JWK set holds a private or symmetric key: expected public keys")
		}
	}
	return set, nil
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

// clockSkew is how far the clocks of the issuer and of this machine may
// differ.
const clockSkew = time.Minute

// Verify returns the name in the token of a request, and the token's issuer.
// The name is empty if there is no valid token.
func (v *Verifier) Verify(r *http.Request) (name, issuer string) {
	token, err := jwt.ParseSigned(v.compact(r), v.algorithms)
	if err != nil {
		return "", ""
	}
	var registered jwt.Claims
	claims := map[string]any{}
	if err := token.Claims(v.key, &registered, &claims); err != nil {
		return "", ""
	}
	expected := jwt.Expected{Issuer: v.options.Issuer, Time: time.Now()}
	if v.options.Audience != "" {
		expected.AnyAudience = jwt.Audience{v.options.Audience}
	}
	if registered.Expiry == nil || registered.ValidateWithLeeway(expected, clockSkew) != nil {
		return "", "" // a token that never expires cannot be revoked
	}
	name, _ = claims[v.options.Claim].(string)
	return name, registered.Issuer
}

// compact returns the serialized token of a request; empty if there is none,
// or if two cookies have its name: a neighbouring subdomain can set one.
func (v *Verifier) compact(r *http.Request) string {
	if v.options.Cookie != "" {
		if cookies := r.CookiesNamed(v.options.Cookie); len(cookies) == 1 {
			return cookies[0].Value
		}
		return ""
	}
	if scheme, token, ok := strings.Cut(r.Header.Get("Authorization"), " "); ok && strings.EqualFold(scheme, "Bearer") {
		return strings.TrimSpace(token)
	}
	return ""
}
