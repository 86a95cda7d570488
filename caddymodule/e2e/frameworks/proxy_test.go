//go:build unix

package frameworks_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	_ "github.com/caddyserver/caddy/v2/modules/caddyhttp"
	_ "github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy"
	_ "github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy/fastcgi"

	_ "github.com/modicum-proxy/modicum/caddymodule"
)

// upstream is a framework behind Caddy.
type upstream struct {
	name    string
	fastcgi bool
	address string          // of the framework
	missing error           // why it is not to be had here
	sites   map[string]site // by the name of the guard

	recorded []string // see record
}

// site is where Caddy stands before an upstream with one of the guards.
type site struct {
	socket string
	tap    *tap // behind Caddy
}

// guard is what a site has before the upstream.
type guard struct {
	name     string
	handlers []map[string]any
	resists  bool // every attack is sent to it
}

// guards are the ways to stand before an upstream.
func guards() []guard {
	policy := []string{filepath.Join("testdata", "policy.yaml")}
	minimize := func(options map[string]any) []map[string]any {
		options["handler"], options["policy"] = "minimize", policy
		return []map[string]any{options}
	}
	return []guard{
		{name: "plain"}, // what it lets through proves the attacks
		{name: "strip", resists: true, handlers: minimize(map[string]any{"undeclared": "strip"})},
		{name: "reject", resists: true, handlers: minimize(map[string]any{"undeclared": "reject"})},
		{name: "small", resists: true, handlers: minimize(map[string]any{"max_body": 4 << 10})}, // most of a form streams
		{name: "upgrades", handlers: minimize(map[string]any{"uninspected": "pass"})},           // for WebSockets
		{name: "hasty", handlers: minimize(map[string]any{"max_body": 4 << 10, "body_timeout": "200ms"})},
	}
}

// startUpstreams starts every framework there is, and Caddy before them.
func startUpstreams(t *testing.T) []*upstream {
	t.Helper()
	dir, err := os.MkdirTemp("", "frameworks") //nolint:usetesting // t.TempDir is too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	ups := []*upstream{{name: "go", address: startGo(t, dir)}}
	var starting sync.WaitGroup
	for i := range programs {
		p := &programs[i]
		of := make([]*upstream, len(p.serves))
		for i, name := range p.serves {
			of[i] = &upstream{name: name, fastcgi: p.fastcgi}
		}
		ups = append(ups, of...)
		starting.Go(func() {
			addresses, missing := p.start(t, dir)
			for _, u := range of {
				u.address, u.missing = addresses[u.name], missing
			}
		})
	}
	starting.Wait()
	if t.Failed() {
		t.FailNow()
	}
	startCaddy(t, dir, ups)
	return ups
}

// startCaddy runs a Caddy with a server for each upstream and guard.
func startCaddy(t *testing.T, dir string, ups []*upstream) {
	t.Helper()
	servers := map[string]any{}
	for _, u := range ups {
		if u.missing != nil {
			continue
		}
		u.sites = map[string]site{}
		for _, g := range guards() {
			name := u.name + "-" + g.name
			at := site{filepath.Join(dir, name), newTap(t, filepath.Join(dir, name+".tap"), u.address)}
			if u.fastcgi {
				at.tap.complete = completeFastCGI
			}
			u.sites[g.name] = at
			servers[name] = map[string]any{
				"listen":          []string{"unix/" + at.socket},
				"automatic_https": map[string]any{"disable": true},
				"protocols":       []string{"h1", "h2c"},
				"routes":          []any{map[string]any{"handle": append(g.handlers, u.proxy(at.tap))}},
			}
		}
	}
	config, err := json.Marshal(map[string]any{
		"admin":   map[string]any{"disabled": true, "config": map[string]any{"persist": false}},
		"logging": map[string]any{"logs": map[string]any{"default": map[string]any{"writer": map[string]any{"output": "discard"}}}},
		"apps":    map[string]any{"http": map[string]any{"grace_period": "1s", "servers": servers}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := caddy.Load(config, true); err != nil {
		t.Fatalf("starting Caddy: %v", err)
	}
	t.Cleanup(func() {
		if err := caddy.Stop(); err != nil {
			t.Errorf("stopping Caddy: %v", err)
		}
	})
}

// proxy is Caddy's handler that forwards to the upstream by way of a tap.
func (u *upstream) proxy(by *tap) map[string]any {
	handler := map[string]any{"handler": "reverse_proxy", "upstreams": []any{map[string]any{"dial": by.address}}}
	if u.fastcgi {
		root, _ := filepath.Abs(filepath.Join("testdata", "php"))
		handler["transport"] = map[string]any{
			"protocol": "fastcgi", "root": root,
			"env": map[string]string{"SCRIPT_FILENAME": filepath.Join(root, "index.php")},
		}
	}
	return handler
}

// answer is a response as a client receives it.
type answer struct {
	status string
	header http.Header
	body   []byte
}

// exchange sends an attack to a site and returns the answers.
func (s site) exchange(t *testing.T, a *attack) (answers []answer) {
	t.Helper()
	conn, err := net.Dial("unix", s.socket) //nolint:noctx // it is local
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close() //nolint:errcheck // nothing is left to do
	_ = conn.SetDeadline(time.Now().Add(30 * time.Second))
	if a.stream != nil {
		return a.stream.exchange(conn)
	}
	go func() {
		_, _ = conn.Write(a.sent) // an early refusal ends it
		if a.cut {
			_ = conn.(*net.UnixConn).CloseWrite()
		}
	}()
	method, _, _ := strings.Cut(string(a.sent[:min(len(a.sent), 16)]), " ")
	r := bufio.NewReader(conn)
	for len(answers) <= a.more {
		res, err := http.ReadResponse(r, &http.Request{Method: method}) //nolint:bodyclose // it ends with the connection
		if errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%s: no answer came in time", a.name)
		}
		if err != nil {
			break
		}
		if res.StatusCode < 200 && res.StatusCode != http.StatusSwitchingProtocols {
			continue
		}
		body, _ := io.ReadAll(res.Body)
		answers = append(answers, answer{strconv.Itoa(res.StatusCode), res.Header, body})
	}
	return answers
}

// request writes an HTTP/1.1 request: its line, its headers, and the length
// of its body unless a header speaks of it.
func request(line, headers, body string) []byte {
	var b bytes.Buffer
	b.WriteString(line + " HTTP/1.1\r\n")
	lower := "\n" + strings.ToLower(headers)
	if !strings.Contains(lower, "\nhost:") {
		b.WriteString("Host: shop.example\r\n")
	}
	b.WriteString(headers)
	if body != "" && !strings.Contains(lower, "\ncontent-length:") && !strings.Contains(lower, "\ntransfer-encoding:") {
		b.WriteString("Content-Length: " + strconv.Itoa(len(body)) + "\r\n")
	}
	b.WriteString("\r\n" + body)
	return b.Bytes()
}
