package subject

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// tokens signs tokens of ada with a key.
func tokens(t *testing.T, algorithm jose.SignatureAlgorithm, key any, kid string) func(change map[string]any) string {
	t.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: algorithm, Key: key}, (&jose.SignerOptions{}).WithHeader("kid", kid))
	if err != nil {
		t.Fatal(err)
	}
	return func(change map[string]any) string {
		claims := map[string]any{"sub": "ada", "iss": "https://login.example", "aud": []string{"shop", "other"}, "exp": time.Now().Add(time.Hour).Unix()}
		for name, value := range change {
			if claims[name] = value; value == nil {
				delete(claims, name)
			}
		}
		token, err := jwt.Signed(signer).Claims(claims).Serialize()
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
}

func pemOf(t *testing.T, key crypto.PublicKey) string {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}

func bearer(token string) *http.Request {
	r := httptest.NewRequestWithContext(context.Background(), http.MethodPost, "/", nil)
	r.Header.Set("Authorization", "Bearer "+token)
	return r
}

// keyed is a private key, and the file that verifies what it signs.
type keyed struct {
	name      string
	algorithm jose.SignatureAlgorithm
	private   any
	public    string
}

func keyPairs(t *testing.T) []keyed {
	t.Helper()
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	ecKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	edPublic, edKey, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	secret := strings.Repeat("s", 32)
	set, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{
		{Key: rsaKey.Public(), KeyID: "other", Algorithm: "RS256", Use: "sig"}, {Key: ecKey.Public(), KeyID: "kid", Algorithm: "ES256", Use: "sig"},
	}})
	if err != nil {
		t.Fatal(err)
	}
	return []keyed{
		{"RS256", jose.RS256, rsaKey, pemOf(t, rsaKey.Public())},
		{"PS256", jose.PS256, rsaKey, pemOf(t, rsaKey.Public())},
		{"ES256", jose.ES256, ecKey, pemOf(t, ecKey.Public())},
		{"EdDSA", jose.EdDSA, edKey, pemOf(t, edPublic)},
		{"HS256", jose.HS256, []byte(secret), secret},
		{"a set", jose.ES256, ecKey, string(set)},
	}
}

func TestToken(t *testing.T) {
	past, future := time.Now().Add(-time.Hour).Unix(), time.Now().Add(time.Hour).Unix()
	for _, k := range keyPairs(t) {
		t.Run(k.name, func(t *testing.T) {
			sign := tokens(t, k.algorithm, k.private, "kid")
			v, err := NewVerifier(TokenOptions{Key: []byte(k.public), Issuer: "https://login.example", Audience: "shop"})
			if err != nil {
				t.Fatal(err)
			}
			for _, test := range []struct {
				name   string
				change map[string]any
				want   string
			}{
				{"valid", nil, "ada"},
				{"one audience", map[string]any{"aud": "shop"}, "ada"},
				{"within the skew of clocks", map[string]any{"exp": time.Now().Add(-30 * time.Second).Unix()}, "ada"},
				{"expired", map[string]any{"exp": past}, ""},
				{"without an end", map[string]any{"exp": nil}, ""},
				{"an end of zero", map[string]any{"exp": 0}, ""},
				{"not yet valid", map[string]any{"nbf": future}, ""},
				{"issued in the future", map[string]any{"iat": future}, ""},
				{"another issuer", map[string]any{"iss": "https://evil.example"}, ""},
				{"no issuer", map[string]any{"iss": nil}, ""},
				{"another audience", map[string]any{"aud": []string{"other"}}, ""},
				{"no audience", map[string]any{"aud": nil}, ""},
				{"nobody", map[string]any{"sub": nil}, ""},
				{"a number", map[string]any{"sub": 7}, ""},
			} {
				if got, _ := v.Verify(bearer(sign(test.change))); got != test.want {
					t.Errorf("%s: %q, want %q", test.name, got, test.want)
				}
			}
			token := sign(nil)
			if got, _ := v.Verify(bearer(token[:len(token)-4] + "AAAA")); got != "" {
				t.Errorf("with another signature: %q", got)
			}
			parts := strings.Split(token, ".")
			parts[1] = strings.Split(sign(map[string]any{"sub": "eve"}), ".")[1]
			if got, _ := v.Verify(bearer(strings.Join(parts, "."))); got != "" {
				t.Errorf("with other claims: %q", got)
			}
			v.options.Claim = "user"
			if got, _ := v.Verify(bearer(sign(map[string]any{"user": "eve"}))); got != "eve" {
				t.Errorf("by another claim: %q", got)
			}
		})
	}
}

// Whoever knows the public key, which everybody may, signs with it as if it
// were a shared secret (CVE-2015-9235), or does not sign at all.
func TestTokenAttacks(t *testing.T) {
	keys := keyPairs(t)
	unsigned := func(header string) string {
		claims := fmt.Sprintf(`{"sub":"ada","exp":%d}`, time.Now().Add(time.Hour).Unix())
		return base64.RawURLEncoding.EncodeToString([]byte(header)) + "." + base64.RawURLEncoding.EncodeToString([]byte(claims)) + "."
	}
	for _, k := range keys {
		v, err := NewVerifier(TokenOptions{Key: []byte(k.public)})
		if err != nil {
			t.Fatal(err)
		}
		attacks := map[string]string{
			"alg none": unsigned(`{"alg":"none"}`), "alg None": unsigned(`{"alg":"None","typ":"JWT"}`), "no alg": unsigned(`{}`),
			"an empty signature": unsigned(fmt.Sprintf(`{"alg":%q,"kid":"kid"}`, k.algorithm)),
			"not a token":        "ada", "nothing": "",
		}
		if k.name != "HS256" {
			attacks["the public key as a secret"] = tokens(t, jose.HS256, []byte(k.public), "kid")(nil)
			attacks["the same without its line end"] = tokens(t, jose.HS256, []byte(strings.TrimSpace(k.public)), "kid")(nil)
		}
		for _, other := range keys {
			if other.name != k.name && other.private != nil && fmt.Sprint(other.private) != fmt.Sprint(k.private) {
				attacks["the key of "+other.name] = tokens(t, other.algorithm, other.private, "kid")(nil)
			}
		}
		// The attacker's own key in the header (CVE-2018-0114).
		own, _ := rsa.GenerateKey(rand.Reader, 2048)
		signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: own}, &jose.SignerOptions{EmbedJWK: true})
		if err != nil {
			t.Fatal(err)
		}
		attacks["a key of its own"], _ = jwt.Signed(signer).Claims(map[string]any{"sub": "ada", "exp": time.Now().Add(time.Hour).Unix()}).Serialize()
		for name, token := range attacks {
			if got, _ := v.Verify(bearer(token)); got != "" {
				t.Errorf("%s: %s: taken for %q", k.name, name, got)
			}
		}
	}
	set := keys[len(keys)-1]
	v, err := NewVerifier(TokenOptions{Key: []byte(set.public)})
	if err != nil {
		t.Fatal(err)
	}
	for kid, want := range map[string]string{"kid": "ada", "other": "", "none": "", "": ""} {
		if got, _ := v.Verify(bearer(tokens(t, set.algorithm, set.private, kid)(nil))); got != want {
			t.Errorf("kid %q: %q, want %q", kid, got, want)
		}
	}
}

func TestTokenKeyRefused(t *testing.T) {
	ecKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(ecKey)
	if err != nil {
		t.Fatal(err)
	}
	symmetric, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: []byte(strings.Repeat("s", 32)), KeyID: "a"}}})
	if err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]string{
		"short": "5 bytes", "": "0 bytes", "{}": "no keys", `{"keys":[`: "JSON", string(symmetric): "symmetric key",
		string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})):     "private key",
		string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: []byte("x")})):  "PKIX",
		string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte("x")})): "x509",
	} {
		if _, err := NewVerifier(TokenOptions{Key: []byte(key)}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.20q: %v, want %q", key, err, want)
		}
	}
}
