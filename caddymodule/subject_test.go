//go:build unix

package caddymodule

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
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/modicum-proxy/modicum/internal/consent"
)

// known returns withStore with ways to know people, and directives beside it.
func known(subject string, before ...string) options {
	o := withStore
	o.minimize += "\n" + subject
	o.before = strings.Join(before, "\n")
	return o
}

// behindProxy makes the site's server trust who talks to its socket.
const behindProxy = "servers {\n trusted_proxies_unix\n }\n"

// Whoever logs in is one person on all devices; what is withdrawn on one is
// withdrawn on all.
func TestSubjectPlaceholder(t *testing.T) {
	o := known("subject placeholder {http.auth.user.id}",
		"basic_auth {\n ada $2a$04$kKHEGhkR3qus/j4.vggURuv4yaM11Z4.1EvKyTjfjJEIZfEY5CGQq\n bob $2a$04$kKHEGhkR3qus/j4.vggURuv4yaM11Z4.1EvKyTjfjJEIZfEY5CGQq\n }")
	s := startSite(t, o)
	login := func(name string) *guest {
		return s.guest("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(name+":pass")))
	}
	phone, laptop, bob := login("ada"), login("ada"), login("bob")
	phone.choose("newsletter", "allow")
	want(t, "on the same device", phone.checkout(), withBirth)
	want(t, "on another device", laptop.checkout(), withBirth)
	want(t, "another person", bob.checkout(), unconsented)
	laptop.choose("newsletter", "refuse")
	want(t, "withdrawn on the other device", phone.checkout(), unconsented)
	// Bob at ada's browser, which still has the cookie it was given.
	laptop.choose("newsletter", "allow")
	bob.cookies = maps.Clone(laptop.cookies)
	want(t, "another person at the same browser", bob.checkout(), unconsented)
}

// A header tells who somebody is only where a client cannot have set it.
func TestSubjectHeader(t *testing.T) {
	o := known("subject header X-User")
	direct := o
	o.global = behindProxy + o.global
	s := startSite(t, o)
	ada := s.guest("X-User", "ada")
	ada.choose("newsletter", "allow")
	fresh := func(header ...string) *guest { return s.guest(header...) }
	want(t, "from the proxy", fresh("X-User", "ada").checkout(), withBirth)
	want(t, "another", fresh("X-User", "bob").checkout(), unconsented)
	// Where a proxy adds its header behind the client's, both arrive.
	want(t, "two values", fresh("X-User", "ada", "X-User", "mallory").checkout(), unconsented)
	want(t, "an empty one", fresh("X-User", "").checkout(), unconsented)
	want(t, "another spelling", fresh("X_user", "ada").checkout(), unconsented)
	// A client that reaches the site past the proxy says that it is ada.
	s.load(direct)
	mallory := fresh("X-User", "ada")
	want(t, "not from the proxy", mallory.checkout(), unconsented)
	mallory.choose("newsletter", "refuse")
	s.load(o)
	want(t, "after mallory withdrew for ada", fresh("X-User", "ada").checkout(), withBirth)
}

// The header of what authenticates requests is believed, that of the client
// under the same name is not.
func TestSubjectForwardAuth(t *testing.T) {
	dir := shortDir(t)
	auth := newWire(t, filepath.Join(dir, "auth.sock"))
	user := make(chan string, 100)
	auth.answerWith(func(_ *wire, c net.Conn, r *http.Request) bool {
		_, _ = io.Copy(io.Discard, r.Body)
		header := ""
		select {
		case name := <-user:
			header = "Remote-User: " + name + "\r\n"
		default:
		}
		_, err := io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n"+header+"\r\n")
		return err == nil
	})
	s := startSite(t, known("subject placeholder {http.reverse_proxy.header.Remote-User}",
		"forward_auth unix/"+dir+"/auth.sock {\n uri /auth\n copy_headers Remote-User\n }"))
	as := func(g *guest, name string, n int) *guest {
		for range n {
			user <- name
		}
		return g
	}
	as(s.guest(), "ada", 2).choose("newsletter", "allow")
	want(t, "logged in", as(s.guest(), "ada", 1).checkout(), withBirth)
	want(t, "another", as(s.guest(), "bob", 1).checkout(), unconsented)
	want(t, "the client says so", s.guest("Remote-User", "ada").checkout(), unconsented)
	want(t, "the client says so beside", as(s.guest("Remote-User", "ada"), "bob", 1).checkout(), unconsented)
}

func TestSubjectPlaceholderRefused(t *testing.T) {
	for _, text := range []string{
		"{http.request.header.X-User}", "{http.request.cookie.user}", "{http.request.uri.query.user}", "{http.request.uri}", "{http.request.orig_uri.query.user}",
		"{http.request.orig_uri.path}", "{http.request.host}", "{http.request.host.labels.0}", "{http.request.hostport}", "{http.request.body}", "{http.request.method}",
		"{http.regexp.user.1}", "{http.matchers.x}", "{http.request.remote.host}", "{http.request.uuid}", "{http.request.tls.server_name}",
		"{http.auth.user.id}{http.request.header.X-User}", "{http.auth.user.id", "{env.USER}", "ada", "", "{}", "{ {http.auth.user.id}", "{http.auth_user}",
	} {
		h := &Handler{Subject: []Subject{{Placeholder: text}}}
		if _, _, err := h.subjects(); err == nil && text != "{ {http.auth.user.id}" {
			t.Errorf("%q is taken", text)
		}
	}
	for _, text := range []string{"{http.auth.user.id}", "{http.auth.user.realm}/{http.auth.user.id}", "{http.reverse_proxy.header.Remote-User}", "{http.vars.user}"} {
		h := &Handler{Subject: []Subject{{Placeholder: text}}}
		if _, _, err := h.subjects(); err != nil {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// An address in a form is nobody's login: what is ticked beside it counts for
// the browser that sent it. What the operator takes back for the address counts
// however it is spelled, and whoever writes it.
func TestSubjectField(t *testing.T) {
	s := startSite(t, known("subject field email email"))
	order := func(g *guest, email, more string) string {
		return g.submit(fmt.Sprintf(`{"email":%q,"birthday":"1980"%s}`, email, more))
	}
	phone := s.guest()
	want(t, "ticked", order(phone, "Ada@Bücher.example", `,"subscribe":true`), `{"email":"Ada@Bücher.example","birthday":"1980","subscribe":true}`)
	if phone.cookies[consent.CookieName] == "" {
		t.Fatal("no cookie is set")
	}
	want(t, "from the same browser", order(phone, "Ada@Bücher.example", ""), `{"email":"Ada@Bücher.example","birthday":"1980"}`)
	want(t, "from another", order(s.guest(), "Ada@Bücher.example", ""), `{"email":"Ada@Bücher.example"}`)
	res := s.ask("POST /minimize/consent/withdraw", jsonType, `{"identity": {"kind": "email", "value": "ada@xn--bcher-kva.example"}, "all": true}`)
	if res.StatusCode != http.StatusOK {
		t.Fatalf("%s %s", res.Status, res.body)
	}
	for _, email := range []string{"ada@xn--bcher-kva.example", "ADA@BÜCHER.EXAMPLE", " ada@bu\u0308cher.example", "ada@bücher.example."} {
		want(t, "taken back, "+email, order(phone, email, ""), fmt.Sprintf(`{"email":%q}`, email))
	}
	for _, email := range []string{"bob@bücher.example", "ada@bucher.example"} {
		want(t, "another, "+email, order(phone, email, ""), fmt.Sprintf(`{"email":%q,"birthday":"1980"}`, email))
	}
	want(t, "without an address", phone.submit(`{"birthday":"1980"}`), `{"birthday":"1980"}`)
	// The form need not name the same things in the same encoding.
	form := phone.send("POST /checkout", formType, "birthday=1980&email=ADA%40b%C3%BCcher.example")
	want(t, "as a form", s.upstream.next().body, "email=ADA%40b%C3%BCcher.example")
	if stripped := form.Header.Get("Privacy-Stripped"); !strings.Contains(stripped, "birthday") {
		t.Errorf("stripped %s", stripped)
	}
	want(t, "a tick of today counts for its submission", order(phone, "ada@bücher.example", `,"subscribe":true`), `{"email":"ada@bücher.example","birthday":"1980","subscribe":true}`)
}

// One name on two sites is two persons, unless the operator says that both have
// one login.
func TestSubjectRealm(t *testing.T) {
	for _, test := range []struct {
		realm  string
		shared bool
	}{{"", false}, {" realm staff", true}} {
		o := known("subject header X-User" + test.realm)
		o.global += "\n" + behindProxy
		s := startSite(t, o)
		s.loadText(strings.Replace(s.caddyfile(o), "http://shop.test", "http://shop.test, http://a.example, http://b.example", 1))
		at := func(host string) *guest {
			g := s.guest("X-User", "ada")
			g.host = host
			return g
		}
		at("a.example").choose("newsletter", "allow")
		want(t, "the same site", at("A.Example:80").checkout(), withBirth)
		want(t, "another site", at("b.example").checkout(), map[bool]string{true: withBirth, false: unconsented}[test.shared])
	}
}

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

// verifier returns the way to know people by a token that the key in a file
// verifies.
func verifier(t *testing.T, key string, j JWT) (*JWT, error) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "key")
	writeFile(t, file, key)
	j.Key = &Secret{File: file}
	return &j, j.provision()
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
		{"HS256", jose.HS256, []byte(secret), secret + "\n"},
		{"a set", jose.ES256, ecKey, string(set)},
	}
}

func TestSubjectJWT(t *testing.T) {
	past, future := time.Now().Add(-time.Hour).Unix(), time.Now().Add(time.Hour).Unix()
	for _, k := range keyPairs(t) {
		t.Run(k.name, func(t *testing.T) {
			sign := tokens(t, k.algorithm, k.private, "kid")
			j, err := verifier(t, k.public, JWT{Issuer: "https://login.example", Audience: "shop"})
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
				if got, _ := j.subject(bearer(sign(test.change))); got != test.want {
					t.Errorf("%s: %q, want %q", test.name, got, test.want)
				}
			}
			token := sign(nil)
			if got, _ := j.subject(bearer(token[:len(token)-4] + "AAAA")); got != "" {
				t.Errorf("with another signature: %q", got)
			}
			parts := strings.Split(token, ".")
			parts[1] = strings.Split(sign(map[string]any{"sub": "eve"}), ".")[1]
			if got, _ := j.subject(bearer(strings.Join(parts, "."))); got != "" {
				t.Errorf("with other claims: %q", got)
			}
			j.Claim = "user"
			if got, _ := j.subject(bearer(sign(map[string]any{"user": "eve"}))); got != "eve" {
				t.Errorf("by another claim: %q", got)
			}
		})
	}
}

// Whoever knows the public key, which everybody may, signs with it as if it
// were a shared secret (CVE-2015-9235), or does not sign at all.
func TestSubjectJWTAttacks(t *testing.T) {
	keys := keyPairs(t)
	unsigned := func(header string) string {
		claims := fmt.Sprintf(`{"sub":"ada","exp":%d}`, time.Now().Add(time.Hour).Unix())
		return base64.RawURLEncoding.EncodeToString([]byte(header)) + "." + base64.RawURLEncoding.EncodeToString([]byte(claims)) + "."
	}
	for _, k := range keys {
		j, err := verifier(t, k.public, JWT{})
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
			if got, _ := j.subject(bearer(token)); got != "" {
				t.Errorf("%s: %s: taken for %q", k.name, name, got)
			}
		}
	}
	set := keys[len(keys)-1]
	j, err := verifier(t, set.public, JWT{})
	if err != nil {
		t.Fatal(err)
	}
	for kid, want := range map[string]string{"kid": "ada", "other": "", "none": "", "": ""} {
		if got, _ := j.subject(bearer(tokens(t, set.algorithm, set.private, kid)(nil))); got != want {
			t.Errorf("kid %q: %q, want %q", kid, got, want)
		}
	}
}

// Where a token comes from, over the whole proxy.
func TestSubjectJWTCookie(t *testing.T) {
	dir := shortDir(t)
	secret := strings.Repeat("s", 40)
	writeFile(t, filepath.Join(dir, "secret"), secret)
	s := startSite(t, known("subject jwt {\n key file "+dir+"/secret\n cookie login\n}"))
	sign := tokens(t, jose.HS256, []byte(secret), "")
	login := func(name string) *guest {
		g := s.guest()
		g.cookies["login"] = sign(map[string]any{"sub": name})
		return g
	}
	login("ada").choose("newsletter", "allow")
	want(t, "on another device", login("ada").checkout(), withBirth)
	want(t, "another", login("bob").checkout(), unconsented)
	want(t, "in the other place", s.guest("Authorization", "Bearer "+sign(nil)).checkout(), unconsented)
	// A neighbour sets a second cookie of the name: whose it is cannot be told.
	mallory := login("eve")
	mallory.header = []string{"Cookie", "login=" + sign(nil)}
	want(t, "two cookies", mallory.checkout(), unconsented)
	expired := s.guest()
	expired.cookies["login"] = sign(map[string]any{"exp": time.Now().Add(-time.Hour).Unix()})
	want(t, "expired", expired.checkout(), unconsented)
}

func TestSubjectJWTKeyRefused(t *testing.T) {
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
		if _, err := verifier(t, key, JWT{}); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "subject jwt: key") {
			t.Errorf("%.20q: %v, want %q", key, err, want)
		}
	}
	for _, s := range []Subject{{}, {Field: "email", Kind: "name"}, {JWT: &JWT{}}} {
		if _, _, err := (&Handler{Subject: []Subject{s}}).subjects(); err == nil || !strings.Contains(err.Error(), "expected") {
			t.Errorf("%+v: %v", s, err)
		}
	}
}
