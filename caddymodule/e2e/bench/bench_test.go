//go:build linux

// Package bench measures Caddy with data minimization against Caddy without
// it, end to end on loopback: the server, the application and the clients
// are processes of their own.
package bench

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	_ "github.com/caddyserver/caddy/v2/modules/standard"
	"golang.org/x/sys/unix"

	_ "github.com/modicum-proxy/modicum/caddymodule"
)

// role makes the test binary play a part of the measurement: it is started
// again with this variable.
const role = "MODICUM_BENCH_ROLE"

func TestMain(m *testing.M) {
	switch os.Getenv(role) {
	case "application":
		application()
	case "server":
		serve()
	default:
		os.Exit(m.Run())
	}
}

// application reads every request whole and says how much it was.
func application() {
	listener, err := new(net.ListenConfig).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	fmt.Println(listener.Addr())
	srv := http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n, err := io.Copy(io.Discard, r.Body)
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		w.Header().Set("Content-Length", "12")
		_, _ = fmt.Fprintf(w, "%12d", n)
	})}
	panic(srv.Serve(listener))
}

// server runs Caddy with the Caddyfile on its standard input.
func serve() {
	input, err := io.ReadAll(os.Stdin)
	if err != nil {
		panic(err)
	}
	config, _, err := caddyconfig.GetAdapter("caddyfile").Adapt(input, nil)
	if err != nil {
		panic(err)
	}
	if err := caddy.Load(config, true); err != nil {
		panic(err)
	}
	fmt.Println("ready")
	select {}
}

// start starts a part and returns its first line and its process.
func start(b *testing.B, part, stdin string) (string, int) {
	b.Helper()
	cmd := exec.CommandContext(b.Context(), os.Args[0]) //nolint:gosec // G204: it is this test binary
	cmd.Env = append(os.Environ(), role+"="+part)
	cmd.Stdin = strings.NewReader(stdin)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = cmd.Process.Kill() // it may have ended
		_ = cmd.Wait()
	})
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		b.Fatalf("starting the %s: %v\n%s", part, err, stderr.String())
	}
	return strings.TrimSpace(line), cmd.Process.Pid
}

// variants are the sites of the measured server. The first is what the others
// are compared with, the second its twin: what they differ by is the tolerance
// of the rest.
var variants = []variant{
	{"plain", ""},
	{"AA-twin", ""},
	{"request_buffers", "request_buffers 16MiB"},
	{"modicum", "minimize"},
	{"modicum+traced", "minimize traced"},
}

type variant struct{ name, options string }

func (v variant) minimizes() bool { return strings.HasPrefix(v.options, "minimize") }

// setup is a running server.
type setup struct {
	pid   int
	addrs []string // of the variants
}

// newSetup starts a server whose collection log goes to a file, or is off.
func newSetup(b *testing.B, logs bool) *setup {
	b.Helper()
	level := "ERROR"
	if logs {
		level = "INFO"
	}
	upstream, _ := start(b, "application", "")
	dir := b.TempDir()
	policyFile := filepath.Join(dir, "privacy.yaml")
	if err := os.WriteFile(policyFile, []byte(benchPolicy()), 0o600); err != nil {
		b.Fatal(err)
	}
	sink := collector(b)
	s := new(setup)
	var config strings.Builder
	fmt.Fprintf(&config, "{\n admin off\n persist_config off\n auto_https off\n log {\n  output file %s\n  level %s\n }\n}\n", filepath.Join(dir, "log"), level)
	for _, v := range variants {
		addr := freeAddr(b)
		s.addrs = append(s.addrs, addr)
		_, port, _ := net.SplitHostPort(addr)
		fmt.Fprintf(&config, "http://:%s {\n bind 127.0.0.1\n", port)
		if strings.Contains(v.options, "traced") {
			config.WriteString(" tracing\n")
		}
		if v.minimizes() {
			fmt.Fprintf(&config, " minimize %s {\n  max_fields 100000\n }\n", policyFile)
		}
		proxy := ""
		if strings.Contains(v.options, "request_buffers") {
			proxy = "request_buffers 16MiB"
		}
		fmt.Fprintf(&config, " reverse_proxy %s {\n %s\n }\n}\n", upstream, proxy)
	}
	b.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://"+sink)
	b.Setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf")
	b.Setenv("OTEL_METRICS_EXPORTER", "none")
	b.Setenv("OTEL_LOGS_EXPORTER", "none")
	_, s.pid = start(b, "server", config.String())
	return s
}

// collector takes spans and forgets them.
func collector(b *testing.B) string {
	b.Helper()
	listener, err := new(net.ListenConfig).Listen(b.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	srv := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // what comes does not matter
	})}
	go srv.Serve(listener) //nolint:errcheck // it ends with Close
	b.Cleanup(func() { _ = srv.Close() })
	return listener.Addr().String()
}

func freeAddr(b *testing.B) string {
	b.Helper()
	listener, err := new(net.ListenConfig).Listen(b.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer listener.Close() //nolint:errcheck // it only reserved a port
	return listener.Addr().String()
}

// cpuTime is the processor time that a process has used: wall time is off
// by a factor of two to four on a shared machine.
func cpuTime(b *testing.B, pid int) time.Duration {
	b.Helper()
	var ts unix.Timespec
	// clock_getcpuclockid(3): the complement of the process, and CPUCLOCK_SCHED.
	clock := int32(^pid)<<3 | 2 //nolint:gosec // G115: a process number fits
	if err := unix.ClockGettime(clock, &ts); err != nil {
		b.Skip("no processor clock of another process: ", err)
	}
	return time.Duration(ts.Nano())
}

var fields = []string{
	"email", "first_name", "last_name", "phone", "street", "city", "zip", "country", "sku", "quantity", "price", "comment",
	"birthday", "shoe_size", "mothers_name", "device_id", "referrer", "screen", "timezone", "income", "employer", "tracking_id", "score", "user_agent",
}

// benchPolicy keeps half of the fields, at the top and in items.
func benchPolicy() string {
	var p strings.Builder
	p.WriteString("version: 1\ncontroller: {name: Bench, contact: privacy@bench.example, country: DE}\npurposes:\n  order: {title: Order, basis: contract, retention: 1y}\n" +
		"collections:\n  order:\n    on: POST /order\n    fields:\n      photo: {for: order, type: file, max: 1GiB}\n")
	for _, name := range fields[:len(fields)/2] {
		fmt.Fprintf(&p, "      %s: order\n      items.*.%s: order\n", name, name)
	}
	return p.String()
}

// benchBodies makes 256 bodies of one form of about size bytes.
func benchBodies(size int) [][]byte {
	r := rand.New(rand.NewPCG(1, uint64(size))) //nolint:gosec // G404: a benchmark wants the same bodies each time
	members := func(b *bytes.Buffer, step int) {
		for i := 0; i < len(fields); i += step {
			if i > 0 {
				b.WriteByte(',')
			}
			if i%4 < 2 {
				fmt.Fprintf(b, "%q:%q", fields[i], "abcdefghijklmnopqrstuvwxyz0123456789 and more of it"[:4+r.IntN(28)])
			} else {
				fmt.Fprintf(b, "%q:%d", fields[i], r.IntN(1_000_000))
			}
		}
	}
	bodies := make([][]byte, 256)
	for i := range bodies {
		var b bytes.Buffer
		b.WriteByte('{')
		members(&b, 2)
		b.WriteString(`,"items":[{`)
		members(&b, 3)
		for b.Len() < size-8 {
			b.WriteString("},{")
			members(&b, 3)
		}
		b.WriteString("}]}")
		bodies[i] = fmt.Appendf(nil, "POST /order HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", b.Len(), b.Bytes())
	}
	return bodies
}

// client is one connection that sends one request after the other.
type client struct {
	conn   net.Conn
	answer *bufio.Reader
}

func dial(b *testing.B, addr string) *client {
	b.Helper()
	conn, err := (&net.Dialer{Timeout: 5 * time.Second}).DialContext(b.Context(), "tcp", addr)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = conn.Close() })
	return &client{conn: conn, answer: bufio.NewReader(conn)}
}

// send sends a request and returns how many bytes the application had of it.
func (c *client) send(request []byte) (int, error) {
	if _, err := c.conn.Write(request); err != nil {
		return 0, err
	}
	return c.receive()
}

func (c *client) receive() (int, error) {
	line, err := c.answer.ReadSlice('\n')
	if err != nil {
		return 0, err
	}
	if !bytes.HasPrefix(line, []byte("HTTP/1.1 200")) {
		return 0, fmt.Errorf("answered with %q", line)
	}
	for len(line) > 2 {
		if line, err = c.answer.ReadSlice('\n'); err != nil {
			return 0, err
		}
	}
	var body [12]byte
	if _, err := io.ReadFull(c.answer, body[:]); err != nil {
		return 0, err
	}
	return strconv.Atoi(string(bytes.TrimSpace(body[:])))
}

const (
	connections = 32
	sliceTime   = time.Second
	rounds      = 14
)

// slice loads a variant for a second: requests a second and processor time
// a request.
func slice(b *testing.B, clients []*client, pid int, bodies [][]byte) (perSecond float64, perRequest time.Duration, upstream int64) {
	b.Helper()
	var count, got atomic.Int64
	var wg sync.WaitGroup
	before, begin := cpuTime(b, pid), time.Now()
	for i, c := range clients {
		wg.Go(func() {
			for n := i; time.Since(begin) < sliceTime; n++ {
				size, err := c.send(bodies[n%len(bodies)])
				if err != nil {
					b.Errorf("request: %v", err)
					return
				}
				count.Add(1)
				got.Add(int64(size))
			}
		})
	}
	wg.Wait()
	took := time.Since(begin)
	used := cpuTime(b, pid) - before
	return float64(count.Load()) / took.Seconds(), used / time.Duration(max(1, count.Load())), got.Load() / max(1, count.Load())
}

// BenchmarkEndToEnd reports, for each variant, the median over all rounds of
// its throughput and processor time as a ratio to plain's in the same round.
func BenchmarkEndToEnd(b *testing.B) {
	for _, size := range []int{1 << 10, 16 << 10} {
		for _, logs := range []bool{false, true} {
			b.Run(fmt.Sprintf("%dKB/log=%v", size>>10, logs), func(b *testing.B) {
				s := newSetup(b, logs)
				servers := make([]server, len(variants))
				for i, v := range variants {
					servers[i] = server{name: v.name, addr: s.addrs[i], pid: s.pid, minimizes: v.minimizes()}
				}
				compare(b, servers, benchBodies(size))
			})
		}
	}
}

// server is one of those that are compared.
type server struct {
	name      string
	addr      string
	pid       int
	minimizes bool
	clients   []*client
}

// compare loads the servers in turn, and reports the throughput and the
// processor time of each as a ratio to those of the first.
func compare(b *testing.B, servers []server, bodies [][]byte) {
	b.Helper()
	for i := range servers {
		for range connections {
			servers[i].clients = append(servers[i].clients, dial(b, servers[i].addr))
		}
		slice(b, servers[i].clients, servers[i].pid, bodies) // warm up
	}
	speed, cost := make([][]float64, len(servers)), make([][]float64, len(servers))
	var plainCost []float64
	for round := range rounds {
		perSecond, perRequest := make([]float64, len(servers)), make([]float64, len(servers))
		for i := range servers {
			v := (i + round) % len(servers)
			rate, cpu, upstream := slice(b, servers[v].clients, servers[v].pid, bodies)
			perSecond[v], perRequest[v] = rate, float64(cpu)
			if full := len(bodies[0]) - 200; servers[v].minimizes == (upstream > int64(full)) {
				b.Fatalf("%s: the application had %d bytes of a request", servers[v].name, upstream)
			}
		}
		for v := range servers {
			speed[v] = append(speed[v], perSecond[v]/perSecond[0])
			cost[v] = append(cost[v], perRequest[v]/perRequest[0])
		}
		plainCost = append(plainCost, perRequest[0]/1000)
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(median(plainCost), servers[0].name+"-cpu-µs")
	for v := 1; v < len(servers); v++ {
		b.ReportMetric(median(speed[v]), servers[v].name+"-rate")
		b.ReportMetric(median(cost[v]), servers[v].name+"-cpu")
	}
}

func median(values []float64) float64 {
	values = slices.Clone(values)
	slices.Sort(values)
	return values[len(values)/2]
}
