package signal

import (
	"bufio"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/modicum-proxy/modicum/internal/policy"
)

// trusting is a policy in which each platform is trusted about something. The
// purpose "apart" trusts nobody.
const trusting = `version: 1
controller: {name: Whittle}
purposes:
  ads: {basis: consent, retention: 1y, objection: gpc, signals: {klaro: ads, cc_cookie: ads, fides_consent: marketing.ads, tcf: 4, gpp: targeted_advertising}}
  apart: {basis: consent, retention: 1y}
  delivery: {basis: contract, retention: 1y}
  news: {basis: consent, retention: 1y, signals: {klaro: mailing, cc_cookie: marketing, fides_consent: marketing.email, tcf: 1}}
  partners: {basis: consent, retention: 1y, signals: {klaro: mailing, gpp: sale}}
  reach: {basis: legitimate_interests, retention: 1y, objection: gpc}
  shared: {basis: consent, retention: 1y, signals: {gpp: sharing, tcf: 24}}
`

// served are the identifiers of the consent requests of today.
func served(set *policy.Set) map[string]policy.PurposeID {
	ids := map[string]policy.PurposeID{}
	for _, name := range []string{"ads", "apart", "news"} {
		id, _ := set.PurposeID(name)
		ids[name+"~today"] = id
	}
	return ids
}

func newReader(tb testing.TB) *Reader {
	tb.Helper()
	set, problems := policy.Compile(policy.Source{Name: "trusting.yaml", Data: []byte(trusting)})
	if err := problems.Err(); err != nil {
		tb.Fatal(err)
	}
	return NewReader(set, served(set))
}

// names returns the names of purposes, sorted, in one line.
func names(r *Reader, purposes policy.PurposeSet) string {
	var all []string
	for id := range purposes.All() {
		all = append(all, r.set.Purposes[id].Name)
	}
	return strings.Join(all, " ")
}

// heard tells what a source says: names that it grants, and denies with a
// minus, sorted by name.
func heard(r *Reader, s *Signals, source Source) string {
	said := map[string]string{}
	for i := range r.set.Purposes {
		name := r.set.Purposes[i].Name
		switch grants, tells := s.About(source, r.set.Purposes[i].ID); {
		case grants:
			said[name] = "+" + name
		case tells:
			said[name] = "-" + name
		}
	}
	var line []string
	for _, name := range slices.Sorted(maps.Keys(said)) {
		line = append(line, said[name])
	}
	return strings.Join(line, " ")
}

// request returns the header of a request as the server reads it.
func request(tb testing.TB, lines ...string) http.Header {
	tb.Helper()
	text := "POST / HTTP/1.1\r\nHost: shop.example\r\n" + strings.Join(lines, "\r\n") + "\r\n\r\n"
	if len(lines) == 0 {
		text = "POST / HTTP/1.1\r\nHost: shop.example\r\n\r\n"
	}
	parsed, err := http.ReadRequest(bufio.NewReader(strings.NewReader(text)))
	if err != nil {
		tb.Fatal(err)
	}
	return parsed.Header
}

func TestNothingIsSaid(t *testing.T) {
	r := newReader(t)
	for what, header := range map[string]http.Header{
		"no header": nil, "plain": request(t, "Accept: */*"), "other cookies": request(t, "Cookie: a=b; session=1"),
		"empty": request(t, "ADPC:", "Sec-GPC:", "Cookie: klaro=; cc_cookie=; fides_consent=; euconsent-v2=; __gpp="),
	} {
		if got := r.Read(header); got != (Signals{}) {
			t.Errorf("%s says %+v", what, got)
		}
	}
}

func TestZeroReaderReadsNothing(t *testing.T) {
	header := request(t, "Sec-GPC: 1", "ADPC: consent=news~today, withdraw=*", `Cookie: klaro={"mailing":true}`)
	for what, r := range map[string]*Reader{"nil": nil, "zero": {}} {
		if got := r.Read(header); got != (Signals{}) {
			t.Errorf("the %s reader reads %+v", what, got)
		}
	}
}

// TestUntrustedIsNotRead: a cookie of a platform that the policy does not
// name could be anybody's.
func TestUntrustedIsNotRead(t *testing.T) {
	set, problems := policy.Compile(policy.Source{Name: "p.yaml", Data: []byte("version: 1\ncontroller: {name: Whittle}\npurposes: {news: {basis: consent, retention: 1y}}\n")})
	if problems.Err() != nil {
		t.Fatal(problems.Err())
	}
	r := NewReader(set, nil)
	header := request(t, `Cookie: klaro={"news":true,"":true}; cc_cookie={"categories":["news",""]}; fides_consent={"consent":{"news":true,"":true}}`,
		"Cookie: euconsent-v2=COtybn4PA_zT4KjACBENAPCIAEBAAECAAIAAAAAAAAAA.cAAAAAAAITg; __gpp=DBABTA~1YYN", "Sec-GPC: 1")
	if got := r.Read(header); got != (Signals{}) {
		t.Errorf("it says %+v", got)
	}
}

func TestGlobalPrivacyControl(t *testing.T) {
	r := newReader(t)
	const on = "-ads -reach"
	for _, c := range []struct {
		want  string
		lines []string
	}{
		{on, []string{"Sec-GPC: 1"}},
		{on, []string{"sec-gpc:  1 "}},
		{on, []string{"Sec-GPC: 0", "Sec-GPC: 1"}},
		{on, []string{"Sec-GPC: 1", "Sec-GPC: ?0"}},
		{on, []string{"Sec-GPC: 0, 1"}}, // joined by a proxy
		{"", []string{"Sec-GPC: 0"}},
		{"", []string{"Sec-GPC: true"}},
		{"", []string{"Sec-GPC: ?1"}},
		{"", []string{"Sec-GPC: 1;q=1"}},
		{"", []string{"Sec-GPC: 11"}},
		{"", []string{"Sec-GPC: 01"}},
		{"", []string{`Sec-GPC: "1"`}},
		{"", []string{"Sec-GPC: 1 1"}},
		{"", []string{"DNT: 1"}},
	} {
		s := r.Read(request(t, c.lines...))
		if got := heard(r, &s, GPC); got != c.want {
			t.Errorf("%q says %q, not %q", c.lines, got, c.want)
		}
	}
}

// TestTrailersAreNoSignals: a trailer arrives after the decision, and a proxy
// that moves it into the header would let a body speak for the browser.
func TestTrailersAreNoSignals(t *testing.T) {
	const text = "POST / HTTP/1.1\r\nHost: shop.example\r\nTransfer-Encoding: chunked\r\nTrailer: Sec-GPC, ADPC\r\n\r\n" +
		"1\r\nx\r\n0\r\nSec-GPC: 1\r\nADPC: withdraw=*\r\n\r\n"
	parsed, err := http.ReadRequest(bufio.NewReader(strings.NewReader(text)))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadAll(parsed.Body); err != nil {
		t.Fatal(err)
	}
	if parsed.Trailer.Get("Sec-GPC") != "1" {
		t.Fatal("the trailer was not read")
	}
	if got := newReader(t).Read(parsed.Header); got != (Signals{}) {
		t.Errorf("the trailer says %+v", got)
	}
}

// TestReadingNothingAllocatesNothing: it runs on each submission, and most
// have no signal.
func TestReadingNothingAllocatesNothing(t *testing.T) {
	r := newReader(t)
	for what, lines := range map[string][]string{
		"no cookie":     {"Accept: */*"},
		"other cookies": {"Cookie: session=abc; theme=dark; __Host-modicum=xyz"},
		"gpc":           {"Sec-GPC: 1"},
	} {
		header := request(t, lines...)
		if n := testing.AllocsPerRun(100, func() { r.Read(header) }); n != 0 {
			t.Errorf("%s: %v allocations", what, n)
		}
	}
}

func BenchmarkRead(b *testing.B) {
	r := newReader(b)
	for _, c := range []struct {
		name  string
		lines []string
	}{
		{"nothing", []string{"Accept: */*"}},
		{"cookies", []string{"Cookie: session=abc; theme=dark; __Host-modicum=xyz"}},
		{"gpc", []string{"Sec-GPC: 1"}},
		{"adpc", []string{`ADPC: withdraw=*, object=direct-marketing, consent="news~today apart~today"`}},
		{"klaro", []string{`Cookie: session=abc; klaro={%22mailing%22:true%2C%22ads%22:false}`}},
		{"tcf", []string{"Cookie: euconsent-v2=COtybn4PA_zT4KjACBENAPCIAEBAAECAAIAAAAAAAAAA.cAAAAAAAITg"}},
		{"gpp", []string{"Cookie: __gpp=DBACNYA~CPXxRfAPXxRfAAfKABENB-CgAAAAAAAAAAYgAAAAAAAA~1YNN"}},
	} {
		header := request(b, c.lines...)
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				r.Read(header)
			}
		})
	}
}
