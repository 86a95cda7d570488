package policy

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
)

func TestCompileDesign(t *testing.T) {
	file := "testdata/valid/design.yaml"
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	s, problems := Compile(Source{file, data})
	if err := problems.Err(); err != nil {
		t.Fatal(err)
	}
	if got := s.Controller; got.Name.In("ru") != "ООО «Пример»" || got.Country != "DE" || got.Contact != "privacy@shop.example" {
		t.Errorf("the controller is %+v", got)
	}
	newsletter, _ := s.PurposeID("newsletter")
	p := s.Purposes[newsletter]
	if p.ID != newsletter || p.Basis != Consent || p.Retention != "1y" || p.Benefit.In("de") != "A 5 % voucher with the first letter" {
		t.Errorf("the purpose is %+v", p)
	}
	if delivery := s.Purposes[0]; !reflect.DeepEqual(delivery.Recipients, []Text{{"": "Parcel service"}}) {
		t.Errorf("the recipients are %v", delivery.Recipients)
	}
	c := s.Match("POST", "shop.example", "/checkout").Collection
	if c == nil || c.Name != "checkout" || c != s.Collections[c.ID] {
		t.Fatalf("POST /checkout matches %v", c)
	}
	var names []string
	for _, f := range c.Fields {
		names = append(names, f.Name)
	}
	if want := "name email items.*.sku birthday phone photo csrf_token subscribe"; strings.Join(names, " ") != want {
		t.Errorf("the fields are %v", names)
	}
	if f := fieldOf(t, c, "photo"); f.Type != "file" || f.Max != 5<<20 || f.Position != (Position{file, 30, 7}) {
		t.Errorf("photo is %+v", f)
	}
	if f := fieldOf(t, c, "birthday"); f.Keep != (Keep{Kind: "year"}) {
		t.Errorf("birthday is %+v", f)
	}
	if got := c.Consents; len(got) != 1 || got[0].Purpose != newsletter || !got[0].Path.Equal(segments("subscribe")) || got[0].Value != "" {
		t.Errorf("the consents are %+v", got)
	}
	if len(s.Tests) != 1 || string(s.Tests[0].Given) != `{"email":"a@b.example","shoe_size":"42"}` || s.Tests[0].Type != "application/json" {
		t.Errorf("the tests are %+v", s.Tests)
	}
}

func TestCompileField(t *testing.T) {
	const head = `version: 1
purposes: {p: {basis: contract, retention: 1y}, q: {basis: contract, retention: 1y}, r: {basis: consent, retention: 1y}}
fields:
  mail: {for: p, type: email, max: 100, required: true, category: user.contact.email}
collections:
  c:
    on: /x
    fields:
      f: `
	p, q := []PurposeID{0}, []PurposeID{1}
	for rule, want := range map[string]Field{
		"p":                         {Purposes: p},
		"[q, p]":                    {Purposes: []PurposeID{1, 0}},
		"{for: q}":                  {Purposes: q},
		"{use: mail}":               {Purposes: p, Type: "email", Max: 100, Required: true, Category: "user.contact.email"},
		"{use: mail, for: q}":       {Purposes: q, Type: "email", Max: 100, Required: true, Category: "user.contact.email"},
		"{use: mail, max: 7}":       {Purposes: p, Type: "email", Max: 7, Required: true, Category: "user.contact.email"},
		"{use: mail, keep: domain}": {Purposes: p, Type: "email", Max: 100, Required: true, Category: "user.contact.email", Keep: Keep{"domain", 0}},
		"{use: mail, required: false, type: text}":            {Purposes: p, Type: "text", Max: 100, Category: "user.contact.email"},
		"{for: p, keep: month}":                               {Purposes: p, Keep: Keep{"month", 0}},
		"{for: p, keep: first(3)}":                            {Purposes: p, Keep: Keep{"first", 3}},
		"{for: p, keep: last(4)}":                             {Purposes: p, Keep: Keep{"last", 4}},
		"{for: p, keep: network}":                             {Purposes: p, Keep: Keep{"network", 0}},
		"{for: p, keep: round(-3)}":                           {Purposes: p, Keep: Keep{"round", -3}},
		"{for: p, keep: round(0)}":                            {Purposes: p, Keep: Keep{"round", 0}},
		"{for: p, keep: pseudonym}":                           {Purposes: p, Keep: Keep{"pseudonym", 0}},
		"{for: p, type: file, max: 200kB}":                    {Purposes: p, Type: "file", Max: 200_000},
		"{for: p, type: file, max: 1GiB}":                     {Purposes: p, Type: "file", Max: 1 << 30},
		"{for: p, type: file, max: 10}":                       {Purposes: p, Type: "file", Max: 10},
		`{for: p, one_of: [a, 1, 1.50, true]}`:                {Purposes: p, OneOf: []string{"a", "1", "1.50", "true"}},
		`{for: p, one_of: a}`:                                 {Purposes: p, OneOf: []string{"a"}},
		`{for: p, otherwise: "a;b&\"ü"}`:                      {Purposes: p, Otherwise: &Constant{`"a\u003bb\u0026\"ü"`, `a;b&"ü`}},
		`{for: p, otherwise: 0}`:                              {Purposes: p, Otherwise: &Constant{"0", "0"}},
		`{for: p, otherwise: -1.5e3}`:                         {Purposes: p, Otherwise: &Constant{"-1.5e3", "-1.5e3"}},
		`{for: p, otherwise: 1e400}`:                          {Purposes: p, Otherwise: &Constant{"1e400", "1e400"}},
		`{for: p, otherwise: 123456789012345678901234567890}`: {Purposes: p, Otherwise: &Constant{"123456789012345678901234567890", "123456789012345678901234567890"}},
		`{for: p, otherwise: "1e400"}`:                        {Purposes: p, Otherwise: &Constant{`"1e400"`, "1e400"}},
		`{for: p, otherwise: true}`:                           {Purposes: p, Otherwise: &Constant{"true", "true"}},
		`{for: p, otherwise: null}`:                           {Purposes: p, Otherwise: &Constant{"null", ""}},
		`{for: p, otherwise: ""}`:                             {Purposes: p, Otherwise: &Constant{`""`, ""}},
		`{for: p, otherwise: "1"}`:                            {Purposes: p, Otherwise: &Constant{`"1"`, "1"}},
		`{for: p, otherwise: 2026-11-22}`:                     {Purposes: p, Otherwise: &Constant{`"2026-11-22"`, "2026-11-22"}},
	} {
		want.Name, want.Path, want.Position = "f", segments("f"), Position{"policy.yaml", 9, 7}
		if got := compile(t, head+rule+"\n").Collections[0].Fields[0]; !reflect.DeepEqual(got, want) {
			t.Errorf("%s is\n%+v, not\n%+v", rule, got, want)
		}
	}
	re := compile(t, head+`{for: p, pattern: "a|b"}`).Collections[0].Fields[0].Pattern
	for value, match := range map[string]bool{"a": true, "b": true, "ab": false, "xb": false, "a\n": false} {
		if re.MatchString(value) != match {
			t.Errorf("a|b matches %q: %v", value, !match)
		}
	}
	if !compile(t, head+"p\n      tags.*: p\n").Collections[0].Fields[1].List {
		t.Error("tags.* is no list")
	}
}

// TestConsentFieldIsDeclared: the tick itself is data of the form. Undeclared, it
// would be stripped, and the application would never learn of the consent.
func TestConsentFieldIsDeclared(t *testing.T) {
	s := compile(t, `version: 1
purposes: {news: {basis: consent, retention: 1y}, order: {basis: contract, retention: 1y}}
collections:
  c:
    on: POST /x
    fields: {listed: order}
    consents: {news: {field: opt.in, value: 1}}
  d:
    on: POST /y
    fields: {subscribe: [order, news]}
    consents: {news: subscribe}
`)
	c, d := s.Collections[0], s.Collections[1]
	f := fieldOf(t, c, "opt.in")
	if len(f.Purposes) != 1 || s.Purposes[f.Purposes[0]].Name != "news" || !c.Purposes.Has(f.Purposes[0]) {
		t.Errorf("opt.in is %+v", f)
	}
	if c.Consents[0].Value != "1" {
		t.Errorf("the tick is %q", c.Consents[0].Value)
	}
	if len(d.Fields) != 1 || len(d.Fields[0].Purposes) != 2 {
		t.Errorf("the fields of d are %+v", d.Fields)
	}
}

const versioned = `version: 1
controller: {name: Whittle}
purposes:
  a: {basis: contract, retention: 1y, title: {en: A, de: B}}
  b: {basis: consent, retention: 1y}
collections:
  c:
    on: [POST /x, POST /y]
    fields:
      name: a
      mail: {for: [a, b], type: email, otherwise: ""}
    consents: {b: tick}
tests:
  - on: POST /x
    given: {}
    expect: {kept: []}
`

func TestVersionIsOfTheMeaning(t *testing.T) {
	version := compile(t, versioned).Version
	if len(version) != 64 {
		t.Fatalf("the version is %q", version)
	}
	replaced := func(pairs ...string) string { return strings.NewReplacer(pairs...).Replace(versioned) }
	for what, text := range map[string]string{
		"comments":          "# a comment\n" + replaced("fields:\n", "fields: # another\n"),
		"line ends":         replaced("\n", "\r\n"),
		"a byte order mark": "\uFEFF" + versioned,
		"order of maps":     replaced("{en: A, de: B}", "{de: B, en: A}", "      name: a\n", "", `otherwise: ""}`, "otherwise: \"\"}\n      name: a"),
		"order of patterns": replaced("[POST /x, POST /y]", "[POST /y, POST /x]"),
		"long form":         replaced("name: a", "name: {for: [a]}", "b: tick", "b: {field: tick}"),
		"shared field":      replaced("collections:", "fields:\n  m: {type: email, otherwise: ''}\ncollections:", `type: email, otherwise: ""`, "use: m"),
		"implicit field":    replaced("name: a", "name: a\n      tick: b"),
		"tests":             versioned[:strings.Index(versioned, "tests:")],
	} {
		if got := compile(t, text).Version; got != version {
			t.Errorf("%s change the version", what)
		}
	}
	for what, text := range map[string]string{
		"a basis":      replaced("contract", "public_task"),
		"a title":      replaced("en: A", "en: C"),
		"a retention":  replaced("b: {basis: consent, retention: 1y", "b: {basis: consent, retention: 2y"),
		"a purpose":    replaced("name: a", "name: b"),
		"a pattern":    replaced("POST /y", "POST /z"),
		"a type":       replaced("type: email", "type: text"),
		"a constant":   replaced(`otherwise: ""`, `otherwise: "a@b.example"`),
		"no constant":  replaced(`, otherwise: ""`, ""),
		"a consent":    replaced("b: tick", "b: tock"),
		"a tick":       replaced("b: tick", "b: {field: tick, value: x}"),
		"a controller": replaced("name: Whittle", "name: x"),
	} {
		if got := compile(t, text).Version; got == version {
			t.Errorf("%s does not change the version", what)
		}
	}
}

// TestJSONIsYAML: a policy that a program writes is JSON, indented with tabs or not
// at all.
func TestJSONIsYAML(t *testing.T) {
	s := compile(t, versioned)
	text, err := yaml.YAMLToJSON([]byte(versioned))
	if err != nil {
		t.Fatal(err)
	}
	var indented bytes.Buffer
	if err := json.Indent(&indented, text, "", "\t"); err != nil {
		t.Fatal(err)
	}
	for _, written := range []string{string(text), indented.String()} {
		if got := compile(t, written); got.Version != s.Version || len(got.Tests) != 1 {
			t.Errorf("another policy is read from\n%s", written)
		}
	}
}

func TestExpectations(t *testing.T) {
	for text, want := range map[string]Expect{
		"{kept: []}":                 {Kept: []string{}},
		"{kept: a}":                  {Kept: []string{"a"}},
		"{stripped: [a, b.*]}":       {Stripped: []string{"a", "b.*"}},
		"{refused: true}":            {Refused: true},
		"{kept: [a], stripped: [b]}": {Kept: []string{"a"}, Stripped: []string{"b"}},
	} {
		s := compile(t, "version: 1\ntests: [{on: POST /x, given: {}, expect: "+text+"}]\n")
		if got := s.Tests[0].Expect; !reflect.DeepEqual(got, want) {
			t.Errorf("%s is %+v", text, got)
		}
	}
}

func TestFilesMerge(t *testing.T) {
	purposes, rest, _ := strings.Cut(versioned, "collections:")
	one, two := Source{"1.yaml", []byte(purposes)}, Source{"2.yaml", []byte("version: 1\ncollections:" + rest)}
	whole := compile(t, versioned)
	for _, sources := range [][]Source{{one, two}, {two, one}} {
		s, problems := Compile(sources...)
		if err := problems.Err(); err != nil {
			t.Fatal(err)
		}
		if s.Version != whole.Version {
			t.Error("splitting a policy changes its version")
		}
	}
}

func TestDiagnosticsAsJSON(t *testing.T) {
	_, problems := Compile(Source{"p.yaml", []byte("version: 1\ncolections: {}\n")})
	got, err := json.Marshal(problems)
	if err != nil {
		t.Fatal(err)
	}
	want := `[{"severity":"error","code":"unknown-key","position":{"file":"p.yaml","line":2,"column":1},` +
		`"message":"a policy file has no key \"colections\"","hint":"did you mean \"collections\"?",` +
		`"excerpt":"    2 | colections: {}\n      | ^"}]`
	if string(got) != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestTextIn(t *testing.T) {
	text := Text{"en": "english", "de": "deutsch", "pt-BR": "brasileiro"}
	for lang, want := range map[string]string{"de": "deutsch", "de-AT": "deutsch", "pt-BR": "brasileiro", "fr": "english", "": "english"} {
		if got := text.In(lang); got != want {
			t.Errorf("in %q: %q", lang, got)
		}
	}
	if got := (Text{"": "plain", "en": "english"}).In("fr"); got != "plain" {
		t.Errorf("without a language: %q", got)
	}
	if got := (Text{"ru": "русский", "de": "deutsch"}).In("fr"); got != "deutsch" {
		t.Errorf("the first by tag: %q", got)
	}
	if got := Text(nil).In("en"); got != "" {
		t.Errorf("nothing: %q", got)
	}
}

func TestReadFiles(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"b.yaml": "b", "a.yaml": "a", "c.txt": "c"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	read := func(patterns ...string) ([]Source, error) {
		for i := range patterns {
			patterns[i] = filepath.Join(dir, patterns[i])
		}
		return ReadFiles(patterns...)
	}
	sources, err := read("c.txt", "*.yaml", "a.yaml")
	if err != nil || len(sources) != 3 || string(sources[0].Data) != "a" || string(sources[2].Data) != "c" {
		t.Errorf("read %v, %v", sources, err)
	}
	for _, pattern := range []string{"missing.yaml", "*.yml", "[", "."} {
		if _, err := read(pattern); err == nil {
			t.Errorf("%s is no error", pattern)
		}
	}
	reversed := slices.Clone(sources)
	slices.Reverse(reversed)
	if Digest(sources) != Digest(reversed) {
		t.Error("the order of the sources changes the digest")
	}
	if Digest([]Source{{"1", []byte("ab")}, {"2", []byte("c")}}) == Digest([]Source{{"1", []byte("a")}, {"2", []byte("bc")}}) {
		t.Error("moving bytes between files leaves the digest")
	}
}

// FuzzCompile: a policy file is edited in place while the proxy runs under the
// policy before it, so no file may panic or hang it; and what compiles, compiles
// to the same version again.
func FuzzCompile(f *testing.F) {
	files, _ := filepath.Glob("testdata/*/*.yaml")
	for _, file := range files {
		data, err := os.ReadFile(file) //nolint:gosec // G304: a file of testdata
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add([]byte(versioned))
	f.Add([]byte(decisions))
	f.Fuzz(func(t *testing.T, data []byte) {
		start := time.Now()
		s, problems := Compile(Source{"fuzz.yaml", data})
		if took := time.Since(start); took > 5*time.Second {
			t.Errorf("took %v", took)
		}
		if (s == nil) != (problems.Err() != nil) {
			t.Fatalf("set: %v, error: %v", s != nil, problems.Err())
		}
		for _, d := range problems {
			if d.Code == "" || d.Message == "" || strings.ContainsAny(d.Excerpt, "\x1b\r") {
				t.Errorf("diagnostic %+v", d)
			}
		}
		if s == nil {
			return
		}
		if again, _ := Compile(Source{"again.yaml", data}); again.Version != s.Version {
			t.Error("the version is not stable")
		}
	})
}

func BenchmarkCompile(b *testing.B) {
	var text strings.Builder
	text.WriteString(versioned[:strings.Index(versioned, "  c:\n")])
	for i := range 1000 {
		text.WriteString(strings.NewReplacer("  c:", "  c"+strings.Repeat("i", i%50)+string(rune('a'+i/50))+":", "/x", "/x"+strings.Repeat("i", i%50)+string(rune('a'+i/50)), ", POST /y", "").
			Replace(versioned[strings.Index(versioned, "  c:\n"):strings.Index(versioned, "tests:")]))
	}
	b.SetBytes(int64(text.Len()))
	for b.Loop() {
		if _, problems := Compile(Source{"p.yaml", []byte(text.String())}); problems.Err() != nil {
			b.Fatal(problems.Err())
		}
	}
}
