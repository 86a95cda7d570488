package explain

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/modicum-proxy/modicum/internal/policy"
)

// TestRunTests takes each test through the engine, and holds that one fails
// whenever it does not say what happens.
func TestRunTests(t *testing.T) {
	set := compile(t, shop)
	kept := func(names ...string) policy.Expect { return policy.Expect{Kept: names} }
	stripped := func(names ...string) policy.Expect { return policy.Expect{Stripped: names} }
	for _, c := range []struct {
		name, on, kind, given string
		consents              []string
		expect                policy.Expect
		passes                bool
		hint                  string
	}{
		{name: "kept", given: `{"name":"a","x":1}`, expect: kept("name"), passes: true},
		{name: "stripped", given: `{"name":"a","x":1}`, expect: stripped("x"), passes: true},
		{name: "in any order", given: `{"tags.0":"b","tags.1":"c","name":"a"}`, expect: kept("tags.*", "name"), passes: true},
		{name: "less kept than there is", given: `{"name":"a","tags.0":"b"}`, expect: kept("name")},
		{name: "more kept than there is", given: `{"name":"a"}`, expect: kept("name", "tags.*")},
		{name: "less stripped than there is", given: `{"x":1,"y":2}`, expect: stripped("x")},
		{name: "an empty list is none", given: `{"name":"a","x":1}`, expect: policy.Expect{Stripped: []string{}}},
		{name: "none indeed", given: `{"name":"a"}`, expect: policy.Expect{Kept: []string{"name"}, Stripped: []string{}}, passes: true},
		{name: "no consent", given: `{"birthday":"1990-05-17"}`, expect: stripped("birthday"), passes: true},
		{name: "a consent", given: `{"birthday":"1990-05-17"}`, consents: []string{"newsletter"}, expect: kept("birthday"), passes: true},
		{name: "a tick", given: `{"birthday":"1990-05-17","subscribe":true}`, expect: kept("birthday", "subscribe"), passes: true},
		{name: "no consent after a consent", given: `{"birthday":"1990-05-17"}`, expect: kept("birthday")},
		{name: "refused", kind: "application/x-www-form-urlencoded", given: `"name=a&name=b"`, expect: policy.Expect{Refused: true}, passes: true},
		{name: "refused against expectation", kind: "application/x-www-form-urlencoded", given: `"name=a&name=b"`, expect: kept("name")},
		{name: "not refused", given: `{}`, expect: policy.Expect{Refused: true}},
		{name: "a form", kind: "application/x-www-form-urlencoded", given: `{"items":[{"sku":"a"}]}`, expect: kept("items.*.sku"), passes: true},
		{name: "a file", kind: "multipart/form-data", given: `{"photos":["a"],"name":"b"}`, expect: kept("photos.*", "name"), passes: true},
		{name: "a file too large", kind: "multipart/form-data", given: `{"photos":["12345678901"]}`, expect: stripped("photos.*"), passes: false},
		{name: "a query", on: "GET shop.example/order", given: `{"name":"a","x":"b"}`, expect: policy.Expect{Kept: []string{"name"}, Stripped: []string{"x"}}, passes: true},
		{name: "a wildcard", on: "PUT /order/7", given: `{"name":"a"}`, expect: kept("name"), passes: true},
		{name: "a gap", on: "POST /ordre", given: `{"name":"a"}`, expect: kept("name"), hint: `did you mean "POST /order"?`},
		{name: "a gap that is known", on: "POST /elsewhere", given: `{"name":"a"}`, expect: policy.Expect{Refused: true}, passes: true},
		{name: "no submission", kind: "text/csv", given: `{}`, expect: kept("name"), hint: "expected a text"},
	} {
		t.Run(c.name, func(t *testing.T) {
			test := policy.Test{On: c.on, Type: c.kind, Given: json.RawMessage(c.given), Consents: c.consents, Expect: c.expect}
			if test.On == "" {
				test.On = "POST /order"
			}
			if test.Type == "" {
				test.Type = "application/json"
			}
			set := *set
			set.Tests = []policy.Test{test}
			results, err := RunTests(t.Context(), &set)
			if err != nil || len(results) != 1 {
				t.Fatalf("%d results, %v", len(results), err)
			}
			got := results[0]
			if got.Passed != c.passes {
				t.Errorf("passed is %v: %+v", got.Passed, got)
			}
			if !strings.Contains(got.Hint, c.hint) || c.hint == "" && got.Hint != "" {
				t.Errorf("the hint is %q, not %q", got.Hint, c.hint)
			}
		})
	}
}

// TestResultsHoldNoValue: the results of tests end up in logs of builds, where
// what the operator took for an example, often a person's data, has no place.
func TestResultsHoldNoValue(t *testing.T) {
	set := *compile(t, shop)
	const canary = "CANARY-7f3a"
	for _, given := range []string{
		`{"name":"CANARY-7f3a","x":"CANARY-7f3a","birthday":"CANARY-7f3a"}`, `"name=CANARY-7f3a"`, `["CANARY-7f3a"]`, `{"tags":"CANARY-7f3a"}`,
	} {
		for _, kind := range []string{"application/json", "application/x-www-form-urlencoded", "multipart/form-data", "text/plain", "multipart/form-data; boundary=x"} {
			set.Tests = append(set.Tests, policy.Test{On: "POST /order", Type: kind, Given: json.RawMessage(given), Expect: policy.Expect{Kept: []string{"never"}}})
		}
	}
	results, err := RunTests(t.Context(), &set)
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(results)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(text), canary) {
		t.Errorf("a value is reported: %s", text)
	}
}

func TestExplain(t *testing.T) {
	set := compile(t, shop)
	e, err := New(set)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	request := Request{
		On: "POST /order", Header: map[string][]string{"Content-Type": {"application/json"}},
		Body: []byte(`{"name":"a","initial":"xyz","tags":["b",{}],"rating":5,"elsewhere":{"city":"c"}}`),
	}
	x, err := e.Explain(t.Context(), request)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := string(x.Forwarded.Body), `{"name":"a","initial":"x","tags":["b"],"rating":0}`; got != want {
		t.Errorf("forwards %s, not %s", got, want)
	}
	at := func(line, column int) policy.Position {
		return policy.Position{File: "p.yaml", Line: line, Column: column}
	}
	want := []Field{
		{Name: "name", Kept: 1, Purpose: "delivery", Position: at(11, 7)},
		{Name: "address.city", Purpose: "delivery", Position: at(12, 7)},
		{Name: "items.*.sku", Purpose: "delivery", Position: at(13, 7)},
		{Name: "tags.*", Kept: 1, Stripped: 1, Reason: "wrong_type", Purpose: "delivery", Position: at(14, 7)},
		{Name: "birthday", Reason: "no_consent", Keep: "year", Position: at(15, 7)},
		{Name: "initial", Kept: 1, Purpose: "delivery", Keep: "first(1)", Position: at(16, 7)},
		{Name: "rating", Stripped: 1, Reason: "no_consent", Replaced: true, Position: at(17, 7)},
		{Name: "photos.*", Purpose: "delivery", Position: at(18, 7)},
		{Name: "subscribe", Reason: "no_consent", Consent: "newsletter", Position: at(19, 28)},
	}
	if diff := cmp.Diff(want, x.Fields); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]Undeclared{{Name: "elsewhere"}}, x.Undeclared); diff != "" {
		t.Error(diff)
	}
	if x.Collection != "order" || x.Pattern != "POST /order" || x.Verdict != "minimized" || x.Answer.Get("Privacy-Receipt") == "" {
		t.Errorf("%+v", x)
	}

	// One person's consent is not the next one's.
	request.Consents = []string{"newsletter"}
	if x, err = e.Explain(t.Context(), request); err != nil || x.Fields[6].Kept != 1 {
		t.Errorf("with a consent: %+v, %v", x, err)
	}
	request.Consents = nil
	if x, err = e.Explain(t.Context(), request); err != nil || x.Fields[6].Kept != 0 {
		t.Errorf("without a consent: %+v, %v", x, err)
	}
	request.Consents = []string{"delivery"}
	if _, err = e.Explain(t.Context(), request); err == nil || !strings.Contains(err.Error(), "(newsletter)") {
		t.Errorf("a consent to a contract: %v", err)
	}
}

// TestExplainAStream explains a form that is larger than what is held in
// memory, and one whose end nobody sent.
func TestExplainAStream(t *testing.T) {
	set := compile(t, strings.ReplaceAll(shop, "max: 10}", "max: 3MiB}"))
	e, err := New(set)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	body, contentType, err := parts([]pair{{"name", "a", []string{"name"}}, {"photos[0]", strings.Repeat("x", 2<<20), []string{"photos", "0"}}, {"z", "1", []string{"z"}}}, files(fieldsOf(set, "POST /order")))
	if err != nil {
		t.Fatal(err)
	}
	request := Request{On: "POST /order", Header: map[string][]string{"Content-Type": {contentType}}, Body: body}
	x, err := e.Explain(t.Context(), request)
	if err != nil {
		t.Fatal(err)
	}
	if x.Refusal != nil || x.Fields[7].Kept != 1 || len(x.Forwarded.Body) < 2<<20 || len(x.Undeclared) != 1 {
		t.Errorf("%+v", x)
	}
	request.Body = body[:len(body)-10]
	x, err = e.Explain(t.Context(), request)
	if err != nil {
		t.Fatal(err)
	}
	if x.Refusal == nil || x.Forwarded != nil || x.Verdict != "refused" || len(x.Fields) != 0 {
		t.Errorf("%+v", x)
	}
}
