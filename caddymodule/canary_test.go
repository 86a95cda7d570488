//go:build unix

package caddymodule

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
)

// canaries are what may turn up nowhere but in the application.
const (
	keptValue     = "Qkeptq"
	strippedValue = "Qstrippedq"
	undeclared    = "Qnameq" // a name, which only the sender is told
	fileName      = "Qfileq"
)

// canaryBodies are submissions of each type that hold all of them.
func canaryBodies() map[string]string {
	return map[string]string{
		jsonType: `{"name":"` + keptValue + `","birthday":"` + strippedValue + `","phone":"` + strippedValue + `","` + undeclared + `":{"` + undeclared + `":"` + strippedValue + `"},"items":[{"sku":"` + keptValue + `"}]}`,
		formType: "name=" + keptValue + "&birthday=" + strippedValue + "&phone=" + strippedValue + "&" + undeclared + "[" + undeclared + "]=" + strippedValue + "&items[0][sku]=" + keptValue,
		formData: form(part{"name", "", keptValue}, part{"birthday", "", strippedValue}, part{"phone", "", strippedValue}, part{undeclared, fileName, strippedValue}, part{"photo", fileName, keptValue}),
	}
}

// spoiled are ways to make a body malformed, and what they need.
var spoiled = map[string]func(body string) string{
	"whole":          func(b string) string { return b },
	"cut in half":    func(b string) string { return b[:len(b)/2] },
	"cut at its end": func(b string) string { return b[:len(b)-3] },
	"twice":          func(b string) string { return b + b },
	"begun wrongly":  func(b string) string { return strippedValue + b },
	"ended wrongly":  func(b string) string { return b + strippedValue },
	"not UTF-8":      func(b string) string { return strings.ReplaceAll(b, keptValue, keptValue+"\xff") },
	"controls":       func(b string) string { return strings.ReplaceAll(b, keptValue, keptValue+"\x00") },
	"escapes":        func(b string) string { return strings.ReplaceAll(b, keptValue, keptValue+`%zz\x`) },
	"names repeated": func(b string) string { return strings.ReplaceAll(b, "birthday", "name") },
	"long names":     func(b string) string { return strings.ReplaceAll(b, undeclared, strings.Repeat(undeclared, 100)) },
	"too large":      func(b string) string { return strings.ReplaceAll(b, keptValue, strings.Repeat(keptValue, 300_000)) },
	"odd disposition": func(b string) string {
		return strings.ReplaceAll(b, "form-data; ", "form-data; "+strippedValue+`="x"; `)
	},
}

// Values never leave by another door than to the application; neither do
// undeclared names, which can be personal data themselves ("anna_diagnosis").
func TestCanaries(t *testing.T) {
	exported := spans(t)
	for _, o := range []options{
		{minimize: "undeclared strip"},
		{minimize: "mode report"},
		{minimize: "undeclared reject"},
		{minimize: "undeclared strip", before: "handle_errors {\n respond \"{http.error.message} {http.minimize.rule} {http.minimize.kept}\"\n }"},
	} {
		o.level = "DEBUG"
		o.before += "\nlog\ntracing {\n span shop\n }\nheader >X-Placeholders \"{http.minimize.collection} {http.minimize.purposes} {http.minimize.policy} {http.minimize.rule}\""
		s := startSite(t, o)
		n := 0
		for contentType, valid := range canaryBodies() {
			for name, spoil := range spoiled {
				body := spoil(valid)
				for _, on := range []string{"POST /checkout", "POST /order", "POST /nowhere"} {
					r := s.request(on, contentType, strings.NewReader(body))
					if name == "twice" && on == "POST /nowhere" {
						r.Header.Set("Content-Type", "text/plain")
					}
					res := s.do(r)
					n++
					res.Header.Del("Privacy-Stripped") // names echo to their sender
					find(t, fmt.Sprintf("%s %s %s: the answer", on, contentType, name), fmt.Sprint(res.Header, res.body), keptValue, strippedValue, undeclared, fileName)
					for len(s.upstream.requests) > 0 {
						<-s.upstream.requests
					}
				}
			}
		}
		query := "?name=" + keptValue + "&birthday=" + strippedValue + "&" + undeclared + "=" + strippedValue
		for _, on := range []string{"GET /search" + query, "POST /checkout" + query, "DELETE /nowhere" + query, "GET /search" + query + "%zz", "GET /x/../search" + query} {
			s.do(s.request(on, "", nil))
			n++
		}
		for line := range strings.Lines(s.log.String()) {
			// Caddy's own lines tell the URI that came, which is for the
			// operator to filter; they must not tell more than that.
			if !strings.Contains(line, "minimize") || strings.Contains(line, "http.log.access") || strings.Contains(line, `"uri":"`) {
				line = uris.ReplaceAllString(line, "")
			}
			find(t, "the log", line, keptValue, strippedValue, undeclared, fileName)
		}
		find(t, "the metrics", s.admin("/metrics").body, keptValue, strippedValue, undeclared, fileName)
		find(t, "the status", s.admin("/minimize/status").body, keptValue, strippedValue, undeclared, fileName)
		_, ours := trees(t, exported, n)
		for _, span := range ours {
			find(t, "a span", span.String(), keptValue, strippedValue, undeclared, fileName)
		}
		s.stop()
	}
}

func find(t *testing.T, where, text string, canaries ...string) {
	t.Helper()
	for _, canary := range canaries {
		if i := strings.Index(strings.ToLower(text), strings.ToLower(canary)); i >= 0 {
			t.Errorf("%s holds %s: …%s…", where, canary, text[max(0, i-200):min(len(text), i+100)])
		}
	}
}

// uris are the parts of Caddy's own lines that tell the request's address.
var uris = regexp.MustCompile(`"uri":"[^"]*"`)
