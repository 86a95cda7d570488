package subject

import (
	"slices"
	"strings"
	"testing"

	"github.com/modicum-proxy/modicum/internal/consent"
)

// Whoever is named by the operator is whom the service knows, however the
// name is written.
func TestNamed(t *testing.T) {
	keys, err := ParseKeys([]byte(strings.Repeat("a", 32) + "\n" + strings.Repeat("b", 32)))
	if err != nil {
		t.Fatal(err)
	}
	c := keys.NewCookie()
	cookie, _, _ := strings.Cut(c.String(), ";")
	for _, test := range []struct {
		kind  Kind
		value string
		want  Identity
	}{
		{ByEmail, " Ada@Bücher.Example ", Identity{Kind: ByEmail, Value: "ada@xn--bcher-kva.example"}},
		{ByPhone, "030 1234567", Identity{Kind: ByPhone, Value: "+49301234567"}},
	} {
		got, err := keys.Named(Identity{Kind: test.kind, Value: test.value}, "DE")
		if err != nil || !slices.Equal(got, keys.Subjects(test.want)) {
			t.Errorf("%s %q: %v, %v", test.kind, test.value, got, err)
		}
	}
	for _, value := range []string{cookie, strings.TrimPrefix(cookie, CookieName+"=")} {
		if got, err := keys.Named(Identity{Kind: ByCookie, Value: value}, ""); err != nil || !slices.Equal(got, []consent.Subject{c.Subject()}) {
			t.Errorf("%v, %v", got, err)
		}
	}
	for kind, value := range map[Kind]string{ByEmail: "CANARY", ByPhone: "CANARY", ByUser: "", ByCookie: "1.CANARY.0.0.0", "passport": "CANARY"} {
		if got, err := keys.Named(Identity{Kind: kind, Value: value}, "DE"); err == nil || got != nil || strings.Contains(err.Error(), "CANARY") {
			t.Errorf("%s: %v, %v", kind, got, err)
		}
	}
}
