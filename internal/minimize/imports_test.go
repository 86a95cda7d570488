package minimize

import (
	"os/exec"
	"strings"
	"testing"
)

// What is in internal knows nothing of Caddy, nor of its logger: it can be
// tested, fuzzed and read without them.
func TestCoreImportsNoCaddy(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", "-f", "{{.ImportPath}}", "../...").CombinedOutput()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, out)
	}
	deps := strings.Fields(string(out))
	if len(deps) < 50 {
		t.Fatalf("go list tells only of %d packages", len(deps))
	}
	for _, dep := range deps {
		if strings.HasPrefix(dep, "github.com/caddyserver/") || strings.HasPrefix(dep, "go.uber.org/zap") {
			t.Errorf("internal imports %s", dep)
		}
	}
}
