//go:build unix

package caddymodule

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
)

// bypassTests are sites, and the ways round minimize that they leave.
var bypassTests = []struct {
	name  string
	sites string
	want  []bypass
}{{
	name: "the same upstream in two sites",
	sites: `
http://shop.example {
	minimize privacy.yaml
	reverse_proxy app:3000
}
http://admin.example, http://staff.example {
	reverse_proxy app:3000
}`,
	want: []bypass{{"app:3000", "the route of admin.example staff.example", "the route of shop.example"}},
}, {
	name: "two sites that both minimize, and one with another upstream",
	sites: `
http://shop.example {
	minimize privacy.yaml
	reverse_proxy app:3000 app:3001
}
http://club.example {
	minimize privacy.yaml {
		mode report
		except /assets/*
	}
	reverse_proxy app:3000
}
http://admin.example {
	reverse_proxy app:3002
}`,
}, {
	name: "no minimize anywhere",
	sites: `
http://shop.example {
	reverse_proxy app:3000
}
http://admin.example {
	reverse_proxy app:3000
}`,
}, {
	name: "servers on two ports",
	sites: `
http://:8080 {
	minimize privacy.yaml
	reverse_proxy app:3000
}
http://:8081 {
	header X-A b
	reverse_proxy /api/* app:3000
}`,
	want: []bypass{{"app:3000", "server srv1 (:8081), route 1, path /api/*", "server srv0 (:8080), route 0"}},
}, {
	name: "the server without minimize is the first",
	sites: `
http://:8080 {
	reverse_proxy app:3000
}
http://:8081 {
	handle /a* {
		minimize privacy.yaml
		reverse_proxy app:3000
	}
}`,
	want: []bypass{{"app:3000", "server srv0 (:8080), route 0", "server srv1 (:8081), route 0, path /a*"}},
}, {
	name: "one of several upstreams",
	sites: `
http://shop.example {
	minimize privacy.yaml
	reverse_proxy app:3000 app:3001
}
http://admin.example {
	reverse_proxy other:3000 app:3001
}`,
	want: []bypass{{"app:3001", "the route of admin.example", "the route of shop.example"}},
}, {
	name: "handle beside the one with minimize",
	sites: `
http://shop.example {
	handle /api/* {
		reverse_proxy app:3000
	}
	handle {
		minimize privacy.yaml
		reverse_proxy app:3000
	}
}`,
	want: []bypass{{"app:3000", "the route of shop.example, path /api/*", "the route of shop.example"}},
}, {
	name: "nested handle, handle_path and route behind minimize",
	sites: `
http://shop.example {
	minimize privacy.yaml
	handle_path /api/* {
		route {
			handle /v1/* {
				reverse_proxy app:3000
			}
			reverse_proxy app:3000
		}
	}
	reverse_proxy app:3000
}`,
}, {
	name: "nested matchers",
	sites: `
http://shop.example {
	@upload {
		method PUT PATCH
		header X-Upload *
	}
	handle /api/* {
		handle @upload {
			reverse_proxy app:3000
		}
		handle {
			minimize privacy.yaml
			reverse_proxy app:3000
		}
	}
}`,
	want: []bypass{{"app:3000", "the route of shop.example, path /api/*, matcher header, method PUT PATCH", "the route of shop.example, path /api/*"}},
}, {
	name: "route keeps the order, in which minimize comes too late",
	sites: `
http://shop.example {
	route {
		reverse_proxy /api/* app:3000
		minimize privacy.yaml
		reverse_proxy app:3000
	}
}`,
	want: []bypass{{"app:3000", "the route of shop.example, path /api/*", "the route of shop.example"}},
}, {
	name: "route lets on what it minimized",
	sites: `
http://shop.example {
	route {
		minimize privacy.yaml
	}
	reverse_proxy app:3000
}`,
}, {
	name: "minimize under a matcher, and what follows under another and the same",
	sites: `
http://shop.example {
	@form path /form /order
	route {
		route @form {
			minimize privacy.yaml
		}
		reverse_proxy @form app:3000
		reverse_proxy /other app:3000
		reverse_proxy app:3000
	}
}`,
	want: []bypass{
		{"app:3000", "the route of shop.example, path /other", "the route of shop.example, path /form /order"},
		{"app:3000", "the route of shop.example", "the route of shop.example, path /form /order"},
	},
}, {
	name: "only one of two exclusive blocks minimizes what follows them",
	sites: `
http://shop.example {
	route {
		handle /api/* {
			header X-A b
		}
		handle {
			minimize privacy.yaml
		}
		reverse_proxy app:3000
	}
}
http://club.example {
	minimize privacy.yaml
	reverse_proxy app:3000
}`,
	want: []bypass{{"app:3000", "the route of shop.example", "the route of club.example"}},
}, {
	name: "each of two exclusive blocks minimizes what follows them",
	sites: `
http://shop.example {
	route {
		handle /api/* {
			minimize privacy.yaml
		}
		handle {
			minimize privacy.yaml
		}
		reverse_proxy app:3000
	}
}
http://club.example {
	minimize privacy.yaml
	reverse_proxy app:3000
}`,
}, {
	// An error before minimize, such as a failed login, takes the form there.
	name: "handle_errors",
	sites: `
http://shop.example {
	minimize privacy.yaml
	reverse_proxy app:3000
	handle_errors 4xx {
		rewrite /error
		reverse_proxy app:3000
	}
}
http://club.example {
	minimize privacy.yaml
	reverse_proxy app:3000
	handle_errors {
		minimize privacy.yaml
		reverse_proxy app:3000
	}
}`,
	want: []bypass{{"app:3000", "the route of shop.example, error routes, matcher expression", "the route of shop.example"}},
}, {
	name: "responses",
	sites: `
http://admin.example {
	intercept {
		@missing status 404
		handle_response @missing {
			reverse_proxy app:3000
		}
	}
	reverse_proxy other:3000 {
		handle_response {
			reverse_proxy app:3000
		}
	}
}
http://shop.example {
	minimize privacy.yaml
	reverse_proxy app:3000 {
		handle_response {
			reverse_proxy app:3000
		}
	}
}`,
	want: []bypass{{"app:3000", "the route of admin.example, handle_response", "the route of shop.example"}},
}, {
	name: "named routes",
	sites: `
&(app) {
	reverse_proxy app:3000
}
http://shop.example {
	minimize privacy.yaml
	invoke app
}
http://admin.example {
	invoke app
}`,
	want: []bypass{{"app:3000", "the route of admin.example, named route app", "the route of shop.example, named route app"}},
}, {
	name: "php_fastcgi",
	sites: `
http://shop.example {
	minimize privacy.yaml
	php_fastcgi unix//run/php.sock
}
http://admin.example {
	php_fastcgi unix//run/php.sock
}`,
	want: []bypass{{"unix//run/php.sock", "the route of admin.example, path *.php", "the route of shop.example, path *.php"}},
}, {
	name: "forward_auth asks, and sends no form",
	sites: `
http://shop.example {
	forward_auth app:3000 {
		uri /auth?rd=https://shop.example
	}
	minimize privacy.yaml
	reverse_proxy app:3000
}`,
}, {
	name: "an address that visitors choose",
	sites: `
http://admin.example {
	reverse_proxy app:3000 {
		method GET
		rewrite {uri}
	}
}
http://shop.example {
	minimize privacy.yaml
	reverse_proxy app:3000
}`,
	want: []bypass{{"app:3000", "the route of admin.example", "the route of shop.example"}},
}, {
	name: "upstreams that are looked up",
	sites: `
http://shop.example {
	minimize privacy.yaml
	reverse_proxy {
		dynamic a app.internal 80
	}
	reverse_proxy /srv {
		dynamic srv _app._tcp.internal
	}
	reverse_proxy /host {http.request.host}:3000
}
http://admin.example {
	reverse_proxy {
		dynamic a {
			name app.internal
			refresh 5m
		}
	}
	reverse_proxy /srv {
		dynamic srv {
			service app
			proto tcp
			name internal
		}
	}
	reverse_proxy /host {host}:3000
}`,
	want: []bypass{
		{"{http.request.host}:3000", "the route of admin.example, path /host", "the route of shop.example, path /host"},
		{"srv _app._tcp.internal", "the route of admin.example, path /srv", "the route of shop.example, path /srv"},
		{"a app.internal:80", "the route of admin.example", "the route of shop.example"},
	},
}}

// bypassConfig returns the JSON of sites whose log goes to memory.
func bypassConfig(t *testing.T, dir, sites string) []byte {
	t.Helper()
	const global = "{\n admin off\n auto_https off\n log default {\n output memory\n format json\n }\n}\n"
	config, err := adapt(filepath.Join(dir, "Caddyfile"), global+sites)
	if err != nil {
		t.Fatal(err)
	}
	return config
}

// warnings returns the bypasses that are in the log, in their order.
func warnings(t *testing.T, log string) []bypass {
	t.Helper()
	var found []bypass
	for line := range strings.Lines(log) {
		if !strings.Contains(line, "without minimize") {
			continue
		}
		var b bypass
		if err := json.Unmarshal([]byte(line), &b); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(line, `"level":"warn"`) || !strings.Contains(line, `"logger":"minimize"`) {
			t.Errorf("it is no warning of ours: %s", line)
		}
		found = append(found, b)
	}
	return found
}

// An operator who protects one route to an application and overlooks another
// leaves a way round minimize (CWE-424).
func TestFindBypasses(t *testing.T) {
	dir := shortDir(t)
	writeFile(t, filepath.Join(dir, "privacy.yaml"), shopPolicy)
	for _, test := range bypassTests {
		t.Run(test.name, func(t *testing.T) {
			got, err := findBypasses(bypassConfig(t, dir, test.sites))
			if err != nil || !slices.Equal(got, test.want) {
				t.Errorf("found %q, %v, want %q", got, err, test.want)
			}
		})
	}
}

// `caddy validate` warns of the same, once, whatever part of the routes Caddy
// has loaded when the first handler of ours is provisioned: it goes through
// the servers in any order.
func TestValidateWarnsOfBypasses(t *testing.T) {
	dir := shortDir(t)
	writeFile(t, filepath.Join(dir, "privacy.yaml"), shopPolicy)
	for _, test := range bypassTests {
		t.Run(test.name, func(t *testing.T) {
			config := bypassConfig(t, dir, test.sites)
			for range 5 {
				logs.reset()
				var parsed caddy.Config
				if err := json.Unmarshal(config, &parsed); err != nil {
					t.Fatal(err)
				}
				if err := caddy.Validate(&parsed); err != nil {
					t.Fatal(err)
				}
				if got := warnings(t, logs.String()); !slices.Equal(got, test.want) {
					t.Fatalf("logged %q, want %q", got, test.want)
				}
			}
		})
	}
}

// Each configuration that is put in force warns anew.
func TestReloadWarnsOfBypasses(t *testing.T) {
	s := startSite(t, options{})
	want := []bypass{{"unix/" + s.dir + "/app.sock", "the route of free.test", "the route of shop.test"}}
	for i := range 3 {
		s.log.reset()
		free := strings.ReplaceAll("http://free.test {\n bind unix/DIR/site.sock\n reverse_proxy unix/DIR/app.sock\n}", "DIR", s.dir)
		config, err := adapt(filepath.Join(s.dir, "Caddyfile"), s.caddyfile(options{minimize: fmt.Sprintf("max_fields %d", 100+i)})+free)
		if err != nil {
			t.Fatal(err)
		}
		s.loadJSON(config)
		if got := warnings(t, s.log.String()); !slices.Equal(got, want) {
			t.Fatalf("load %d logged %q, want %q", i, got, want)
		}
	}
	s.log.reset()
	s.load(options{})
	if got := warnings(t, s.log.String()); len(got) > 0 {
		t.Errorf("without a bypass, logged %q", got)
	}
}

// What no Caddyfile says, JSON does.
func TestFindBypassesInJSON(t *testing.T) {
	const app = `{"handler":"reverse_proxy","upstreams":[{"dial":"app:3000"}]}`
	const behind = `{"match":[{"host":["shop.example"]}],"terminal":true,"handle":[{"handler":"minimize"},` + app + `]}`
	for name, test := range map[string]struct {
		routes string
		want   int
	}{
		"other handlers":            {`{"handle":[{"handler":"other","routes":"none","upstreams":7},{"nothing":1},` + app + `]}`, 1},
		"a matcher that is empty":   {`{"match":[{}],"handle":[{"handler":"minimize"}]},{"handle":[` + app + `]}`, 0},
		"a matcher in other spaces": {`{"match":[{"path":["/a"],"method":["GET"]}],"handle":[{"handler":"minimize"}]},{"match":[{ "method": [ "GET" ], "path": ["/a"] }],"handle":[` + app + `]}`, 0},
		"a terminal route": {`{"group":"g","match":[{"path":["/a"]}],"terminal":true,"handle":[{"handler":"static_response"}]},` +
			`{"group":"g","handle":[{"handler":"minimize"}]},{"handle":[` + app + `]}`, 0},
		"errors of a subroute":             {`{"handle":[{"handler":"subroute","routes":[{"handle":[{"handler":"minimize"}]}],"errors":{"routes":[{"handle":[` + app + `]}]}}]}`, 1},
		"errors of one that was minimized": {`{"handle":[{"handler":"minimize"},{"handler":"subroute","errors":{"routes":[{"handle":[` + app + `]}]}}]}`, 0},
		"routes that invoke each other":    {`{"handle":[{"handler":"invoke","name":"again"},` + app + `]}`, 1},
		"a route that is not there":        {`{"handle":[{"handler":"invoke","name":"nowhere"},` + app + `]}`, 1},
	} {
		http := `{"servers":{"none":null,"srv0":{"routes":[` + behind + "," + test.routes + `],"named_routes":{"none":null,"again":{"handle":[{"handler":"invoke","name":"again"}]}}}}}`
		for _, config := range []string{http, `{"admin":{"disabled":true},"apps":{"http":` + http + `}}`} {
			if got, err := findBypasses([]byte(config)); err != nil || len(got) != test.want {
				t.Errorf("%s: found %q, %v, want %d", name, got, err, test.want)
			}
		}
	}
	for _, config := range []string{"", "{", "[]", `{"servers":{"srv0":{"routes":{}}}}`} {
		if got, err := findBypasses([]byte(config)); err == nil {
			t.Errorf("%s: found %q and no error", config, got)
		}
	}
	for _, config := range []string{"{}", "null", `{"apps":{}}`} {
		if got, err := findBypasses([]byte(config)); err != nil || len(got) > 0 {
			t.Errorf("%s: found %q, %v", config, got, err)
		}
	}
}

// One upstream can be written in several ways.
func TestUpstreamKey(t *testing.T) {
	keys := map[string]string{}
	for _, same := range [][]string{
		{"app:3000", "APP:3000", "tcp/app:3000", "tcp4/App.:3000"},
		{"localhost:3000", "127.0.0.1:3000", ":3000", "[::1]:3000", "tcp6/[::1]:3000", "[0:0::1]:3000", "[::ffff:127.0.0.1]:3000", "0.0.0.0:3000"},
		{"app:3001"},
		{"192.0.2.1:3000", "[::ffff:192.0.2.1]:3000"},
		{"udp/app:3000"},
		{"unix//run/app.sock", "unix+h2c//run/app.sock", "unix//run//app.sock"},
		{"unix//run/App.sock"},
		{"{env.APP}"},
		{"{env.App}"},
	} {
		key := upstreamKey(same[0])
		for _, spelling := range same {
			if got := upstreamKey(spelling); got != key {
				t.Errorf("%s has the key %q, %s has %q", spelling, got, same[0], key)
			}
		}
		if other, ok := keys[key]; ok {
			t.Errorf("%s and %s have the key %q", other, same[0], key)
		}
		keys[key] = same[0]
	}
}
