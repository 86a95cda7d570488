//go:build unix

package frameworks_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// program is a process in which one or more frameworks answer.
type program struct {
	name    string
	dir     string   // below testdata
	needs   []string // Python's modules
	serves  []string // upstreams; unless port or fastcgi, each on dir/<name>.sock
	port    bool     // it cannot listen on a Unix socket
	fastcgi bool
	env     []string
	command func(p *program, listen string) ([]string, error)
}

// programs are all frameworks but Go's own, which answers in this process.
var programs = []program{
	{
		name: "node", dir: "node", command: node,
		serves: []string{
			"express-qs", "express-simple", "express-any-json", "express-any-form", "fastify", "fastify-qs",
			"koa-body", "koa-bodyparser", "busboy", "formidable",
		},
	},
	{name: "php", dir: "php", serves: []string{"php"}, port: true, command: php, env: []string{"PHP_CLI_SERVER_WORKERS=4"}},
	{name: "php-fastcgi", dir: "php", serves: []string{"php-fastcgi"}, fastcgi: true, command: phpFastCGI, env: []string{"PHP_FCGI_MAX_REQUESTS=0"}},
	{name: "rack", dir: "ruby", serves: []string{"rack"}, port: true, command: rack},
	{name: "flask", dir: "python", serves: []string{"flask"}, command: wsgi, needs: []string{"gunicorn", "flask"}},
	{name: "django", dir: "python", serves: []string{"django"}, command: wsgi, needs: []string{"gunicorn", "django"}},
	{name: "bottle", dir: "python", serves: []string{"bottle"}, command: wsgi, needs: []string{"gunicorn", "bottle"}},
	{name: "cherrypy", dir: "python", serves: []string{"cherrypy"}, command: wsgi, needs: []string{"gunicorn", "cherrypy"}},
	{name: "perl", dir: "perl", serves: []string{"perl"}, command: perl},
}

func node(p *program, listen string) ([]string, error) {
	if _, err := os.Stat(filepath.Join(p.path(), "node_modules")); err != nil {
		return nil, errors.New("the npm packages are not installed")
	}
	return []string{"node", "main.js", filepath.Dir(listen)}, nil
}

func php(_ *program, listen string) ([]string, error) {
	return append(append([]string{"php"}, phpLimits...), "-S", listen, "index.php"), nil
}

func phpFastCGI(_ *program, listen string) ([]string, error) {
	return append(append([]string{"php-cgi"}, phpLimits...), "-b", listen), nil
}

var phpLimits = []string{"-d", "upload_max_filesize=20M", "-d", "post_max_size=20M", "-d", "display_errors=0"}

func rack(_ *program, listen string) ([]string, error) {
	return []string{"puma", "--bind", "tcp://" + listen, "--environment", "production", "--threads", "4:4", "config.ru"}, nil
}

// wsgi runs a Python application in the first Python that has its modules.
func wsgi(p *program, listen string) ([]string, error) {
	for _, python := range []string{"python3", "/usr/bin/python3"} {
		if exec.Command(python, "-c", "import "+strings.Join(p.needs, ", ")).Run() == nil { //nolint:gosec,noctx // G204: words of ours
			app := p.name + "_upstream:app"
			return []string{python, "-B", "-m", "gunicorn", "--bind", "unix:" + listen, "--threads", "4", "--log-level", "warning", app}, nil
		}
	}
	return nil, fmt.Errorf("no Python has the modules %s", strings.Join(p.needs, ", "))
}

func perl(_ *program, listen string) ([]string, error) {
	if err := exec.Command("perl", "-MCGI", "-MPlack::Request", "-e", "1").Run(); err != nil { //nolint:noctx // it is quick
		return nil, errors.New("perl does not have the modules CGI and Plack")
	}
	return []string{"starman", "--listen", listen, "--workers", "2", "--disable-keepalive", "--env", "production", "--preload-app", "upstream.psgi"}, nil
}

func (p *program) path() string { return filepath.Join("testdata", p.dir) }

// start runs the program and waits until it answers. It returns the reason
// when the program is not to be had on this machine. The process ends with t.
func (p *program) start(t *testing.T, dir string) (addresses map[string]string, missing error) {
	t.Helper()
	listen := filepath.Join(dir, p.serves[0]+".sock")
	if p.port {
		listen = freePort(t)
	}
	args, err := p.command(p, listen)
	if err == nil {
		_, err = exec.LookPath(args[0])
	}
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, args[0], args[1:]...) //nolint:gosec // G204: words of ours
	var log output
	cmd.Dir, cmd.Stdout, cmd.Stderr = p.path(), &log, &log
	cmd.Env = append(os.Environ(), p.env...)
	// Some have children: all of the group is ended.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	if err := cmd.Start(); err != nil {
		cancel()
		t.Fatalf("starting %s: %v", p.name, err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() {
		cancel()
		<-ended //nolint:errcheck // it was killed
		if t.Failed() {
			t.Logf("the last words of %s:\n%s", p.name, log.tail())
		}
	})
	addresses = make(map[string]string, len(p.serves))
	for _, name := range p.serves {
		addresses[name] = listen
		if !p.port {
			addresses[name] = "unix/" + filepath.Join(dir, name+".sock")
		}
		if err := p.ready(addresses[name], ended); err != nil {
			t.Fatalf("starting %s: %v\n%s", name, err, log.tail())
		}
	}
	return addresses, nil
}

// ready asks the upstream at address until it answers.
func (p *program) ready(address string, ended chan error) error {
	client := http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext:       func(context.Context, string, string) (net.Conn, error) { return dial(address) },
	}}
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	timeout := time.After(time.Minute)
	for {
		var err error
		if p.fastcgi {
			var conn net.Conn
			if conn, err = dial(address); err == nil {
				return conn.Close()
			}
		} else {
			var answer *http.Response
			if answer, err = client.Get("http://upstream/ready"); err == nil { //nolint:noctx // the timeout is ours
				return answer.Body.Close()
			}
		}
		select {
		case <-tick.C:
		case why := <-ended:
			ended <- why
			return fmt.Errorf("it ended: %w", why)
		case <-timeout:
			return fmt.Errorf("it does not answer: %w", err)
		}
	}
}

// dial connects to "unix/<path>" or "<host>:<port>".
func dial(address string) (net.Conn, error) {
	if path, ok := strings.CutPrefix(address, "unix/"); ok {
		return net.Dial("unix", path) //nolint:noctx // it is local
	}
	return net.Dial("tcp", address) //nolint:noctx // it is local
}

func freePort(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // it is local
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close() //nolint:errcheck // nothing is left to do
	return ln.Addr().String()
}

// output keeps what a program writes.
type output struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(p)
}

func (o *output) tail() []byte {
	o.mu.Lock()
	defer o.mu.Unlock()
	all := o.buf.Bytes()
	return bytes.Clone(all[max(0, len(all)-4000):])
}
