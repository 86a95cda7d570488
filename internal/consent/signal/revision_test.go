package signal

import "testing"

// cc returns a cookie of CookieConsent with a member revision.
func cc(name, revision string) string {
	return name + `={"categories":["necessary","marketing"]` + revision + `,"data":null}`
}

// TestRevisions: an acceptance of an older text says nothing; a refusal remains
// one; and a revision that is no whole number is a trick, or of a platform that is
// not known.
func TestRevisions(t *testing.T) {
	const recent = `{cc_cookie: {category: marketing, revision: 2}}`
	for _, c := range []struct{ what, signal, cookies, want string }{
		{"the revision", recent, cc("cc_cookie", `,"revision":2`), "+"},
		{"a later one", recent, cc("cc_cookie", `,"revision":3`), "+"},
		{"an older one", recent, cc("cc_cookie", `,"revision":1`), ""},
		{"an older refusal", recent, `cc_cookie={"categories":["necessary"],"revision":1}`, "-"},
		{"the revision after the categories or before", recent, `cc_cookie={"revision":1,"categories":["marketing"]}`, ""},
		{"absent", recent, cc("cc_cookie", ""), "-"},
		{"a text", recent, cc("cc_cookie", `,"revision":"2"`), "-"},
		{"negative", recent, cc("cc_cookie", `,"revision":-2`), "-"},
		{"minus zero", recent, cc("cc_cookie", `,"revision":-0`), "-"},
		{"a fraction", recent, cc("cc_cookie", `,"revision":2.5`), "-"},
		{"a fraction that is whole", recent, cc("cc_cookie", `,"revision":2.0`), "-"},
		{"an exponent", recent, cc("cc_cookie", `,"revision":2e1`), "-"},
		{"huge", recent, cc("cc_cookie", `,"revision":99999999999999999999`), "-"},
		{"more than JavaScript counts to", recent, cc("cc_cookie", `,"revision":9007199254740993`), "-"},
		{"infinite", recent, cc("cc_cookie", `,"revision":1e999`), "-"},
		{"null", recent, cc("cc_cookie", `,"revision":null`), "-"},
		{"true", recent, cc("cc_cookie", `,"revision":true`), "-"},
		{"a list", recent, cc("cc_cookie", `,"revision":[2]`), "-"},
		{"an object", recent, cc("cc_cookie", `,"revision":{"revision":2}`), "-"},
		{"in an object", recent, `cc_cookie={"categories":["marketing"],"data":{"revision":2}}`, "-"},
		{"two of them", recent, cc("cc_cookie", `,"revision":1,"revision":2`), "-"},
		{"a copy of an older one", recent, cc("cc_cookie", `,"revision":2`) + "; " + cc("cc_cookie", `,"revision":1`), ""},

		{"any revision", `{cc_cookie: marketing}`, cc("cc_cookie", `,"revision":"x"`), "+"},
		{"no revision", `{cc_cookie: {category: marketing}}`, cc("cc_cookie", ""), "+"},
		{"from 0 on is any revision", `{cc_cookie: {category: marketing, revision: 0}}`, cc("cc_cookie", ""), "+"},
	} {
		s := readerOf(t, c.signal).Read(cookiesOf(c.cookies))
		if got := say(&s, CookieConsent); got != c.want {
			t.Errorf("%s: %q, not %q", c.what, got, c.want)
		}
	}
}

// TestRevisionsAreOfPurposes: two purposes take their consent from one cookie, and
// only one of them has a new text.
func TestRevisionsAreOfPurposes(t *testing.T) {
	r := readerOfAll(t, map[string]string{"a": `{cc_cookie: {category: marketing, revision: 2}}`, "b": `{cc_cookie: marketing}`})
	for cookie, want := range map[string]string{
		cc("cc_cookie", `,"revision":1`): "+b", cc("cc_cookie", `,"revision":2`): "+a +b", cc("cc_cookie", ""): "-a +b", "cc_cookie=x": "-a -b",
	} {
		s := r.Read(cookiesOf(cookie))
		if got := heard(r, &s, CookieConsent); got != want {
			t.Errorf("%s: %q, not %q", cookie, got, want)
		}
	}
}

// TestOtherNames: a site renames the cookie, and the usual name, which is then
// anybody's, is not read.
func TestOtherNames(t *testing.T) {
	for _, c := range []struct {
		signal  string
		source  Source
		cookies string
		want    string
	}{
		{`{klaro: {service: ads, cookie: klaro-shop}}`, Klaro, `klaro-shop={"ads":true}`, "+"},
		{`{klaro: {service: ads, cookie: klaro-shop}}`, Klaro, `klaro-shop={"ads":false}; klaro={"ads":true}`, "-"},
		{`{klaro: {service: ads, cookie: klaro-shop}}`, Klaro, `klaro={"ads":true}`, ""},
		{`{klaro: {service: ads, cookie: klaro}}`, Klaro, `klaro={"ads":true}`, "+"},
		{`{klaro: {service: ads}}`, Klaro, `klaro={"ads":true}`, "+"},
		{`{cc_cookie: {category: marketing, cookie: cc, revision: 2}}`, CookieConsent, cc("cc", `,"revision":2`), "+"},
		{`{cc_cookie: {category: marketing, cookie: cc, revision: 2}}`, CookieConsent, cc("cc_cookie", `,"revision":2`), ""},
		{`{fides_consent: {notice: ads, cookie: fides_consent_shop}}`, Fides, `fides_consent_shop={"consent":{"ads":true}}`, "+"},
		{`{fides_consent: {notice: ads, cookie: fides_consent_shop}}`, Fides, `fides_consent={"consent":{"ads":true}}`, ""},
	} {
		s := readerOf(t, c.signal).Read(cookiesOf(c.cookies))
		if got := say(&s, c.source); got != c.want {
			t.Errorf("%s: %s says %q, not %q", c.signal, c.cookies, got, c.want)
		}
	}
}
