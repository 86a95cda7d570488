//go:build linux

package bench

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// consentServer runs Caddy with one store and a site for each basis.
func consentServer(b *testing.B, upstream, store string, bases []string) (addrs []string, pid int) {
	b.Helper()
	dir := b.TempDir()
	var config strings.Builder
	fmt.Fprintf(&config, "{\n admin off\n persist_config off\n auto_https off\n servers {\n  trusted_proxies static 127.0.0.1/8\n }\n log {\n  output file %s\n  level INFO\n }\n minimize {\n  %s\n }\n}\n", filepath.Join(dir, "log"), store)
	for i, basis := range bases {
		policyFile := filepath.Join(dir, fmt.Sprintf("privacy%d.yaml", i))
		text := strings.Replace(benchPolicy(), "  order: {title", "  other: {title: Other, basis: "+basis+", retention: 1y}\n  order: {title", 1)
		for i, name := range fields[:len(fields)/2] {
			if i%2 == 0 {
				text = strings.ReplaceAll(text, "      "+name+": order\n", "      "+name+": other\n")
			}
		}
		if err := os.WriteFile(policyFile, []byte(text), 0o600); err != nil {
			b.Fatal(err)
		}
		addr := freeAddr(b)
		addrs = append(addrs, addr)
		_, port, _ := net.SplitHostPort(addr)
		fmt.Fprintf(&config, "http://:%s {\n bind 127.0.0.1\n log\n minimize %s {\n  portal /privacy/\n }\n reverse_proxy %s\n}\n", port, policyFile, upstream)
	}
	_, pid = start(b, "server", config.String())
	return addrs, pid
}

// consentCookie lets somebody consent on a site and returns their cookie.
func consentCookie(b *testing.B, addr string, person int) string {
	b.Helper()
	ask := func(method, body string) (status, cookie string, answer []byte) {
		r, err := http.NewRequestWithContext(b.Context(), method, "http://"+addr+"/privacy/api/choices", strings.NewReader(body))
		if err != nil {
			b.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("X-Forwarded-For", fmt.Sprintf("203.0.113.%d", person)) // the pages limit what one address asks
		response, err := http.DefaultClient.Do(r)
		if err != nil {
			b.Fatal(err)
		}
		defer response.Body.Close() //nolint:errcheck // it was read
		if answer, err = io.ReadAll(response.Body); err != nil {
			b.Fatal(err)
		}
		cookie, _, _ = strings.Cut(response.Header.Get("Set-Cookie"), ";")
		return response.Status, cookie, answer
	}
	var state struct {
		Choices []struct{ Notice string }
	}
	status, _, answer := ask(http.MethodGet, "")
	if err := json.Unmarshal(answer, &state); err != nil || len(state.Choices) == 0 {
		b.Fatalf("%s: %v", status, err)
	}
	status, cookie, _ := ask(http.MethodPost, `{"language":"en","choices":[{"purpose":"other","choice":"allow","notice":"`+state.Choices[0].Notice+`"}]}`)
	if cookie == "" {
		b.Fatalf("consenting: %s", status)
	}
	return cookie
}

// BenchmarkConsent reports what decisions with a cached consent cost, as the
// median of ratios to a site where the same fields need none: half of what is
// kept rests on the consent of one of 256 people. PostgreSQL is measured where
// MODICUM_TEST_POSTGRES names one.
func BenchmarkConsent(b *testing.B) {
	upstream, _ := start(b, "application", "")
	stores := map[string]string{"sqlite": "store sqlite " + filepath.Join(b.TempDir(), "consent.db")}
	if dsn := os.Getenv("MODICUM_TEST_POSTGRES"); dsn != "" {
		key := filepath.Join(b.TempDir(), "key")
		if err := os.WriteFile(key, []byte("0123456789abcdef0123456789abcdef"), 0o600); err != nil {
			b.Fatal(err)
		}
		b.Setenv("MODICUM_BENCH_DSN", dsn)
		stores["postgres"] = "store postgres {\n   dsn {env.MODICUM_BENCH_DSN}\n  }\n  consent_key file " + key
	}
	for store, option := range stores {
		b.Run(store, func(b *testing.B) { benchConsent(b, upstream, option) })
	}
}

func benchConsent(b *testing.B, upstream, store string) {
	b.Helper()
	names := []string{"contract", "AA-twin", "consent"}
	addrs, pid := consentServer(b, upstream, store, []string{"contract", "contract", "consent"})
	bodies := benchBodies(1 << 10)
	for i, body := range bodies {
		cookie := "Cookie: session=0123456789abcdef; " + consentCookie(b, addrs[2], i) + "\r\n"
		bodies[i] = []byte(strings.Replace(string(body), "Content-Type", cookie+"Content-Type", 1))
	}
	clients := make([][]*client, len(names))
	for v, addr := range addrs {
		for range connections {
			clients[v] = append(clients[v], dial(b, addr))
		}
		slice(b, clients[v], pid, bodies) // warm up
	}
	speed, cost := make([][]float64, len(names)), make([][]float64, len(names))
	for round := range rounds {
		var perSecond, perRequest [3]float64
		var kept [3]int64
		for i := range names {
			v := (i + round) % len(names)
			rate, cpu, upstream := slice(b, clients[v], pid, bodies)
			perSecond[v], perRequest[v], kept[v] = rate, float64(cpu), upstream
		}
		for v := range names {
			if kept[v] < kept[0]*9/10 {
				b.Fatalf("%s: the application had %d bytes of a request, and %d without consents", names[v], kept[v], kept[0])
			}
			speed[v] = append(speed[v], perSecond[v]/perSecond[0])
			cost[v] = append(cost[v], perRequest[v]/perRequest[0])
		}
	}
	b.ReportMetric(0, "ns/op")
	for v := 1; v < len(names); v++ {
		b.ReportMetric(median(speed[v]), names[v]+"-rate")
		b.ReportMetric(median(cost[v]), names[v]+"-cpu")
	}
}
