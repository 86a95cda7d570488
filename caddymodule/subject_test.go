//go:build unix

package caddymodule

import (
	"encoding/base64"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/modicum-proxy/modicum/internal/subject"
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
	if phone.cookies[subject.CookieName] == "" {
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

// tokens signs tokens of ada with a shared secret.
func tokens(t *testing.T, secret string) func(change map[string]any) string {
	t.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.HS256, Key: []byte(secret)}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return func(change map[string]any) string {
		claims := map[string]any{"sub": "ada", "iss": "https://login.example", "exp": time.Now().Add(time.Hour).Unix()}
		maps.Copy(claims, change)
		token, err := jwt.Signed(signer).Claims(claims).Serialize()
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
}

// Where a token comes from, over the whole proxy.
func TestSubjectJWTCookie(t *testing.T) {
	dir := shortDir(t)
	secret := strings.Repeat("s", 40)
	writeFile(t, filepath.Join(dir, "secret"), secret)
	s := startSite(t, known("subject jwt {\n key file "+dir+"/secret\n cookie login\n}"))
	sign := tokens(t, secret)
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

func TestSubjectRefused(t *testing.T) {
	for _, s := range []Subject{{}, {Field: "email", Kind: "name"}, {JWT: &JWT{}}} {
		if _, _, err := (&Handler{Subject: []Subject{s}}).subjects(); err == nil || !strings.Contains(err.Error(), "expected") {
			t.Errorf("%+v: %v", s, err)
		}
	}
}
