package signal

import (
	"slices"
	"strings"
	"testing"
)

// sorted returns the words of a line in order.
func sorted(line string) string {
	words := strings.Fields(line)
	slices.Sort(words)
	return strings.Join(words, " ")
}

const (
	yes     = `klaro={"mailing":true,"ads":true}`
	no      = `klaro={"mailing":false,"ads":false}`
	silent  = `klaro={"other":true}`
	half    = `klaro={"mailing":true}`
	garbage = `klaro=garbage`
)

// TestCopies: a subdomain, or a path, sets a second cookie of the same name.
// Which one an application takes depends on the application; here none can
// lift what another says.
func TestCopies(t *testing.T) {
	r := newReader(t)
	for _, c := range []struct {
		copies []string
		want   string
	}{
		{[]string{yes}, "+ads +news +partners"},
		{[]string{yes, yes}, "+ads +news +partners"},
		{[]string{no, yes}, "-ads -news -partners"},
		{[]string{yes, no}, "-ads -news -partners"},
		{[]string{yes, no, yes}, "-ads -news -partners"},
		{[]string{yes, half}, "+news +partners"},
		{[]string{half, yes}, "+news +partners"},
		{[]string{silent, yes}, ""},
		{[]string{yes, silent}, ""},
		{[]string{yes, garbage}, "-ads -news -partners"},
		{[]string{garbage, yes}, "-ads -news -partners"},
		{[]string{"klaro=", yes}, "+ads +news +partners"},
		{[]string{"KLARO=" + no, "klaro2=" + no, "xklaro=" + no, yes}, "+ads +news +partners"},
		{many(yes, maxCopies), "+ads +news +partners"},
		{many(yes, maxCopies+1), "-ads -news -partners"},
		{many(yes, 1000), "-ads -news -partners"},
	} {
		for what, fields := range map[string][]string{
			"in one field": {strings.Join(c.copies, "; ")}, "in many fields": c.copies, "tightly": {";" + strings.Join(c.copies, ";") + ";"},
		} {
			s := r.Read(map[string][]string{"Cookie": fields})
			if got := heard(r, &s, Klaro); sorted(got) != c.want {
				t.Errorf("%.80q, %s: %q, not %q", c.copies, what, got, c.want)
			}
		}
	}
}

// TestSourcesAreApart: each platform is heard about what it is trusted about,
// and no other.
func TestSourcesAreApart(t *testing.T) {
	r := newReader(t)
	s := r.Read(request(t, "Cookie: "+yes+`; cc_cookie={"categories":["ads"]}; __gpp=DBABTA~1NYN`, "Sec-GPC: 1"))
	for source, want := range map[Source]string{
		GPC: "-ads -reach", GPP: "-partners", TCF: "", Fides: "", CookieConsent: "+ads -news", Klaro: "+ads +news +partners", "stranger": "",
	} {
		if got := heard(r, &s, source); sorted(got) != want {
			t.Errorf("%s says %q, not %q", source, got, want)
		}
	}
}
