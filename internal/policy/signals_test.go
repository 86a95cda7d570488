package policy

import (
	"strings"
	"testing"
)

const signalled = `version: 1
purposes:
  news:
    basis: consent
    retention: 1y
    signals: {klaro: mailing, cc_cookie: marketing, fides_consent: marketing.email, tcf: 4, gpp: targeted_advertising}
  survey: {basis: consent, retention: 1y}
`

func TestCompileSignals(t *testing.T) {
	s := compile(t, signalled)
	want := Signals{Klaro: "mailing", CookieConsent: "marketing", Fides: "marketing.email", TCF: 4, GPP: OptOutAdvertising}
	if got := s.Purposes[0].Signals; got != want {
		t.Errorf("news trusts %+v, not %+v", got, want)
	}
	if got := s.Purposes[1].Signals; got != (Signals{}) {
		t.Errorf("survey trusts %+v: nothing is trusted that is not named", got)
	}
}

// TestSignalsAreOfTheVersion: whom the operator believes decides what passes.
func TestSignalsAreOfTheVersion(t *testing.T) {
	version := compile(t, signalled).Version
	without, _, _ := strings.Cut(signalled, "    signals")
	seen := map[string]string{"all": version}
	for _, signals := range []string{"", "{klaro: x}", "{cc_cookie: x}", "{fides_consent: x}", "{tcf: 1}", "{tcf: 2}", "{gpp: sale}", "{gpp: sharing}"} {
		text := without
		if signals != "" {
			text += "    signals: " + signals + "\n"
		}
		got := compile(t, text+"  survey: {basis: consent, retention: 1y}\n").Version
		for other, before := range seen {
			if got == before {
				t.Errorf("the signals %q have the version of %q", signals, other)
			}
		}
		seen[signals] = got
	}
}

// TestPoliciesWithoutSignalsKeepTheirVersion: records of the time before the
// key name a version, which has to be found again.
func TestPoliciesWithoutSignalsKeepTheirVersion(t *testing.T) {
	for _, signals := range []string{"", ", signals: {}"} {
		text := strings.Replace(versioned, "b: {basis: consent, retention: 1y", "b: {basis: consent, retention: 1y"+signals, 1)
		if got, want := compile(t, text).Version, "60fc07a17eb4d0148ee6b46ef1d016d4affcde841474e57a1709b17fe119ae5f"; got != want {
			t.Errorf("with %q the version is %s, not %s", signals, got, want)
		}
	}
}

// TestShortFormsKeepTheirVersion: the long form of a signal means the same as the
// short one, and records name the version that a policy had before there was one.
func TestShortFormsKeepTheirVersion(t *testing.T) {
	const text = "version: 1\npurposes:\n  p: {basis: consent, retention: 1y, signals: %s}\n"
	of := func(signals string) string { return compile(t, strings.Replace(text, "%s", signals, 1)).Version }
	want := of("{klaro: k, cc_cookie: c, fides_consent: f}")
	if before := "6bb3f9a993064ecd4c41badab8b9eb88f6b04949d0fb3bda14cbc200a240cfc2"; want != before {
		t.Errorf("the version is %s, and was %s", want, before)
	}
	for _, same := range []string{
		"{klaro: {service: k}, cc_cookie: {category: c}, fides_consent: {notice: f}}",
		"{klaro: {service: k, cookie: klaro}, cc_cookie: {category: c, cookie: cc_cookie, revision: 0}, fides_consent: {notice: f, cookie: fides_consent}}",
	} {
		if got := of(same); got != want {
			t.Errorf("%s has another version", same)
		}
	}
	seen := map[string]bool{want: true}
	for _, other := range []string{
		"{klaro: {service: k, cookie: x}, cc_cookie: c, fides_consent: f}",
		"{klaro: k, cc_cookie: {category: c, cookie: x}, fides_consent: f}",
		"{klaro: k, cc_cookie: {category: c, revision: 1}, fides_consent: f}",
		"{klaro: k, cc_cookie: {category: c, revision: 2}, fides_consent: f}",
		"{klaro: k, cc_cookie: c, fides_consent: {notice: f, cookie: x}}",
		"{cookie: {name: x, equals: a}}", "{cookie: {name: y, equals: a}}", "{cookie: {name: x, equals: b}}",
		"{cookie: {name: x, matches: a}}", "{cookie: {name: x, path: p, equals: a}}", "{cookie: {name: x, path: p.q, equals: a}}",
	} {
		if got := of(other); seen[got] {
			t.Errorf("%s has the version of another", other)
		} else {
			seen[got] = true
		}
	}
}
