package minimize

import (
	"encoding/json"
	"io"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// actions is a policy of front controllers.
const actions = `
version: 1
controller: {name: Example, contact: privacy@example.org, country: DE}
purposes:
  order: {title: Order, basis: contract, retention: 1y}
  news: {title: Write, basis: consent, retention: 1y}
  technical: {title: Work, basis: not_personal}
collections:
  heartbeat:
    on: /ajax
    when: {action: [heartbeat, beat_2]}
    fields: {action: technical, time: technical}
  save:
    on: /ajax
    when: {action: [save, 7]}
    fields: {action: technical, name: order, file: {for: order, type: file}, birthday: news}
    consents: {news: subscribe}
  rest:
    on: /ajax
    fields: {action: technical, page: technical, file: {for: order, type: file}}
  call:
    on: POST /rpc
    when: {method: tools/call, params.name: search}
    fields: {method: technical, params.name: technical, params.q: order}
  list:
    on: POST /rpc
    when: {method: tools/list}
    fields: {method: technical}
  shared:
    on: POST /other
    fields: {ssn: order}
`

// choices are requests to front controllers, and the collection that has them.
var choices = []struct {
	name, on, contentType, body string
	collection                  string // empty: a gap
	query, forwarded            string
	rule                        string
}{
	{name: "in the query", on: "POST /ajax?action=save&ssn=1", contentType: formType, body: "name=a&time=1", collection: "save", query: "action=save", forwarded: "name=a"},
	{name: "in a form", on: "POST /ajax", contentType: formType, body: "time=1&action=heartbeat&name=a", collection: "heartbeat", forwarded: "time=1&action=heartbeat"},
	{name: "in JSON", on: "POST /ajax", contentType: jsonType, body: `{"name":"a","action":"save","time":1}`, collection: "save", forwarded: `{"name":"a","action":"save"}`},
	{name: "a number in JSON", on: "POST /ajax", contentType: jsonType, body: `{"action":7,"name":"a"}`, collection: "save", forwarded: `{"action":7,"name":"a"}`},
	{name: "in parts", on: "POST /ajax", contentType: formData, body: form(part{"name", "", "a"}, part{"action", "", "save"}, part{"time", "", "1"}), collection: "save"},
	{name: "a query alone", on: "GET /ajax?action=heartbeat&time=1&name=a", collection: "heartbeat", query: "action=heartbeat&time=1"},
	{name: "the same value twice", on: "POST /ajax?action=save", contentType: formType, body: "action=save&name=a", collection: "save", query: "action=save", forwarded: "action=save&name=a"},
	{name: "another value", on: "POST /ajax", contentType: formType, body: "action=load&name=a&page=1", collection: "rest", forwarded: "action=load&page=1"},
	{name: "no value", on: "POST /ajax", contentType: formType, body: "name=a&page=1", collection: "rest", forwarded: "page=1"},
	{name: "an empty value", on: "POST /ajax", contentType: formType, body: "action=&page=1", collection: "rest", forwarded: "action=&page=1"},
	{name: "null", on: "POST /ajax", contentType: jsonType, body: `{"action":null,"page":1}`, collection: "rest", forwarded: `{"action":null,"page":1}`},
	{name: "both conditions", on: "POST /rpc", contentType: jsonType, body: `{"method":"tools/call","params":{"name":"search","q":"a","x":1}}`, collection: "call", forwarded: `{"method":"tools/call","params":{"name":"search","q":"a"}}`},
	{name: "one condition of two", on: "POST /rpc", contentType: jsonType, body: `{"method":"tools/call","params":{"name":"delete","q":"a"}}`, forwarded: "{}"},
	{name: "no rest", on: "POST /rpc", contentType: jsonType, body: `{"method":"initialize"}`, forwarded: "{}"},

	// PHP's $_REQUEST takes the body's, $_GET the query's; to some frameworks they are a list.
	{name: "two values", on: "POST /ajax?action=heartbeat", contentType: formType, body: "action=save&name=a", rule: "undecided"},
	{name: "a value of the rest in the query", on: "POST /ajax?action=load", contentType: formType, body: "action=save&name=a", rule: "undecided"},
	{name: "nothing in the body", on: "POST /ajax?action=save", contentType: formType, body: "action=&name=a", rule: "undecided"},
	{name: "null in the body", on: "POST /ajax?action=save", contentType: jsonType, body: `{"action":null,"name":"a"}`, rule: "undecided"},
	{name: "twice in the query", on: "POST /ajax?action=heartbeat&action=save", contentType: formType, body: "name=a", rule: "duplicate-name"},
	{name: "twice in JSON", on: "POST /ajax", contentType: jsonType, body: `{"action":"heartbeat","\u0061ction":"save"}`, rule: "duplicate-name"},
	{name: "a list", on: "POST /ajax", contentType: formType, body: "action[]=save&name=a", rule: "undecided"},
	{name: "an index", on: "POST /ajax", contentType: formType, body: "action%5B0%5D=save&name=a", rule: "undecided"},
	{name: "a scalar and a list", on: "POST /ajax", contentType: formType, body: "action=load&action[]=save", rule: "name-conflict"},
	{name: "a list in JSON", on: "POST /ajax", contentType: jsonType, body: `{"action":["save"],"name":"a"}`, rule: "undecided"},
	{name: "an empty object in JSON", on: "POST /ajax", contentType: jsonType, body: `{"action":{},"name":"a"}`, rule: "undecided"},
	{name: "a batch", on: "POST /rpc", contentType: jsonType, body: `[{"method":"tools/list"},{"method":"tools/call"}]`, rule: "undecided"},
	{name: "a list on the way", on: "POST /rpc", contentType: jsonType, body: `{"method":"tools/call","params":[{"name":"search"}]}`, rule: "undecided"},
	{name: "a file", on: "POST /ajax", contentType: formData, body: form(part{"action", "a.txt", "save"}), rule: "undecided"},
	// Some applications ignore these differences, and would take the action without its
	// collection's rules.
	{name: "letter case", on: "POST /ajax", contentType: formType, body: "action=Save&name=a", rule: "undecided"},
	{name: "white space", on: "POST /ajax?action=save%20", contentType: formType, body: "name=a", rule: "undecided"},
	{name: "hyphens", on: "POST /ajax", contentType: formType, body: "action=beat-2", rule: "undecided"},
	{name: "compatible characters", on: "POST /ajax", contentType: formType, body: "action=%EF%BD%93ave", rule: "undecided"},
	{name: "an equal number", on: "POST /ajax", contentType: jsonType, body: `{"action":7.0}`, rule: "undecided"},
	{name: "a number with a zero before it", on: "POST /ajax", contentType: formType, body: "action=07", rule: "undecided"},
	{name: "a long value", on: "POST /ajax", contentType: formType, body: "action=" + strings.Repeat("x", 400), rule: "undecided"},
	// encoding/json of Go reads ACTION as action: it must not arrive.
	{name: "a name in capitals", on: "POST /ajax", contentType: jsonType, body: `{"ACTION":"save","page":1}`, collection: "rest", forwarded: `{"page":1}`},
}

func TestWhen(t *testing.T) {
	for _, test := range choices {
		for _, mode := range []Mode{Enforce, Report} {
			t.Run(test.name+" "+mode.String(), func(t *testing.T) {
				e, j := newEngine(t, actions, func(e *Engine) { e.Mode = mode })
				var body io.Reader
				if test.body != "" {
					body = strings.NewReader(test.body)
				}
				r := request(test.on, test.contentType, body)
				_, query, _ := strings.Cut(test.on, "?")
				got := process(e, r)
				entry := j.only(t)
				if entry.Rule != test.rule || entry.Collection != test.collection {
					t.Fatalf("refused by %q, recorded for %q; want %q and %q", entry.Rule, entry.Collection, test.rule, test.collection)
				}
				if test.rule == "undecided" && mode == Enforce && !strings.Contains(got.Refusal.Detail, "the field ") {
					t.Errorf("refused because %s, which does not name the field", got.Refusal.Detail)
				}
				switch {
				case mode == Report:
					if got.body != test.body || got.query != query {
						t.Errorf("reported only, and forwarded %q with %q", got.query, got.body)
					}
				case test.rule != "":
					if got.body != "" {
						t.Errorf("forwarded %q", got.body)
					}
				case test.contentType == formData:
					want := map[string][]string{"name": {"a"}, "action": {"save"}}
					if diff := cmp.Diff(want, fields(t, r, got.body)); diff != "" {
						t.Errorf("forwarded (-want +got):\n%s", diff)
					}
				case got.query != test.query || got.body != test.forwarded:
					t.Errorf("forwarded %q with %q, want %q with %q", got.query, got.body, test.query, test.forwarded)
				}
			})
		}
	}
}

// What is behind the beginning of a streamed form is not known when its collection
// is chosen: a value there must not make the application take another action.
func TestWhenStreams(t *testing.T) {
	file := part{"file", "a.bin", strings.Repeat("0123456789abcdef", 100_000)}
	for _, test := range []struct {
		name, query      string
		parts            []part
		collection, rule string
	}{
		{"at the beginning", "", []part{{"action", "", "save"}, {"name", "", "a"}, file}, "save", ""},
		{"in the query", "?action=save", []part{{"name", "", "a"}, file}, "save", ""},
		{"none", "", []part{{"page", "", "1"}, file}, "rest", ""},
		{"another value at the beginning", "", []part{{"action", "", "load"}, file}, "rest", ""},
		{"another value behind the file", "", []part{file, {"action", "", "load"}}, "rest", ""},
		{"a claimed value behind the file", "", []part{{"page", "", "1"}, file, {"action", "", "save"}}, "", "undecided"},
		{"another claimed value behind the file", "?action=save", []part{file, {"action", "", "heartbeat"}}, "", "undecided"},
		{"a claimed value in another spelling", "", []part{file, {"action", "", "SAVE"}}, "", "undecided"},
		{"a list behind the file", "", []part{file, {"action[]", "", "save"}}, "", "undecided"},
	} {
		for _, mode := range []Mode{Enforce, Report} {
			for _, chunked := range []bool{false, true} {
				e, j := newEngine(t, actions, func(e *Engine) { e.Mode = mode })
				sent := form(test.parts...)
				var body io.Reader = strings.NewReader(sent)
				if chunked {
					body = unsized(sent)
				}
				r := request("POST /ajax"+test.query, formData, body)
				got := process(e, r)
				entry := j.only(t)
				if entry.Rule != test.rule || test.rule == "" && entry.Collection != test.collection || !got.Streaming() {
					t.Errorf("%s, %v, chunked %v: refused by %q, recorded for %q; want %q and %q", test.name, mode, chunked, entry.Rule, entry.Collection, test.rule, test.collection)
				}
				_, boundary, _ := strings.Cut(r.Header.Get("Content-Type"), "boundary=")
				ended := strings.Contains(got.body, "\r\n--"+boundary+"--\r\n")
				switch {
				case mode == Report:
					if got.body != sent || got.err != nil {
						t.Errorf("%s: reported only, and forwarded %d bytes of %d, %v", test.name, len(got.body), len(sent), got.err)
					}
				case test.rule != "":
					if got.err == nil || ended {
						t.Errorf("%s: forwarded the end of a form that is refused", test.name)
					}
				case got.err != nil || !ended:
					t.Errorf("%s: forwarded no end: %v", test.name, got.err)
				}
			}
		}
	}
}

// Where nothing covers the rest, it is as undeclared as another route.
func TestWhenUndeclared(t *testing.T) {
	for fallback, want := range map[Fallback]string{Strip: "", Reject: "undeclared", Pass: "undeclared"} {
		e, j := newEngine(t, actions, func(e *Engine) { e.Undeclared = fallback })
		got := process(e, request("POST /rpc", jsonType, strings.NewReader(`{"method":"x","ssn":1}`)))
		if entry := j.only(t); entry.Rule != want || got.rule() != want || entry.Collection != "" || strings.Contains(got.body, "ssn") {
			t.Errorf("%v: refused by %q, recorded %+v, forwarded %q", fallback, got.rule(), entry, got.body)
		}
	}
}

// A request that submits nothing belongs to the rest.
func TestWhenNothingIsSubmitted(t *testing.T) {
	e, _ := newEngine(t, actions)
	if got := process(e, request("GET /ajax", "", nil)); got.Submission == nil || got.Summary().Collection != "rest" {
		t.Errorf("got %+v, want the rest", got.Submission)
	}
}

// A consent that is ticked in a divided form counts for its collection.
func TestWhenWithConsent(t *testing.T) {
	p := &people{nothing: true}
	e, j := newEngine(t, actions, known(p))
	got := process(e, request("POST /ajax", formType, strings.NewReader("action=save&birthday=1980&subscribe=on")))
	if entry := j.only(t); got.body != "action=save&birthday=1980&subscribe=on" || len(p.recorded) != 1 || entry.Collection != "save" {
		t.Errorf("forwarded %q, stored %v, recorded %+v", got.body, p.recorded, entry)
	}
}

// A part of a type that holds parts itself, such as a saved mail, may be a declared
// file. The reading that looks for the value must not end there: the attacker would put
// the value of another collection behind it.
func TestAttackWhenBehindNestedPart(t *testing.T) {
	const mail = "--B\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.eml\"\r\nContent-Type: message/rfc822\r\n\r\nx\r\n"
	for _, test := range []struct {
		action, size     string
		collection, rule string
	}{
		{"load", "small", "rest", ""},
		{"load", "streamed", "rest", ""},
		{"heartbeat", "small", "heartbeat", "part-type"}, // which declares no file
		{"heartbeat", "streamed", "heartbeat", "part-type"},
	} {
		rest := form(part{"action", "", test.action}, part{"page", "", "CANARY"})
		if test.size == "streamed" {
			rest = form(part{"action", "", test.action}, part{"page", "", "CANARY"}, part{"x", "x", strings.Repeat("0123456789abcdef", 100_000)})
		}
		e, j := newEngine(t, actions)
		got := process(e, request("POST /ajax", formData, strings.NewReader(mail+rest)))
		entry := j.only(t)
		if entry.Rule != test.rule || entry.Collection != test.collection || strings.Contains(got.body, "CANARY") != (test.rule == "") {
			t.Errorf("%s, %s: refused by %q, recorded for %q, forwarded %.300q", test.action, test.size, entry.Rule, entry.Collection, got.body)
		}
	}
}

// What cannot be read for the value is refused, whatever the other reading says: the
// value that chooses is longer than all that may be held, but may stream as a text.
func TestAttackWhenBehindFault(t *testing.T) {
	const policy = `
version: 1
controller: {name: Example, contact: privacy@example.org, country: DE}
purposes: {order: {title: Order, basis: contract, retention: 1y}}
collections:
  save: {on: POST /ajax, when: {action: [save], do: [it]}, fields: {action: order, do: order, name: order}}
  rest: {on: POST /ajax, fields: {action: {for: order, max: 9000000}, do: order, page: order}}
`
	e, j := newEngine(t, policy)
	long := part{"action", "", strings.Repeat("0123456789abcdef", 100_000)}
	got := process(e, request("POST /ajax", formData, strings.NewReader(form(part{"page", "", "a"}, long, part{"do", "", "it"}))))
	if entry := j.only(t); entry.Rule == "" || got.err == nil {
		t.Errorf("not refused, recorded for %q", entry.Collection)
	}
}

// Applications read a boolean in several words. Where true decides, "on" must not
// belong to the rest, which lets other fields pass.
func TestAttackWhenBoolean(t *testing.T) {
	const policy = `
version: 1
controller: {name: Example, contact: privacy@example.org, country: DE}
purposes: {order: {title: Order, basis: contract, retention: 1y}}
collections:
  send: {on: POST /ajax, when: {send: true}, fields: {send: {for: order, type: boolean}, name: order}}
  rest: {on: POST /ajax, fields: {send: {for: order, type: boolean}, page: order}}
`
	for value, want := range map[string]string{
		"true": "name=N&send=true", "on": "", "yes": "", "1": "", "01": "", "TRUE": "", "ON": "",
		"false": "page=P&send=false", "off": "page=P&send=off", "0": "page=P&send=0", "": "page=P&send=",
	} {
		e, _ := newEngine(t, policy)
		got := process(e, request("POST /ajax", formType, strings.NewReader("page=P&name=N&send="+value)))
		if got.body != want || (got.rule() == "undecided") != (want == "") {
			t.Errorf("%q: refused by %q, forwarded %q, want %q", value, got.rule(), got.body, want)
		}
	}
}

// A value below a field of type json decides as well: in the text, where the
// application reads it, not only in a body of JSON. Otherwise each form would belong to
// the rest, with any action in its text.
func TestAttackWhenInJSONText(t *testing.T) {
	const policy = `
version: 1
controller: {name: Example, contact: privacy@example.org, country: DE}
purposes: {order: {title: Order, basis: contract, retention: 1y}}
collections:
  save: {on: POST /ajax, when: {payload.action: [save]}, fields: {payload: {for: order, type: json}, payload.action: order, payload.name: order}}
  rest: {on: POST /ajax, fields: {payload: {for: order, type: json}, payload.action: order, payload.page: order}}
`
	for _, test := range []struct{ text, want, rule string }{
		{`{"action":"save","name":"a","page":1}`, `{"action":"save","name":"a"}`, ""},
		{`{"\u0061ction":"load","name":"a","page":1}`, `{"action":"load","page":1}`, ""},
		{`{"action":["save"],"page":1}`, "", "undecided"},
		{`{"action":"Save","page":1}`, "", "undecided"},
		{`{"action":"load","action":"save","page":1}`, "-", ""}, // it is no JSON, and stripped
		{`[{"action":"save","page":1}]`, "-", ""},               // no collection declares elements
	} {
		for _, contentType := range []string{formType, jsonType, formData} {
			body, want := "payload="+url.QueryEscape(test.text), "payload="+url.QueryEscape(test.want)
			quoted := func(text string) string {
				b, err := json.Marshal(map[string]string{"payload": text})
				if err != nil {
					t.Fatal(err)
				}
				return string(b)
			}
			switch contentType {
			case jsonType:
				body, want = quoted(test.text), quoted(test.want)
			case formData:
				body, want = form(part{"payload", "", test.text}), "\r\n\r\n"+test.want+"\r\n"
			}
			if test.want == "-" {
				want = ""
			}
			e, _ := newEngine(t, policy)
			got := process(e, request("POST /ajax", contentType, strings.NewReader(body)))
			switch {
			case contentType == jsonType && test.rule == "" && test.want == "-" && got.rule() == "undecided": // as safe
			case got.rule() != test.rule, test.rule == "" && !strings.Contains(got.body, want), strings.Contains(got.body, `page`) && test.want == "-":
				t.Errorf("%s, %s: refused by %q, forwarded %q, want %q", contentType, test.text, got.rule(), got.body, want)
			}
		}
	}
}
