package minimize

import (
	"strings"
	"testing"
)

// Applications that merge the query and the body (PHP's $_REQUEST, Rails; 9 of 42) take
// one value of a name in both, and we do not know which. That is safe where both are
// minimized. The attack is on fields by whose value we decide: we would ask for the
// consents of one person and the application would store the data of another, take
// a consent for given that the other value takes back, or find what is required
// empty.
func TestQueryAndBody(t *testing.T) {
	const signup = `
version: 1
controller: {name: Example, contact: privacy@example.org, country: DE}
purposes:
  delivery: {title: Deliver, basis: contract, retention: 1y}
  newsletter: {title: Write, basis: consent, retention: 1y}
collections:
  signup:
    on: POST /signup
    fields:
      name: delivery
      born: {for: delivery, keep: year}
      must: {for: delivery, required: true}
      count: {for: delivery, type: integer, required: true}
      email: delivery
      file: {for: delivery, type: file}
      do: delivery
      do.preview: delivery
      tags.*: {for: delivery, required: true}
    consents: {newsletter: news}
`
	all := "must=m&count=1&tags=t"
	for _, test := range []struct{ name, query, contentType, body, wantQuery, wantBody, rule string }{
		{"nothing is decided by it", "name=a&born=1990-12-10&ssn=1", formType, all + "&name=b&born=1991-12-10&ssn=1", "name=a&born=1990", all + "&name=b&born=1991", ""},
		{"beside JSON", "name=a", jsonType, `{"must":"m","count":1,"tags":["t"],"name":"b","ssn":1}`, "name=a", `{"must":"m","count":1,"tags":["t"],"name":"b"}`, ""},
		{"the same twice in each", "name=a&name=a", formType, all + "&name=b&name=b", "name=a&name=a", all + "&name=b&name=b", ""},
		// Where the two are merged, do is a scalar, an object, or both: each of them
		// holds nothing that the policy does not keep.
		{"a scalar beside a branch", "do=edit", formType, all + "&do[preview]=p&do[ssn]=1", "do=edit", all + "&do%5Bpreview%5D=p", ""},
		{"a branch beside a scalar", "do[preview]=p&do[ssn]=1", formType, all + "&do=edit", "do%5Bpreview%5D=p", all + "&do=edit", ""},
		{"a scalar and a branch in one", "do=edit&do[preview]=p", formType, all, "", "", "name-conflict"},
		{"required, identical", "must=m", formType, all, "must=m", all, ""},
		{"required, identical in JSON", "must=m&count=1", jsonType, `{"must":"\u006d","count":1,"tags":["t"]}`, "must=m&count=1", `{"must":"\u006d","count":1,"tags":["t"]}`, ""},
		{"required, in the query alone", "must=m", formType, "count=1&tags=t", "must=m", "count=1&tags=t", ""},
		{"required, another", "must=x", formType, all, "", "", "query-and-body"},
		{"required, empty in the body", "must=x", formType, "must=&count=1&tags=t", "", "", "query-and-body"},
		{"required, null in the body", "must=x", jsonType, `{"must":null,"count":1,"tags":["t"]}`, "", "", "query-and-body"},
		{"required, a null and its word", "must=null", jsonType, `{"must":null,"count":1,"tags":["t"]}`, "", "", "query-and-body"},
		{"required, stripped in the query", "count=x", formType, all, "", "", "query-and-body"},
		{"required, stripped in the body", "count=1", formType, "must=m&count=x&tags=t", "", "", "query-and-body"},
		{"required, long", "must=" + strings.Repeat("m", 999) + "x", formType, "count=1&tags=t&must=" + strings.Repeat("m", 999) + "y", "", "", "query-and-body"},
		{"a required list", "tags=a", formType, all, "tags=a", all, ""},
		{"a person, identical", "email=a@b.example", formType, all + "&email=a%40b.example", "email=a%40b.example", all + "&email=a%40b.example", ""},
		{"a person, another", "email=a@b.example", formType, all + "&email=b@b.example", "", "", "query-and-body"},
		{"a person, another in JSON", "email=a@b.example", jsonType, `{"must":"m","count":1,"tags":["t"],"email":"b@b.example"}`, "", "", "query-and-body"},
		{"a tick, taken back in the query", "news=off", formType, all + "&news=on", "", "", "query-and-body"},
		{"a tick in the query, none in the body", "news=on", formType, all + "&news=off", "", "", "query-and-body"},
		{"a tick, identical", "news=on", formType, all + "&news=on", "news=on", all + "&news=on", ""},
		{"a part", "must=x", formData, form(part{"must", "", "m"}, part{"count", "", "1"}, part{"tags", "", "t"}), "", "", "query-and-body"},
		{"a part that streams", "must=x", formData, form(part{"count", "", "1"}, part{"tags", "", "t"}, part{"file", "f", strings.Repeat("0123456789abcdef", 100_000)}, part{"must", "", "m"}), "", "", "query-and-body"},
		{"a person in a part that streams", "email=a@b.example", formData, form(part{"count", "", "1"}, part{"tags", "", "t"}, part{"must", "", "m"}, part{"file", "f", strings.Repeat("0123456789abcdef", 100_000)}, part{"email", "", "b@b.example"}), "", "", "query-and-body"},
	} {
		t.Run(test.name, func(t *testing.T) {
			e, _ := newEngine(t, signup, func(e *Engine) { e.Identifying = []string{"email"} })
			got := process(e, request("POST /signup?"+test.query, test.contentType, strings.NewReader(test.body)))
			rule := got.rule()
			if refusal := got.StreamRefusal(); refusal != nil {
				rule = refusal.Rule
			}
			if rule != test.rule || test.rule == "" && (got.query != test.wantQuery || got.body != test.wantBody) {
				t.Errorf("rule %q, query %q, body %q", rule, got.query, got.body)
			}
			if got.Refusal != nil && rule == "query-and-body" && (got.Refusal.Field == "" || !strings.Contains(got.Refusal.Detail, " "+got.Refusal.Field+" ")) {
				t.Errorf("the refusal does not name the field: %+v", got.Refusal)
			}
		})
	}
}
