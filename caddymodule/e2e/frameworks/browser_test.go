//go:build unix

package frameworks_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"html"
	"net"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// testBrowser lets a real browser fill in forms, and call fetch, with Modicum
// between it and the application. The page adds the canary to each.
func testBrowser(t *testing.T, up *upstream) {
	t.Helper()
	chromium, err := exec.LookPath("chromium")
	switch {
	case err == nil:
	case os.Getenv("CI") == "true":
		t.Fatalf("there is no browser: %v", err)
	default:
		t.Skipf("there is no browser: %v", err)
	}
	for form, got := range browse(t, chromium, up.sites["plain"]) {
		if got.forbidden() == "" {
			t.Errorf("%s: the canary does not arrive without us", form)
		}
	}
	answers := browse(t, chromium, up.sites["strip"])
	for form, sources := range browserForms {
		got := answers[form]
		if got == nil {
			t.Errorf("%s: the application did not answer", form)
			continue
		}
		sortFiles(got)
		for source, want := range sources {
			if diff := cmp.Diff(want, got.Believed[source]); diff != "" {
				t.Errorf("%s: the application receives as its %s (-want +got):\n%s", form, source, diff)
			}
		}
		if found := got.forbidden(); found != "" {
			t.Errorf("%s: the application believes %s", form, found)
		}
	}
	for _, text := range texts(up.sites["strip"].tap.take()) {
		if encoding := findCanary(text); encoding != "" {
			t.Errorf("the application sees the canary (%s) in %.600q", encoding, text)
		}
	}
}

// browserForms are what the page submits, by the sources of the upstream.
var browserForms = func() map[string]map[string]any {
	const name = `Анна "A" & Söhne; 100 %`
	photo := base64.StdEncoding.EncodeToString([]byte("\x89P\r\n\x00--"))
	file := func(field, filename, kind, content string) any {
		return map[string]any{"field": field, "filename": filename, "type": kind, "content": content}
	}
	return map[string]map[string]any{
		"multipart": {
			"multipart": map[string]any{"user[name]": []any{name}, "message": []any{"two\r\nlines"}, "box": []any{"on"}, "tags[]": []any{"x", "y z"}, "none": []any{""}},
			"files":     []any{file("photos[]", "empty.txt", "text/plain", ""), file("photos[]", "Фото %221%22; b.png", "image/png", photo)},
		},
		"urlencoded": {"post": map[string]any{"user[name]": []any{name}, "message": []any{"two\r\nlines"}, "tags": []any{"x", "y z"}}},
		"query":      {"query": map[string]any{"q": []any{"café & crème"}}},
		"formData": {
			"multipart": map[string]any{"user[name]": []any{"Анна"}},
			"files":     []any{file("bare", "blob", "application/octet-stream", "eg=="), file("blob", "Фото %221%22; b.png", "image/png", photo)},
		},
		"params": {"post": map[string]any{"q": []any{"it's (a) *~"}}},
		"json":   {"json": map[string]any{"user": map[string]any{"name": "Анна 😀"}, "tags": []any{"&;", nil}}},
	}
}()

// browse opens the page and returns the answers that it got.
func browse(t *testing.T, chromium string, at site) map[string]*received {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	browser := exec.CommandContext( //nolint:gosec // G204: words of ours
		ctx, chromium, "--headless", "--no-sandbox", "--disable-gpu", "--no-proxy-server", "--user-data-dir="+t.TempDir(),
		"--virtual-time-budget=20000", "--dump-dom", "http://"+visible(t, at)+"/page",
	)
	page, err := browser.Output()
	if err != nil {
		t.Fatalf("running the browser: %v", err)
	}
	found := regexp.MustCompile(`(?s)<pre id="answers">(.*)</pre>`).FindSubmatch(page)
	if found == nil {
		t.Fatalf("the page did not come to its end:\n%.2000s", page)
	}
	var answers map[string]*received
	if err := json.Unmarshal([]byte(html.UnescapeString(string(found[1]))), &answers); err != nil {
		t.Fatal(err)
	}
	return answers
}

// visible relays a TCP address to the socket of a site: browsers know no
// sockets of Unix.
func visible(t *testing.T, at site) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // it is local
	if err != nil {
		t.Fatal(err)
	}
	listen(t, ln, "unix/"+at.socket)
	return ln.Addr().String()
}

// servePage answers with the page that submits.
func servePage(w http.ResponseWriter, r *http.Request) {
	http.ServeFile(w, r, "testdata/browser/page.html")
}
