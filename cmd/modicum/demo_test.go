package main

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"
)

// running is a demo in a process of its own.
type running struct {
	t      *testing.T
	cmd    *exec.Cmd
	lines  chan string
	stderr bytes.Buffer
}

// startDemo starts the demo in dir; its output comes line by line.
func startDemo(t *testing.T, dir string, args ...string) *running {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	command := exec.CommandContext(ctx, "modicum", append([]string{"demo"}, args...)...) //nolint:gosec // G204: it is this binary
	d := &running{t: t, cmd: command, lines: make(chan string, 1000)}
	d.cmd.Dir = dir
	d.cmd.Env = append(os.Environ(), "HOME="+t.TempDir(), "XDG_DATA_HOME=", "XDG_CONFIG_HOME=", "TMPDIR="+t.TempDir(), "NO_COLOR=1")
	d.cmd.Stderr = &d.stderr
	out, err := d.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := d.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.cmd.Process.Kill() })
	go func() {
		defer close(d.lines)
		for in := bufio.NewScanner(out); in.Scan(); {
			d.lines <- in.Text()
		}
	}()
	return d
}

// until returns the lines up to the first that holds text.
func (d *running) until(text string) []string {
	d.t.Helper()
	var lines []string
	for line := range d.lines {
		if lines = append(lines, line); strings.Contains(line, text) {
			return lines
		}
	}
	d.t.Fatalf("the demo ended before it said %q; it said\n%s\n%s", text, strings.Join(lines, "\n"), d.stderr.String())
	return nil
}

// interrupt is Ctrl-C; the demo ends well.
func (d *running) interrupt() {
	d.t.Helper()
	if runtime.GOOS == "windows" {
		d.t.Log("a process cannot be interrupted from outside here")
		return
	}
	if err := d.cmd.Process.Signal(os.Interrupt); err != nil {
		d.t.Fatal(err)
	}
	d.until("The demo has ended.")
	if err := d.cmd.Wait(); err != nil || d.stderr.Len() > 0 {
		d.t.Errorf("the demo ends with %v and says %s", err, d.stderr.String())
	}
}

// TestDemo runs the commands that the demo prints, and reads its lines.
func TestDemo(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	d := startDemo(t, dir, "--port", "0")
	greeting := strings.Join(d.until("What arrives now"), "\n")
	policy := regexp.MustCompile(`policy +(\S+)`).FindStringSubmatch(greeting)[1]
	if !filepath.IsAbs(policy) {
		policy = filepath.Join(dir, policy)
	}
	if _, err := os.Stat(policy); err != nil {
		t.Errorf("the policy: %v", err)
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	browser := &http.Client{Jar: secureJar{jar}}
	commands := regexp.MustCompile(`(?m)^  (curl (?:.*\\\n)*.*)$`).FindAllStringSubmatch(greeting, -1)
	for i, want := range []struct {
		status                int
		header, body, missing string
		line                  string
	}{
		{200, `"shoe_size";reason=no_purpose`, `"value": "1990"`, "1990-12-10", `PUT /api/profile +kept email, birthday, last_ip · undeclared shoe_size · `},
		{200, `"birthday";reason=no_consent`, "Ada", "1990", `POST /checkout +kept name, email · stripped birthday \(no consent\) · `},
		{200, `delivery, newsletter`, "1990", "1990-12-10", `POST /checkout +kept name, email, birthday, subscribe · `},
		{200, `delivery, newsletter`, "1990", "1990-12-10", `POST /checkout +kept name, email, birthday · `},
		{204, "", "", "1990", ""},
		{200, `"birthday";reason=no_consent`, "Ada", "1990", `POST /checkout +kept name, email · stripped birthday \(no consent\) · `},
		{400, "", "duplicate-name", "eve@example.org", `POST /newsletter +refused 400 by the rule duplicate-name · `},
		{403, "", "", "v-5e11ed0", `POST /api/visits +refused 403 by the rule undeclared \(.+\) · `},
	} {
		if i >= len(commands) {
			t.Fatalf("the demo prints %d commands:\n%s", len(commands), greeting)
		}
		response := curl(t, browser, commands[i][1])
		body, err := io.ReadAll(response.Body)
		_ = response.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		var privacy []string
		for name, values := range response.Header {
			if strings.HasPrefix(name, "Privacy-") {
				privacy = append(privacy, values...)
			}
		}
		if response.StatusCode != want.status || !strings.Contains(strings.Join(privacy, "\n"), want.header) || !strings.Contains(string(body), want.body) {
			t.Errorf("%s\nanswers %d with %q and %s", commands[i][1], response.StatusCode, privacy, body)
		}
		if strings.Contains(string(body), want.missing) {
			t.Errorf("%s\nlets %s through", commands[i][1], want.missing)
		}
		if want.line == "" {
			continue // a choice is no submission
		}
		line := d.until(" · ")
		if got := line[len(line)-1]; !regexp.MustCompile(`^\d\d:\d\d:\d\d  ` + want.line + `[0-9.]+[µm]?s$`).MatchString(got) {
			t.Errorf("the line is %q, not %q", got, want.line)
		}
		// Names are shown, the values of no field are.
		for _, value := range []string{"ada@example.org", "eve@example.org", "1990", "203.0.113", "38", "v-5e11ed0", "Ada"} {
			_, said, _ := strings.Cut(line[len(line)-1], "  ")
			said = said[:strings.LastIndex(said, " · ")] // without the duration
			if strings.Contains(said, value) {
				t.Errorf("the line %q holds the value %s", said, value)
			}
		}
	}
	if len(commands) != 8 {
		t.Errorf("%d commands are printed, and eight tried", len(commands))
	}
	d.interrupt()
	if _, err := os.Stat(policy); err == nil && runtime.GOOS != "windows" {
		t.Errorf("the copy of the policy is left behind: %s", policy)
	}
}

// secureJar treats localhost as browsers and curl do: as secure.
type secureJar struct{ *cookiejar.Jar }

func (j secureJar) SetCookies(u *url.URL, cookies []*http.Cookie) {
	j.Jar.SetCookies(secure(u), cookies)
}

func (j secureJar) Cookies(u *url.URL) []*http.Cookie { return j.Jar.Cookies(secure(u)) }

func secure(u *url.URL) *url.URL {
	secured := *u
	secured.Scheme = "https"
	return &secured
}

// curl does what the printed command does, without a shell.
func curl(t *testing.T, browser *http.Client, command string) *http.Response {
	t.Helper()
	command, _, _ = strings.Cut(strings.ReplaceAll(command, "\\\n", ""), " | ")
	var words []string
	for _, m := range regexp.MustCompile(`'([^']*)'|(\S+)`).FindAllStringSubmatch(command, -1) {
		words = append(words, m[1]+m[2])
	}
	method, target, kind := "", "", "application/x-www-form-urlencoded"
	var data []string
	for i := 1; i < len(words); i++ {
		option := words[i]
		if !strings.HasPrefix(option, "-") {
			target = option
			continue
		}
		switch option {
		case "-si":
			continue
		case "-X", "-d", "-H", "-so", "-b", "-c":
			i++
		default:
			t.Fatalf("the test does not know the option %s of curl", option)
		}
		switch option {
		case "-X":
			method = words[i]
		case "-d":
			data = append(data, words[i])
		case "-H":
			_, kind, _ = strings.Cut(words[i], ": ")
		}
	}
	if method == "" {
		method = http.MethodPost
	}
	r, err := http.NewRequestWithContext(t.Context(), method, target, strings.NewReader(strings.Join(data, "&")))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", kind)
	response, err := browser.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	return response
}

// TestDemoInRepository: the policy there is the one in use, so that editing it
// shows; one that cannot be read stays out of force, and says why.
func TestDemoInRepository(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	policy := filepath.Join(dir, policyInRepository)
	text, err := os.ReadFile(filepath.Join("..", "..", policyInRepository))
	if err != nil {
		t.Fatal(err)
	}
	write := func(from, to string) {
		t.Helper()
		text := bytes.Replace(text, []byte(from), []byte(to), 1)
		if err := os.WriteFile(policy, text, 0o600); err != nil { //nolint:gosec // G703: in a directory of the test's
			t.Fatal(err)
		}
	}
	if err := os.MkdirAll(filepath.Dir(policy), 0o700); err != nil {
		t.Fatal(err)
	}
	write("", "")
	d := startDemo(t, dir, "--port", "0")
	greeting := strings.Join(d.until("What arrives now"), "\n")
	if !strings.Contains(greeting, "policy   "+policyInRepository) {
		t.Errorf("another policy is in use:\n%s", greeting)
	}
	write("for: newsletter, keep: year", "for: newslettr, keep: year")
	d.until(`there is no purpose "newslettr"; did you mean "newsletter"?`)
	write("for: newsletter, keep: year", "for: delivery, keep: year")
	d.until("a changed policy is in force")
	shop := regexp.MustCompile(`http://localhost:\d+`).FindString(greeting)
	response := curl(t, http.DefaultClient, "curl "+shop+"/checkout -d name=Ada -d email=ada@example.org -d birthday=1990-12-10")
	_ = response.Body.Close()
	d.until("kept name, email, birthday · ")
	d.interrupt()
	if _, err := os.Stat(policy); err != nil {
		t.Errorf("the policy of the repository is gone: %v", err)
	}
}

// TestDemoPortTaken: Caddy may share a port with a stranger where the system
// lets it, and visitors would reach either. The demo notices.
func TestDemoPortTaken(t *testing.T) {
	t.Parallel()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close() //nolint:errcheck // the test is over
	port := strconv.Itoa(listener.Addr().(*net.TCPAddr).Port)
	d := startDemo(t, t.TempDir(), "--port", port)
	for line := range d.lines {
		t.Errorf("says %q", line)
	}
	err = d.cmd.Wait()
	if err == nil || !strings.Contains(d.stderr.String(), "the port "+port+" is not available") || !strings.Contains(d.stderr.String(), "--port 0") {
		t.Errorf("ends with %v and says %s", err, d.stderr.String())
	}
}
