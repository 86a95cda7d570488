package minimize

import (
	"bytes"
	"compress/gzip"
	"io"
	"strings"
	"testing"
)

// A body that no collection declares is refused by default; no body is none, in
// whatever way its absence is said.
func TestUndeclaredBody(t *testing.T) {
	reject := func(e *Engine) { e.Undeclared = Reject }
	for _, body := range []string{"ssn=1", `{"ssn":1}`, " "} {
		for _, contentType := range []string{formType, jsonType, "text/csv", ""} {
			e, j := newEngine(t, shop, reject)
			got := process(e, request("POST /nowhere", contentType, strings.NewReader(body)))
			if got.Forward() || got.rule() != RuleUndeclared || got.Refusal.Status != 403 || j.only(t).Remedy == "" {
				t.Errorf("%q of type %q: forwarded %v, recorded %+v", body, contentType, got.Forward(), j.entries)
			}
		}
	}
	for _, empty := range []io.Reader{nil, strings.NewReader(""), io.MultiReader(strings.NewReader(""))} { // the last is sent in chunks
		e, j := newEngine(t, shop, reject)
		got := process(e, request("POST /nowhere?ssn=1", formType, empty))
		if !got.Forward() || got.query != "" || j.only(t).Verdict != Gap {
			t.Errorf("%T: refused by the rule %q, query %q", empty, got.rule(), got.query)
		}
	}
}

// What report forwards is logged as what enforce refuses, with the names that
// there are to declare: also of a form that streams.
func TestUndeclaredReport(t *testing.T) {
	for contentType, body := range map[string]string{formType: "ssn=1", jsonType: `{"ssn":1}`, formData: form(part{"ssn", "", "1"}, part{"x", "f", strings.Repeat("x", 2<<20)})} {
		e, j := newEngine(t, shop, func(e *Engine) { e.Undeclared, e.Mode, e.ShowUndeclared = Reject, Report, true })
		got := process(e, request("POST /nowhere", contentType, strings.NewReader(body)))
		entry := j.only(t)
		if got.body != body || entry.Rule != RuleUndeclared || entry.Verdict != Refused || entry.Undeclared == 0 || entry.Names[0] != "ssn" {
			t.Errorf("%s: forwarded %d of %d bytes, recorded %+v", contentType, len(got.body), len(body), entry)
		}
	}
}

// `uninspected pass` lets a body of a type +json pass if it is not one JSON value.
// One that is must not pass as if it were framed: a client chooses the type, how
// the body is coded, and how long it is.
func TestAttackFramed(t *testing.T) {
	zipped := func(text string) string {
		var b bytes.Buffer
		w := gzip.NewWriter(&b)
		_, _ = io.WriteString(w, text)
		_ = w.Close()
		return b.String()
	}
	long := strings.Repeat("x", 2<<20)
	for _, test := range []struct{ name, contentType, body, coding, rule string }{
		{"a frame of Connect", "application/connect+json", "\x00\x00\x00\x00\x02{}", "", ""},
		{"a stream", "application/stream+json", "{\"a\":1}\n{\"a\":2}\n", "", ""},
		{"a long stream", "application/stream+json", "{\"a\":1}\n{\"a\":\"" + long + "\"}\n", "", ""},
		{"a long frame", "application/connect+json", "\x00\x00\x20\x00\x00" + long, "", ""},
		{"a coded stream", "application/stream+json", zipped("{\"a\":1}\n{\"a\":2}\n"), "gzip", ""},
		{"a comment", "application/x+json", `{"a":1/**/}`, "", ""}, // as documented
		{"one value", "application/stream+json", `{"a":1}`, "", RuleUndeclared},
		{"one value and space", "application/stream+json", " {\"a\":1}\n", "", RuleUndeclared},
		{"one coded value", "application/stream+json", zipped(`{"a":1}`), "gzip", RuleUndeclared},
		{"a long string", "application/stream+json", `{"a":"` + long + `"}`, "", "body-size"},
		{"a long number", "application/stream+json", strings.Repeat("1", 2<<20), "", "body-size"},
		{"a long space", "application/stream+json", strings.Repeat(" ", 2<<20) + `{"a":1}`, "", "body-size"},
		{"a long coded value", "application/stream+json", zipped(`{"a":"` + long + `"}`), "gzip", "inflated-ratio"},
		{"a name twice", "application/x+json", `{"a":1,"a":2}`, "", RuleUndeclared},
		{"json", jsonType, `{"a":1}{"a":2}`, "", RuleUndeclared},
		{"json in a stream's clothes", "application/json; charset=utf-8", "\x00{}", "", RuleUndeclared},
	} {
		for _, mode := range []Mode{Enforce, Report} {
			e, _ := newEngine(t, shop, func(e *Engine) { e.Uninspected, e.Undeclared, e.Mode = Pass, Reject, mode })
			r := request("POST /nowhere?sid=1", test.contentType, strings.NewReader(test.body))
			if test.coding != "" {
				r.Header.Set("Content-Encoding", test.coding)
			}
			got := process(e, r)
			passed := got.rule() == "" && got.body == test.body && got.query == "sid=1" && r.Header.Get("Content-Encoding") == test.coding
			if mode == Enforce && (got.rule() != test.rule || passed != (test.rule == "")) {
				t.Errorf("%s: refused by the rule %q, passed %v", test.name, got.rule(), passed)
			}
			if mode == Report && (got.body != test.body || got.query != "sid=1") {
				t.Errorf("%s: report changed it", test.name)
			}
		}
	}
	// Where a collection is declared, what follows its value is refused.
	e, _ := newEngine(t, shop, func(e *Engine) { e.Uninspected = Pass })
	if got := process(e, request("POST /checkout", "application/stream+json", strings.NewReader("{\"name\":\"a\"}\n{\"ssn\":1}"))); got.rule() != "trailing-data" {
		t.Errorf("a declared stream: refused by the rule %q", got.rule())
	}
}
