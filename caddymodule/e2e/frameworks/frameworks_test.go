//go:build unix

package frameworks_test

import (
	"os"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestFrameworks puts real web frameworks behind Caddy and Modicum. Whatever
// the parser of an application believes, it finds nothing in an attack that
// the policy did not keep, and finds all of an honest form.
//
// What the frameworks are is in testdata, and .ci/frameworks
// installs them. One that this machine does not have is skipped, unless the
// environment variable CI is "true": then all are there, or the test fails.
func TestFrameworks(t *testing.T) {
	if testing.Short() {
		t.Skip("starting the frameworks takes some seconds")
	}
	ups := startUpstreams(t)
	t.Run("attacks", func(t *testing.T) { testAttacks(t, ups) })
	t.Run("honest", func(t *testing.T) { testHonest(t, ups) })
	t.Run("tunnel", func(t *testing.T) { testTunnel(t, ups[0]) })
	t.Run("browser", func(t *testing.T) { testBrowser(t, ups[0]) })
	t.Run("slow", func(t *testing.T) { testSlow(t, ups[0]) })
	writeAnswers(t, ups)
}

// present skips the test of an upstream that is not to be had.
func (u *upstream) present(t *testing.T) {
	t.Helper()
	switch {
	case u.missing == nil:
	case os.Getenv("CI") == "true":
		t.Fatalf("%s cannot be started: %v; .ci/frameworks installs it", u.name, u.missing)
	default:
		t.Skipf("%s cannot be started: %v", u.name, u.missing)
	}
}

// attack is a request that tries to carry the canary to an application.
type attack struct {
	name string
	sent []byte
	// stream is sent over HTTP/2 in place of sent.
	stream *stream
	// carrier is the field whose own value holds the canary, where the
	// attack is to make another field of it. The bytes are not searched then.
	carrier string
	// method is the only one under which the application may receive the
	// canary, where the attack is on the method. As above.
	method string
	// cut says that the client ends its side of the connection.
	cut bool
	// more counts the answers after the first.
	more int
	// beyond is an upstream that no proxy can help: it takes the content of a
	// part, which is free, for pairs of a form.
	beyond string
	// unseen says that no framework here believes the canary even without
	// us: Caddy or its server refuses the request, or the parser is one of
	// those that are not here. What arrives as bytes is still an offence.
	unseen bool
}

func testAttacks(t *testing.T, ups []*upstream) {
	t.Helper()
	attacks := allAttacks()
	fell := matrix{counts: map[string]int{}}
	t.Run("frameworks", func(t *testing.T) {
		for _, u := range ups {
			t.Run(u.name, func(t *testing.T) {
				u.present(t)
				t.Parallel()
				for i := range attacks {
					a := &attacks[i]
					if u.plain(t, a) {
						fell.add(u.name, a.name)
					}
					if a.beyond != u.name {
						u.resist(t, a)
					}
				}
			})
		}
	})
	for _, u := range ups {
		if u.missing != nil {
			return // what would have fallen is not known
		}
		t.Logf("%-18s believes %3d of %d attacks when we are away", u.name, fell.counts[u.name], len(attacks))
	}
	for i := range attacks {
		if a := &attacks[i]; fell.counts[a.name] == 0 && !a.unseen {
			t.Errorf("%s: no framework believes the canary without us: the attack is none", a.name)
		} else if a.unseen && fell.counts[a.name] > 0 {
			t.Errorf("%s: a framework believes the canary without us: it is not unseen", a.name)
		}
	}
}

// plain reports whether the upstream believes the canary when nothing guards it.
func (u *upstream) plain(t *testing.T, a *attack) bool {
	t.Helper()
	for _, got := range u.sites["plain"].exchange(t, a) {
		if r := parseReceived(got.body); r != nil && r.Method != a.method && r.separate(a.carrier) != "" {
			return true
		}
	}
	return false
}

// offends returns what an upstream behind a guard should not have received.
func (a *attack) offends(r *received) string {
	switch {
	case a.method == r.Method:
		return ""
	case a.carrier != "":
		return r.separate(a.carrier)
	}
	return r.forbidden()
}

// resist sends the attack to every guard that resists, and looks at what the
// upstream saw and believes.
func (u *upstream) resist(t *testing.T, a *attack) {
	t.Helper()
	for _, g := range guards() {
		if !g.resists {
			continue
		}
		at := u.sites[g.name]
		answers := at.exchange(t, a)
		for _, got := range answers {
			if r := parseReceived(got.body); r != nil {
				if found := a.offends(r); found != "" {
					t.Errorf("%s: behind %s, %s believes %s", a.name, g.name, u.name, found)
				}
			}
		}
		flows := at.tap.take()
		if a.cut {
			// Whether the end of the connection or the request is noticed first
			// depends on timing, and what is forwarded may arrive late.
			time.Sleep(100 * time.Millisecond)
			flows = append(flows, at.tap.take()...)
		} else {
			u.record(a.name, g.name, answers, flows)
		}
		for _, text := range texts(flows) {
			if a.carrier != "" || a.method != "" {
				break
			}
			if encoding := findCanary(text); encoding != "" {
				t.Errorf("%s: behind %s, %s sees the canary (%s) in %q", a.name, g.name, u.name, encoding, text[:min(len(text), 600)])
				break
			}
		}
	}
}

// A body that does not come to its end is answered in time, and the
// application gets no end of it either.
func testSlow(t *testing.T, up *upstream) {
	t.Helper()
	const form = "Content-Type: multipart/form-data; boundary=b\r\n"
	file := "--b\r\n" + part(`name="photo"; filename="a"`, strings.Repeat("a", 10000))
	for name, sent := range map[string][]byte{
		"nothing":            request("POST /checkout", "Content-Type: application/json\r\nContent-Length: 31\r\n", ""),
		"half a value":       request("POST /checkout", "Content-Type: application/json\r\nContent-Length: 1000\r\n", forbiddenJSON),
		"a chunk":            request("POST /checkout", formType+"Transfer-Encoding: chunked\r\n", "15\r\n"+forbiddenForm+"\r\n"),
		"half a file":        request("POST /checkout", form+"Content-Length: 20000\r\n", file),
		"a file in chunks":   request("POST /checkout", form+"Transfer-Encoding: chunked\r\n", strings.TrimSuffix(chunked(file), "0\r\n\r\n")),
		"all but the end":    request("POST /checkout", form+"Content-Length: 20000\r\n", file+"\r\n--b\r\n"+ssn+"\r\n--b"),
		"a body of no type":  request("POST /checkout", "Content-Length: 1000\r\n", forbiddenForm),
		"a body of a GET":    request("GET /checkout", "Content-Length: 1000\r\n", ""),
		"a coded body":       request("POST /checkout", "Content-Type: application/json\r\nContent-Encoding: gzip\r\nContent-Length: 1000\r\n", gzipped(forbiddenJSON)[:40]),
		"a form that is due": request("POST /checkout", formType+"Content-Length: 22\r\n", forbiddenForm),
	} {
		at := up.sites["hasty"]
		start := time.Now()
		for _, got := range at.exchange(t, &attack{name: name, sent: sent}) {
			if parseReceived(got.body) != nil {
				t.Errorf("%s: the application answered", name)
			}
		}
		if waited := time.Since(start); waited > 10*time.Second {
			t.Errorf("%s: the answer took %v", name, waited)
		}
		for _, text := range texts(at.tap.take()) {
			if findCanary(text) != "" || strings.HasSuffix(string(text), "--\r\n") {
				t.Errorf("%s: the application saw %.300q", name, text)
			}
		}
	}
}

// matrix counts, for frameworks and for attacks, what was believed.
type matrix struct {
	mu     sync.Mutex
	counts map[string]int
}

func (m *matrix) add(framework, attack string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.counts[framework]++
	m.counts[attack]++
}
