//go:build unix

package caddymodule

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	_ "github.com/caddyserver/caddy/v2/modules/standard"
)

// patience is how long a test waits for what comes at once.
const patience = 20 * time.Second

const (
	jsonType = "application/json"
	formType = "application/x-www-form-urlencoded"
	formData = "multipart/form-data; boundary=B"
)

// shopPolicy is the policy of most tests.
const shopPolicy = `
version: 1
controller: {name: Example, contact: privacy@example.org, country: DE}
purposes:
  delivery: {title: Deliver, basis: contract, retention: 1y}
  newsletter: {title: Write, basis: consent, retention: 1y}
  technical: {title: Work, basis: not_personal}
collections:
  checkout:
    on: POST /checkout
    fields:
      name: delivery
      email: [delivery, newsletter]
      items.*.sku: delivery
      birthday: newsletter
      phone: {for: delivery, type: phone}
      photo: {for: delivery, type: file, max: 200MiB}
      csrf: technical
    consents: {newsletter: subscribe}
  order:
    on: POST /order
    fields: {email: {for: delivery, required: true}}
  search:
    on: GET /search
    fields: {q: technical, name: delivery}
`

// shortDir is a directory whose name leaves room for that of a socket.
func shortDir(tb testing.TB) string {
	tb.Helper()
	dir, err := os.MkdirTemp("", "m") //nolint:usetesting // its names are too long
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

func writeFile(tb testing.TB, name, text string) {
	tb.Helper()
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil { //nolint:gosec,nolintlint // G703, which is not found in each run: a directory of the test
		tb.Fatal(err)
	}
}

// site is a Caddy with one site before one application.
type site struct {
	t        testing.TB
	dir      string
	policy   string // file
	upstream *wire
	log      *memory
	loaded   time.Time // a configuration in place of another

	generation int // of the configuration; generation.test answers with it
}

// options are the parts of a site's Caddyfile.
type options struct {
	policy   string // text; shopPolicy
	global   string // options
	minimize string // the block of our directive
	before   string // directives of the site, beside ours
	proxy    string // the block of reverse_proxy
	level    string // of the log
	address  string // of the site; http://shop.test
}

// startSite loads a Caddyfile and stops Caddy at the end of the test.
func startSite(tb testing.TB, o options) *site {
	tb.Helper()
	dir := shortDir(tb)
	s := &site{t: tb, dir: dir, policy: filepath.Join(dir, "privacy.yaml"), upstream: newWire(tb, filepath.Join(dir, "app.sock")), log: logs}
	if o.policy == "" {
		o.policy = shopPolicy
	}
	writeFile(tb, s.policy, o.policy)
	s.log.reset()
	s.load(o)
	s.loaded = time.Time{} // there was none before
	tb.Cleanup(s.stop)
	return s
}

// stop stops Caddy; it may be called again.
func (s *site) stop() {
	s.t.Helper()
	if err := caddy.Stop(); err != nil {
		s.t.Errorf("stopping Caddy: %v", err)
	}
	if n := used(); n > 0 {
		s.t.Errorf("%d policies are still in use when Caddy has stopped", n)
	}
}

func used() int {
	n := 0
	pool.Range(func(any, any) bool { n++; return true })
	return n
}

// caddyfile writes the configuration of a site.
func (s *site) caddyfile(o options) string {
	if o.level == "" {
		o.level = "INFO"
	}
	if o.address == "" {
		o.address = "http://shop.test"
	}
	s.generation++
	text := fmt.Sprintf(`{
	admin unix/%[1]s/admin.sock
	persist_config off
	auto_https off
	grace_period 5s
	log default {
		output memory
		format json
		level %[6]s
	}
	%[2]s
}
http://generation.test {
	bind unix/%[1]s/site.sock
	respond "generation %[8]d"
}
%[7]s {
	bind unix/%[1]s/site.sock
	%[4]s
	minimize privacy.yaml {
		%[3]s
	}
	reverse_proxy unix/%[1]s/app.sock {
		%[5]s
	}
}
`, s.dir, o.global, o.minimize, o.before, o.proxy, o.level, o.address, s.generation)
	return strings.ReplaceAll(text, "APP_SOCKET", s.dir+"/app.sock")
}

// load puts a configuration in force, as `caddy run` and `caddy reload` do.
func (s *site) load(o options) {
	s.t.Helper()
	if err := s.tryLoad(o); err != nil {
		s.t.Fatal(err)
	}
}

func (s *site) tryLoad(o options) error {
	before := s.generation
	config, err := adapt(filepath.Join(s.dir, "Caddyfile"), s.caddyfile(o))
	if err == nil {
		s.loaded = time.Now()
		err = caddy.Load(config, false)
	}
	if err != nil {
		s.generation = before
	}
	return err
}

func (s *site) loadJSON(config []byte) {
	s.t.Helper()
	s.loaded = time.Now()
	if err := caddy.Load(config, false); err != nil {
		s.t.Fatal(err)
	}
}

// adapt makes Caddy's JSON of a Caddyfile.
func adapt(name, text string) ([]byte, error) {
	config, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(text), map[string]any{"filename": name})
	return config, err
}

// client returns a client of a socket in the site's directory.
func (s *site) client(socket string) *http.Client {
	transport := &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", filepath.Join(s.dir, socket))
		},
		DisableCompression: true,
	}
	s.t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: patience}
}

// request makes a request to the site. Headers are names and values in turn.
func (s *site) request(on, contentType string, body io.Reader, headers ...string) *http.Request {
	s.t.Helper()
	method, path, _ := strings.Cut(on, " ")
	r, err := http.NewRequestWithContext(s.t.Context(), method, "http://shop.test"+path, body)
	if err != nil {
		s.t.Fatal(err)
	}
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1]) //nolint:gosec // G602: names and values come in pairs
	}
	return r
}

// answer is a response that was read.
type answer struct {
	*http.Response
	body string
}

// do sends a request over a connection of its own.
func (s *site) do(r *http.Request) answer {
	s.t.Helper()
	c := s.client("site.sock")
	defer c.CloseIdleConnections()
	s.settle(c)
	return send(s.t, c, r)
}

// settle makes sure of a connection. For a moment after a reload, the server
// of the configuration before takes some, and serves or closes them.
func (s *site) settle(c *http.Client) {
	s.t.Helper()
	eventually(s.t, "a connection reaches the new configuration", func() bool {
		if time.Since(s.loaded) > time.Second {
			return true
		}
		r := s.request("GET /", "", nil)
		r.Host = "generation.test"
		res, err := c.Do(r)
		return err == nil && s.current(res)
	})
}

// current reports whether the configuration that was loaded last answered, on
// a connection that stays open.
func (s *site) current(res *http.Response) bool {
	defer res.Body.Close() //nolint:errcheck // it was read
	body, err := io.ReadAll(res.Body)
	return err == nil && !res.Close && (len(body) == 0 || string(body) == fmt.Sprintf("generation %d", s.generation))
}

func send(tb testing.TB, c *http.Client, r *http.Request) answer {
	tb.Helper()
	res, err := c.Do(r)
	if err != nil {
		tb.Fatal(err)
	}
	defer res.Body.Close() //nolint:errcheck // it was read
	body, err := io.ReadAll(res.Body)
	if err != nil {
		tb.Fatal(err)
	}
	return answer{res, string(body)}
}

// admin gets a path of the admin endpoint.
func (s *site) admin(path string) answer {
	s.t.Helper()
	r, err := http.NewRequestWithContext(s.t.Context(), http.MethodGet, "http://localhost"+path, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	r.Host = ""
	return send(s.t, s.client("admin.sock"), r)
}

// wire is an application that keeps the bytes it gets.
type wire struct {
	t        testing.TB
	requests chan received
	listener net.Listener
	plain    bool // the bytes on the wire are not kept

	mu sync.Mutex
	// serve answers on a connection, once the head of a request is there.
	// It is false when the connection is at its end.
	serve func(w *wire, c net.Conn, r *http.Request) bool
}

// answerWith sets how requests are answered from now on.
func (w *wire) answerWith(serve func(w *wire, c net.Conn, r *http.Request) bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.serve = serve
}

// received is a request as the application got it.
type received struct {
	*http.Request
	raw  string // of the head and the body
	body string
	err  error // of reading the body
}

func newWire(tb testing.TB, socket string) *wire {
	tb.Helper()
	w := &wire{t: tb, serve: (*wire).ok, requests: make(chan received, 1000)}
	var err error
	if w.listener, err = new(net.ListenConfig).Listen(tb.Context(), "unix", socket); err != nil {
		tb.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := w.listener.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { w.converse(c) })
		}
	})
	tb.Cleanup(func() {
		_ = w.listener.Close()
		wg.Wait()
	})
	return w
}

// converse reads requests as they stand on the wire.
func (w *wire) converse(c net.Conn) {
	stop := context.AfterFunc(w.t.Context(), func() { _ = c.Close() })
	defer stop()
	defer c.Close() //nolint:errcheck // a test
	var raw bytes.Buffer
	br := bufio.NewReader(io.TeeReader(c, &raw))
	if w.plain {
		br = bufio.NewReader(c)
	}
	for {
		r, err := http.ReadRequest(br)
		if err != nil {
			return
		}
		r = r.WithContext(context.WithValue(r.Context(), rawKey{}, &raw))
		w.mu.Lock()
		serve := w.serve
		w.mu.Unlock()
		if !serve(w, c, r) {
			return
		}
		raw.Reset()
	}
}

type rawKey struct{}

// read reads the body and keeps the request.
func (w *wire) read(r *http.Request) received {
	body, err := io.ReadAll(r.Body)
	got := received{Request: r, body: string(body), err: err, raw: r.Context().Value(rawKey{}).(*bytes.Buffer).String()}
	w.requests <- got
	return got
}

// ok answers every request with a few bytes.
func (w *wire) ok(c net.Conn, r *http.Request) bool {
	if w.read(r).err != nil {
		return false
	}
	_, err := io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nok")
	return err == nil
}

// next returns the next request.
func (w *wire) next() received {
	w.t.Helper()
	select {
	case r := <-w.requests:
		return r
	case <-time.After(patience):
		w.t.Fatal("the application got no request")
		panic("unreachable")
	}
}

// drain forgets the requests that came so far, as those by which a test waits
// for a configuration.
func (w *wire) drain() {
	for len(w.requests) > 0 {
		<-w.requests
	}
}

// none fails the test when the application got anything.
func (w *wire) none() {
	w.t.Helper()
	select {
	case r := <-w.requests:
		w.t.Errorf("the application got %q", r.raw)
	default:
	}
}

// memory is a log that is kept.
type memory struct {
	mu    sync.Mutex
	grown *sync.Cond
	text  bytes.Buffer
}

var logs = func() *memory {
	m := new(memory)
	m.grown = sync.NewCond(&m.mu)
	return m
}()

func (m *memory) Write(p []byte) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.grown.Broadcast()
	return m.text.Write(p)
}

func (m *memory) reset() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.text.Reset()
}

func (m *memory) String() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.text.String()
}

// wait waits for a line that holds all of words, and returns it.
func (m *memory) wait(tb testing.TB, words ...string) string {
	tb.Helper()
	late := false
	timer := time.AfterFunc(patience, func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		late = true
		m.grown.Broadcast()
	})
	defer timer.Stop()
	m.mu.Lock()
	defer m.mu.Unlock()
	for {
		for line := range strings.Lines(m.text.String()) {
			if containsAll(line, words) {
				return line
			}
		}
		if late {
			tb.Fatalf("no line of the log holds %q:\n%s", words, m.text.String())
		}
		m.grown.Wait()
	}
}

func containsAll(s string, words []string) bool {
	for _, word := range words {
		if !strings.Contains(s, word) {
			return false
		}
	}
	return true
}

// memoryWriter is the log output "memory" of Caddyfiles.
type memoryWriter struct{}

func init() { caddy.RegisterModule(memoryWriter{}) }

func (memoryWriter) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "caddy.logging.writers.memory", New: func() caddy.Module { return new(memoryWriter) }}
}
func (memoryWriter) String() string    { return "memory" }
func (memoryWriter) WriterKey() string { return "memory" }
func (memoryWriter) OpenWriter() (io.WriteCloser, error) {
	return struct {
		io.Writer
		io.Closer
	}{logs, io.NopCloser(nil)}, nil
}
func (*memoryWriter) UnmarshalCaddyfile(*caddyfile.Dispenser) error { return nil }

// eventually waits until a condition holds, for things that tell nobody.
func eventually(tb testing.TB, what string, holds func() bool) {
	tb.Helper()
	for deadline := time.Now().Add(patience); !holds(); {
		if time.Now().After(deadline) {
			tb.Fatalf("waited in vain until %s", what)
		}
		time.Sleep(time.Millisecond)
	}
}
