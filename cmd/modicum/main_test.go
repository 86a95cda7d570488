package main

import (
	"encoding/json"
	"flag"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/modicum-proxy/modicum"
)

var update = flag.Bool("update", false, "write the golden parts of the scripts anew")

// TestMain lets the test binary be modicum in scripts.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"modicum": main})
}

// TestScript runs the commands as a shell would.
func TestScript(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		UpdateScripts:       *update,
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"jsondoc": jsonDocument,
			"status":  exitStatus,
		},
	})
}

// jsonDocument checks that a file (or stdout) is exactly one JSON document,
// and that the value at a path in it is the given text: jsondoc stdout
// tests.0.passed false.
func jsonDocument(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: jsondoc file path text")
	}
	in := json.NewDecoder(strings.NewReader(ts.ReadFile(args[0])))
	var document any
	ts.Check(in.Decode(&document))
	if _, err := in.Token(); err != io.EOF {
		ts.Fatalf("something follows the document")
	}
	at := document
	for segment := range strings.SplitSeq(args[1], ".") {
		switch container := at.(type) {
		case map[string]any:
			at = container[segment]
		case []any:
			var index int
			ts.Check(json.Unmarshal([]byte(segment), &index))
			if index >= len(container) {
				ts.Fatalf("%s has %d elements", args[1], len(container))
			}
			at = container[index]
		}
	}
	text, err := json.Marshal(at)
	ts.Check(err)
	if got := strings.Trim(string(text), `"`); got != args[2] {
		ts.Fatalf("%s is %s, not %s", args[1], got, args[2])
	}
}

// exitStatus runs modicum and checks the number that it ends with: status 2
// check nope.yaml.
func exitStatus(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: status number args...")
	}
	err := ts.Exec("modicum", args[1:]...)
	got := "0"
	if err != nil {
		got = strings.TrimPrefix(err.Error(), "exit status ")
	}
	if got != args[0] {
		ts.Fatalf("modicum %s ends with %s, not %s", strings.Join(args[1:], " "), got, args[0])
	}
}

// TestCaddyfileIsFormatted: Caddy warns of one that is not.
func TestCaddyfileIsFormatted(t *testing.T) {
	if formatted := caddyfile.Format(modicum.Caddyfile); string(formatted) != string(modicum.Caddyfile) {
		t.Errorf("the Caddyfile is not formatted:\n%s", formatted)
	}
	if _, err := os.Stat("../../examples/shop/privacy.yaml"); err != nil {
		t.Errorf("the policy that the Caddyfile names: %v", err)
	}
}
