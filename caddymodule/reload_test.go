//go:build unix

package caddymodule

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/goleak"
)

const submitted = `{"name":"Anna","email":"a@example.org"}`

// withoutName is a policy that no longer lets a name pass.
var withoutName = strings.Replace(shopPolicy, "      name: delivery\n      email", "      email", 1)

// submit sends the usual submission and returns what the application got.
func (s *site) submit() string {
	s.t.Helper()
	res := s.do(s.request("POST /checkout", jsonType, strings.NewReader(submitted)))
	if res.StatusCode != http.StatusOK {
		s.t.Fatalf("answered %s %s", res.Status, res.body)
	}
	return s.upstream.next().body
}

// status returns what the admin endpoint tells.
func (s *site) status() (answer status) {
	s.t.Helper()
	res := s.admin("/minimize/status")
	if err := json.Unmarshal([]byte(res.body), &answer); err != nil {
		s.t.Fatalf("%s: %v", res.body, err)
	}
	return answer
}

// count returns a counter whose labels have these values.
func (s status) count(name string, labels ...string) (n float64) {
	for _, c := range s.Counters {
		found := 0
		for _, want := range labels {
			for _, value := range c.Labels {
				if value == want {
					found++
					break
				}
			}
		}
		if c.Name == name && found == len(labels) {
			n += c.Value
		}
	}
	return n
}

// A changed policy is put in force where it is, however an editor writes it;
// an invalid one is refused loudly, and the old one stays.
func TestPolicyEditedInPlace(t *testing.T) {
	for name, poll := range map[string]string{"by notice": "1h", "by poll": "20ms"} {
		t.Run(name, func(t *testing.T) {
			o := options{global: "minimize {\n poll_interval " + poll + "\n }"}
			s := startSite(t, o)
			file := s.policy
			if name == "by poll" {
				// The directory that is watched tells nothing of the link's target.
				file = filepath.Join(shortDir(t), "target.yaml")
				writeFile(t, file, shopPolicy)
				if err := errors.Join(os.Remove(s.policy), os.Symlink(file, s.policy)); err != nil {
					t.Fatal(err)
				}
				s.load(options{global: o.global, minimize: "max_fields 100"})
			}
			first := s.status().Policies[0]
			if s.submit() != submitted || first.Error != "" {
				t.Fatalf("at first, %+v", first)
			}
			s.log.reset()
			writeFile(t, file, withoutName)
			s.log.wait(t, "a changed policy is in force")
			if got := s.submit(); got != `{"email":"a@example.org"}` {
				t.Errorf("once edited, forwarded %s", got)
			}
			second := s.status().Policies[0]
			if second.Version == first.Version || second.Error != "" || !second.Loaded.After(first.Loaded) {
				t.Errorf("status %+v", second)
			}
			s.log.wait(t, `"msg":"submission"`, `"policy":"`+second.Version+`"`)

			s.log.reset()
			writeFile(t, file, strings.Replace(shopPolicy, "email: [delivery, newsletter]", "email: [delivrey]", 1))
			line := s.log.wait(t, `"level":"error"`, "the old one stays in force", "delivrey") // a write in place may show an empty file first
			if !strings.Contains(line, s.policy+":13:") || !strings.Contains(line, "delivrey") || !strings.Contains(line, "did you mean") {
				t.Errorf("logged %s", line)
			}
			if got := s.submit(); got != `{"email":"a@example.org"}` {
				t.Errorf("with an invalid one, forwarded %s", got)
			}
			if third := s.status().Policies[0]; third.Version != second.Version || !strings.Contains(third.Error, "privacy.yaml:13:") {
				t.Errorf("status %+v", third)
			}

			// Many editors write another file and put it in place of the first.
			s.log.reset()
			writeFile(t, file+".new", shopPolicy)
			if err := os.Rename(file+".new", file); err != nil {
				t.Fatal(err)
			}
			s.log.wait(t, "a changed policy is in force")
			if last := s.status().Policies[0]; last.Error != "" || last.Version != first.Version || s.submit() != submitted {
				t.Errorf("status %+v", last)
			}

			s.log.reset()
			if err := os.Remove(file); err != nil {
				t.Fatal(err)
			}
			s.log.wait(t, `"level":"error"`, "the old one stays in force", "no such file")
			if s.submit() != submitted {
				t.Error("without its file, the old one does not stay")
			}
			writeFile(t, file, shopPolicy)
			s.log.wait(t, "a changed policy is in force")
			if last := s.status().Policies[0]; last.Error != "" {
				t.Errorf("put back, status %+v", last)
			}
		})
	}
}

// A request ends under the policy that it began with, and its record names
// that version.
func TestReloadMidRequest(t *testing.T) {
	s := startSite(t, options{})
	old := s.status().Policies[0].Version
	begun := make(chan bool, 10)
	s.upstream.answerWith(func(w *wire, c net.Conn, r *http.Request) bool {
		select {
		case begun <- true:
		default: // of the requests that find out which configuration is in force
		}
		return w.ok(c, r)
	})
	in, out := io.Pipe()
	done := make(chan answer, 1)
	r := s.request("POST /checkout", formData, in)
	go func() { done <- s.do(r) }()
	content := strings.Repeat("x", 2<<20)
	body := form(part{"photo", "p", content}, part{"name", "", "Anna"})
	half := len(body) / 4 * 3 // more than is held
	if _, err := io.WriteString(out, body[:half]); err != nil {
		t.Fatal(err)
	}
	<-begun
	writeFile(t, s.policy, withoutName)
	reloaded := make(chan error, 1)
	// The old server waits for what is in flight.
	go func() { reloaded <- s.tryLoad(options{minimize: "max_fields 100"}) }()
	eventually(t, "the new configuration is in force", func() bool {
		c := s.client("site.sock")
		defer c.CloseIdleConnections()
		res, err := c.Do(s.request("POST /checkout", jsonType, strings.NewReader(submitted)))
		if err != nil {
			return false // the old server took the connection when it was to stop
		}
		return res.Body.Close() == nil && s.upstream.next().body == `{"email":"a@example.org"}`
	})
	s.log.reset()
	if _, err := io.WriteString(out, body[half:]); err != nil {
		t.Fatal(err)
	}
	_ = out.Close()
	if res := <-done; res.StatusCode != http.StatusOK {
		t.Errorf("answered %s %s", res.Status, res.body)
	}
	if got := readable(t, s.upstream.next()); got != "photo=p:"+content+" name=Anna" {
		t.Errorf("forwarded %.100q", got)
	}
	s.log.wait(t, `"msg":"submission"`, `"kept":["name","photo"]`, `"policy":"`+old+`"`)
	if err := <-reloaded; err != nil {
		t.Error(err)
	}
}

// What was counted is still counted when the configuration changes.
func TestCountersSurviveReload(t *testing.T) {
	s := startSite(t, options{})
	before := s.status().count("modicum_submissions_total", "checkout", "minimized", "enforce")
	s.submit()
	s.load(options{minimize: "show_undeclared"})
	s.submit()
	if after := s.status().count("modicum_submissions_total", "checkout", "minimized", "enforce"); after != before+2 {
		t.Errorf("counted %v and then %v", before, after)
	}
	if metrics := s.admin("/metrics").body; !strings.Contains(metrics, fmt.Sprintf(`modicum_submissions_total{collection="checkout",mode="enforce",verdict="minimized"} %v`, before+2)) {
		t.Errorf("metrics:\n%s", metrics)
	}
}

// A reload with an invalid policy leaves everything as it is.
func TestReloadRefused(t *testing.T) {
	s := startSite(t, options{global: "minimize {\n poll_interval 1h\n }"})
	writeFile(t, s.policy, "version: 1\ncollections: {a: {on: POST /a, fields: {b: nothing}}}")
	err := s.tryLoad(options{})
	if err == nil || !strings.Contains(err.Error(), "privacy.yaml:2:") {
		t.Errorf("reloaded: %v, want the place of the error", err)
	}
	if s.submit() != submitted {
		t.Error("the old policy does not stay in force")
	}
	if used() != 1 {
		t.Errorf("%d policies in use, want one", used())
	}
}

func TestStartRefused(t *testing.T) {
	dir := shortDir(t)
	s := &site{t: t, dir: dir, policy: filepath.Join(dir, "privacy.yaml"), log: logs}
	for name, test := range map[string]struct{ policy, minimize, want string }{
		"invalid":     {strings.Replace(shopPolicy, "email: [delivery, newsletter]", "email: {for: delivery, typo: email}", 1), "", "privacy.yaml:13:"},
		"no key":      {strings.Replace(shopPolicy, "birthday: newsletter", "birthday: {for: newsletter, keep: pseudonym}", 1), "", "pseudonym_key"},
		"not YAML":    {"a: [", "", "privacy.yaml:1:"},
		"not a limit": {shopPolicy, "max_body 0", "max_body"},
	} {
		writeFile(t, s.policy, test.policy)
		if err := s.tryLoad(options{minimize: test.minimize}); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %q", name, err, test.want)
		}
		if used() > 0 {
			t.Errorf("%s: %d policies are still in use", name, used())
		}
	}
	if err := os.Remove(s.policy); err != nil {
		t.Fatal(err)
	}
	if err := s.tryLoad(options{}); err == nil || !strings.Contains(err.Error(), "privacy.yaml") || !strings.Contains(err.Error(), "no such file") {
		t.Errorf("no file: %v", err)
	}
	if err := caddy.Stop(); err != nil {
		t.Error(err)
	}
}

// `caddy validate` provisions and cleans up, and never starts.
func TestValidateLeavesNothing(t *testing.T) {
	ignore := goleak.IgnoreCurrent()
	dir := shortDir(t)
	s := &site{t: t, dir: dir, policy: filepath.Join(dir, "privacy.yaml"), log: logs}
	writeFile(t, s.policy, shopPolicy)
	for range 3 {
		config, err := adapt(filepath.Join(dir, "Caddyfile"), s.caddyfile(options{}))
		if err != nil {
			t.Fatal(err)
		}
		var parsed caddy.Config
		if err := json.Unmarshal(config, &parsed); err != nil {
			t.Fatal(err)
		}
		if err := caddy.Validate(&parsed); err != nil {
			t.Fatal(err)
		}
		if used() > 0 {
			t.Fatalf("%d policies are still in use", used())
		}
	}
	goleak.VerifyNone(t, ignore, goleak.IgnoreAnyFunction("github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy.(*metricsUpstreamsHealthyUpdater).init.func1"))
}

// Ten configurations, of which each is put in force in place of the one
// before, leave no worker behind.
func TestReloadLeaksNothing(t *testing.T) {
	const alone = "transport http {\n keepalive off\n }"
	s := startSite(t, options{proxy: alone})
	s.submit()
	ignore := goleak.IgnoreCurrent()
	for i := range 10 {
		policy := shopPolicy
		if i%2 == 0 {
			policy = withoutName
		}
		writeFile(t, s.policy, policy)
		s.load(options{minimize: fmt.Sprintf("max_fields %d", 100+i), proxy: alone})
		s.submit()
	}
	eventually(t, "the old policies are gone", func() bool { return used() == 1 })
	s.stop()
	// Caddy stops its admin endpoint only with the process.
	goleak.VerifyNone(t, ignore, goleak.IgnoreAnyFunction("github.com/caddyserver/caddy/v2.replaceLocalAdminServer.func2"))
}

// A reload that changes only how the policy is followed, or where its news
// are logged, is heard.
func TestReloadOfTheWatcher(t *testing.T) {
	s := startSite(t, options{level: "ERROR", global: "minimize {\n poll_interval 1h\n }"})
	file := filepath.Join(shortDir(t), "target.yaml") // of whose changes no notice comes
	writeFile(t, file, shopPolicy)
	if err := errors.Join(os.Remove(s.policy), os.Symlink(file, s.policy)); err != nil {
		t.Fatal(err)
	}
	s.load(options{level: "ERROR", global: "minimize {\n poll_interval 10ms\n }"})
	s.load(options{level: "INFO", global: "minimize {\n poll_interval 10ms\n }"})
	pool.Range(func(_, value any) bool {
		if poll := value.(*livePolicy).poll; poll != 10*time.Millisecond {
			t.Errorf("a policy is polled every %v", poll)
		}
		return true
	})
	s.log.reset()
	writeFile(t, file, withoutName)
	s.log.wait(t, "a changed policy is in force")
}
