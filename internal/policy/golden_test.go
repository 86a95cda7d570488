package policy

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestGoldenDiagnostics compiles testdata/diagnostics, where files with the same
// name up to the first dot are one set, and compares the diagnostics.
func TestGoldenDiagnostics(t *testing.T) {
	sets := make(map[string][]Source)
	files, err := filepath.Glob("testdata/diagnostics/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatal("testdata/diagnostics is empty", err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file) //nolint:gosec // G304: a file of testdata
		if err != nil {
			t.Fatal(err)
		}
		name, _, _ := strings.Cut(filepath.Base(file), ".")
		sets[name] = append(sets[name], Source{Name: filepath.Base(file), Data: data})
	}
	reported := make(map[string]bool)
	for _, name := range slices.Sorted(maps.Keys(sets)) {
		set, problems := Compile(sets[name]...)
		var b strings.Builder
		for _, d := range problems {
			reported[d.Code] = true
			b.WriteString("[" + d.Code + "] " + d.String() + "\n")
		}
		if (set == nil) != (problems.Err() != nil) {
			t.Errorf("%s: there is a set: %v, and an error: %v", name, set != nil, problems.Err() != nil)
		}
		golden := filepath.Join("testdata/diagnostics", name+".golden")
		if *update {
			if err := os.WriteFile(golden, []byte(b.String()), 0o600); err != nil {
				t.Fatal(err)
			}
			continue
		}
		want, err := os.ReadFile(golden) //nolint:gosec // G304: a file of testdata
		if err != nil {
			t.Fatal(err)
		}
		if b.String() != string(want) {
			t.Errorf("%s: run with -update and look at the difference; got\n%s", name, b.String())
		}
	}
	for _, code := range codes(t) {
		if !reported[code] && !boundCodes[code] {
			t.Errorf("no golden file shows the diagnostic %q", code)
		}
	}
}

// boundCodes are reported for files that are too big, or no text, to lie in testdata;
// TestBounds has them.
var boundCodes = map[string]bool{
	"too-large": true, "too-deep": true, "too-many-entries": true, "too-many-problems": true, "too-many-purposes": true,
	"too-many-patterns": true, "not-utf8": true, "control-character": true, "empty-set": true,
}

var codeLiteral = regexp.MustCompile(`(?:Code: |warning\(|s\.refuse\(t, )"([a-z][a-z0-9-]*[a-z0-9])"`)

// codes returns the codes that the package can tell.
func codes(t *testing.T) []string {
	t.Helper()
	found := make(map[string]bool)
	files, _ := filepath.Glob("*.go")
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		data, err := os.ReadFile(file) //nolint:gosec // G304: a file of the package
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range codeLiteral.FindAllSubmatch(data, -1) {
			found[string(m[1])] = true
		}
	}
	return slices.Sorted(maps.Keys(found))
}
