//go:build unix

package proxies_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	toxiproxy "github.com/Shopify/toxiproxy/v2"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
)

// cluster is a database, three processes of Caddy that share it, and the
// application behind them. Each process reaches the database by a way of its
// own, which can be troubled.
type cluster struct {
	dir     string
	db      *pgx.Conn // past all trouble
	notice  string    // of the purpose that rests on consent
	proxies []*proxy
}

// proxy is one process of Caddy.
type proxy struct {
	name    string
	process *os.Process
	ended   chan struct{}
	way     *toxiproxy.Proxy
	client  *http.Client
}

const clusterPolicy = `
version: 1
controller: {name: Shop, contact: privacy@shop.example, country: DE}
purposes:
  delivery: {title: Deliver, basis: contract, retention: 1y}
  newsletter: {title: Write to you, basis: consent, retention: 1y}
  ads: {title: Show ads, basis: legitimate_interests, retention: 1y, objection: gpc}
collections:
  checkout:
    on: POST /checkout
    fields: {name: delivery, birthday: newsletter, screen: ads}
`

// submission has a field that passes on consent alone, and one that passes
// unless the person objected: it is stripped when that is not known.
const submission = "name=Ann&birthday=2000-02-29&screen=wide"

const clusterCaddyfile = `{
	admin off
	persist_config off
	storage file_system DIR/data
	log {
		output stderr
		level ERROR
	}
	servers {
		trusted_proxies_unix
	}
	minimize {
		policy DIR/privacy.yaml
		consent_key file DIR/key
		store postgres {
			dsn {env.MODICUM_TEST_DSN}
			LEASE
		}
	}
}
http:// {
	bind unix/DIR/NAME.sock
	minimize {
		portal /privacy/
	}
	reverse_proxy unix/DIR/app.sock
}
`

// startCluster starts processes that decide by what they read for as long as
// lease; 0: each decision reads.
func startCluster(t *testing.T, lease time.Duration) *cluster {
	t.Helper()
	c := &cluster{dir: socketDir(t)}
	c.write(t, "privacy.yaml", clusterPolicy)
	c.write(t, "key", strings.Repeat("0123456789abcdef", 4)+"\n")
	c.serveApplication(t)
	upstream, dsn := c.createDatabase(t)
	server := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(prometheus.NewRegistry()), zerolog.Nop())
	for _, name := range []string{"a", "b", "c"} {
		way := toxiproxy.NewProxy(server, name, "127.0.0.1:0", upstream)
		if err := way.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(way.Stop)
		host, port, err := net.SplitHostPort(way.Listen)
		if err != nil {
			t.Fatal(err)
		}
		text := strings.NewReplacer("DIR", c.dir, "NAME", name, "LEASE", leaseOption(lease)).Replace(clusterCaddyfile)
		c.write(t, name+".Caddyfile", text)
		p := &proxy{name: name, way: way, client: unixClient(filepath.Join(c.dir, name+".sock")), ended: make(chan struct{})}
		c.run(t, p, fmt.Sprintf("%s host=%s port=%s sslmode=disable", dsn, host, port))
		c.proxies = append(c.proxies, p)
	}
	for _, p := range c.proxies {
		c.awaitNotice(t, p)
	}
	return c
}

func leaseOption(lease time.Duration) string {
	if lease == 0 {
		return ""
	}
	return "lease " + lease.String()
}

// socketDir returns a directory with a short name: those of sockets are
// limited.
func socketDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "proxies") //nolint:usetesting // its names are too long
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

func (c *cluster) write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(c.dir, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func unixClient(socket string) *http.Client {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", socket)
	}
	return &http.Client{Transport: &http.Transport{DialContext: dial, MaxIdleConnsPerHost: 256}, Timeout: 10 * time.Second}
}

// serveApplication answers which of the fields arrived.
func (c *cluster) serveApplication(t *testing.T) {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "unix", filepath.Join(c.dir, "app.sock"))
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for _, field := range []string{"birthday", "screen"} {
			if r.PostFormValue(field) != "" {
				_, _ = fmt.Fprintf(w, "%s ", field)
			}
		}
	})}
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() { _ = server.Close() })
}

// createDatabase makes a database. It returns a TCP address of its server,
// since toxiproxy reaches no other, and the rest of its DSN.
func (c *cluster) createDatabase(t *testing.T) (address, dsn string) {
	t.Helper()
	server := os.Getenv("MODICUM_TEST_POSTGRES")
	switch {
	case server != "":
	case os.Getenv("CI") == "true":
		t.Fatal("MODICUM_TEST_POSTGRES is not set: .ci/postgres start prints it")
	default:
		t.Skip("no PostgreSQL: set MODICUM_TEST_POSTGRES, see .ci/postgres")
	}
	ctx := context.Background() // the clean-up needs the connection
	config, err := pgx.ParseConfig(server)
	if err != nil {
		t.Fatal(err)
	}
	name := "modicum_" + strings.ReplaceAll(uuid.NewString(), "-", "")
	first, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := first.Exec(ctx, "CREATE DATABASE "+name); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := first.Exec(ctx, "DROP DATABASE "+name+" WITH (FORCE)"); err != nil {
			t.Error(err)
		}
		_ = first.Close(ctx)
	})
	dsn = fmt.Sprintf("user=%s password='%s' dbname=%s", config.User, config.Password, name)
	config.Database = name
	if c.db, err = pgx.ConnectConfig(ctx, config); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.db.Close(ctx) })
	if !strings.HasPrefix(config.Host, "/") {
		return net.JoinHostPort(config.Host, fmt.Sprint(config.Port)), dsn
	}
	return relay(t, fmt.Sprintf("%s/.s.PGSQL.%d", config.Host, config.Port)), dsn
}

// relay leads from a TCP address to a unix socket.
func relay(t *testing.T, socket string) (address string) {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			near, err := listener.Accept()
			if err != nil {
				return
			}
			far, err := new(net.Dialer).Dial("unix", socket)
			if err != nil {
				_ = near.Close()
				continue
			}
			for _, way := range [][2]net.Conn{{near, far}, {far, near}} {
				go func() {
					_, _ = io.Copy(way[0], way[1])
					_ = way[0].Close()
					_ = way[1].Close()
				}()
			}
		}
	}()
	return listener.Addr().String()
}

// run starts the process of a proxy.
func (c *cluster) run(t *testing.T, p *proxy, dsn string) {
	t.Helper()
	log, err := os.Create(filepath.Join(c.dir, p.name+".log"))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0], "run", "--adapter", "caddyfile", "--config", filepath.Join(c.dir, p.name+".Caddyfile")) //nolint:gosec,noctx // ours; it is killed below
	cmd.Env = append(os.Environ(), "MODICUM_TEST_DSN="+dsn)
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p.process = cmd.Process
	go func() {
		defer close(p.ended)
		_ = cmd.Wait()
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-p.ended
		_ = log.Close()
		if text, err := os.ReadFile(log.Name()); err == nil && t.Failed() {
			t.Logf("%s ended with %v and logged:\n%s", p.name, cmd.ProcessState, text[max(0, len(text)-3000):])
		}
	})
}

// awaitNotice waits until a process answers, and learns what people are asked.
func (c *cluster) awaitNotice(t *testing.T, p *proxy) {
	t.Helper()
	var last error
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if last = c.readNotice(p); last == nil {
			return
		}
	}
	t.Fatalf("Caddy does not answer: %v", last)
}

func (c *cluster) readNotice(p *proxy) error {
	r, err := http.NewRequest(http.MethodGet, "http://localhost/privacy/api/choices", http.NoBody) //nolint:noctx // the client has a timeout
	if err != nil {
		return err
	}
	res, err := p.client.Do(r)
	if err != nil {
		return err
	}
	defer res.Body.Close() //nolint:errcheck // it was read
	var state struct {
		Choices []struct{ Purpose, Notice string }
	}
	if err := json.NewDecoder(res.Body).Decode(&state); err != nil {
		return fmt.Errorf("%s: %w", res.Status, err)
	}
	for _, choice := range state.Choices {
		if choice.Purpose == "newsletter" {
			c.notice = choice.Notice
			return nil
		}
	}
	return errors.New("nobody is asked about newsletters")
}
