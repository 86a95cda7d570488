package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// varies is what a transcript cannot foretell: receipts and durations.
var varies = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}|\b[0-9.]+[µm]s\b`)

// TestReadme runs the commands of the README's console blocks, but for its
// first two, against a demo, and compares what they print as far as the
// README shows it.
func TestReadme(t *testing.T) {
	t.Parallel()
	for _, program := range []string{"bash", "curl", "grep"} {
		if _, err := exec.LookPath(program); err != nil {
			if os.Getenv("CI") != "" {
				t.Fatalf("the README's commands need %s", program)
			}
			t.Skipf("the README's commands need %s", program)
		}
	}
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	readme, err := os.ReadFile(filepath.Join(root, "README.md")) //nolint:gosec // G304: it is ours
	if err != nil {
		t.Fatal(err)
	}
	d := startDemo(t, t.TempDir(), "--port", "0")
	greeting := strings.Join(d.until("What arrives now"), "\n")
	address := regexp.MustCompile(`localhost:\d+`).FindString(greeting)
	ran := 0
	for _, block := range regexp.MustCompile("(?ms)^```console\n(.*?)^```$").FindAllStringSubmatch(string(readme), -1) {
		for step := range strings.SplitSeq(strings.TrimPrefix(block[1], "$ "), "\n$ ") {
			command, want, _ := strings.Cut(step, "\n")
			if strings.HasPrefix(command, "go run ") || strings.HasPrefix(command, "go test ") {
				continue
			}
			ran++
			cmd := exec.CommandContext(t.Context(), "bash", "-c", strings.ReplaceAll(command, "localhost:8080", address)) //nolint:gosec // G204: they are our README's
			cmd.Dir = root
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Errorf("%s\n%v\n%s", command, err, out)
			}
			got := strings.ReplaceAll(string(out), "\r", "")
			if !strings.HasPrefix(varies.ReplaceAllString(got, "…"), varies.ReplaceAllString(want, "…")) {
				t.Errorf("%s\nprints\n%s\nand the README says\n%s", command, got, want)
			}
		}
	}
	if ran < 5 {
		t.Errorf("found %d commands in the README", ran)
	}
	d.interrupt()
}
