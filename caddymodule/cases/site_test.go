//go:build unix

package cases

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	_ "github.com/caddyserver/caddy/v2/modules/standard"
	"github.com/spf13/cobra"

	_ "github.com/modicum-proxy/modicum/caddymodule"
	"github.com/modicum-proxy/modicum/caddymodule/command"
)

// patience is how long a test waits for what comes at once.
const patience = 20 * time.Second

const (
	policyFile = "privacy.yaml"
	caddyLog   = "caddy.log"
	collected  = "submissions.log"
)

func init() { command.RegisterShortNames() }

// folder is the current directory of a case, with its Caddy and the application.
type folder struct {
	*test
	dir      string
	arrived  chan arrival
	listener net.Listener
}

func newFolder(t *testing.T, c *test) *folder {
	t.Helper()
	dir, err := os.MkdirTemp("", "m") //nolint:usetesting // its names are too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	t.Chdir(dir)
	for _, name := range []string{"HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME"} {
		t.Setenv(name, dir)
	}
	for name, value := range c.Environment {
		t.Setenv(name, value)
	}
	f := &folder{test: c, dir: dir, arrived: make(chan arrival, 100)}
	if err := os.WriteFile(policyFile, []byte(c.Policy), 0o600); err != nil {
		t.Fatal(err)
	}
	f.serve(t)
	t.Cleanup(func() {
		if err := caddy.Stop(); err != nil {
			t.Errorf("stopping Caddy: %v", err)
		}
	})
	return f
}

// arrival is a request as it stood on the wire to the application.
type arrival struct {
	target, head, body string
}

// header returns the values of a header, joined, or nil.
func (a arrival) header(name string) any {
	var values []string
	for line := range strings.SplitSeq(a.head, "\r\n") {
		if n, value, ok := strings.Cut(line, ": "); ok && strings.EqualFold(n, name) {
			values = append(values, value)
		}
	}
	if values == nil {
		return nil
	}
	return strings.Join(values, ", ")
}

// serve is the application.
func (f *folder) serve(t *testing.T) {
	t.Helper()
	var err error
	if f.listener, err = new(net.ListenConfig).Listen(t.Context(), "unix", f.dir+"/app.sock"); err != nil {
		t.Fatal(err)
	}
	var connections sync.WaitGroup
	connections.Go(func() {
		for {
			c, err := f.listener.Accept()
			if err != nil {
				return
			}
			connections.Go(func() {
				stop := context.AfterFunc(t.Context(), func() { _ = c.Close() })
				defer stop()
				defer c.Close() //nolint:errcheck // a test
				f.converse(c)
			})
		}
	})
	t.Cleanup(func() {
		_ = f.listener.Close()
		connections.Wait()
	})
}

func (f *folder) converse(c net.Conn) {
	var raw bytes.Buffer
	for br := bufio.NewReader(io.TeeReader(c, &raw)); ; raw.Reset() {
		r, err := http.ReadRequest(br)
		if err != nil {
			return
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return // it was broken off: nothing arrived
		}
		head, _, _ := strings.Cut(raw.String(), "\r\n\r\n")
		f.arrived <- arrival{target: strings.Fields(head)[1], head: head, body: string(body)}
		answer := "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 3\r\n\r\n"
		if r.Method != http.MethodHead {
			answer += "ok\n"
		}
		if _, err := io.WriteString(c, answer); err != nil {
			return
		}
	}
}

// config writes the Caddyfile of the case and adapts it.
func (f *folder) config() ([]byte, error) {
	where := string(f.Caddyfile)
	if where == "" {
		where = "minimize " + policyFile + " {\n" + string(f.Options) + "\n}\nreverse_proxy UPSTREAM\n"
	}
	text := fmt.Sprintf(`{
	admin off
	persist_config off
	auto_https off
	log {
		output file %[2]s
		format json
	}
	log submissions {
		include http.log.minimize
		output file %[3]s
		format json
	}
}
http://127.0.0.1 {
	bind unix/%[1]s/site.sock
%[4]s
}
`, f.dir, f.dir+"/"+caddyLog, f.dir+"/"+collected, strings.ReplaceAll(where, "UPSTREAM", "unix/"+f.dir+"/app.sock"))
	if err := os.WriteFile("Caddyfile", []byte(text), 0o600); err != nil {
		return nil, err
	}
	config, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(text), map[string]any{"filename": "Caddyfile"})
	return config, err
}

// start loads the Caddyfile, as `caddy run` does.
func (f *folder) start() error {
	config, err := f.config()
	if err == nil {
		err = caddy.Load(config, false)
	}
	if err != nil {
		return fmt.Errorf("it does not start: %w", err)
	}
	return nil
}

// validate compares what `caddy validate` prints.
func (f *folder) validate(s *speech) error {
	config, err := f.config()
	if err == nil {
		parsed := new(caddy.Config)
		if err = unmarshalStrictly(config, parsed); err == nil {
			err = caddy.Validate(parsed)
		}
	}
	words, exit := f.read(caddyLog), 0
	if err != nil {
		words, exit = words+err.Error(), 1
	}
	if s.Exit == nil {
		s.Exit = oneOf[int]{1}
	}
	return s.compare("validate", exit, words)
}

// command runs one of our commands. It returns its exit status and its words.
func (f *folder) command(args ...string) (int, string) {
	var words bytes.Buffer
	c := caddycmd.Commands()[args[0]]
	cmd := &cobra.Command{Use: c.Name, SilenceUsage: true}
	c.CobraFunc(cmd)
	cmd.SetArgs(args[1:])
	cmd.SetOut(&words)
	cmd.SetErr(&words)
	err := cmd.Execute()
	said := strings.ReplaceAll(words.String(), f.dir+"/", "")
	switch {
	case err == nil:
		return 0, said
	case err.Error() == "refused":
		return 1, said
	}
	return 2, said
}

// read returns a file of the folder, or nothing if there is none.
func (f *folder) read(name string) string {
	raw, err := os.ReadFile(name) //nolint:gosec // G304: in the directory of the test
	if err != nil {
		return ""
	}
	return strings.ReplaceAll(string(raw), f.dir+"/", "")
}

// answer is what the client is answered.
type answer struct {
	*http.Response
	body string
}

// send sends a request, to the byte, over a connection of its own.
func (f *folder) send(r *request) (answer, error) {
	var body string
	head := []string{r.Method + " " + r.Target + " HTTP/1.1", "Host: 127.0.0.1", "Connection: close"}
	head = append(head, r.Headers...)
	if r.Body != nil {
		body = string(*r.Body)
	}
	if r.Body != nil || r.Method != http.MethodGet && r.Method != http.MethodHead {
		if !hasLength(r.Headers) {
			head = append(head, fmt.Sprintf("Content-Length: %d", len(body)))
		}
	}
	c, err := net.Dial("unix", f.dir+"/site.sock") //nolint:noctx // the deadline bounds it
	if err != nil {
		return answer{}, err
	}
	defer c.Close() //nolint:errcheck // a test
	_ = c.SetDeadline(time.Now().Add(patience))
	go func() { _, _ = io.WriteString(c, strings.Join(head, "\r\n")+"\r\n\r\n"+body) }() // an early answer ends it
	res, err := http.ReadResponse(bufio.NewReader(c), &http.Request{Method: r.Method})
	if err != nil {
		return answer{}, fmt.Errorf("no answer to %s %s: %w", r.Method, r.Target, err)
	}
	defer res.Body.Close() //nolint:errcheck // it was read
	said, err := io.ReadAll(res.Body)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		return answer{}, err
	}
	return answer{res, string(said)}, nil
}

func hasLength(headers []string) bool {
	for _, h := range headers {
		name, _, _ := strings.Cut(strings.ToLower(h), ":")
		if name == "content-length" || name == "transfer-encoding" {
			return true
		}
	}
	return false
}
