package signal

import (
	"strings"
	"testing"

	"github.com/modicum-proxy/modicum/internal/policy"
)

// Purposes of the policy: consents are ads, apart, news, partners, shared;
// reach can be objected to, delivery cannot.
const (
	everyConsent = "ads apart news partners shared"
	everyChoice  = "ads apart news partners reach shared"
)

// adpcCases hold ADPC fields, and what is consented to, withdrawn and
// objected to. They are seeds of the fuzz test, too.
var adpcCases = []struct {
	what                           string
	fields                         []string
	consented, withdrawn, objected string
}{
	// Examples of the draft, with identifiers of ours.
	{"example 1", []string{"withdraw=*, consent=news~today"}, "news", "ads apart partners shared", ""},
	{"example 8", []string{`consent="news~today apart~today"`}, "apart news", "", ""},
	{"example 9", []string{"withdraw=news~today"}, "", "news", ""},
	{"example 9, all", []string{"withdraw=*"}, "", everyConsent, ""},
	{"example 10", []string{`withdraw=*, object=direct-marketing, consent="ads~today news~today"`}, "ads news", "apart partners shared", "reach"},
	{"example 17", []string{"withdraw=news~today, consent=ads~today"}, "ads", "news", ""},
	{"example 20", []string{"object=direct-marketing"}, "", "", "ads reach"},
	{"zero identifiers", []string{`consent=, withdraw="", object=`}, "", "", ""},

	// A parser of structured fields keeps the last of equal keys.
	{"repeated items", []string{"consent=news~today, withdraw=ads~today, consent=apart~today"}, "apart news", "ads", ""},
	{"repeated fields", []string{"consent=news~today", "withdraw=ads~today", "withdraw=partners~x"}, "news", "ads partners", ""},
	{"the general after the specific", []string{"consent=news~today", "withdraw=*"}, "news", "ads apart partners shared", ""},
	{"blanks", []string{" \t,, withdraw=ads~today\t ,,\tobject=reach~x , "}, "", "ads", "reach"},
	{"a star in quotes", []string{`withdraw="*"`}, "", everyConsent, ""},
	{"a star among others", []string{`withdraw="ads~today *"`}, "", everyConsent, ""},
	{"everything is objected to", []string{"object=*"}, "", "", everyChoice},
	{"everything but one", []string{"object=*, consent=ads~today"}, "ads", "", "apart news partners reach shared"},
	{"names of keys in capitals", []string{"Withdraw=ads~today", "OBJECT=reach~x"}, "", "ads", "reach"},

	// Identifiers.
	{"consent to an older text", []string{"consent=news~yesterday"}, "", "", ""},
	{"consent to a purpose without a text", []string{"consent=news"}, "", "", ""},
	{"consent to what was never asked for", []string{"consent=partners~today"}, "", "", ""},
	{"an older text is withdrawn and objected to", []string{"withdraw=news~yesterday, object=ads~yesterday"}, "", "news", "ads"},
	{"unknown purposes", []string{`consent="other~today", withdraw=other~today, object="x https://iab.com/tcf2/ns/#purpose1"`}, "", "", ""},
	{"a purpose without a text", []string{"withdraw=news"}, "", "", ""},
	{"a contract is not withdrawn", []string{"withdraw=delivery~x, object=delivery~x"}, "", "", ""},
	{"a legitimate interest is objected to, not withdrawn", []string{"withdraw=reach~x"}, "", "", ""},
	{"the same consent is given and withdrawn", []string{"consent=news~today, withdraw=news~today"}, "", "news", ""},
	{"an objection holds a withdrawal", []string{"withdraw=*, object=direct-marketing"}, "", "apart news partners shared", "ads reach"},
	{"objections hold all withdrawals", []string{"withdraw=*, object=*"}, "", "", everyChoice},
	{"the same consent is given and objected to", []string{"object=news~today", "consent=news~today"}, "", "", "news"},
	{"an old consent does not keep off a withdrawal", []string{"withdraw=*, consent=news~yesterday"}, "", everyConsent, ""},

	// Malformed: restrictions as far as understood, no consent.
	{"consent to everything", []string{"consent=*"}, "", "", ""},
	{"consent to everything, and more", []string{`consent="* news~today", withdraw=ads~today`}, "", "ads", ""},
	{"several without quotes", []string{"consent=news~today apart~today, withdraw=ads~today partners~x"}, "", "ads partners", ""},
	{"a blank before the equals sign", []string{"consent =news~today, withdraw =ads~today"}, "", "ads", ""},
	{"a blank after the equals sign", []string{"consent= news~today"}, "", "", ""},
	{"an open quote", []string{`consent=news~today, withdraw="ads~today partners~x`}, "", "ads partners", ""},
	{"junk after a quote", []string{`consent="news~today"x, withdraw="ads~today";a`}, "", "ads", ""},
	{"an escape", []string{`consent="news~today\"", withdraw=ads~today`}, "", "ads", ""},
	{"a quote in the middle", []string{`consent=news~today", withdraw=ads~today`}, "", "ads", ""},
	{"an unknown key", []string{"consent=news~today, refuse=ads~today"}, "", "", ""},
	{"a word without a value", []string{"consent, withdraw=ads~today, consent=news~today"}, "", "ads", ""},
	{"consent in capitals", []string{"CONSENT=news~today"}, "", "", ""},
	{"one bad field spoils the others", []string{"consent=news~today", "?"}, "", "", ""},
	{"a JSON of the script interface", []string{`{"consent":["news~today"],"withdraw":["*"]}`}, "", "", ""},
	{"too long", []string{"consent=news~today, withdraw=ads~today", strings.Repeat("consent=apart~today,", 1000)}, "", "ads", ""},
	{"too many", append([]string{"withdraw=ads~today"}, many("consent=news~today", 2000)...), "", "ads", ""},
}

func many(text string, n int) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = text
	}
	return all
}

func TestADPC(t *testing.T) {
	r := newReader(t)
	for _, c := range adpcCases {
		got := r.Read(map[string][]string{"Adpc": c.fields}).ADPC
		for _, part := range []struct {
			what string
			got  policy.PurposeSet
			want string
		}{{"consented", got.Consented, c.consented}, {"withdrawn", got.Withdrawn, c.withdrawn}, {"objected", got.Objected, c.objected}} {
			if names(r, part.got) != part.want {
				t.Errorf("%s: %s: %q, not %q", c.what, part.what, names(r, part.got), part.want)
			}
		}
		if got.IsEmpty() != (c.consented+c.withdrawn+c.objected == "") {
			t.Errorf("%s: is empty: %v", c.what, got.IsEmpty())
		}
	}
}

// TestADPCIsNoSignal: what a person chose is stored by the caller, and does
// not mix with what programs say.
func TestADPCIsNoSignal(t *testing.T) {
	r := newReader(t)
	s := r.Read(request(t, "ADPC: withdraw=*, consent=news~today"))
	for _, source := range sources {
		if got := heard(r, &s, source); got != "" {
			t.Errorf("%s says %s", source, got)
		}
	}
}
