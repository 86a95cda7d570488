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
		if got, want := compile(t, text).Version, "8c0da528242336af232420103dcb390d3f93649fcadfb83ee75d0fe745cba253"; got != want {
			t.Errorf("with %q the version is %s, not %s", signals, got, want)
		}
	}
}
