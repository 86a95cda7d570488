//go:build unix

package caddymodule

import (
	"encoding/hex"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	common "go.opentelemetry.io/proto/otlp/common/v1"
	trace "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// spans collects what Caddy exports.
func spans(t *testing.T) <-chan *trace.Span {
	t.Helper()
	exported := make(chan *trace.Span, 1000)
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		var request collector.ExportTraceServiceRequest
		if err := proto.Unmarshal(body, &request); err != nil {
			t.Errorf("reading an export: %v", err)
		}
		for _, resource := range request.GetResourceSpans() {
			for _, scope := range resource.GetScopeSpans() {
				for _, span := range scope.GetSpans() {
					exported <- span
				}
			}
		}
	}))
	t.Cleanup(server.Close)
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", server.URL)
	t.Setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf")
	t.Setenv("OTEL_BSP_SCHEDULE_DELAY", "10")
	return exported
}

// trees waits for the spans of n requests, by name.
func trees(t *testing.T, exported <-chan *trace.Span, n int) (request, ours []*trace.Span) {
	t.Helper()
	for len(request) < n || len(ours) < n {
		select {
		case span := <-exported:
			if span.GetName() == "minimize" {
				ours = append(ours, span)
			} else {
				request = append(request, span)
			}
		case <-time.After(patience):
			t.Fatalf("got %d spans of requests and %d of ours, want %d", len(request), len(ours), n)
		}
	}
	return request, ours
}

func attributes(span *trace.Span) map[string]any {
	values := map[string]any{}
	for _, a := range span.GetAttributes() {
		switch v := a.GetValue().GetValue().(type) {
		case *common.AnyValue_StringValue:
			values[a.GetKey()] = v.StringValue
		case *common.AnyValue_IntValue:
			values[a.GetKey()] = int(v.IntValue)
		case *common.AnyValue_ArrayValue:
			var list []string
			for _, item := range v.ArrayValue.GetValues() {
				list = append(list, item.GetStringValue())
			}
			values[a.GetKey()] = strings.Join(list, ",")
		}
	}
	return values
}

// Caddy's tracing handler keeps a provider of its own: our span is made by
// the one that made the span of the request.
func TestSpans(t *testing.T) {
	exported := spans(t)
	s := startSite(t, options{before: "tracing {\n span shop\n }", minimize: "undeclared strip"})
	version := s.status().Policies[0].Version
	large := form(part{"name", "", "Anna"}, part{"photo", "p", strings.Repeat("x", 2<<20)}, part{"canary", "", "1"})
	for _, test := range []struct {
		name, on, contentType, body string
		want                        map[string]any
	}{
		{"minimized", "POST /checkout", jsonType, `{"subscribe":"on","name":"Anna","birthday":"1980","phone":"canary","canary":1}`, map[string]any{
			"privacy.collection": "checkout", "privacy.purposes": "delivery,newsletter", "privacy.fields.kept": 3, "privacy.fields.stripped": 2,
			"privacy.verdict": "minimized", "privacy.mode": "enforce", "privacy.consent.source": "form",
		}},
		{"refused", "POST /checkout", jsonType, `{"canary":`, map[string]any{
			"privacy.collection": "checkout", "privacy.purposes": "", "privacy.fields.kept": 0, "privacy.fields.stripped": 0,
			"privacy.verdict": "refused", "privacy.mode": "enforce", "privacy.rule": "json-syntax",
		}},
		{"gap", "POST /canary", formType, "canary=1", map[string]any{
			"privacy.collection": "", "privacy.purposes": "", "privacy.fields.kept": 0, "privacy.fields.stripped": 1,
			"privacy.verdict": "gap", "privacy.mode": "enforce",
		}},
		{"streamed", "POST /checkout", formData, large, map[string]any{
			"privacy.collection": "checkout", "privacy.purposes": "delivery", "privacy.fields.kept": 2, "privacy.fields.stripped": 1,
			"privacy.verdict": "minimized", "privacy.mode": "enforce",
		}},
		{"refused in mid-stream", "POST /checkout", formData, large + "canary", map[string]any{
			"privacy.collection": "checkout", "privacy.purposes": "", "privacy.fields.kept": 0, "privacy.fields.stripped": 0,
			"privacy.verdict": "refused", "privacy.mode": "enforce", "privacy.rule": "trailing-data",
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			s.log.reset()
			res := s.do(s.request(test.on, test.contentType, strings.NewReader(test.body)))
			request, ours := trees(t, exported, 1)
			if string(ours[0].GetParentSpanId()) != string(request[0].GetSpanId()) || string(ours[0].GetTraceId()) != string(request[0].GetTraceId()) {
				t.Errorf("our span is no child of the request's")
			}
			got := attributes(ours[0])
			test.want["privacy.policy.version"] = version
			test.want["privacy.receipt"] = strings.Trim(res.Header.Get("Privacy-Receipt"), `"`)
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("attributes (-want +got):\n%s", diff)
			}
			if ours[0].GetEndTimeUnixNano() < ours[0].GetStartTimeUnixNano() || ours[0].GetEndTimeUnixNano() > request[0].GetEndTimeUnixNano() {
				t.Error("our span does not lie within the request's")
			}
			s.log.wait(t, `"msg":"submission"`, `"trace_id":"`+hex.EncodeToString(ours[0].GetTraceId())+`"`)
		})
	}
	// A form that the application does not read to its end is recorded when
	// the request is over, and still in its span.
	s.upstream.answerWith(func(_ *wire, c net.Conn, _ *http.Request) bool {
		_, _ = io.WriteString(c, "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
		return false
	})
	s.do(s.request("POST /checkout", formData, strings.NewReader(large)))
	if _, ours := trees(t, exported, 1); attributes(ours[0])["privacy.rule"] != "incomplete" {
		t.Errorf("attributes %v", attributes(ours[0]))
	}
	s.upstream.answerWith((*wire).ok)
	// A request that submits nothing has nothing to tell.
	s.do(s.request("GET /page", "", nil))
	if request, ours := trees(t, exported, 1); len(request) != 1 || len(attributes(ours[0])) > 0 {
		t.Errorf("spans %v, %v", request, ours)
	}
}

// The line of the log has what DESIGN says, and nothing else.
func TestCollectionLog(t *testing.T) {
	s := startSite(t, options{})
	res := s.do(s.request("POST /checkout?canary=1", jsonType, strings.NewReader(`{"name":"Anna","birthday":"1980","phone":"canary","canary":{"canary":1}}`)))
	var line map[string]any
	if err := json.Unmarshal([]byte(s.log.wait(t, `"msg":"submission"`)), &line); err != nil {
		t.Fatal(err)
	}
	if line["duration"].(float64) <= 0 || line["ts"].(float64) <= 0 {
		t.Errorf("line %v", line)
	}
	delete(line, "ts")
	delete(line, "duration")
	want := map[string]any{
		"level": "info", "logger": "http.log.minimize", "msg": "submission", "on": "POST /checkout", "collection": "checkout",
		"verdict": "minimized", "mode": "enforce", "purposes": []any{"delivery"}, "kept": []any{"name"},
		"stripped":   []any{map[string]any{"field": "birthday", "reason": "no_consent"}, map[string]any{"field": "phone", "reason": "wrong_type"}},
		"undeclared": 2.0, "policy": s.status().Policies[0].Version, "receipt": strings.Trim(res.Header.Get("Privacy-Receipt"), `"`),
	}
	if diff := cmp.Diff(want, line); diff != "" {
		t.Errorf("line (-want +got):\n%s", diff)
	}

	s.load(options{minimize: "show_undeclared"})
	s.log.reset()
	s.do(s.request("POST /checkout", jsonType, strings.NewReader(`{"shoe":1,"hat":{"size":1}}`)))
	s.log.wait(t, `"undeclared_names":["shoe","hat"]`)
}

// A placeholder that nobody sets is printed literally.
func TestPlaceholders(t *testing.T) {
	var header strings.Builder
	keys := []string{"collection", "verdict", "mode", "policy", "receipt", "purposes", "kept", "stripped", "undeclared", "rule", "none"}
	for _, key := range keys {
		header.WriteString("header >X-" + key + " \"<{http.minimize." + key + "}>\"\n")
	}
	s := startSite(t, options{minimize: "except /free", before: header.String()})
	version := s.status().Policies[0].Version
	for _, test := range []struct {
		on, contentType, body string
		want                  map[string]string
	}{
		{"POST /checkout", jsonType, `{"name":"Anna","birthday":"1980","canary":1,"x":2}`, map[string]string{
			"collection": "checkout", "verdict": "minimized", "mode": "enforce", "policy": version, "purposes": "delivery", "kept": "1", "stripped": "1", "undeclared": "2",
		}},
		{"POST /order", jsonType, `{"name":"Anna"}`, map[string]string{
			"collection": "order", "verdict": "refused", "mode": "enforce", "policy": version, "kept": "0", "stripped": "0", "undeclared": "0", "rule": "required",
		}},
		{"GET /search", "", "", map[string]string{"collection": "search", "verdict": "none", "mode": "enforce", "policy": version, "kept": "0", "stripped": "0", "undeclared": "0"}},
		{"GET /page", "", "", nil},
		{"POST /free", jsonType, "{}", nil},
	} {
		res := s.do(s.request(test.on, test.contentType, strings.NewReader(test.body)))
		for _, key := range keys {
			got := res.Header.Get("X-" + key)
			want := "<" + test.want[key] + ">"
			if key == "receipt" && test.want["verdict"] != "none" && test.want != nil {
				want = "<" + strings.Trim(res.Header.Get("Privacy-Receipt"), `"`) + ">"
			}
			if got != want {
				t.Errorf("%s: {http.minimize.%s} is %q, want %q", test.on, key, got, want)
			}
		}
	}
}

func TestAccessLog(t *testing.T) {
	s := startSite(t, options{before: "log"})
	res := s.do(s.request("POST /checkout", jsonType, strings.NewReader(submitted)))
	line := s.log.wait(t, "http.log.access", `"uri":"/checkout"`)
	if !containsAll(line, []string{`"minimize_collection":"checkout"`, `"minimize_verdict":"minimized"`, `"minimize_receipt":` + res.Header.Get("Privacy-Receipt")}) {
		t.Errorf("logged %s", line)
	}
	s.do(s.request("GET /page", "", nil))
	if line := s.log.wait(t, "http.log.access", `"uri":"/page"`); strings.Contains(line, "minimize_") {
		t.Errorf("logged %s", line)
	}
}

// The access log holds the headers of responses. What only the sender may be
// told is not in it, and still told.
func TestAccessLogConceals(t *testing.T) {
	s := startSite(t, options{before: "log\nencode"})
	for _, body := range []string{`{"birthday":"1980","canary":1}`, form(part{"birthday", "", "1980"}, part{"canary", "f", strings.Repeat("x", 2<<20)})} {
		s.log.reset()
		contentType := map[bool]string{true: jsonType, false: formData}[body[0] == '{']
		res := s.do(s.request("POST /checkout", contentType, strings.NewReader(body)))
		if got := res.Header.Get("Privacy-Stripped"); got != `"birthday";reason=no_consent, "canary";reason=no_purpose` {
			t.Errorf("told %q", got)
		}
		if line := s.log.wait(t, "http.log.access", `"/checkout"`); strings.Contains(line, "canary") || !strings.Contains(line, "birthday") || !strings.Contains(line, "others") {
			t.Errorf("logged %s", line)
		}
	}
}

func TestStatus(t *testing.T) {
	s := startSite(t, options{})
	before := s.status()
	s.do(s.request("POST /checkout", jsonType, strings.NewReader(`{"name":"Anna","birthday":"1980","x":1,"y":1}`)))
	s.do(s.request("POST /checkout", jsonType, strings.NewReader(`{`)))
	after := s.status()
	for _, test := range []struct {
		name   string
		labels []string
		more   float64
	}{
		{"modicum_submissions_total", []string{"checkout", "minimized", "enforce"}, 1},
		{"modicum_submissions_total", []string{"checkout", "refused", "enforce"}, 1},
		{"modicum_fields_kept_total", []string{"checkout"}, 1},
		{"modicum_fields_stripped_total", []string{"checkout", "no_consent"}, 1},
		{"modicum_fields_undeclared_total", []string{"checkout"}, 2},
		{"modicum_submissions_refused_total", []string{"json-syntax"}, 1},
	} {
		if more := after.count(test.name, test.labels...) - before.count(test.name, test.labels...); more != test.more {
			t.Errorf("%s %q: %v more, want %v", test.name, test.labels, more, test.more)
		}
	}
	if len(after.Policies) != 1 || len(after.Policies[0].Files) != 1 || after.Policies[0].Files[0] != s.policy {
		t.Fatalf("policies %+v", after.Policies)
	}
	want := collectionDetails{Name: "search", On: []string{"GET /search"}, Fields: 2, Purposes: []string{"delivery", "technical"}}
	if diff := cmp.Diff(want, after.Policies[0].Collections[2]); diff != "" {
		t.Errorf("collection (-want +got):\n%s", diff)
	}
	r, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://localhost/minimize/status", nil)
	r.Host = ""
	if res := send(t, s.client("admin.sock"), r); res.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("POST: answered %s", res.Status)
	}
	// Labels come from closed sets: a client cannot make a metric of its own.
	s.do(s.request("POST /canary", "canary/canary", strings.NewReader("canary")))
	s.do(s.request("CANARY /canary?canary=1", "", nil))
	if metrics := s.admin("/metrics").body; strings.Contains(metrics, "canary") || !strings.Contains(metrics, `modicum_submissions_refused_total{rule="media-type"}`) {
		t.Errorf("metrics:\n%s", metrics)
	}
}
