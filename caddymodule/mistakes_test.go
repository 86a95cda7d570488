//go:build unix

package caddymodule

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"

	"github.com/modicum-proxy/modicum/internal/bypass"
)

// mistakeTests are the directives of a site, and what answers before minimize;
// empty: minimize runs.
var mistakeTests = map[string]struct{ site, behind string }{
	"behind the application":    {"route {\n reverse_proxy app:3000\n minimize privacy.yaml\n}", "reverse_proxy"},
	"before the application":    {"route {\n minimize privacy.yaml\n reverse_proxy app:3000\n}", ""},
	"outside of route":          {"reverse_proxy app:3000\n minimize privacy.yaml", ""},
	"behind respond":            {"route {\n respond ok\n minimize privacy.yaml\n}", "respond"},
	"behind a path":             {"route {\n respond /healthz ok\n minimize privacy.yaml\n reverse_proxy app:3000\n}", ""},
	"behind error":              {"route {\n error 503\n minimize privacy.yaml\n}", "error"},
	"behind files":              {"route {\n file_server\n minimize privacy.yaml\n}", "file_server"},
	"behind files, if any":      {"route {\n file_server {\n pass_thru\n }\n minimize privacy.yaml\n reverse_proxy app:3000\n}", ""},
	"behind PHP":                {"route {\n php_fastcgi app:9000\n minimize privacy.yaml\n}", "php_fastcgi"},
	"behind PHP of a folder":    {"route {\n php_fastcgi /old/* app:9000\n minimize privacy.yaml\n reverse_proxy app:3000\n}", ""},
	"behind scripts alone":      {"route {\n @php path *.php\n reverse_proxy @php app:9000 {\n transport fastcgi\n }\n minimize privacy.yaml\n reverse_proxy app:3000\n}", ""},
	"behind forward_auth":       {"route {\n forward_auth auth:9000 {\n uri /verify\n }\n minimize privacy.yaml\n reverse_proxy app:3000\n}", ""},
	"behind two handles":        {"route {\n handle /a/* {\n respond a\n }\n handle {\n respond b\n }\n minimize privacy.yaml\n}", "respond"},
	"behind a handle":           {"route {\n handle /a/* {\n respond a\n }\n minimize privacy.yaml\n reverse_proxy app:3000\n}", ""},
	"behind a handle that ends": {"route {\n handle /a/* {\n header X-A b\n }\n handle {\n respond b\n }\n minimize privacy.yaml\n reverse_proxy app:3000\n}", ""},
	"in a route of a handle":    {"handle /a/* {\n route {\n reverse_proxy app:3000\n minimize privacy.yaml\n }\n}", "reverse_proxy"},
	"in a handle of a route":    {"route {\n reverse_proxy app:3000\n handle /a/* {\n minimize privacy.yaml\n }\n}", "reverse_proxy"},
	"under the same path":       {"route {\n reverse_proxy /a/* app:3000\n handle /a/* {\n minimize privacy.yaml\n }\n}", "reverse_proxy"},
	"behind a nested route":     {"route {\n route {\n reverse_proxy app:3000\n }\n minimize privacy.yaml\n}", "reverse_proxy"},
}

// An operator who writes minimize behind the application in a route block has a
// proxy that starts, and minimizes nothing.
func TestMinimizeBehindTheApplication(t *testing.T) {
	dir := shortDir(t)
	writeFile(t, filepath.Join(dir, "privacy.yaml"), shopPolicy)
	for name, test := range mistakeTests {
		t.Run(name, func(t *testing.T) {
			config := bypassConfig(t, dir, "http://shop.example {\n"+test.site+"\n}")
			found, err := bypass.FindMistakes(config)
			if err != nil || len(found) > 1 || (len(found) == 1) != (test.behind != "") || !strings.Contains(strings.Join(found, "\n"), test.behind) {
				t.Errorf("found %q, %v, want %q", found, err, test.behind)
			}
			checkLoaded(t, config, found)
		})
	}
}

// A header counts only in requests of trusted proxies. If there are none, it
// identifies no one.
func TestHeaderWithoutTrustedProxies(t *testing.T) {
	dir := shortDir(t)
	writeFile(t, filepath.Join(dir, "privacy.yaml"), shopPolicy)
	const head = "{\n admin off\n auto_https off\n log default {\n output memory\n format json\n }\n minimize {\n store sqlite choices.db\n }\n"
	const site = "}\nhttp://shop.example {\n minimize privacy.yaml {\n subject header X-User\n }\n reverse_proxy app:3000\n}"
	for servers, want := range map[string]int{"": 1, " servers {\n trusted_proxies static 10.0.0.0/8\n }\n": 0} {
		config, err := adapt(filepath.Join(dir, "Caddyfile"), head+servers+site)
		if err != nil {
			t.Fatal(err)
		}
		found, err := bypass.FindMistakes(config)
		if err != nil || len(found) != want || want > 0 && !strings.Contains(found[0], "trusted_proxies") {
			t.Errorf("%q: found %q, %v", servers, found, err)
		}
		checkLoaded(t, config, found)
	}
}

// checkLoaded checks that a configuration warns of the same mistakes when it is
// loaded.
func checkLoaded(t *testing.T, config []byte, mistakes []string) {
	t.Helper()
	logs.reset()
	var parsed caddy.Config
	if err := json.Unmarshal(config, &parsed); err != nil {
		t.Fatal(err)
	}
	if err := caddy.Validate(&parsed); err != nil {
		t.Fatal(err)
	}
	log := logs.String()
	for _, m := range mistakes {
		if !strings.Contains(log, m) {
			t.Errorf("%q is not logged, but %s", m, log)
		}
	}
	if strings.Contains(log, `"level":"warn","logger":"minimize"`) && len(mistakes) == 0 {
		t.Errorf("logged %s", log)
	}
}
