package minimize

import (
	"net/http"
	"net/textproto"
	"net/url"
	"slices"
	"strings"
	"testing"
)

const overridePolicy = `
version: 1
controller: {name: Shop, contact: privacy@shop.example}
purposes: {order: {title: Orders, basis: contract, retention: 1y}}
collections:
  edit: {on: "PUT /item/{id}", fields: {_method: order, name: order}}
  account: {on: "POST /account", fields: {_method: order, name: order, ssn: order, birthday: order}}
  update: {on: "PATCH /account", fields: {_method: order, name: order, phone: order, birthday: {for: order, keep: year}}}
  hook: {on: "DELETE /hook", whole: order}
  any: {on: "/any", fields: {_method: order, name: order}}
  watched: {on: "POST /watched", mode: report, fields: {_method: order, name: order}}
  strict: {on: "PUT /watched", mode: enforce, fields: {name: order}}
`

// A POST counts as the method that all its sources say. Where they disagree, or say
// a method that forms do not need, the application may take another one than we do.
func TestAttackMethodSaidElsewhere(t *testing.T) {
	for _, test := range []struct{ on, header, body, want, rule string }{
		{"POST /item/7", "", "_method=PUT&name=a&ssn=1", "_method=PUT&name=a", ""},
		{"POST /item/7", "", "name=a&_method=put&ssn=1", "name=a&_method=put", ""},
		{"POST /item/7", "PUT", "name=a&ssn=1", "name=a", ""},
		{"POST /item/7?_method=PUT", "", "name=a&ssn=1", "name=a", ""},
		{"POST /item/7?_method=PUT", "PUT", "_method=PUT&name=a", "_method=PUT&name=a", ""}, // all agree
		// Two sources, two methods: which of them counts depends on the framework.
		{"POST /item/7", "PATCH", "_method=PUT&name=a", "", "method-override"},
		{"POST /item/7?_method=DELETE", "", "_method=PUT&name=a", "", "method-override"},
		{"POST /item/7", "", "_method=PUT&_METHOD=DELETE&name=a", "", "method-override"},
		{"POST /item/7", "POST", "_method=PUT&name=a", "", "method-override"},
		{"POST /item/7", "", "_method=PUT&_method=DELETE&name=a", "", "duplicate-name"},
		{"POST /item/7", "", "_method[]=PUT&name=a", "", "method-override"},
		{"POST /item/7", "GET", "name=a", "", "method-override"},
		{"POST /item/7", "PUT, DELETE", "name=a", "", "method-override"},
		{"POST /item/7", "", "_method=BREW&name=a", "", "method-override"},
		// Nothing is said, and no collection declares the POST.
		{"POST /item/7", "", "name=a", "", RuleUndeclared},
		// Both collections have to let a field pass, under the same rules.
		{"POST /account", "", "_method=PATCH&name=a&ssn=1&phone=2&birthday=1990-01-02", "_method=PATCH&name=a", ""},
		{"POST /account", "", "name=a&ssn=1&phone=2", "name=a&ssn=1", ""},
		{"POST /account", "", "_method=DELETE&name=a", "", "method-override"},
		// What passes whole is for its own method.
		{"POST /hook", "DELETE", "ssn=1", "", "method-override"},
		{"POST /hook", "", "_method=DELETE&ssn=1", "", "method-override"},
		{"POST /any", "DELETE", "name=a&ssn=1", "name=a", ""},
		// Only a POST can be taken for another method.
		{"PUT /item/7", "DELETE", "_method=DELETE&name=a", "_method=DELETE&name=a", ""},
	} {
		for _, undeclared := range []Fallback{Reject, Pass} {
			e, _ := newEngine(t, overridePolicy, func(e *Engine) { e.MethodOverride, e.Undeclared = true, undeclared })
			r := request(test.on, formType, strings.NewReader(test.body))
			if test.header != "" {
				r.Header.Set("X-Http-Method-Override", test.header)
			}
			got := process(e, r)
			if got.rule() != test.rule || test.rule == "" && got.body != test.want || got.Forward() != (test.rule == "") {
				t.Errorf("%s, header %q, %s: refused by the rule %q, forwarded %q", test.on, test.header, test.body, got.rule(), got.body)
			}
			if test.rule == "" && r.Method == http.MethodPost && r.Header.Get("X-Http-Method-Override") != test.header {
				t.Errorf("%s: the header %q does not go on", test.on, test.header)
			}
		}
	}
}

// An undeclared POST that passes unread may say PUT in its body or query. To an
// application that honours it, everything in it would be a PUT that the policy
// declares. Without the option, it does not pass.
func TestAttackMethodSaidUnread(t *testing.T) {
	const xml = "application/xml"
	for _, test := range []struct {
		on, contentType, body   string
		undeclared, uninspected Fallback
		rule                    string
	}{
		{"POST /item/7", formType, "_method=PUT&ssn=1", Pass, Reject, "method-override"},
		{"POST /item/7", formData, form(part{"ssn", "", "1"}, part{"_method", "", "PUT"}), Pass, Reject, "method-override"},
		{"POST /item/7", jsonType, `{"_method":"PUT","ssn":1}`, Pass, Reject, "method-override"},
		{"POST /item/7", "", `{"_method":"PUT","ssn":1}`, Pass, Reject, "method-override"},
		{"POST /item/7?_m%65thod=PUT", xml, "<a/>", Pass, Reject, "method-override"},
		{"POST /item/7?%255Fmethod=PUT", xml, "<a/>", Reject, Pass, "method-override"},
		{"POST /item/7?_method=PUT", "application/stream+json", "{}\n{}", Reject, Pass, "method-override"},
		{"POST /item/7?a=%zz&_m%65thod=PUT", xml, "<a/>", Pass, Reject, "method-override"},
		{"POST /item/7?a=1&+%5Bmethod=PUT", xml, "<a/>", Pass, Reject, "method-override"},
		{"POST /item/7?page=1", xml, "<a/>", Pass, Reject, ""},
		{"POST /item/7?sale=100%25&payment_method=card&method=x", xml, "<a/>", Pass, Reject, ""},
		{"POST /item/7", xml, "<a/>", Reject, Pass, ""},
		{"POST /elsewhere?_method=PUT", formType, "_method=PUT&ssn=1", Pass, Reject, ""},
	} {
		e, _ := newEngine(t, overridePolicy, func(e *Engine) { e.Undeclared, e.Uninspected = test.undeclared, test.uninspected })
		got := process(e, request(test.on, test.contentType, strings.NewReader(test.body)))
		if got.rule() != test.rule || test.rule == "" && got.body != test.body || got.Forward() != (test.rule == "") {
			t.Errorf("%s, %s, %q: refused by the rule %q, forwarded %q", test.on, test.contentType, test.body, got.rule(), got.body)
		}
	}
}

// An application that does not know the protocol of an Upgrade answers the request
// itself: a body before the upgrade, or a method that it says, is no way round.
func TestAttackUpgradeWithBody(t *testing.T) {
	for _, test := range []struct {
		on, body, header string
		option           bool // method_override
		rule             string
	}{
		{"POST /elsewhere", "ssn=1", "", false, "upgrade"},
		{"GET /elsewhere", "ssn=1", "", false, "upgrade"},
		{"POST /item/7?_method=PUT&ssn=1", "", "", false, "method-override"},
		{"POST /item/7?ssn=1", "", "PUT", false, "method-override"},
		{"POST /item/7?ssn=1", "", "PUT", true, "upgrade"},
		{"POST /elsewhere?x=1", "", "", false, ""},
		{"GET /elsewhere?x=1", "", "", false, ""},
	} {
		e, _ := newEngine(t, overridePolicy, func(e *Engine) { e.Uninspected, e.MethodOverride = Pass, test.option })
		r := request(test.on, formType, strings.NewReader(test.body), "Connection", "Upgrade", "Upgrade", "tcp")
		if test.header != "" {
			r.Header.Set("X-Http-Method-Override", test.header)
		}
		if got := process(e, r); got.rule() != test.rule {
			t.Errorf("%s, body %q, header %q: refused by the rule %q, want %q", test.on, test.body, test.header, got.rule(), test.rule)
		}
	}
}

// Without the option, a header that leads to another collection is refused and not
// deleted without a word; report says so, and forwards it.
func TestMethodOverrideOff(t *testing.T) {
	for _, mode := range []Mode{Enforce, Report} {
		for _, name := range []string{"X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"} {
			for _, body := range []string{"name=a", ""} {
				e, j := newEngine(t, overridePolicy, func(e *Engine) { e.Mode = mode })
				r := request("POST /account", formType, strings.NewReader(body), name, "patch")
				got := process(e, r)
				entry := j.only(t)
				if got.rule() != "method-override" || got.Forward() != (mode == Report) || entry.Rule != got.rule() || !strings.Contains(entry.Remedy, "method_override on") {
					t.Errorf("%v: %s: refused by the rule %q, forwarded %v, recorded %+v", mode, name, got.rule(), got.Forward(), entry)
				}
			}
		}
	}
}

// A form of Rails or Laravel for a declared PATCH is sent as a POST, which is
// undeclared: the remedy names the option. With it, the refusal names the method.
func TestUndeclaredMethod(t *testing.T) {
	for _, test := range []struct {
		on, body string
		override bool
		says     string
	}{
		{"POST /item/7", "_method=PUT&name=a", false, "takes it for the PUT that is declared, set method_override on"},
		{"POST /nowhere", "_method=PUT&name=a", false, "declare the route in the policy, or"},
		{"POST /item/7", "_method=DELETE&name=a", true, "declares this path for DELETE"},
	} {
		e, j := newEngine(t, overridePolicy, func(e *Engine) { e.Undeclared, e.MethodOverride = Reject, test.override })
		got := process(e, request(test.on, formType, strings.NewReader(test.body)))
		if got.rule() != RuleUndeclared || !strings.Contains(got.Refusal.Detail+"; "+j.only(t).Remedy, test.says) {
			t.Errorf("%s with %s: refused by the rule %q: %+v", test.on, test.body, got.rule(), got.Refusal)
		}
	}
}

// A route that is only reported is no way into one that is enforced: by a header,
// by a field, or by a path that leads to both.
func TestAttackThroughReport(t *testing.T) {
	for _, siteMode := range []Mode{Enforce, Report} {
		for _, override := range []bool{false, true} {
			for _, header := range []string{"", "PUT"} {
				e, _ := newEngine(t, overridePolicy, func(e *Engine) { e.Mode, e.MethodOverride = siteMode, override })
				body := "_method=PUT&name=a&ssn=CANARY"
				if header != "" {
					body = "name=a&ssn=CANARY"
				}
				r := request("POST /watched", formType, strings.NewReader(body))
				if header != "" {
					r.Header.Set("X-HTTP-Method-Override", header)
				}
				if got := process(e, r); strings.Contains(got.body, "CANARY") {
					t.Errorf("site %v, override %v, header %q: forwarded %q", siteMode, override, header, got.body)
				}
				large := form(part{"name", "", "a"}, part{"x", "f", strings.Repeat("x", 2<<20)}, part{"_method", "", "PUT"})
				if got := process(e, request("POST /watched", formData, strings.NewReader(large))); got.err == nil && strings.Contains(got.body, "PUT") && strings.HasSuffix(got.body, "--\r\n") {
					t.Errorf("site %v, override %v: a stream was forwarded whole", siteMode, override)
				}
			}
		}
	}
	const two = "version: 1\ncontroller: {name: S, contact: a@b.example}\npurposes: {o: {title: O, basis: contract, retention: 1y}}\n" +
		"collections:\n  open: {on: 'POST /u/{id}', mode: report, fields: {name: o}}\n  me: {on: POST /u/me, mode: enforce, fields: {name: o}}\n"
	e, _ := newEngine(t, two, func(e *Engine) { e.Mode = Report })
	if got := process(e, request("POST /u/ME", formType, strings.NewReader("name=a&ssn=1"))); got.Forward() {
		t.Error("a path that leads to an enforced route too is forwarded")
	}
}

// The mode of a collection counts in the log, for the headers and for the body.
func TestModeOfCollection(t *testing.T) {
	for _, siteMode := range []Mode{Enforce, Report} {
		for collection, mode := range map[string]Mode{"watched": Report, "strict": Enforce, "any": siteMode} {
			e, j := newEngine(t, overridePolicy, func(e *Engine) { e.Mode = siteMode })
			on := map[string]string{"watched": "POST /watched", "strict": "PUT /watched", "any": "POST /any"}[collection]
			got := process(e, request(on, formType, strings.NewReader("name=a&ssn=1"), "X-Original-Url", "/x"))
			entry := j.only(t)
			reported := mode == Report
			if entry.Mode != mode || got.Mode != mode || strings.Contains(got.body, "ssn") != reported || got.header.Get("X-Original-Url") != "" ||
				!slices.Contains(entry.Headers, "X-Original-Url") && reported || (got.told.Get("Privacy-Receipt") == "") != reported {
				t.Errorf("site %v, %s: recorded %v, forwarded %q with %v", siteMode, collection, entry.Mode, got.body, got.header)
			}
		}
	}
}

// An application that takes the path or the method from a header would serve an
// enforced route from one that is only reported. Where nothing is enforced, the headers
// go on as they came.
func TestAttackHeadersThroughReport(t *testing.T) {
	const two = "version: 1\ncontroller: {name: S, contact: a@b.example}\npurposes: {o: {title: O, basis: contract, retention: 1y}}\n" +
		"collections:\n  open: {on: POST /open, mode: report, fields: {name: o}}\n  strict: {on: PUT /open, fields: {name: o}}\n"
	for _, siteMode := range []Mode{Enforce, Report} {
		for _, body := range []string{"", "name=a&ssn=CANARY"} {
			for _, name := range []string{"X-Original-URL", "X-Rewrite-Url", "X_original_url", "Forwarded", "X-Forwarded-Prefix"} {
				e, _ := newEngine(t, two, func(e *Engine) { e.Mode = siteMode })
				r := request("POST /open", formType, strings.NewReader(body), name, "/strict")
				process(e, r)
				if _, ok := r.Header[textproto.CanonicalMIMEHeaderKey(name)]; ok != (siteMode == Report) {
					t.Errorf("site %v: %s goes on: %v", siteMode, name, ok)
				}
			}
		}
		for _, name := range []string{"X-Http-Method-Override", "X_http_method_override", "X-Http_method"} {
			for _, override := range []bool{false, true} {
				e, _ := newEngine(t, two, func(e *Engine) { e.Mode, e.MethodOverride = siteMode, override })
				got := process(e, request("POST /open", formType, strings.NewReader("name=a&ssn=CANARY"), name, "PUT"))
				if strings.Contains(got.body, "CANARY") != (siteMode == Report) {
					t.Errorf("site %v, override %v, %s: forwarded %q", siteMode, override, name, got.body)
				}
			}
		}
	}
}

// A header that Connection takes away would lead us to a collection, and the
// application would take the request for the POST that it is.
func TestAttackMethodEndsHere(t *testing.T) {
	e, _ := newEngine(t, overridePolicy, func(e *Engine) { e.MethodOverride = true })
	got := process(e, request("POST /item/7", formType, strings.NewReader("name=CANARY"), "X-Http-Method-Override", "PUT", "Connection", "close, x-http-method-override"))
	if got.rule() != "method-override" || got.Forward() {
		t.Errorf("refused by %q, forwarded %q", got.rule(), got.body)
	}
}

// Report names each header that enforce deletes or changes, and never a value: what
// it says is compared with what enforce does.
func TestReportedHeaders(t *testing.T) {
	headers := []string{
		"X-Original-URL", "/CANARY", "Forwarded", "host=CANARY", "X_Note", "CANARY", "Connection", "X-Hop", "X-Hop", "CANARY", "Content-Range", "bytes 0-1/9",
		"Content-Encoding", "identity", "Content-MD5", "CANARY", "X-Method-Override", "POST", "Idempotency-Key", "k",
	}
	for _, contentType := range []string{formType + ";charset=UTF-8", jsonType} {
		body := map[bool]string{true: `{"name":"a"}`, false: "name=a"}[contentType == jsonType]
		e, _ := newEngine(t, overridePolicy)
		enforced := request("POST /any", contentType, strings.NewReader(body), headers...)
		before := enforced.Header.Clone()
		process(e, enforced)
		e, j := newEngine(t, overridePolicy, func(e *Engine) { e.Mode = Report })
		process(e, request("POST /any", contentType, strings.NewReader(body), headers...))
		want := slices.DeleteFunc(ChangedHeaders(before, enforced.Header), func(name string) bool { return name == "Content-Type" }) // it is spelled anew
		got := j.only(t).Headers
		if !slices.Equal(got, want) || !slices.Contains(got, "X-Original-Url") || !slices.Contains(got, "X-Hop") || !slices.Contains(got, "X_note") || slices.Contains(got, "Idempotency-Key") {
			t.Errorf("%s: report names %q, enforce changes %q", contentType, got, want)
		}
	}
	// Where nothing changes, nothing is named.
	e, j := newEngine(t, overridePolicy, func(e *Engine) { e.Mode = Report })
	process(e, request("POST /any", formType, strings.NewReader("name=a"), "Connection", "keep-alive"))
	if got := j.only(t).Headers; got != nil {
		t.Errorf("report names %q", got)
	}
}

// The rule of a field takes white space away. The method that goes on must be the one
// that is checked: "PUT " leads nowhere, and becomes the PUT of a stricter route.
func TestAttackMethodTrimmed(t *testing.T) {
	const trimmed = `
version: 1
controller: {name: Shop, contact: privacy@shop.example}
purposes: {order: {title: Orders, basis: contract, retention: 1y}}
collections:
  open: {on: POST /a, fields: {_method: {for: order, one_of: [PATCH, PUT]}, name: order, ssn: order}}
  strict: {on: PUT /a, fields: {name: order}}
`
	for _, method := range []string{"PUT", "PUT ", "\tput", "PUT\u00a0", "\u2028PUT"} {
		for _, override := range []bool{false, true} {
			e, _ := newEngine(t, trimmed, func(e *Engine) { e.MethodOverride = override })
			got := process(e, request("POST /a", formType, strings.NewReader(url.Values{"_method": {method}, "ssn": {"CANARY"}}.Encode())))
			if strings.Contains(got.body, "CANARY") {
				t.Errorf("%q, override %v: forwarded %q", method, override, got.body)
			}
		}
	}
}

// A query that says a method, in escapes or not, is refused before anything of a body
// that passes as received goes on.
func TestAttackMethodBesideRaw(t *testing.T) {
	const raw = `
version: 1
controller: {name: Shop, contact: privacy@shop.example}
purposes: {order: {title: Orders, basis: contract, retention: 1y}}
collections:
  open: {on: POST /a, read: {application/octet-stream: pass}, fields: {_method: order, method: order}}
  strict: {on: PUT /a, fields: {method: order}}
`
	for _, override := range []bool{false, true} {
		e, _ := newEngine(t, raw, func(e *Engine) { e.MethodOverride = override })
		if got := process(e, request("POST /a?_m%65thod=PUT", octets, strings.NewReader("\x00CANARY"))); got.rule() != "method-override" || got.body != "" {
			t.Errorf("override %v: refused by %q, forwarded %q", override, got.rule(), got.body)
		}
		if got := process(e, request("POST /a?method=card", octets, strings.NewReader("\x00CANARY"))); got.Refusal != nil || got.err != nil {
			t.Errorf("override %v: a field called method is refused by %q, %v", override, got.rule(), got.err)
		}
	}
}
