//go:build unix

package caddymodule

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
)

// readMessage reads an HTTP message with a Content-Length into buf, without
// allocating.
func readMessage(c net.Conn, buf []byte) (int, error) {
	n := 0
	for {
		k, err := c.Read(buf[n:])
		if err != nil {
			return n, err
		}
		n += k
		head := bytes.Index(buf[:n], []byte("\r\n\r\n"))
		if head < 0 {
			continue
		}
		length := 0
		if i := bytes.Index(buf[:head+2], []byte("\r\nContent-Length: ")); i >= 0 {
			for _, digit := range buf[i+len("\r\nContent-Length: ") : head+2] {
				if digit < '0' || digit > '9' {
					break
				}
				length = length*10 + int(digit-'0')
			}
		}
		if n >= head+4+length {
			return n, nil
		}
	}
}

// kilobyte is a submission of 1 KB, half of whose members pass.
func kilobyte() string {
	var b strings.Builder
	b.WriteString(`{"name":"Anna","email":"a@example.org"`)
	for i := range 8 {
		fmt.Fprintf(&b, `,"note_%d":"%s"`, i, strings.Repeat("x", 50))
	}
	b.WriteString(`,"items":[{"sku":"0"}`)
	for range 7 {
		fmt.Fprintf(&b, `,{"sku":"%s"}`, strings.Repeat("y", 45))
	}
	return b.String() + "]}"
}

// A submission of 1 KB costs at most so many allocations and bytes more than
// the same request costs Caddy without us. Unlike time, both are free of noise.
func TestAllocations(t *testing.T) {
	if testing.Short() {
		t.Skip("the race detector allocates")
	}
	// In a process of its own: after other tests, a server rarely allocates a little
	// more for all its life.
	if os.Getenv("MODICUM_ALLOCATIONS") == "" {
		alone := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestAllocations$", "-test.v") //nolint:gosec // G204: this program
		alone.Env = append(os.Environ(), "MODICUM_ALLOCATIONS=1")
		said, err := alone.CombinedOutput()
		for line := range strings.Lines(string(said)) {
			if strings.Contains(line, "allocations") {
				t.Log(strings.TrimSpace(line))
			}
		}
		if err != nil {
			t.Errorf("%v", err)
		}
		return
	}
	for _, test := range []struct {
		log         string
		allocations float64
		bytes       float64
	}{
		{"level ERROR", 10, 900},
		{"output file DIR/log", 16, 1600},
	} {
		t.Run(test.log, func(t *testing.T) {
			dir := shortDir(t)
			writeFile(t, filepath.Join(dir, "privacy.yaml"), shopPolicy)
			config, err := adapt(filepath.Join(dir, "Caddyfile"), strings.NewReplacer("DIR", dir, "LOG", strings.ReplaceAll(test.log, "DIR", dir)).Replace(`{
	admin off
	persist_config off
	auto_https off
	log default {
		LOG
	}
}
http:// {
	bind unix/DIR/site.sock
	minimize privacy.yaml
	reverse_proxy unix/DIR/app.sock
}
http://plain.test {
	bind unix/DIR/plain.sock
	reverse_proxy unix/DIR/app.sock
}
`))
			if err != nil {
				t.Fatal(err)
			}
			listener, err := new(net.ListenConfig).Listen(t.Context(), "unix", filepath.Join(dir, "app.sock"))
			if err != nil {
				t.Fatal(err)
			}
			defer listener.Close() //nolint:errcheck // a test
			go func() {
				for {
					c, err := listener.Accept()
					if err != nil {
						return
					}
					go func() {
						for buf := make([]byte, 16<<10); ; {
							if _, err := readMessage(c, buf); err != nil {
								return
							}
							_, _ = c.Write([]byte("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"))
						}
					}()
				}
			}()
			defer caddy.Stop() //nolint:errcheck // a test
			body := kilobyte()
			defer debug.SetGCPercent(debug.SetGCPercent(-1)) // pools keep what they have
			defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))  // and no goroutine looks for it on another processor
			measure := func(socket, host string) (allocations, size float64) {
				c, err := new(net.Dialer).DialContext(t.Context(), "unix", filepath.Join(dir, socket))
				if err != nil {
					t.Fatal(err)
				}
				defer c.Close() //nolint:errcheck // a test
				request := []byte("POST /checkout HTTP/1.1\r\nHost: " + host + "\r\nUser-Agent: test\r\nContent-Type: application/json\r\nContent-Length: " + strconv.Itoa(len(body)) + "\r\n\r\n" + body)
				buf := make([]byte, 16<<10)
				send := func(n int) {
					for range n {
						if _, err := c.Write(request); err != nil {
							t.Fatal(err)
						}
						if n, err := readMessage(c, buf); err != nil || !bytes.HasPrefix(buf[:n], []byte("HTTP/1.1 200")) {
							t.Fatalf("answered %s, %v", buf[:n], err)
						}
					}
				}
				const requests = 2000
				send(300)
				var before, after runtime.MemStats
				runtime.ReadMemStats(&before)
				send(requests)
				runtime.ReadMemStats(&after)
				return float64(after.Mallocs-before.Mallocs) / requests, float64(after.TotalAlloc-before.TotalAlloc) / requests
			}
			if err := caddy.Load(config, true); err != nil {
				t.Fatal(err)
			}
			plainCount, plainBytes := measure("plain.sock", "plain.test")
			count, size := measure("site.sock", "shop.test")
			t.Logf("plain %.1f allocations, %.0f bytes; minimized %.1f more, %.0f bytes more", plainCount, plainBytes, count-plainCount, size-plainBytes)
			if count-plainCount > test.allocations || size-plainBytes > test.bytes {
				t.Errorf("%.1f allocations and %.0f bytes more, want at most %.0f and %.0f", count-plainCount, size-plainBytes, test.allocations, test.bytes)
			}
		})
	}
}
