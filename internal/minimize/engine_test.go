package minimize

import (
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/modicum-proxy/modicum/internal/consent"
	"github.com/modicum-proxy/modicum/internal/policy"
)

// processCases are submissions and what goes on of them.
var processCases = []struct {
	name, on, contentType, body string
	headers                     []string
	wantQuery, wantBody         string
	verdict                     Verdict
	rule                        string // of the refusal
	status                      int
	kept, stripped              string
	undeclared                  int
}{
	{
		name: "JSON", on: "POST /checkout", contentType: jsonType,
		body:     `{"name":"a","shoe":42,"email":"b","birthday":"1980-01-02","items":[{"sku":"s","note":"n"}],"address":{"city":"c","zip":1}}`,
		wantBody: `{"name":"a","email":"b","items":[{"sku":"s"}],"address":{"city":"c"}}`,
		verdict:  Minimized, kept: "name email items.*.sku address.city", stripped: "birthday:no_consent", undeclared: 3,
	},
	{
		name: "form", on: "POST /checkout", contentType: formType,
		body:     "name=a+b&shoe=42&tags[]=x&tags[]=y&items[0][sku]=s&items[0][note]=n",
		wantBody: "name=a%20b&tags%5B%5D=x&tags%5B%5D=y&items%5B0%5D%5Bsku%5D=s",
		verdict:  Minimized, kept: "name tags.* items.*.sku", undeclared: 2,
	},
	{
		name: "query of a declared GET", on: "GET /search?q=a&name=b&ssn=c", wantQuery: "q=a&name=b",
		verdict: Minimized, kept: "q name", undeclared: 1,
	},
	{
		name: "query and body", on: "POST /checkout?name=a&ssn=b", contentType: jsonType, body: `{"email":"c"}`,
		wantQuery: "name=a", wantBody: `{"email":"c"}`, verdict: Minimized, kept: "name email", undeclared: 1,
	},
	{
		name: "a query alone", on: "POST /checkout?name=a&ssn=b", wantQuery: "name=a",
		verdict: Minimized, kept: "name", undeclared: 1,
	},
	{
		name: "HEAD is as GET", on: "HEAD /search?q=a&ssn=b", wantQuery: "q=a", verdict: Minimized, kept: "q", undeclared: 1,
	},
	{
		name: "a body of GET", on: "GET /search", contentType: jsonType, body: `{"q":"a","ssn":"b"}`,
		wantBody: `{"q":"a"}`, verdict: Minimized, kept: "q", undeclared: 1,
	},
	{
		name: "what does not fit its type", on: "POST /checkout", contentType: jsonType, body: `{"phone":"my diary","name":"a"}`,
		wantBody: `{"name":"a"}`, verdict: Minimized, kept: "name", stripped: "phone:wrong_type",
	},
	{
		name: "otherwise", on: "POST /checkout", contentType: jsonType, body: `{"code":"x","name":"a"}`,
		wantBody: `{"code":0,"name":"a"}`, verdict: Minimized, kept: "name", stripped: "code:wrong_type",
	},
	{
		name: "otherwise in a form", on: "POST /checkout", contentType: formType, body: "code=x&name=a",
		wantBody: "code=0&name=a", verdict: Minimized, kept: "name", stripped: "code:wrong_type",
	},
	{
		name: "the last list of a body that is empty", on: "POST /checkout", contentType: formType, body: "ssn=1",
		verdict: Minimized, undeclared: 1,
	},
	{
		name: "gap of a form", on: "POST /nowhere", contentType: formType, body: "a=1&b=2",
		verdict: Gap, undeclared: 2,
	},
	{
		name: "gap of JSON", on: "POST /nowhere?c=3", contentType: jsonType, body: `{"a":1}`,
		wantBody: "{}", verdict: Gap, undeclared: 2,
	},
	{
		name: "a gap's query", on: "DELETE /nowhere?id=1", verdict: Gap, undeclared: 1,
	},
	{
		name: "coded", on: "POST /checkout", contentType: jsonType, body: gzipped(`{"name":"a","ssn":1}`), headers: []string{"Content-Encoding", "gzip"},
		wantBody: `{"name":"a"}`, verdict: Minimized, kept: "name", undeclared: 1,
	},
	{
		name: "a required field is missing", on: "POST /order", contentType: jsonType, body: `{"shoe":1}`,
		verdict: Refused, rule: "required", status: 422,
	},
	{
		name: "a required field may not pass", on: "POST /order", contentType: jsonType, body: `{"email":"a","birthday":"b","size":"L"}`,
		verdict: Refused, rule: "required", status: 422,
	},
	{
		name: "a field in the query and in the body", on: "POST /checkout?name=a", contentType: formType, body: "name=b",
		wantQuery: "name=a", wantBody: "name=b", verdict: Minimized, kept: "name",
	},
	{
		name: "elements of a list in the query and in the body", on: "POST /checkout?tags[]=a", contentType: formType, body: "tags[]=b",
		wantQuery: "tags%5B%5D=a", wantBody: "tags%5B%5D=b", verdict: Minimized, kept: "tags.*",
	},
	{
		name: "a method override to another collection", on: "POST /checkout", contentType: formType, body: "_method=delete&name=a",
		verdict: Refused, rule: "method-override", status: 400,
	},
	{
		name: "a method override in the query", on: "POST /checkout?_method=DELETE", contentType: formType, body: "name=a",
		verdict: Refused, rule: "method-override", status: 400,
	},
	{
		name: "a method override within the collection", on: "POST /checkout", contentType: formType, body: "_method=put&name=a",
		wantBody: "_method=put&name=a", verdict: Minimized, kept: "name _method",
	},
	{
		name: "an undeclared method override is left out", on: "POST /upload", contentType: formType, body: "_method=DELETE&must=a",
		wantBody: "must=a", verdict: Minimized, kept: "must", undeclared: 1,
	},
	{
		name: "no type", on: "POST /checkout", body: `{"ssn":1}`,
		verdict: Refused, rule: "media-type", status: 415,
	},
	{
		name: "another type", on: "POST /checkout", contentType: "text/plain", body: `{"ssn":1}`,
		verdict: Refused, rule: "media-type", status: 415,
	},
	{
		// Connection names what a proxy removes on the way: the application
		// would get JSON without a type, which most take for JSON.
		name: "a type that is to be removed on the way", on: "POST /checkout", contentType: jsonType, body: `{"name":1}`,
		headers: []string{"Connection", "close, content-type"},
		verdict: Refused, rule: "media-type", status: 415,
	},
	{
		name: "two types", on: "POST /checkout", contentType: jsonType, body: `a=1`, headers: []string{"Content-Type", formType},
		verdict: Refused, rule: "content-type-repeated", status: 415,
	},
	{
		name: "an unknown coding", on: "POST /checkout", contentType: jsonType, body: `{"ssn":1}`, headers: []string{"Content-Encoding", "foo"},
		verdict: Refused, rule: "content-coding", status: 415,
	},
	{
		name: "malformed JSON", on: "POST /checkout", contentType: jsonType, body: `{"name":"a"`,
		verdict: Refused, rule: "json-syntax", status: 400,
	},
	{
		name: "a malformed query", on: "GET /search?q=%zz", verdict: Refused, rule: "percent-encoding", status: 400,
	},
	{
		name: "an ambiguous path", on: "POST /a/..;/checkout", contentType: jsonType, body: `{"name":"a"}`,
		verdict: Refused, rule: "ambiguous-path", status: 400,
	},
	{
		name: "an upgrade", on: "GET /checkout", headers: []string{"Connection", "Upgrade", "Upgrade", "websocket"},
		verdict: Refused, rule: "upgrade", status: 403,
	},
	{
		name: "a subtree of everything", on: "POST /any", contentType: jsonType, body: `{"a":{"b":[1]}}`,
		wantBody: `{"a":{"b":[1]}}`, verdict: Minimized, kept: "**",
	},
}

func TestProcess(t *testing.T) {
	for _, test := range processCases {
		t.Run(test.name, func(t *testing.T) {
			e, j := newEngine(t, shop)
			var body io.Reader
			if test.body != "" {
				body = strings.NewReader(test.body)
			}
			r := request(test.on, test.contentType, body, test.headers...)
			got := process(e, r)
			entry := j.only(t)
			if got.rule() != test.rule || entry.Rule != test.rule || entry.Status != test.status {
				t.Fatalf("refused by %q (%v), recorded %q with %d; want %q with %d", got.rule(), got.Refusal, entry.Rule, entry.Status, test.rule, test.status)
			}
			if got.query != test.wantQuery || got.body != test.wantBody {
				t.Errorf("forwarded query %q and body %q\nwant           %q and      %q", got.query, got.body, test.wantQuery, test.wantBody)
			}
			if test.rule == "" && r.RequestURI != r.URL.RequestURI() {
				t.Errorf("the request URI is %q, the URL %q", r.RequestURI, r.URL)
			}
			if test.rule == "" && r.ContentLength != int64(len(got.body)) {
				t.Errorf("the length is %d, that of the body %d", r.ContentLength, len(got.body))
			}
			var stripped []string
			for _, f := range entry.Stripped {
				stripped = append(stripped, f.Name+":"+f.Reason)
			}
			if entry.Verdict != test.verdict || strings.Join(entry.Kept, " ") != test.kept || strings.Join(stripped, " ") != test.stripped || entry.Undeclared != test.undeclared {
				t.Errorf("recorded %v, kept %q, stripped %q, undeclared %d\nwant     %v, kept %q, stripped %q, undeclared %d",
					entry.Verdict, entry.Kept, stripped, entry.Undeclared, test.verdict, test.kept, test.stripped, test.undeclared)
			}
			if entry.Receipt == "" || entry.Receipt != got.Receipt || entry.Policy != got.Set.Version {
				t.Errorf("recorded receipt %q and version %q, want %q and %q", entry.Receipt, entry.Policy, got.Receipt, got.Set.Version)
			}
		})
	}
}

func TestNothingSubmitted(t *testing.T) {
	e, j := newEngine(t, shop)
	for _, on := range []string{"GET /", "GET /page?utm=1", "HEAD /page?utm=1", "OPTIONS /checkout", "POST /ping", "GET /searching?q=1"} {
		_, query, _ := strings.Cut(on, "?")
		if got := process(e, request(on, "", nil)); got.Submission != nil || got.query != query || len(got.told) > 0 {
			t.Errorf("%s: got %+v, want nothing", on, got)
		}
	}
	got := process(e, request("GET /search", "", nil))
	if got.Submission == nil || got.Receipt != "" || got.told.Get("Link") == "" {
		t.Errorf("GET /search: told %v, want the notice and no receipt", got.told)
	}
	if len(j.entries) > 0 {
		t.Errorf("recorded %+v, want nothing", j.entries)
	}
}

// A handler before ours rewrites the path: "try_files {path} /index.php" for an
// application that routes by the path that came, "uri strip_prefix /shop" for one
// that does not know the prefix.
func TestRewrittenPath(t *testing.T) {
	text := strings.Replace(shop, "  any:\n", "  page:\n    on: POST /{page...}\n    fields: {name: delivery}\n  index:\n    on: GET /index.php\n    fields: {ssn: delivery}\n  any:\n", 1)
	for _, test := range []struct{ original, on, body, rule, query string }{
		{"/search", "GET /front.php?q=1&ssn=2", "", "", "q=1"},
		{"/search", "GET /index.php?q=1&ssn=2", "", "ambiguous-route", ""},
		{"/x", "GET /index.php?q=1&ssn=2", "", "", "ssn=2"},
		{"/Search/", "GET /front.php?q=1&ssn=2", "", "", "q=1"},
		{"/search", "POST /index.php?name=1&q=1", "", "", "name=1"}, // of GET
		{"/checkout", "POST /index.php?email=1&ssn=2", "", "", "email=1"},
		{"/list/a/b", "GET /front.php?q=1&ssn=2", "", "", "q=1"},
		{"/shop/checkout", "POST /checkout?name=a&ssn=2", "", "", "name=a"},
		{"//search", "GET /index.php?q=1&ssn=2", "", "ambiguous-path", ""},
		{"/list/index.php", "GET /index.php?q=1&ssn=2", "", "ambiguous-route", ""},
		{"/list/front.php", "GET /front.php?q=1&ssn=2", "", "", "q=1"},
	} {
		e, _ := newEngine(t, text, func(e *Engine) { e.OriginalPath = func(*http.Request) string { return test.original } })
		if got := process(e, request(test.on, "", nil)); got.rule() != test.rule || got.query != test.query {
			t.Errorf("%s, which came as %s: rule %q, forwarded %q", test.on, test.original, got.rule(), got.query)
		}
	}
}

// Slim spells the field that overrides the method _METHOD; and an application
// that finds it in the query and in the body takes one of the two.
func TestAttackMethodOverride(t *testing.T) {
	e, j := newEngine(t, strings.Replace(shop, "      _method: technical", "      _method: technical\n      _METHOD: technical", 1))
	got := process(e, request("POST /any", formType, strings.NewReader("_method=patch&method=card&name=a")))
	if entry := j.only(t); got.rule() != "" || got.body != "_method=patch&method=card&name=a" || len(entry.Kept) != 1 || entry.Undeclared != 0 {
		t.Errorf("an override that leads nowhere else: forwarded %q, rule %q, recorded %+v", got.body, got.rule(), entry)
	}
	e.OriginalPath = func(*http.Request) string { return "/checkout" }
	if got := process(e, request("POST /index.php", formType, strings.NewReader("_method=DELETE&name=a"))); got.rule() != "method-override" {
		t.Errorf("by the path that came: rule %q, forwarded %q", got.rule(), got.body)
	}
	e.OriginalPath, j.entries = nil, nil
	for on, body := range map[string]string{
		"POST /any": "_method=DELETE&name=a", "POST /any?_METHOD=DELETE": "name=a",
		"POST /checkout": "_METHOD=DELETE&name=a", "POST /checkout?_METHOD=delete": "name=a", "POST /checkout?_method=PUT": "_method=DELETE&name=a",
		"PUT /checkout": "_METHOD=DELETE&_method=PUT",
	} {
		if got := process(e, request(on, formType, strings.NewReader(body))); got.rule() != "method-override" && got.rule() != "query-and-body" {
			t.Errorf("%s with %s: refused by %q, forwarded %q", on, body, got.rule(), got.body)
		}
	}
}

// A query counts where a collection declares it. A client that spells the
// path as no collection does, but as the application forgives, would get its
// query through.
func TestQueryOfAlmostDeclaredPath(t *testing.T) {
	e, j := newEngine(t, shop)
	for _, test := range []struct{ on, rule, query string }{
		{"GET /search/?q=a&ssn=1", "", "q=a"},
		{"GET /search.json?q=a&ssn=1", "", "q=a"},
		{"OPTIONS /search?q=a&ssn=1", "", "q=a"},
		{"TRACE /search?q=a&ssn=1", "", "q=a"},
		{"get /search?q=a&ssn=1", "", "q=a"},
		{"GET /Search?ssn=1", "", ""},
		{"GET /%73earch/?ssn=1", "", ""},
		{"GET //search?ssn=1", "ambiguous-path", ""},
		{"GET /x/../search?ssn=1", "ambiguous-path", ""},
		{"GET /search;v=1?ssn=1", "ambiguous-path", ""},
		{"GET /x%2f..%2fsearch?ssn=1", "ambiguous-path", ""},
		{"GET /list?ssn=1", "", ""},
		{"GET /LIST/a?ssn=1", "", ""},
		{"GET /other//page?v=1", "", "v=1"},
	} {
		j.entries = nil
		got := process(e, request(test.on, "", nil))
		if got.rule() != test.rule || got.query != test.query {
			t.Errorf("%s: forwarded %q, rule %q; want %q, %q", test.on, got.query, got.rule(), test.query, test.rule)
		}
		if test.query != "v=1" && len(j.entries) != 1 {
			t.Errorf("%s: recorded %d entries, want one", test.on, len(j.entries))
		}
	}
}

// Express and IIS do not heed case, on Windows a name may end in dots, and a
// host in one anywhere: none of it brings a query past the collection.
func TestQueryOfAlmostDeclaredRoute(t *testing.T) {
	e, _ := newEngine(t, `
version: 1
controller: {name: Example, contact: privacy@example.org, country: DE}
purposes:
  delivery: {title: Deliver, basis: contract, retention: 1y}
collections:
  orders: {on: [GET /MyOrders, GET shop.example/find], fields: {q: delivery}}
`)
	for _, test := range []struct{ host, on, rule, query string }{
		{"x.example", "GET /MyOrders?q=1&ssn=1", "", "q=1"},
		{"x.example", "GET /myorders?q=1&ssn=1", "", "q=1"},
		{"x.example", "GET /MYORDERS/?q=1&ssn=1", "", "q=1"},
		{"x.example", "GET /MyOrders.?q=1&ssn=1", "", "q=1"},
		{"x.example", "GET /MyOrders%20?q=1&ssn=1", "", "q=1"},
		{"x.example", "GET /MyOrders%00.css?q=1&ssn=1", "ambiguous-path", ""},
		{"Shop.Example", "GET /find?q=1&ssn=1", "", "q=1"},
		{"shop.example.", "GET /find?q=1&ssn=1", "", "q=1"},
		{"shop.example.:80", "GET /find?q=1&ssn=1", "", "q=1"},
		{"shop.example.", "GET /FIND?q=1&ssn=1", "", "q=1"},
		{"x.example", "GET /find?q=1", "", "q=1"},
	} {
		r := request(test.on, "", nil)
		r.Host = test.host
		got := process(e, r)
		if got.rule() != test.rule || got.query != test.query {
			t.Errorf("%s on %s: forwarded %q, rule %q; want %q, %q", test.on, test.host, got.query, got.rule(), test.query, test.rule)
		}
	}
}

func TestUndeclared(t *testing.T) {
	const body = `{"a":1}`
	for _, test := range []struct {
		fallback Fallback
		body     string
		verdict  Verdict
		rule     string
	}{
		{Strip, "{}", Gap, ""},
		{Pass, body, Gap, ""},
		{Reject, "", Refused, "undeclared"},
	} {
		e, j := newEngine(t, shop, func(e *Engine) { e.Undeclared = test.fallback })
		got := process(e, request("POST /nowhere?b=2", jsonType, strings.NewReader(body)))
		if entry := j.only(t); got.body != test.body || entry.Verdict != test.verdict || entry.Rule != test.rule || entry.On != "POST" {
			t.Errorf("%v: forwarded %q, recorded %+v", test.fallback, got.body, entry)
		}
		if want := map[bool]string{true: "b=2"}[test.fallback == Pass]; got.query != want {
			t.Errorf("%v: forwarded the query %q, want %q", test.fallback, got.query, want)
		}
	}
	// The zero value refuses.
	if (Engine{}).Undeclared != Reject || (Engine{}).Uninspected != Reject || (Engine{}).Mode != Enforce {
		t.Error("the zero engine lets something pass")
	}
}

func TestUninspected(t *testing.T) {
	e, j := newEngine(t, shop, func(e *Engine) { e.Uninspected = Pass })
	r := request("POST /nowhere?b=2", "application/grpc", strings.NewReader("\x00raw"), "Te", "trailers", "Content-Encoding", "odd", "X_y", "1")
	got := process(e, r)
	if entry := j.only(t); got.body != "\x00raw" || got.query != "b=2" || entry.Verdict != Gap {
		t.Errorf("forwarded %q and the query %q, recorded %+v; want both as they came", got.body, got.query, entry)
	}
	// What is not read goes on as it came, with what its protocol needs.
	if r.Header.Get("Te") != "trailers" || r.Header.Get("Content-Encoding") != "odd" || r.ContentLength != 4 {
		t.Errorf("the headers became %v", r.Header)
	}
	if got := process(e, request("GET /socket?room=1", "", nil, "Connection", "Upgrade", "Upgrade", "websocket")); !got.Forward() || got.query != "room=1" || got.header.Get("Upgrade") == "" {
		t.Errorf("the upgrade became %v with %q, refusal %v", got.header, got.query, got.Refusal)
	}
	for _, r := range []*http.Request{
		request("GET /search", "", nil, "Upgrade", "websocket"),
		request("POST /checkout", "text/plain", strings.NewReader("x")),
	} {
		if got := process(e, r); got.Refusal == nil {
			t.Errorf("%s %s: passed, though a collection declares it", r.Method, r.URL)
		}
	}
	if got := process(e, request("POST /nowhere", jsonType, strings.NewReader(`{"a":1}`))); got.body != "{}" {
		t.Errorf("what can be read became %q, want {}", got.body)
	}
}

// HTTP/3 tells no length of none: a GET without a body looks as one of
// unknown length, and would be refused for having no type.
func TestBodyOfUnknownLength(t *testing.T) {
	e, j := newEngine(t, shop)
	if got := process(e, request("GET /", "", unsized(""))); got.Submission != nil || got.err != nil {
		t.Errorf("an empty body of a GET: got %+v, %v", got.Submission, got.err)
	}
	if got := process(e, request("GET /", jsonType, unsized(""))); got.Submission != nil {
		t.Errorf("an empty body with a type: got %+v", got.Submission)
	}
	if got := process(e, request("POST /checkout?name=a", "", unsized(""))); got.Refusal != nil || got.query != "name=a" {
		t.Errorf("an empty body of a POST: refused %v, query %q", got.Refusal, got.query)
	}
	if got := process(e, request("GET /", "", unsized("ssn=1"))); got.rule() != "media-type" {
		t.Errorf("a body without a type: rule %q, want media-type", got.rule())
	}
	if got := process(e, request("GET /", formType, unsized("ssn=1"))); got.body != "" || got.Refusal != nil {
		t.Errorf("a body of a GET: forwarded %q, refused %v", got.body, got.Refusal)
	}
	j.entries = nil
	broken := failingReader{strings.NewReader(""), io.ErrUnexpectedEOF}
	if got := process(e, request("POST /checkout", "", broken)); got.rule() != "media-type" {
		t.Errorf("a broken body: rule %q", got.rule())
	}
}

func TestConsents(t *testing.T) {
	const (
		kept = `"birthday":"1980"`
		gone = ``
	)
	for _, test := range []struct {
		name, on, contentType, body, want string
	}{
		{"on", "POST /checkout", jsonType, `{"subscribe":"on","birthday":"1980-01-02"}`, kept},
		{"true", "POST /checkout", jsonType, `{"subscribe":true,"birthday":"1980-01-02"}`, kept},
		{"1", "POST /checkout", jsonType, `{"subscribe":1,"birthday":"1980-01-02"}`, kept},
		{"yes", "POST /checkout", jsonType, `{"birthday":"1980-01-02","subscribe":"YES"}`, kept},
		{"off", "POST /checkout", jsonType, `{"subscribe":"off","birthday":"1980-01-02"}`, gone},
		{"false", "POST /checkout", jsonType, `{"subscribe":false,"birthday":"1980-01-02"}`, gone},
		{"null", "POST /checkout", jsonType, `{"subscribe":null,"birthday":"1980-01-02"}`, gone},
		{"0", "POST /checkout", jsonType, `{"subscribe":0,"birthday":"1980-01-02"}`, gone},
		{"empty", "POST /checkout", jsonType, `{"subscribe":"","birthday":"1980-01-02"}`, gone},
		{"unticked", "POST /checkout", jsonType, `{"birthday":"1980-01-02"}`, gone},
		{"an object", "POST /checkout", jsonType, `{"subscribe":{"on":true},"birthday":"1980-01-02"}`, gone},
		{"a list of one", "POST /checkout", jsonType, `{"subscribe":["on"],"birthday":"1980-01-02"}`, kept},
		{"a list of one in a form", "POST /checkout", formType, "subscribe[]=Yes&birthday=1980-01-02", "birthday=1980"},
		{"numbered", "POST /checkout", formType, "birthday=1980-01-02&subscribe[0]=1", "birthday=1980"},
		{"a list of one in parts", "POST /checkout", formData, form(part{name: "birthday", content: "1980-01-02"}, part{name: "subscribe[]", content: "on"}), "1980\r\n"},
		{"a list of one behind the empty shadow of Rails", "POST /checkout", formType, "subscribe[]=&subscribe[]=1&birthday=1980-01-02", "birthday=1980"},
		{"the policy's own value in a list", "POST /checkout", jsonType, `{"answer":["gladly"],"opinion":"o"}`, `"opinion":"o"`},
		// Of two answers, none is clear, whichever an application takes.
		{"a list of two", "POST /checkout", jsonType, `{"subscribe":["on","off"],"birthday":"1980-01-02"}`, gone},
		{"a list of two ticks", "POST /checkout", formType, "subscribe[]=on&subscribe[]=on&birthday=1980-01-02", gone},
		{"a list of two in a form", "POST /checkout", formType, "subscribe[]=off&subscribe[]=on&birthday=1980-01-02", gone},
		{"a choice of several, with the policy's own value", "POST /checkout", formType, "answer[]=gladly&answer[]=never&opinion=o", gone},
		{"a list of two in parts", "POST /checkout", formData, form(part{name: "birthday", content: "1980-01-02"}, part{name: "subscribe[]", content: "on"}, part{name: "subscribe[]", content: "no"}), gone},
		{"an empty list", "POST /checkout", jsonType, `{"subscribe":[],"birthday":"1980-01-02"}`, gone},
		{"a list of nothing", "POST /checkout", jsonType, `{"subscribe":[null,""],"birthday":"1980-01-02"}`, gone},
		{"a list in a list", "POST /checkout", jsonType, `{"subscribe":[["on"]],"birthday":"1980-01-02"}`, gone},
		{"an object in a list", "POST /checkout", jsonType, `{"subscribe":[{"subscribe":"on"}],"birthday":"1980-01-02"}`, gone},
		{"a list in the query", "POST /checkout?subscribe[]=on", formType, "birthday=1980-01-02", gone},
		{"another place", "POST /checkout", jsonType, `{"a":{"subscribe":"on"},"birthday":"1980-01-02"}`, gone},
		{"a longer word", "POST /checkout", jsonType, `{"subscribe":"on ` + strings.Repeat("n", 100) + `","birthday":"1980-01-02"}`, gone},
		{"in a form", "POST /checkout", formType, "subscribe=on&birthday=1980-01-02", "birthday=1980"},
		{"a box behind its shadow", "POST /checkout", formType, "subscribe=0&birthday=1980-01-02&subscribe=1", "birthday=1980&subscribe=1"},
		{"a shadow alone", "POST /checkout", formType, "subscribe=0&birthday=1980-01-02", gone},
		{"not in a form", "POST /checkout", formType, "birthday=1980-01-02", gone},
		{"in parts", "POST /checkout", formData, form(part{name: "birthday", content: "1980-01-02"}, part{name: "subscribe", content: "on"}), "1980\r\n"},
		{"not in parts", "POST /checkout", formData, form(part{name: "birthday", content: "1980-01-02"}, part{name: "subscribe", content: "no"}), gone},
		// A file is not an answer.
		{"a file", "POST /checkout", formData, form(part{name: "birthday", content: "1980-01-02"}, part{name: "subscribe", filename: "f", content: "on"}), gone},
		// A link leads to the form with a tick in its address, and a form without
		// an action is sent to the address it has: that ticks nothing.
		{"in the query", "POST /checkout?subscribe=on", jsonType, `{"birthday":"1980-01-02"}`, gone},
		{"in the query of a form", "POST /checkout?subscribe=on", formType, `birthday=1980-01-02`, gone},
		{"in the query of parts", "POST /checkout?subscribe=on", formData, form(part{name: "birthday", content: "1980-01-02"}), gone},
		{"the policy's own value", "POST /checkout", jsonType, `{"answer":"gladly","opinion":"o"}`, `"opinion":"o"`},
		{"not the policy's own value", "POST /checkout", jsonType, `{"answer":"on","opinion":"o"}`, gone},
		{"not in its case", "POST /checkout", jsonType, `{"answer":"Gladly","opinion":"o"}`, gone},
		{"a consent to something else", "POST /checkout", jsonType, `{"answer":"gladly","birthday":"1980-01-02"}`, gone},
	} {
		t.Run(test.name, func(t *testing.T) {
			e, j := newEngine(t, shop)
			got := process(e, request(test.on, test.contentType, strings.NewReader(test.body)))
			if got.Refusal != nil {
				t.Fatal(got.Refusal)
			}
			entry := j.only(t)
			if test.want == gone {
				if strings.Contains(got.body, "1980") || strings.Contains(got.body, "opinion") || entry.Consent == "form" && !strings.Contains(test.name, "else") {
					t.Errorf("forwarded %q, consent %q; want nothing of it", got.body, entry.Consent)
				}
				return
			}
			if !strings.Contains(got.body, test.want) || entry.Consent != "form" {
				t.Errorf("forwarded %q, consent %q; want %q", got.body, entry.Consent, test.want)
			}
		})
	}
}

// Applications disagree on which of two ticks counts, so a consent that was
// taken back in the same form must not be taken for given.
func TestConsentTwice(t *testing.T) {
	for _, test := range []struct{ on, contentType, body, rule string }{
		{"POST /checkout", formType, "subscribe=on&birthday=1980&subscribe=off", "duplicate-name"},
		{"POST /checkout", formType, "subscribe=on&subscribe=on", ""}, // nothing disagrees
		{"POST /checkout", jsonType, `{"subscribe":"on","subscribe":"off"}`, "duplicate-name"},
		{"POST /checkout", formData, form(part{name: "subscribe", content: "on"}, part{name: "subscribe", content: "off"}), "duplicate-name"},
		{"POST /checkout?subscribe=off", formType, "subscribe=on&birthday=1980", "query-and-body"},
		// A list and a value are two notations of one name.
		{"POST /checkout", formType, "subscribe=off&birthday=1980&subscribe[]=on", "name-conflict"},
		{"POST /checkout", formType, "subscribe[]=on&birthday=1980&subscribe=", "name-conflict"},
		{"POST /checkout", formType, "subscribe=&birthday=1980&subscribe[]=on", ""}, // nothing beside an answer
		{"POST /checkout?subscribe=on&subscribe=off", formType, "birthday=1980", "duplicate-name"},
	} {
		e, _ := newEngine(t, shop)
		if got := process(e, request(test.on, test.contentType, strings.NewReader(test.body))); got.rule() != test.rule {
			t.Errorf("%s %s: rule %q, want %q", test.on, test.body, got.rule(), test.rule)
		}
	}
	e, _ := newEngine(t, shop)
	got := process(e, request("POST /checkout", formType, strings.NewReader("subscribe=&birthday=1980&subscribe[]=on")))
	if !strings.Contains(got.body, "birthday") || strings.Contains(got.body, "subscribe=") {
		t.Errorf("forwarded %q", got.body)
	}
	// A tick in the query that the body takes back is none.
	e, _ = newEngine(t, shop)
	got = process(e, request("POST /checkout?subscribe=on", formType, strings.NewReader("subscribe=off&birthday=1980")))
	if strings.Contains(got.body, "birthday") {
		t.Errorf("forwarded %q", got.body)
	}
}

// consents answers as it is told.
type consents func(set *policy.Set, purposes policy.PurposeSet) (policy.Standing, error)

func (c consents) Standing(_ context.Context, inq *consent.Inquiry) (consent.Answer, error) {
	st, err := c(inq.Set, inq.Purposes)
	a := consent.Answer{Standing: st}
	if !st.Granted.IsEmpty() {
		a.Source = "page"
	}
	return a, err
}

func (consents) Record(_ context.Context, _ http.Header, _ *consent.Inquiry, ticked policy.PurposeSet) (policy.PurposeSet, error) {
	return ticked, nil
}

func TestStoredConsents(t *testing.T) {
	grant := func(names ...string) policy.Standing {
		set := compiled(t, shop)
		var st policy.Standing
		for _, name := range names {
			id, ok := set.PurposeID(name)
			if !ok {
				t.Fatal(name)
			}
			st.Granted = st.Granted.With(id)
		}
		return st
	}
	const body = `{"birthday":"1980-01-02","opinion":"o","name":"n"}`
	for _, test := range []struct {
		name    string
		st      policy.Standing
		err     error
		want    string
		consent string
	}{
		{"none", policy.Standing{}, nil, `{"name":"n"}`, ""},
		{"one", grant("newsletter"), nil, `{"birthday":"1980","name":"n"}`, "page"},
		{"both", grant("newsletter", "poll"), nil, `{"birthday":"1980","opinion":"o","name":"n"}`, "page"},
		// Unknown is no, whatever stands beside the error.
		{"unknown", grant("newsletter"), errors.New("the store is down"), `{"name":"n"}`, "unknown"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var asked policy.PurposeSet
			e, j := newEngine(t, shop, func(e *Engine) {
				e.Consents = consents(func(_ *policy.Set, purposes policy.PurposeSet) (policy.Standing, error) {
					asked = purposes
					return test.st, test.err
				})
			})
			got := process(e, request("POST /checkout", jsonType, strings.NewReader(body)))
			if entry := j.only(t); got.body != test.want || entry.Consent != test.consent {
				t.Errorf("forwarded %s, consent %q; want %s, %q", got.body, entry.Consent, test.want, test.consent)
			}
			if asked != got.Set.Choosable(got.Collection.Purposes) {
				t.Errorf("asked for the purposes %v, want those of the collection that a person chooses about", asked)
			}
		})
	}
}

func TestPurposes(t *testing.T) {
	e, j := newEngine(t, shop)
	r := request("POST /checkout", jsonType, strings.NewReader(`{"subscribe":"on","birthday":"1980-01-02"}`))
	got := process(e, r)
	if diff := cmp.Diff([]string{"delivery", "newsletter"}, j.only(t).Purposes); diff != "" {
		t.Errorf("recorded purposes (-want +got):\n%s", diff)
	}
	if r.Header.Get("Privacy-Purpose") != "delivery, newsletter" || r.Header.Get("Privacy-Receipt") != got.Receipt {
		t.Errorf("the application is told %v", r.Header)
	}
	if j.only(t).On != "POST /checkout" {
		t.Errorf("recorded the route %q", j.only(t).On)
	}
}

func TestShowUndeclared(t *testing.T) {
	for _, show := range []bool{false, true} {
		e, j := newEngine(t, shop, func(e *Engine) { e.ShowUndeclared = show })
		process(e, request("POST /checkout", jsonType, strings.NewReader(`{"anna":1,"b":{"c":1}}`)))
		want := []string(nil)
		if show {
			want = []string{"anna", "b"}
		}
		if entry := j.only(t); !slices.Equal(entry.Names, want) || entry.Undeclared != 2 {
			t.Errorf("show %v: recorded %q and %d, want %q and 2", show, entry.Names, entry.Undeclared, want)
		}
	}
}
