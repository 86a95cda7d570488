package minimize

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// walked are the functions that README.md says a request passes through, in
// order, as "file:function".
func walked(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, list, _ := strings.Cut(string(text), "## The way of a request")
	list, _, _ = strings.Cut(list, "\n## ")
	var path []string
	for _, line := range regexp.MustCompile("(?m)^[0-9]+\\. `([^`]+)`").FindAllStringSubmatch(list, -1) {
		path = append(path, line[1])
	}
	return path
}

// The way of a request through the files is what README.md says: every function
// stands in its file, and a submission takes the steps in that order, each once.
func TestTheWayOfARequest(t *testing.T) {
	path := walked(t)
	if len(path) < 10 {
		t.Fatalf("README.md lists %d functions", len(path))
	}
	var files, functions []string
	for _, place := range path {
		file, function, _ := strings.Cut(place, ":")
		parsed, err := parser.ParseFile(token.NewFileSet(), filepath.Join("../..", file), nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.ContainsFunc(parsed.Decls, func(d ast.Decl) bool {
			f, ok := d.(*ast.FuncDecl)
			return ok && f.Name.Name == function
		}) {
			t.Errorf("%s has no function %s", file, function)
		}
		if slices.Contains(files, file) && files[len(files)-1] != file {
			t.Errorf("the way leads back to %s", file)
		}
		files, functions = append(files, file), append(functions, function)
	}
	e, _ := newEngine(t, shop, known(&people{}))
	var steps []string
	e.onStep = func(step string) { steps = append(steps, step) }
	for _, sent := range []struct{ on, contentType, body string }{
		{"POST /checkout", jsonType, `{"name":"Ada","email":"ada@example.org","subscribe":true}`},
		{"POST /checkout", formData, form(part{"name", "", "a"})},
		{"GET /search?q=x", "", ""},
	} {
		steps = nil
		if got := process(e, request(sent.on, sent.contentType, strings.NewReader(sent.body))); got.Refusal != nil {
			t.Fatal(got.Refusal)
		}
		if want := slices.DeleteFunc(slices.Clone(functions), func(f string) bool { return !slices.Contains(steps, f) }); !slices.Equal(steps, want) || len(steps) != 8 {
			t.Errorf("%s: took the steps %v, README.md has %v", sent.on, steps, want)
		}
	}
	// A stream takes the same steps, and is recorded when it has been read.
	steps = nil
	process(e, request("POST /upload", formData, strings.NewReader(bigForm())))
	if want := []string{"route", "read", "learn", "ask", "decide", "write", "forward", "record"}; !slices.Equal(steps, want) {
		t.Errorf("a stream took the steps %v, want %v", steps, want)
	}
}
