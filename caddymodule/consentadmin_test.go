//go:build unix

package caddymodule

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/modicum-proxy/modicum/internal/consent"
	"github.com/modicum-proxy/modicum/internal/consent/operator"
	"github.com/modicum-proxy/modicum/internal/notice"
	"github.com/modicum-proxy/modicum/internal/subject"
)

// startWithStore starts a site whose store holds the consents of two people
// to the newsletter, and returns the first by what its pseudonym is made of.
func startWithStore(t *testing.T) (s *site, ada string, subjects []consent.Subject) {
	t.Helper()
	s = startSite(t, options{global: "minimize {\n store sqlite consent.db\n }"})
	app, err := caddy.ActiveContext().AppIfConfigured("minimize")
	if err != nil {
		t.Fatal(err)
	}
	a := app.(*App)
	ada = "CANARY@shop.example"
	subjects = []consent.Subject{a.keys.Subjects(subject.Identity{Kind: subject.ByEmail, Value: strings.ToLower(ada)})[0], "0badcafe.bob"}
	set := a.sets()[0]
	newsletter, _ := set.PurposeID("newsletter")
	told := notice.ForPurpose(set, newsletter, "")
	for _, subject := range subjects {
		if _, err := a.store.Append(t.Context(), consent.Event{
			ID: newEventID(), Subject: subject, Purpose: "newsletter", Action: consent.Grant, Source: consent.FromPage, Notice: told.ID, Time: time.Now().UTC(),
		}); err != nil {
			t.Fatal(err)
		}
	}
	return s, ada, subjects
}

// ask sends a request to the admin endpoint.
func (s *site) ask(on, contentType, body string) answer {
	s.t.Helper()
	method, path, _ := strings.Cut(on, " ")
	r, err := http.NewRequestWithContext(s.t.Context(), method, "http://localhost"+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	r.Host = "127.0.0.1"
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	return send(s.t, s.client("admin.sock"), r)
}

func TestConsentEndpoints(t *testing.T) {
	s, ada, subjects := startWithStore(t)
	named := fmt.Sprintf(`"identity": {"kind": "email", "value": %q}`, " "+ada)
	status := func() string {
		t.Helper()
		res := s.ask("GET /minimize/consent/list", "", "")
		var rows []operator.Row
		if err := json.Unmarshal([]byte(res.body), &rows); err != nil || res.StatusCode != http.StatusOK || res.Header.Get("Content-Type") != jsonType {
			t.Fatalf("%s %s: %v", res.Status, res.body, err)
		}
		words := []string{}
		for _, row := range rows {
			words = append(words, string(row.Subject)+" "+row.Status)
		}
		slices.Sort(words)
		return strings.Join(words, ", ")
	}
	first, second := string(subjects[0])+" granted", "0badcafe.bob granted"
	if got := status(); got != strings.Join(slices.Sorted(slices.Values([]string{first, second})), ", ") {
		t.Errorf("listed %s", got)
	}
	if res := s.ask("POST /minimize/consent/list", jsonType, `{`+named+`}`); !strings.Contains(res.body, string(subjects[0])) || strings.Contains(res.body, "bob") {
		t.Errorf("of one: %s %s", res.Status, res.body)
	}
	for query, kind := range map[string]string{
		"": jsonType, "?format=csv": "text/csv; charset=utf-8; header=present", "?format=dpv&choices=https://shop.example/privacy/choices": "application/ld+json",
	} {
		res := s.ask("GET /minimize/consent/export"+query, "", "")
		if res.StatusCode != http.StatusOK || res.Header.Get("Content-Type") != kind || !strings.Contains(res.body, "0badcafe.bob") || res.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%q: %s %s", query, res.Status, res.body)
		}
	}
	res := s.ask("POST /minimize/consent/withdraw", jsonType, `{`+named+`, "purpose": "newsletter"}`)
	if want := fmt.Sprintf(`[{"subject":%q,"purpose":"newsletter"}]`, subjects[0]); strings.TrimSpace(res.body) != want {
		t.Errorf("withdrawn: %s %s", res.Status, res.body)
	}
	if got := status(); !strings.Contains(got, string(subjects[0])+" withdrawn") || !strings.Contains(got, second) {
		t.Errorf("once withdrawn: %s", got)
	}
}

// Queries that are refused, and why; and whom any of them is about stands in
// no log, though Caddy logs the address and the headers of each.
func TestConsentEndpointsRefuse(t *testing.T) {
	s, ada, _ := startWithStore(t)
	for _, test := range []struct {
		on, kind, body string
		status         int
		says           string
	}{
		{"POST /minimize/consent/withdraw", jsonType, `{"subject": "CANARY", "all": true}`, 404, "nothing is stored for this person"},
		{"POST /minimize/consent/withdraw", jsonType, `{"subject": "0badcafe.bob", "purpose": "delivery"}`, 404, "no consent is in force"},
		{"POST /minimize/consent/withdraw", jsonType, `{"subject": "0badcafe.bob"}`, 400, "one purpose (--purpose NAME) or all (--all)"},
		{"POST /minimize/consent/withdraw", jsonType, `{"identity": {"kind": "phone", "value": "CANARY"}, "all": true}`, 400, "telephone number"},
		{"POST /minimize/consent/withdraw", jsonType, `{"subject": "CANARY", "all": true, "CANARY": 1}`, 400, "expected one JSON object"},
		{"POST /minimize/consent/withdraw", jsonType, `{"subject": "0badcafe.bob", "all": true} {}`, 400, "expected one JSON object"},
		{"POST /minimize/consent/export", jsonType, `{"identity": {"kind": "CANARY", "value": "` + ada + `"}}`, 400, "expected email, phone, user or cookie"},
		{"POST /minimize/consent/export", jsonType, `{"limit": -1}`, 400, "expected one JSON object"},
		{"POST /minimize/consent/export", jsonType, strings.Repeat(" ", maxQuery+1) + `{}`, 400, "expected one JSON object"},
		{"GET /minimize/consent/export?format=xml", "", "", 400, "expected json, csv or dpv"},
		{"GET /minimize/consent/list?limit=x", "", "", 400, "limit: expected a number"},
		{"GET /minimize/consent/list?purpose=a&purpose=b", "", "", 400, "given twice"},
		{"GET /minimize/consent/withdraw", "", "", 405, "expected POST"},
		{"DELETE /minimize/consent/export", "", "", 405, "expected GET, POST"},
		// A page in a browser on the same machine can send these without asking.
		{"POST /minimize/consent/withdraw", "text/plain", `{"subject": "0badcafe.bob", "all": true}`, 415, "expected Content-Type"},
		{"POST /minimize/consent/withdraw", "", `{"subject": "0badcafe.bob", "all": true}`, 415, "expected Content-Type"},
		{"POST /minimize/consent/withdraw", formType, `subject=0badcafe.bob`, 415, "expected Content-Type"},
	} {
		res := s.ask(test.on, test.kind, test.body)
		if res.StatusCode != test.status || !strings.Contains(res.body, test.says) || strings.Contains(strings.ToUpper(res.body), "CANARY") {
			t.Errorf("%s %.80s: %s %s", test.on, test.body, res.Status, res.body)
		}
	}
	if text := strings.ToUpper(s.log.String()); strings.Contains(text, "CANARY") || !strings.Contains(text, "/MINIMIZE/CONSENT/EXPORT") {
		t.Errorf("logged %s", s.log)
	}
	// Where one would put a person by habit, one is told where to.
	for _, name := range []string{"subject", "email", "identity"} {
		if res := s.ask("GET /minimize/consent/export?"+name+"=someone", "", ""); res.StatusCode != http.StatusBadRequest || !strings.Contains(res.body, "in the body of a POST") {
			t.Errorf("%s: %s %s", name, res.Status, res.body)
		}
	}
	if res := s.ask("GET /minimize/consent/list", "", ""); !strings.Contains(res.body, `"subject":"0badcafe.bob","purpose":"newsletter","status":"granted"`) {
		t.Errorf("what stands: %s", res.body)
	}
}

func TestConsentEndpointsWithoutStore(t *testing.T) {
	s := startSite(t, options{})
	for _, on := range []string{"GET /minimize/consent/list", "GET /minimize/consent/export"} {
		if res := s.ask(on, "", ""); res.StatusCode != http.StatusNotFound || !strings.Contains(res.body, "store sqlite") {
			t.Errorf("%s: %s %s", on, res.Status, res.body)
		}
	}
}

// serveStream serves what write writes as the endpoint does, and returns what
// a client reads of it.
func serveStream(t *testing.T, write func(context.Context, io.Writer) error) (status int, text string, reading error) {
	t.Helper()
	api := &consentAPI{ctx: caddy.ActiveContext()}
	handler := api.streaming(listType, func(_ *operator.Service, ctx context.Context, w io.Writer, _ *operator.Query) error {
		return write(ctx, w)
	})
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var refusal caddy.APIError
		if err := handler.ServeHTTP(w, r); errors.As(err, &refusal) {
			http.Error(w, refusal.Err.Error(), refusal.HTTPStatus)
		}
	}))
	server.Config.ReadTimeout = 20 * time.Millisecond // Caddy's is 10 s
	server.Start()
	t.Cleanup(server.Close)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := server.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close() //nolint:errcheck // it was read
	body, err := io.ReadAll(res.Body)
	return res.StatusCode, string(body), err
}

// The store fails when part of an export is out: its reader must not take it
// for whole. When nothing is out yet, the reader is told why.
func TestConsentExportCutShort(t *testing.T) {
	startWithStore(t)
	broken := fmt.Errorf("reading: %w", consent.ErrUnavailable)
	status, _, err := serveStream(t, func(_ context.Context, w io.Writer) error {
		_, err := io.WriteString(w, strings.Repeat("x", 1<<17))
		return errors.Join(err, broken)
	})
	if status != http.StatusOK || err == nil {
		t.Errorf("%d, and it reads as whole", status)
	}
	status, text, err := serveStream(t, func(_ context.Context, w io.Writer) error {
		_, err := io.WriteString(w, "[")
		return errors.Join(err, broken)
	})
	if status != http.StatusServiceUnavailable || err != nil || !strings.Contains(text, "not available") {
		t.Errorf("%d %s, %v", status, text, err)
	}
}

// A long export is not cancelled because the time that Caddy has to read a
// request has passed.
func TestConsentExportTakesLong(t *testing.T) {
	startWithStore(t)
	status, text, err := serveStream(t, func(ctx context.Context, w io.Writer) error {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(200 * time.Millisecond):
		}
		_, err := io.WriteString(w, "[]")
		return err
	})
	if text != "[]" || err != nil {
		t.Errorf("%d %s, %v", status, text, err)
	}
}
