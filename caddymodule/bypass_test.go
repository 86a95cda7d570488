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

	"github.com/modicum-proxy/modicum/internal/bypass"
)

// bypassTests are sites and their bypasses.
var bypassTests = []struct {
	name  string
	sites string
	want  []bypass.Bypass
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
	want: []bypass.Bypass{{Upstream: "app:3000", Route: "the route of admin.example staff.example", Protected: "the route of shop.example"}},
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
	want: []bypass.Bypass{{Upstream: "app:3000", Route: "server srv1 (:8081), route 1, path /api/*", Protected: "server srv0 (:8080), route 0"}},
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
	want: []bypass.Bypass{{Upstream: "app:3000", Route: "server srv0 (:8080), route 0", Protected: "server srv1 (:8081), route 0, path /a*"}},
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
	want: []bypass.Bypass{{Upstream: "app:3001", Route: "the route of admin.example", Protected: "the route of shop.example"}},
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
	want: []bypass.Bypass{{Upstream: "app:3000", Route: "the route of shop.example, path /api/*", Protected: "the route of shop.example"}},
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
	want: []bypass.Bypass{{Upstream: "app:3000", Route: "the route of shop.example, path /api/*, matcher header, method PUT PATCH", Protected: "the route of shop.example, path /api/*"}},
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
	want: []bypass.Bypass{{Upstream: "app:3000", Route: "the route of shop.example, path /api/*", Protected: "the route of shop.example"}},
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
	want: []bypass.Bypass{
		{Upstream: "app:3000", Route: "the route of shop.example, path /other", Protected: "the route of shop.example, path /form /order"},
		{Upstream: "app:3000", Route: "the route of shop.example", Protected: "the route of shop.example, path /form /order"},
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
	want: []bypass.Bypass{{Upstream: "app:3000", Route: "the route of shop.example", Protected: "the route of club.example"}},
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
	want: []bypass.Bypass{{Upstream: "app:3000", Route: "the route of shop.example, error routes, matcher expression", Protected: "the route of shop.example"}},
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
	want: []bypass.Bypass{{Upstream: "app:3000", Route: "the route of admin.example, handle_response", Protected: "the route of shop.example"}},
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
	want: []bypass.Bypass{{Upstream: "app:3000", Route: "the route of admin.example, named route app", Protected: "the route of shop.example, named route app"}},
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
	want: []bypass.Bypass{{Upstream: "unix//run/php.sock", Route: "the route of admin.example, path *.php", Protected: "the route of shop.example, path *.php"}},
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
	want: []bypass.Bypass{{Upstream: "app:3000", Route: "the route of admin.example", Protected: "the route of shop.example"}},
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
	want: []bypass.Bypass{
		{Upstream: "{http.request.host}:3000", Route: "the route of admin.example, path /host", Protected: "the route of shop.example, path /host"},
		{Upstream: "srv _app._tcp.internal", Route: "the route of admin.example, path /srv", Protected: "the route of shop.example, path /srv"},
		{Upstream: "a app.internal:80", Route: "the route of admin.example", Protected: "the route of shop.example"},
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

// warnings returns the bypasses in the log, in their order.
func warnings(t *testing.T, log string) []bypass.Bypass {
	t.Helper()
	var found []bypass.Bypass
	for line := range strings.Lines(log) {
		if !strings.Contains(line, "without minimize") {
			continue
		}
		var b bypass.Bypass
		if err := json.Unmarshal([]byte(line), &b); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(line, `"level":"warn"`) || !strings.Contains(line, `"logger":"minimize"`) {
			t.Errorf("not a warning of the app: %s", line)
		}
		found = append(found, b)
	}
	return found
}

// An operator who protects one route to an application and overlooks another
// leaves a bypass (CWE-424).
func TestFindBypasses(t *testing.T) {
	dir := shortDir(t)
	writeFile(t, filepath.Join(dir, "privacy.yaml"), shopPolicy)
	for _, test := range bypassTests {
		t.Run(test.name, func(t *testing.T) {
			got, err := bypass.Find(bypassConfig(t, dir, test.sites))
			if err != nil || !slices.Equal(got, test.want) {
				t.Errorf("found %q, %v, want %q", got, err, test.want)
			}
		})
	}
}

// `caddy validate` warns of the same bypasses, once, regardless of which routes
// Caddy has loaded when it provisions our first handler: it provisions the servers
// in any order.
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

// Each configuration that is loaded warns again.
func TestReloadWarnsOfBypasses(t *testing.T) {
	s := startSite(t, options{})
	want := []bypass.Bypass{{Upstream: "unix/" + s.dir + "/app.sock", Route: "the route of free.test", Protected: "the route of shop.test"}}
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
