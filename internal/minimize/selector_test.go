package minimize

import (
	"strings"
	"testing"

	"github.com/modicum-proxy/modicum/internal/policy"
	"github.com/modicum-proxy/modicum/internal/submission"
)

var selectorTests = []struct {
	query, contentType, body string
	queryWant, bodyWant      string // "-": nothing is there, "?": it is odd
}{
	{"action=a", "", "", "a", "-"},
	{"", formType, "action=a&x=1", "-", "a"},
	{"", formType, "actio%6e=a%20b", "-", "a b"},
	{"", formType, "action=", "-", ""},
	{"", formType, "action[]=a", "-", "?"},
	{"", formType, "action%5B0%5D=a", "-", "?"},
	{"", formType, "action[x][y]=a", "-", "?"},
	{"action[]=a", formType, "action=b", "?", "b"},
	{"", formType, "Action=a&xaction=b&x[action]=c", "-", "-"},
	{"", formType, "action=" + strings.Repeat("a", 321), "-", "?"},
	{"", jsonType, `{"action":"a"}`, "-", "a"},
	{"", jsonType, `{"\u0061ction":"\u0061"}`, "-", "a"},
	{"", jsonType, `{"action":1.50,"b":2}`, "-", "1.50"},
	{"", jsonType, `{"action":true}`, "-", "true"},
	{"", jsonType, `{"action":null}`, "-", ""},
	{"", jsonType, `{"action":{}}`, "-", "?"},
	{"", jsonType, `{"action":[]}`, "-", "?"},
	{"", jsonType, `{"action":["a"]}`, "-", "?"},
	{"", jsonType, `{"x":{"action":"a"}}`, "-", "-"},
	// A batch of JSON-RPC calls many methods.
	{"", jsonType, `[{"action":"a"}]`, "-", "?"},
	{"", jsonType, `"action"`, "-", "?"},
	{"", formData, form(part{"x", "", "1"}, part{"action", "", "a"}), "-", "a"},
	{"", formData, form(part{"action", "a.txt", "a"}), "-", "?"},
	{"", formData, form(part{"action[]", "", "a"}), "-", "?"},
}

// A value counts wherever an application may look for it. What some read as a
// scalar and others as a list, or as another of two values, is odd.
func TestSelector(t *testing.T) {
	for _, test := range selectorTests {
		s, err := newSelector([]policy.Path{{{Text: "other"}}, {{Text: "action"}}}, []string{"other", "action"}, submission.Brackets)
		if err != nil {
			t.Fatal(err)
		}
		doc := &document{query: test.query, body: append([]byte(test.body), make([]byte, submission.Padding)...)[:len(test.body)], hasBody: test.body != ""}
		r := request("POST /", test.contentType, strings.NewReader(test.body))
		if doc.media, err = submission.ParseMedia(r.Header); err != nil {
			t.Fatal(err)
		}
		found, err := s.read(new(work), doc, submission.DefaultLimits())
		if err != nil {
			t.Errorf("%s %s: %v", test.query, test.body, err)
			continue
		}
		if got := found[1]; shown(got.query) != test.queryWant || shown(got.body) != test.bodyWant || test.contentType != jsonType && found[0] != (selected{}) {
			t.Errorf("%s %s: in the query %s, in the body %s; want %s and %s", test.query, test.body, shown(got.query), shown(got.body), test.queryWant, test.bodyWant)
		}
	}
}

func shown(v selectedValue) string {
	switch {
	case v.odd:
		return "?"
	case !v.given:
		return "-"
	}
	return v.text
}
