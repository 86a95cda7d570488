package signal

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"net/url"
	"runtime"
	"strings"
	"testing"
)

func packed(tb testing.TB, text string) string {
	tb.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write([]byte(text)); err != nil {
		tb.Fatal(err)
	}
	if err := z.Close(); err != nil {
		tb.Fatal(err)
	}
	return b.String()
}

func gzipped(tb testing.TB, text string) string {
	tb.Helper()
	return url.QueryEscape("gzip:" + base64.StdEncoding.EncodeToString([]byte(packed(tb, text))))
}

// What is denied when a cookie cannot be read.
const (
	unreadKlaro = "-ads -news -partners"
	unreadCC    = "-ads -news"
	unreadFides = "-ads -news"
)

// fidesJSON is a cookie as fides-js writes it (ethyca/fides,
// clients/fides-js/src/lib/cookie.ts, makeFidesCookie).
const fidesJSON = `{"consent":{"marketing.email":true,"marketing.ads":false,"data_sales":true},` +
	`"identity":{"fides_user_device_id":"fae7e16d-37fd-40ed-b2a8-a020ad90106d"},` +
	`"fides_meta":{"version":"0.9.0","createdAt":"2023-01-01T12:00:00.000Z","updatedAt":"2023-01-01T12:00:00.000Z","consentMethod":"save"},` +
	`"tcf_consent":{"system_consent_preferences":{}},"non_applicable_notice_keys":[]}`

// ccJSON is a cookie as CookieConsent 3 writes it (orestbida/cookieconsent,
// src/utils/cookies.js, saveCookiePreferences).
const ccJSON = `{"categories":["necessary","marketing"],"revision":0,"data":null,` +
	`"consentTimestamp":"2026-11-22T09:00:00.000Z","consentId":"fae7e16d-37fd-40ed-b2a8-a020ad90106d",` +
	`"services":{"necessary":[],"marketing":["x"]},"languageCode":"en","lastConsentTimestamp":"2026-11-22T09:00:00.000Z","expirationTime":1779000000000}`

func deep(n int) string { return strings.Repeat(`{"a":`, n) + "1" + strings.Repeat("}", n) }

// platformCases hold cookies and what is heard of them.
func platformCases(tb testing.TB) []struct{ what, cookie, want string } {
	tb.Helper()
	return []struct{ what, cookie, want string }{
		// The forms of klaro were seen on the web.
		{"klaro", `klaro={"mailing":true,"ads":false,"other":true}`, "+news +partners -ads"},
		{"klaro, escaped", "klaro=" + url.QueryEscape(`{"mailing":true,"ads":false}`), "+news +partners -ads"},
		{"klaro, escaped as js-cookie does", `klaro={%22mailing%22:false%2C%22ads%22:true}`, "+ads -news -partners"},
		{"klaro, a name escaped within", `klaro={"m\u0061iling":true}`, "+news +partners"},
		{"klaro, nothing", `klaro={}`, ""},
		{"klaro, a service of another site", `klaro={"Mailing":true,"mailing ":true}`, ""},

		// Applications disagree on what these say.
		{"klaro, a name twice", `klaro={"mailing":false,"mailing":true}`, unreadKlaro},
		{"klaro, a name twice, escaped", `klaro={"mailing":false,"m\u0061iling":true}`, unreadKlaro},
		{"klaro, trailing data", `klaro={"mailing":true}{"mailing":false}`, unreadKlaro},
		{"klaro, trailing garbage", `klaro={"mailing":true}x`, unreadKlaro},
		{"klaro, no end", `klaro={"mailing":true`, unreadKlaro},
		{"klaro, a comma too many", `klaro={"mailing":true,}`, unreadKlaro},
		{"klaro, no JSON", `klaro={stamp:'1',version:1,all:true}`, unreadKlaro},
		{"klaro, true", `klaro=true`, unreadKlaro},
		{"klaro, an array", `klaro=["mailing"]`, unreadKlaro},
		{"klaro, a text", `klaro={"mailing":"true"}`, unreadKlaro},
		{"klaro, a number", `klaro={"mailing":1}`, unreadKlaro},
		{"klaro, null", `klaro={"mailing":true,"ads":null}`, unreadKlaro},
		{"klaro, in quotes", `klaro="{\"mailing\":true}"`, unreadKlaro},
		{"klaro, bad escape", `klaro={%2mailing":true}`, unreadKlaro},
		{"klaro, escaped twice", "klaro=" + url.QueryEscape(url.QueryEscape(`{"mailing":true}`)), unreadKlaro},
		{"klaro, no UTF-8", `klaro={"mailing":true,"%FF":true}`, unreadKlaro},
		{"klaro, half a surrogate", `klaro={"mailing":true,"\ud800":true}`, unreadKlaro},
		{"klaro, a byte order mark", "klaro=%EF%BB%BF{\"mailing\":true}", unreadKlaro},
		{"klaro, nested", `klaro={"mailing":true,"x":` + deep(20) + "}", unreadKlaro},
		{"klaro, too long", `klaro={"mailing":true,"x` + strings.Repeat("x", maxCookie) + `":true}`, unreadKlaro},

		{"cc_cookie", "cc_cookie=" + url.PathEscape(ccJSON), "+news -ads"},
		{"cc_cookie, bare", "cc_cookie=" + ccJSON, "+news -ads"},
		{"cc_cookie, all refused", `cc_cookie={"categories":[]}`, "-ads -news"},
		{"cc_cookie, all accepted", `cc_cookie={"categories":["ads","marketing"]}`, "+ads +news"},
		{"cc_cookie, a category twice", `cc_cookie={"categories":["ads","ads"]}`, "+ads -news"},
		{"cc_cookie, no categories", `cc_cookie={"level":["ads"]}`, unreadCC},
		{"cc_cookie, categories twice", `cc_cookie={"categories":[],"categories":["ads"]}`, unreadCC},
		{"cc_cookie, no list", `cc_cookie={"categories":"ads"}`, unreadCC},
		{"cc_cookie, a list of others", `cc_cookie={"categories":["ads",1]}`, unreadCC},
		{"cc_cookie, a list of lists", `cc_cookie={"categories":[["ads"]]}`, unreadCC},
		{"cc_cookie, nested", `cc_cookie={"categories":["ads"],"data":` + deep(maxDepth) + "}", unreadCC},

		{"fides", "fides_consent=" + url.PathEscape(fidesJSON), "+news -ads"},
		{"fides, base64", "fides_consent=" + url.QueryEscape(base64.StdEncoding.EncodeToString([]byte(fidesJSON))), "+news -ads"},
		{"fides, gzip", "fides_consent=" + gzipped(tb, fidesJSON), "+news -ads"},
		{"fides, words", `fides_consent={"consent":{"marketing.email":"opt_in","marketing.ads":"opt_out"}}`, "+news -ads"},
		{"fides, no answers", `fides_consent={"consent":{"marketing.email":"acknowledge","marketing.ads":"not_applicable"}}`, ""},
		{"fides, an unknown word", `fides_consent={"consent":{"marketing.email":"maybe"}}`, "-news"},
		{"fides, other values of other notices", `fides_consent={"consent":{"x":{"y":[1]},"marketing.email":true}}`, "+news"},
		{"fides, not applicable", `fides_consent={"consent":{"marketing.email":true,"marketing.ads":false},"non_applicable_notice_keys":["marketing.email"]}`, "-ads"},
		// What the script wrote by itself is nobody's consent.
		{"fides, closed the banner", `fides_consent={"consent":{"marketing.email":true,"marketing.ads":false},"fides_meta":{"consentMethod":"dismiss"}}`, "-ads"},
		{"fides, by script", `fides_consent={"consent":{"marketing.email":true},"fides_meta":{"consentMethod":"script"}}`, ""},
		{"fides, by a later method", `fides_consent={"fides_meta":{"consentMethod":"guess"},"consent":{"marketing.email":true}}`, ""},
		{"fides, accepted", `fides_consent={"consent":{"marketing.email":true},"fides_meta":{"consentMethod":"accept"}}`, "+news"},
		{"fides, a method that is no text", `fides_consent={"consent":{"marketing.email":true},"fides_meta":{"consentMethod":1}}`, unreadFides},
		{"fides, no consent", `fides_consent={"marketing.email":true}`, unreadFides},
		{"fides, a list", `fides_consent={"consent":["marketing.email"]}`, unreadFides},
		{"fides, a number", `fides_consent={"consent":{"marketing.email":1}}`, unreadFides},
		{"fides, a name twice", `fides_consent={"consent":{"marketing.email":false,"marketing.email":true}}`, unreadFides},
		{"fides, no base64", "fides_consent=gzip:invalid-base64-data!!!", unreadFides},
		{"fides, no gzip", "fides_consent=gzip:" + base64.StdEncoding.EncodeToString([]byte(fidesJSON)), unreadFides},
		{"fides, two gzip members", "fides_consent=" + url.QueryEscape("gzip:"+base64.StdEncoding.EncodeToString([]byte(packed(tb, fidesJSON)+packed(tb, " ")))), unreadFides},
		{"fides, half of it", "fides_consent=" + url.QueryEscape("gzip:"+base64.StdEncoding.EncodeToString([]byte(packed(tb, fidesJSON)[:100]))), unreadFides},
		{"fides, base64 of base64", "fides_consent=" + url.QueryEscape(base64.StdEncoding.EncodeToString([]byte(base64.StdEncoding.EncodeToString([]byte(fidesJSON))))), unreadFides},
		// A few hundred bytes that grow to gigabytes (CWE-409).
		{"fides, a bomb", "fides_consent=" + gzipped(tb, `{"consent":{"marketing.email":true},"x":"`+strings.Repeat("x", 5<<20)+`"}`), unreadFides},
	}
}

func TestPlatforms(t *testing.T) {
	r := newReader(t)
	for _, c := range platformCases(t) {
		s := r.Read(map[string][]string{"Cookie": {c.cookie}})
		got := strings.TrimSpace(heard(r, &s, Klaro) + heard(r, &s, CookieConsent) + heard(r, &s, Fides))
		if sorted(got) != sorted(c.want) {
			t.Errorf("%s: %q, not %q", c.what, got, c.want)
		}
	}
}

// TestBombsStaySmall: what a cookie inflates to is bounded before it is read.
func TestBombsStaySmall(t *testing.T) {
	bomb := []byte(packed(t, strings.Repeat("x", 16<<20)))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if _, ok := inflate(bomb); ok {
		t.Error("the bomb is read")
	}
	runtime.ReadMemStats(&after)
	if n := after.TotalAlloc - before.TotalAlloc; n > 1<<20 {
		t.Errorf("a bomb of %d bytes takes %d", len(bomb), n)
	}
}
