//go:build linux

package bench

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// BenchmarkShipped compares the binaries as they are shipped: Caddy, which
// forwards, and Modicum, which minimizes and logs each submission to a file.
// Neither GOGC nor a memory limit is set. The twin is Caddy again, in a process
// of its own; "heap" is the memory that Modicum has more than Caddy, in MB.
func BenchmarkShipped(b *testing.B) {
	dir := b.TempDir()
	stock, ours := filepath.Join(dir, "caddy"), filepath.Join(dir, "modicum")
	for binary, pkg := range map[string]string{stock: "github.com/caddyserver/caddy/v2/cmd/caddy", ours: "github.com/modicum-proxy/modicum/cmd/modicum"} {
		build := exec.CommandContext(b.Context(), "go", "build", "-o", binary, pkg) //nolint:gosec // G204: a package of ours
		build.Dir = "../../.."                                                      // the plugin's module, whose versions are shipped
		if out, err := build.CombinedOutput(); err != nil {
			b.Fatalf("building %s: %v\n%s", pkg, err, out)
		}
	}
	policyFile := filepath.Join(dir, "privacy.yaml")
	if err := os.WriteFile(policyFile, []byte(benchPolicy()), 0o600); err != nil {
		b.Fatal(err)
	}
	upstream, _ := start(b, "application", "")
	for _, size := range []int{1 << 10, 16 << 10} {
		b.Run(fmt.Sprintf("%dKB", size>>10), func(b *testing.B) {
			servers := []server{
				run(b, "caddy", stock, upstream, ""),
				run(b, "AA-twin", stock, upstream, ""),
				run(b, "modicum", ours, upstream, "minimize "+policyFile),
			}
			compare(b, servers, benchBodies(size))
			b.ReportMetric(resident(b, servers[2].pid)-resident(b, servers[0].pid), "heap")
		})
	}
}

// run runs a binary with a site in front of the application.
func run(b *testing.B, name, binary, upstream, directive string) server {
	b.Helper()
	addr, dir := freeAddr(b), b.TempDir()
	_, port, _ := net.SplitHostPort(addr)
	caddyfile := filepath.Join(dir, "Caddyfile")
	text := fmt.Sprintf("{\n admin off\n persist_config off\n auto_https off\n log {\n  output file %s/log\n }\n}\nhttp://:%s {\n bind 127.0.0.1\n %s\n reverse_proxy %s\n}\n", dir, port, directive, upstream)
	if err := os.WriteFile(caddyfile, []byte(text), 0o600); err != nil {
		b.Fatal(err)
	}
	cmd := exec.CommandContext(b.Context(), binary, "run", "--config", caddyfile) //nolint:gosec // G204: built above
	cmd.Env = append(os.Environ(), "GOGC=", "GOMEMLIMIT=")
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = cmd.Process.Kill() // it may have ended
		_ = cmd.Wait()
	})
	for range 500 {
		if conn, err := (&net.Dialer{Timeout: time.Second}).DialContext(b.Context(), "tcp", addr); err == nil {
			_ = conn.Close()
			return server{name: name, addr: addr, pid: cmd.Process.Pid, minimizes: directive != ""}
		}
		time.Sleep(20 * time.Millisecond)
	}
	b.Fatalf("%s does not listen", name)
	return server{}
}

// resident is the memory of a process in MB.
func resident(b *testing.B, pid int) float64 {
	b.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		b.Fatal(err)
	}
	pages, err := strconv.Atoi(strings.Fields(string(status))[1])
	if err != nil {
		b.Fatal(err)
	}
	return float64(pages*os.Getpagesize()) / (1 << 20)
}
