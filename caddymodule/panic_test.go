//go:build unix

package caddymodule

import (
	"context"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"

	"github.com/modicum-proxy/modicum/internal/minimize"
)

// brittle is our handler with a recorder that panics about one collection.
type brittle struct{ Handler }

func init() { caddy.RegisterModule(new(brittle)) }

func (*brittle) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.handlers.brittle", New: func() caddy.Module { return new(brittle) }}
}

func (b *brittle) Provision(ctx caddy.Context) error {
	if err := b.Handler.Provision(ctx); err != nil {
		return err
	}
	b.engine.Recorder = panicking{b.engine.Recorder}
	return nil
}

type panicking struct{ minimize.Recorder }

func (p panicking) Record(ctx context.Context, e *minimize.Entry) error {
	if e.Collection == "checkout" {
		panic("of canary data")
	}
	return p.Recorder.Record(ctx, e)
}

// A panic of ours ends one request, which gets nothing through, and says
// nothing of what came.
func TestPanic(t *testing.T) {
	for _, block := range []string{"", "mode report"} {
		s := startSite(t, options{minimize: block, level: "DEBUG"})
		config, err := adapt(filepath.Join(s.dir, "Caddyfile"), s.caddyfile(options{minimize: block, level: "DEBUG"}))
		if err != nil {
			t.Fatal(err)
		}
		s.loadJSON([]byte(strings.Replace(string(config), `"handler":"minimize"`, `"handler":"brittle"`, 1)))
		c := s.client("site.sock")
		for _, body := range []string{
			form(part{"name", "", "canary"}),
			form(part{"name", "", "canary"}, part{"photo", "p", strings.Repeat("canary", 400_000)}),
			form(part{"name", "", "canary"}, part{"photo", "p", strings.Repeat("canary", 400_000)}) + "epilogue",
		} {
			s.log.reset()
			res := send(t, c, s.request("POST /checkout", formData, strings.NewReader(body)))
			if res.StatusCode != http.StatusInternalServerError && res.StatusCode != http.StatusServiceUnavailable {
				t.Errorf("%q: answered %s", block, res.Status)
			}
			s.log.wait(t, `"level":"error"`, "panic while minimizing", `"panic":"string"`, "panic_test.go")
			if strings.Contains(s.log.String(), "canary") {
				t.Errorf("%q: logged %s", block, s.log)
			}
			// The next one is as any.
			if res := send(t, c, s.request("GET /search?q=a", "", nil)); res.StatusCode != http.StatusOK {
				t.Errorf("%q: then answered %s", block, res.Status)
			}
		}
		s.stop()
		// What was streamed has gone on in part, but not to an end.
		_ = s.upstream.listener.Close()
		for range len(s.upstream.requests) {
			if got := s.upstream.next(); got.Method == http.MethodPost && got.err == nil {
				t.Errorf("%q: the application got %d bytes to their end", block, len(got.body))
			}
		}
	}
}
