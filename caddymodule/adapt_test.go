//go:build unix

package caddymodule

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/modicum-proxy/modicum/internal/minimize"
	"github.com/modicum-proxy/modicum/internal/policy"
	"github.com/modicum-proxy/modicum/internal/submission"
)

var update = flag.Bool("update", false, "write the second halves of the adapt goldens anew")

const (
	adaptDir = "testdata/adapt"
	dashes   = "----------\n"
)

// splitGolden returns the halves of a golden: a Caddyfile, and the JSON or the
// error that it adapts to.
func splitGolden(t *testing.T, name string) (caddyfile, want string) {
	t.Helper()
	data, err := os.ReadFile(name) //nolint:gosec // G304: a file of the tests' own
	if err != nil {
		t.Fatal(err)
	}
	caddyfile, want, ok := strings.Cut(string(data), "\n"+dashes)
	if !ok {
		t.Fatalf("%s: no line of dashes", name)
	}
	return caddyfile + "\n", want
}

// adapted returns the second half of a golden. {HERE} is this directory in
// either.
func adapted(t *testing.T, name, caddyfile string) string {
	t.Helper()
	here, err := filepath.Abs(".")
	if err != nil {
		t.Fatal(err)
	}
	var got bytes.Buffer
	if config, err := adapt(name, strings.ReplaceAll(caddyfile, "{HERE}", here)); err != nil {
		got.WriteString(err.Error())
	} else if err := json.Indent(&got, config, "", "\t"); err != nil {
		t.Fatal(err)
	}
	return strings.ReplaceAll(got.String(), here, "{HERE}") + "\n" // an import makes names absolute
}

// Files named error_* hold a misuse, all others what is right. Both halves
// name files as Caddy would, which was given this very file.
func TestAdapt(t *testing.T) {
	names, err := filepath.Glob(adaptDir + "/*.caddyfiletest")
	if err != nil || len(names) == 0 {
		t.Fatalf("found %d goldens, %v", len(names), err)
	}
	for _, name := range names {
		base := strings.TrimSuffix(filepath.Base(name), ".caddyfiletest")
		t.Run(base, func(t *testing.T) {
			caddyfile, want := splitGolden(t, name)
			got := adapted(t, name, caddyfile)
			if refused, misuse := !strings.HasPrefix(got, "{"), strings.HasPrefix(base, "error_"); refused != misuse {
				t.Fatalf("the file's name does not say what it adapts to:\n%s", got)
			}
			if got == want {
				return
			}
			if *update {
				writeFile(t, name, caddyfile+dashes+got)
				return
			}
			t.Errorf("adapts to\n%swant\n%s(write it anew with -update)", got, want)
		})
	}
}

// option is a line of a block, and how it can be wrong.
type option struct {
	name string
	good string   // arguments
	bad  []string // arguments that are refused
	list bool     // takes any number of arguments, above none
	more bool     // may be given again
}

var (
	badSizes     = []string{"0", "-1", "1MX", "much", "1.5.2MB", "2TiB"}
	badNumbers   = []string{"0", "-1", "1.5", "many", "99999999999999999999"}
	badDurations = []string{"0s", "-1s", "30", "soon"}

	siteOptions = []option{
		{name: "mode", good: "report", bad: []string{"Report", `""`, "off"}},
		{name: "undeclared", good: "pass", bad: []string{"allow", "PASS"}},
		{name: "uninspected", good: "pass", bad: []string{"strip", "PASS"}},
		{name: "max_body", good: "2MiB", bad: badSizes},
		{name: "max_depth", good: "8", bad: badNumbers},
		{name: "max_fields", good: "100", bad: badNumbers},
		{name: "max_name", good: "64", bad: badNumbers},
		{name: "max_inflated", good: "16MB", bad: badSizes},
		{name: "max_ratio", good: "30", bad: badNumbers},
		{name: "body_timeout", good: "1m30s", bad: badDurations},
		{name: "except", good: "/healthz /assets/*", list: true, more: true},
		{name: "method_override", good: "on", bad: []string{"yes", "ON"}},
		{name: "odd_paths", good: "parameters encoded_slash", bad: []string{"slash", "Parameters", "parameters parameters"}, list: true},
		{name: "show_undeclared"},
		{name: "notice", good: "off"},
		{name: "portal", good: "/privacy/", bad: []string{"/privacy", "privacy/", `""`}},
		{name: "gpc", good: "2026-11-22", bad: []string{"today", "2026-13-01", "22.11.2026"}},
		{name: "subject", good: "header X-User", bad: []string{"cookie session", "field email", "placeholder {header.X}", "jwt"}, more: true},
	}
	globalOptions = []option{
		{name: "policy", good: "privacy.yaml more/*.yaml", bad: []string{"missing.yaml", "none/*.yaml"}, list: true},
		{name: "pseudonym_key", good: "env KEY", bad: []string{"env", "file", "vault key", "{env.KEY}"}},
		{name: "poll_interval", good: "1m", bad: badDurations},
		{name: "store", good: "sqlite consent.db", bad: []string{"mysql shop", "postgres dsn"}},
		{name: "consent_key", good: "env KEY", bad: []string{"env", "vault key", "{env.KEY}"}},
		{name: "evidence"},
		{name: "languages", good: "words"},
	}
)

// misuses are lines that are refused: without an argument, with one too many,
// given twice, with a bad one.
func (o option) misuses() []string {
	var lines []string
	if o.good != "" {
		lines = append(lines, o.name)
	}
	if !o.list {
		lines = append(lines, o.name+" "+o.good+" surplus", o.name+" "+o.good+" {\n\tsurplus\n}")
	}
	if !o.more {
		lines = append(lines, o.name+" "+o.good+"\n"+o.name+" "+o.good)
	}
	for _, arguments := range o.bad {
		lines = append(lines, o.name+" "+arguments)
	}
	return lines
}

func TestMisuseOfEachOption(t *testing.T) {
	const name = adaptDir + "/Caddyfile"
	try := func(around string, o option) {
		if _, err := adapt(name, strings.ReplaceAll(around, "OPTION", o.name+" "+o.good)); err != nil {
			t.Errorf("%s %s: %v", o.name, o.good, err)
		}
		for _, lines := range o.misuses() {
			config, err := adapt(name, strings.ReplaceAll(around, "OPTION", lines))
			if err == nil {
				t.Errorf("%q is taken: %s", lines, config)
			} else if !strings.Contains(err.Error(), name+":") {
				t.Errorf("%q: the error names no line: %v", lines, err)
			}
		}
	}
	for _, o := range siteOptions {
		try(":80 {\nminimize privacy.yaml {\nOPTION\n}\n}", o)
	}
	for _, o := range globalOptions {
		try("{\nminimize {\nOPTION\n}\n}", o)
	}
}

// members returns the names that a module has in Caddy's JSON.
func members(module any) []string {
	var names []string
	for field := range reflect.TypeOf(module).Fields() {
		if tag, ok := field.Tag.Lookup("json"); ok {
			name, _, _ := strings.Cut(tag, ",")
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// Everything that JSON can say, the Caddyfile can, and the tables above know.
func TestEveryOptionIsTested(t *testing.T) {
	for _, c := range []struct {
		module  any
		options []option
		more    []string // members that no option of the block names
	}{
		{Handler{}, siteOptions, []string{"policy", "policy_digest"}},
		{App{}, globalOptions, []string{"policy_digest"}},
	} {
		names := slices.Clone(c.more)
		for _, o := range c.options {
			names = append(names, o.name)
		}
		slices.Sort(names)
		if got := members(c.module); !slices.Equal(got, names) {
			t.Errorf("%T has the members\n%q, the table\n%q", c.module, got, names)
		}
	}
}

// A secret in a Caddyfile is in backups, in `caddy adapt` and in the admin
// API: it is refused, and the error, which is logged, does not repeat it.
func TestSecretIsNoLiteral(t *testing.T) {
	const literal = "c2VjcmV0LWMyVmpjbVYw"
	t.Setenv("MODICUM_ADAPT_SECRET", literal)
	for _, argument := range []string{literal, `"` + literal + `"`, "{$MODICUM_ADAPT_SECRET}"} {
		_, err := adapt(adaptDir+"/Caddyfile", "{\nminimize {\npseudonym_key "+argument+"\n}\n}")
		if err == nil || strings.Contains(err.Error(), literal) {
			t.Errorf("%s: %v", argument, err)
		}
	}
}

// A reload with the same JSON does nothing (caddy.Load compares it), so a
// changed policy file must show in it.
func TestChangedPolicyChangesTheJSON(t *testing.T) {
	for _, caddyfile := range []string{
		"{\nminimize {\npolicy privacy.yaml more*.yaml\n}\n}\n:80 {\nminimize\n}",
		":80 {\nminimize privacy.yaml more*.yaml\n}",
	} {
		dir := t.TempDir()
		write := func(file, text string) { writeFile(t, filepath.Join(dir, file), text) }
		config := func() string { return adapted(t, filepath.Join(dir, "Caddyfile"), caddyfile) }
		write("privacy.yaml", "version: 1")
		write("more1.yaml", "version: 1 # first")
		before := config()
		if !strings.Contains(before, `"policy_digest"`) {
			t.Fatalf("%s: no digest:\n%s", caddyfile, before)
		}
		write("privacy.yaml", "version: 1") // a new time of change, the same bytes
		if got := config(); got != before {
			t.Errorf("%s: the same policy adapts to\n%s\nand\n%s", caddyfile, before, got)
		}
		for _, change := range []struct{ file, text string }{
			{"privacy.yaml", "version: 1 "},
			{"more1.yaml", "version: 1 # again"},
			{"more2.yaml", ""}, // the glob finds another file
		} {
			write(change.file, change.text)
			after := config()
			if after == before {
				t.Errorf("%s: a changed %s does not show", caddyfile, change.file)
			}
			before = after
		}
	}
}

// provisioned returns the handlers of the sites of a Caddyfile, ready and not
// started. They are cleaned up at the end of the test, and let all policies go.
func provisioned(t *testing.T, name, caddyfile string) []*Handler {
	t.Helper()
	config, err := adapt(name, caddyfile)
	if err != nil {
		t.Fatal(err)
	}
	var apps struct {
		Apps caddy.ModuleMap `json:"apps"`
	}
	if err := json.Unmarshal(config, &apps); err != nil {
		t.Fatal(err)
	}
	cfg := new(caddy.Config)
	above, err := caddy.ProvisionContext(cfg)
	if err != nil {
		t.Fatal(err)
	}
	cfg.AppsRaw = apps.Apps // after the fact, so that a context of ours loads the apps, which we can cancel
	ctx, cancel := caddy.NewContext(above)
	before := used()
	t.Cleanup(func() {
		cancel()
		if n := used(); n != before {
			t.Errorf("%d policies are still in use after the cleanup, %d before", n, before)
		}
	})
	app, err := ctx.App("http")
	if err != nil {
		t.Fatal(err)
	}
	var handlers []*Handler
	for _, server := range app.(*caddyhttp.App).Servers {
		handlers = append(handlers, handlersOf(server.Routes)...)
	}
	if used() == before {
		t.Error("no policy is in use")
	}
	return handlers
}

// handlersOf finds the handlers of ours, in their order.
func handlersOf(routes caddyhttp.RouteList) []*Handler {
	var found []*Handler
	for i := range routes {
		for _, handler := range routes[i].Handlers {
			switch h := handler.(type) {
			case *Handler:
				found = append(found, h)
			case *caddyhttp.Subroute:
				found = append(found, handlersOf(h.Routes)...)
			}
		}
	}
	return found
}

// What the Caddyfile says reaches the engine, through Caddy's JSON.
func TestProvision(t *testing.T) {
	name := adaptDir + "/site_options.caddyfiletest"
	caddyfile, _ := splitGolden(t, name)
	handlers := provisioned(t, name, caddyfile)
	if len(handlers) != 1 {
		t.Fatalf("found %d handlers", len(handlers))
	}
	h := handlers[0]
	files := []string{adaptDir + "/privacy.yaml", adaptDir + "/more/*.yaml"}
	sources, err := policy.ReadFiles(files...)
	if err != nil {
		t.Fatal(err)
	}
	want := Handler{
		Policy: files, PolicyDigest: policy.Digest(sources),
		Mode: "report", Undeclared: "pass", Uninspected: "pass",
		MaxBody: 2 << 20, MaxDepth: 8, MaxFields: 100, MaxName: 64, MaxInflated: 16e6, MaxRatio: 30,
		BodyTimeout: caddy.Duration(90 * time.Second), Except: []string{"/healthz", "/assets/*", "/robots.txt"}, OddPaths: []string{"parameters", "encoded_slash"}, MethodOverride: "on",
		ShowUndeclared: true, Notice: "https://example.org/privacy",
	}
	got, wanted := reflect.ValueOf(*h), reflect.ValueOf(want)
	for field := range got.Type().Fields() {
		if !field.IsExported() || slices.Contains([]string{"Portal", "Subject", "GPC"}, field.Name) {
			continue // TestStoreProvision has those that need a store
		}
		if g, w := got.FieldByIndex(field.Index).Interface(), wanted.FieldByIndex(field.Index).Interface(); !reflect.DeepEqual(g, w) {
			t.Errorf("%s = %v, want %v", field.Name, g, w)
		}
		if wanted.FieldByIndex(field.Index).IsZero() {
			t.Errorf("%s is not tested", field.Name)
		}
	}
	e := h.engine
	if e.Limits != (submission.Limits{Body: 2 << 20, Depth: 8, Fields: 100, Name: 64, Inflated: 16e6, Ratio: 30}) || e.BodyTimeout != 90*time.Second {
		t.Errorf("the engine has the limits %+v, %v", e.Limits, e.BodyTimeout)
	}
	if e.Mode != minimize.Report || e.Undeclared != minimize.Pass || e.Uninspected != minimize.Pass || !e.ShowUndeclared || e.Notice != h.Notice {
		t.Errorf("the engine is %+v", e)
	}
	if e.OddPaths != minimize.Parameters|minimize.EncodedSlash || !e.MethodOverride {
		t.Errorf("the engine has odd_paths %v", e.OddPaths)
	}
	if p := h.app.inUse(); len(p) != 1 || len(p[0].Load().Collections) != 2 {
		t.Errorf("in use are %d policies", len(p))
	}
}

func TestProvisionWords(t *testing.T) {
	name := adaptDir + "/site_words.caddyfiletest"
	caddyfile, _ := splitGolden(t, name)
	handlers := provisioned(t, name, caddyfile)
	if len(handlers) != 2 {
		t.Fatalf("found %d handlers", len(handlers))
	}
	// Caddy orders sites by the length of their names.
	defaults, strict := handlers[0].engine, handlers[1].engine
	if strict.Mode != minimize.Enforce || strict.Undeclared != minimize.Reject || strict.Uninspected != minimize.Reject || strict.Notice != "" {
		t.Errorf("what rejects all is %+v", strict)
	}
	if defaults.Mode != minimize.Enforce || defaults.Undeclared != minimize.Strip || defaults.Uninspected != minimize.Reject || defaults.Notice != "/privacy" || defaults.ShowUndeclared {
		t.Errorf("the default is %+v", defaults)
	}
	if defaults.Limits != submission.DefaultLimits() || defaults.BodyTimeout != 30*time.Second {
		t.Errorf("the default limits are %+v, %v", defaults.Limits, defaults.BodyTimeout)
	}
}

func TestProvisionGlobal(t *testing.T) {
	const key = "0123456789abcdef"
	t.Setenv("MODICUM_PSEUDONYM_KEY", key)
	name := adaptDir + "/global_key_from_environment.caddyfiletest"
	caddyfile, _ := splitGolden(t, name)
	handlers := provisioned(t, name, caddyfile)
	if len(handlers) != 1 {
		t.Fatalf("found %d handlers", len(handlers))
	}
	app := handlers[0].app
	if string(app.key) != key || app.PollInterval != caddy.Duration(defaultPollInterval) {
		t.Errorf("the app has a key of %d bytes and polls every %v", len(app.key), time.Duration(app.PollInterval))
	}
	if p := app.inUse(); len(p) != 1 || !slices.Equal(p[0].files, []string{adaptDir + "/privacy.yaml"}) {
		t.Errorf("in use are %d policies", len(p))
	}
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "key"), key+"f\r\n") // the line's end is not the key's
	writeFile(t, filepath.Join(dir, "privacy.yaml"), shopPolicy)
	handlers = provisioned(t, filepath.Join(dir, "Caddyfile"), "{\nminimize {\npolicy privacy.yaml\npseudonym_key file key\npoll_interval 1m\n}\n}\n:80 {\nminimize\n}")
	if app := handlers[0].app; string(app.key) != key+"f" || app.PollInterval != caddy.Duration(time.Minute) {
		t.Errorf("the app has a key of %d bytes and polls every %v", len(app.key), time.Duration(app.PollInterval))
	}
}
