package minimize

import (
	"bytes"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/modicum-proxy/modicum/internal/policy"
)

// No record, no delivery.
func TestUnrecorded(t *testing.T) {
	for _, on := range []string{"POST /checkout", "POST /nowhere", "GET /search?q=a"} {
		e, j := newEngine(t, shop)
		j.before = func(*Entry) error { return errors.New("the disk is full") }
		var r *http.Request
		if strings.HasPrefix(on, "GET") {
			r = request(on, "", nil)
		} else {
			r = request(on, jsonType, strings.NewReader(`{"name":"a","ssn":1}`))
		}
		got := process(e, r)
		if got.Forward() || got.Refusal.Status != http.StatusServiceUnavailable || got.rule() != "unrecorded" || got.body != "" {
			t.Errorf("%s: forwarded %q, refusal %v", on, got.body, got.Refusal)
		}
		if got.told.Get("Privacy-Stripped") != "" {
			t.Errorf("%s: the sender is told what was left out of what is refused: %v", on, got.told)
		}
		if got.header.Get("Privacy-Receipt") != "" {
			t.Errorf("%s: the application is told of a receipt that is in no record", on)
		}
	}
	// What is refused anyway keeps its reason.
	e, j := newEngine(t, shop)
	j.before = func(*Entry) error { return errors.New("the disk is full") }
	if got := process(e, request("POST /checkout", jsonType, strings.NewReader("{"))); got.Refusal.Status != http.StatusBadRequest {
		t.Errorf("a malformed body: refused with %d", got.Refusal.Status)
	}
}

// A panic of ours is no reason for the application to get what was not
// looked at, and tells nothing of what came.
func TestPanic(t *testing.T) {
	for _, mode := range []Mode{Enforce, Report} {
		for name, change := range map[string]func(*Engine, *journal){
			"recorder": func(_ *Engine, j *journal) {
				j.before = func(*Entry) error { panic("canary of the recorder") }
			},
			"consents": func(e *Engine, _ *journal) {
				e.Consents = consents(func(*policy.Set, policy.PurposeSet) (policy.Standing, error) {
					panic(errors.New("canary of the consents"))
				})
			},
			"receipts": func(e *Engine, _ *journal) {
				e.NewReceipt = func() string { var none []string; return none[len(e.Notice)] } //nolint:gosec // G602: it is to panic
			},
		} {
			e, j := newEngine(t, shop)
			var log bytes.Buffer
			e.Mode, e.Log = mode, slog.New(slog.NewTextHandler(&log, nil))
			change(e, j)
			got := process(e, request("POST /checkout?name=canary", jsonType, strings.NewReader(`{"name":"canary"}`)))
			if got.Forward() || got.Refusal.Status != http.StatusInternalServerError || got.body != "" {
				t.Errorf("%v, %s: forwarded %q, refusal %v", mode, name, got.body, got.Refusal)
			}
			if got.Summary().Verdict != Refused || got.Summary().Rule != "internal" {
				t.Errorf("%v, %s: summary %+v", mode, name, got.Summary())
			}
			if strings.Contains(log.String(), "canary") || !strings.Contains(log.String(), "panic while minimizing") {
				t.Errorf("%v, %s: logged %s", mode, name, log.String())
			}
			// The next request is as any.
			e.Consents, j.before, e.Mode = nil, nil, Enforce
			e.NewReceipt = func() string { return "r" }
			if got := process(e, request("POST /checkout", jsonType, strings.NewReader(`{"name":"a"}`))); got.body != `{"name":"a"}` {
				t.Errorf("%v, %s: the next one became %q, %v", mode, name, got.body, got.Refusal)
			}
		}
	}
}
