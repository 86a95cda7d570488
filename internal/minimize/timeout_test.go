package minimize

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// pipeListener hands a server the connections of a test.
type pipeListener struct {
	conns chan net.Conn
	done  chan struct{}
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}
func (l *pipeListener) Close() error   { close(l.done); return nil }
func (l *pipeListener) Addr() net.Addr { return &net.UnixAddr{Name: "pipe", Net: "unix"} }

// client is the other end of a connection to a server that forwards nothing:
// it answers with what the application would read, and takes its time.
func client(t *testing.T, e *Engine, think time.Duration, changes ...func(*http.Server)) net.Conn {
	t.Helper()
	l := &pipeListener{conns: make(chan net.Conn), done: make(chan struct{})}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { //nolint:gosec // G112: a test
		s := e.Process(context.Background(), w, r) //nolint:contextcheck // it takes the request's
		defer s.Close()
		if !s.Forward() {
			http.Error(w, s.Refusal.Rule, s.Refusal.Status)
			return
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			refusal := s.StreamRefusal()
			http.Error(w, refusal.Rule, refusal.Status)
			return
		}
		time.Sleep(think)
		_, _ = fmt.Fprintf(w, "%d bytes, context %v", len(body), r.Context().Err())
	})}
	for _, change := range changes {
		change(server)
	}
	go server.Serve(l) //nolint:errcheck // it ends with the test
	here, there := net.Pipe()
	l.conns <- there
	t.Cleanup(func() {
		_ = here.Close()
		_ = server.Close()
	})
	return here
}

// ask sends a request in pieces, a pause before each but the first, and
// returns the answer.
func ask(t *testing.T, c net.Conn, pause time.Duration, pieces ...string) (status int, body string, took time.Duration) {
	t.Helper()
	start, answered := time.Now(), make(chan struct{})
	defer close(answered)
	go func() {
		for i, piece := range pieces {
			if i > 0 {
				select {
				case <-time.After(pause):
				case <-answered:
					return
				}
			}
			if _, err := io.WriteString(c, piece); err != nil {
				return
			}
		}
	}()
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close() //nolint:errcheck // a test
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, strings.TrimSpace(string(b)), time.Since(start)
}

func head(path, contentType string, length int) string {
	return fmt.Sprintf("POST %s HTTP/1.1\r\nHost: a\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n", path, contentType, length)
}

// Slow bodies (Slowloris) hold memory and a connection for as long as they
// like, unless the time for a body is bounded.
func TestSlowBody(t *testing.T) {
	long, twice := bigForm(), bigForm(part{"must", "", "twice"})
	for _, test := range []struct {
		name        string
		pause       time.Duration
		pieces      []string
		status      int
		body        string
		least, most time.Duration
	}{
		{
			"a body that never comes", 0,
			[]string{head("/checkout", jsonType, 100)},
			408, "too-slow", 30 * time.Second, 31 * time.Second,
		},
		{
			"a body of which a byte comes now and then", 10 * time.Second,
			append([]string{head("/checkout", jsonType, 100)}, strings.Split(`{"name":"aaaaaaaaaaaaa`, "")...), 408, "too-slow", 30 * time.Second, 31 * time.Second,
		},
		{
			"a slow body in time", 10 * time.Second,
			[]string{head("/checkout", jsonType, 12), `{"name":`, `"a"}`},
			200, "12 bytes, context <nil>", 20 * time.Second, 3 * time.Minute,
		},
		{
			"a form that never comes", 0,
			[]string{head("/checkout", formData, 100)},
			408, "too-slow", 30 * time.Second, 31 * time.Second,
		},
		{
			"a body without a type that never comes", 0,
			[]string{"POST /checkout HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"},
			415, "media-type", 30 * time.Second, 31 * time.Second,
		},
		{
			// The server reads what is left before it answers.
			"a body of a type that is refused", 0,
			[]string{head("/checkout", "text/plain", 100) + "some"},
			415, "media-type", 0, 31 * time.Second,
		},
		{
			"a body of a coding that is refused", 0,
			[]string{"POST /checkout HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Encoding: foo\r\nContent-Length: 100\r\n\r\n"},
			415, "content-coding", 0, 31 * time.Second,
		},
		{
			"a body on a path that is refused", 0,
			[]string{head("//checkout", jsonType, 100)},
			400, "ambiguous-path", 0, 31 * time.Second,
		},
		{
			"a body of a refused target", 0,
			[]string{"POST x:http://a/b HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n"},
			400, "request-target", 0, 31 * time.Second,
		},
		{
			"a body for a refused host", 0,
			[]string{"POST /checkout HTTP/1.1\r\nHost: a:b\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n"},
			400, "request-host", 0, 31 * time.Second,
		},
		{
			"a body for a path that is too long", 0,
			[]string{head("/"+strings.Repeat("x", 9000), jsonType, 100)},
			414, "request-target", 0, 31 * time.Second,
		},
		{
			"a body of a GET that is refused", 0,
			[]string{"GET /checkout HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n"},
			415, "media-type", 0, 31 * time.Second,
		},
		{
			// Each max_body bytes have their time: a large upload over a slow
			// line is honest.
			"a streamed form that goes on", 20 * time.Second,
			[]string{head("/upload", formData, len(long)), long[:1_200_000], long[1_200_000:]},
			200, "", 40 * time.Second, 5 * time.Minute,
		},
		{
			"a streamed form that stops", 0,
			[]string{head("/upload", formData, len(long)), long[:1_200_000]},
			408, "too-slow", 30 * time.Second, 31 * time.Second,
		},
		{
			"a refused body that never comes is not waited for", 0,
			[]string{head("/upload", formData, 2<<20) + "preamble" + strings.Repeat("x", 64<<10)},
			400, "multipart-start", 0, 31 * time.Second,
		},
		{
			// It provokes the refusal itself, and keeps back the rest.
			"the rest of a streamed form that is refused in its middle", 0,
			[]string{head("/upload", formData, len(twice)+1000), twice},
			400, "duplicate-name", 0, 31 * time.Second,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				e, _ := newEngine(t, shop, func(e *Engine) { e.BodyTimeout = 30 * time.Second })
				c := client(t, e, 2*time.Minute) // the application takes its time
				status, body, took := ask(t, c, test.pause, test.pieces...)
				if status != test.status || test.body != "" && body != test.body {
					t.Errorf("answered %d %q, want %d %q", status, body, test.status, test.body)
				}
				if status == 200 && !strings.HasSuffix(body, "context <nil>") {
					t.Errorf("the request was cancelled while the application worked: %q", body)
				}
				if took < test.least || took > test.most {
					t.Errorf("took %v, want %v to %v", took, test.least, test.most)
				}
			})
		})
	}
}

// A small form is read whole; the time for it must not run on while the
// application works on it.
func TestDeadlineEndsWithTheBody(t *testing.T) {
	for _, contentType := range []string{jsonType, formType, formData} {
		synctest.Test(t, func(t *testing.T) {
			e, _ := newEngine(t, shop, func(e *Engine) { e.BodyTimeout = 30 * time.Second })
			c := client(t, e, 10*time.Minute)
			body := map[string]string{jsonType: `{"name":"a"}`, formType: "name=a", formData: form(part{"name", "", "a"})}[contentType]
			status, answer, _ := ask(t, c, 0, head("/checkout", contentType, len(body))+body)
			if status != 200 || !strings.HasSuffix(answer, "context <nil>") {
				t.Errorf("%s: answered %d %q", contentType, status, answer)
			}
		})
	}
}

// The server has a deadline for the whole request (read_timeout). Ours must not
// put it off, nor take it away: the rest of a form that streams has it still.
func TestServersReadTimeoutStays(t *testing.T) {
	// Each MiB comes in the time that it may take, the whole does not.
	long := form(part{"must", "", "here"}, part{"file", "f", strings.Repeat("x", 4_000_000)})
	pieces := []string{long[:1_300_000], long[1_300_000:2_600_000], long[2_600_000:]}
	chunk := func(s string) string { return fmt.Sprintf("%x\r\n%s\r\n", len(s), s) }
	for name, pieces := range map[string][]string{
		"a form that streams": {head("/upload", formData, len(long)) + pieces[0], pieces[1], pieces[2]},
		"a form of unknown length that streams": {
			"DELETE /checkout HTTP/1.1\r\nHost: a\r\nContent-Type: " + formData + "\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk(pieces[0]),
			chunk(pieces[1]), chunk(pieces[2]) + "0\r\n\r\n",
		},
		"a body of unknown length": {"POST /checkout HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", "4\r\nname", "\r\n"},
		"a GET that may have one":  {"GET /checkout HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", "4\r\nname", "\r\n"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				e, _ := newEngine(t, shop, func(e *Engine) { e.BodyTimeout = 30 * time.Second })
				c := client(t, e, 0, func(s *http.Server) { s.ReadTimeout = 40 * time.Second })
				status, _, took := ask(t, c, 25*time.Second, pieces...)
				if status < 400 || took > 42*time.Second {
					t.Errorf("answered %d after %v, want a refusal after 40s at most", status, took)
				}
			})
		})
	}
}
