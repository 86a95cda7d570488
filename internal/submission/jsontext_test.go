package submission

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// jsonTextPlan has the JSON text "p" with the members "name", "l.*", "o.**", the denied
// "no", the tick "tick" and the JSON text "inner" with the member "x", and the fields
// "a", "f" (a file), "short" (a JSON text of at most 20 characters) and "denied" (a
// denied one with a tick in it).
func jsonTextPlan(t *testing.T) *Plan {
	t.Helper()
	p, err := NewPlan([]Field{
		{Path: segments("p"), Name: "p", Kept: true, JSON: true},
		{Path: segments("p", "name"), Kept: true},
		{Path: segments("p", "l", "*"), Kept: true},
		{Path: segments("p", "o", "**"), Kept: true},
		{Path: segments("p", "no"), Reason: "no_consent"},
		{Path: segments("p", "tick"), Kept: true, Watch: true, Box: true},
		{Path: segments("p", "inner"), Name: "p.inner", Kept: true, JSON: true},
		{Path: segments("p", "inner", "x"), Kept: true},
		{Path: segments("a"), Kept: true},
		{Path: segments("f"), Kept: true, File: true},
		{Path: segments("short"), Name: "short", Kept: true, JSON: true, Rule: NewRule(Rule{Max: 20})},
		{Path: segments("denied"), Name: "denied", Reason: "no_consent", JSON: true},
		{Path: segments("denied", "tick"), Watch: true, Box: true},
	}, Brackets)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// textCases are JSON texts in the field "p" and what goes on; "!" if the field is
// stripped.
var textCases = []struct{ name, in, want string }{
	{"members", `{"name":"a","ssn":1,"l":[1,{"ssn":2}],"o":{"x":{"y":2}},"no":3}`, `{"name":"a","l":[1],"o":{"x":{"y":2}}}`},
	{"white space", " { \"name\" : 1 }\n", `{"name":1}`},
	{"separators of forms", `{"name":"x&ssn=1;y"}`, `{"name":"x\u0026ssn\u003d1\u003by"}`},
	{"a null in the place of a branch", `{"l":null,"name":null}`, `{"l":null,"name":null}`},
	{"a text in a text", `{"inner":"{\"x\":\"&\",\"ssn\":1}"}`, `{"inner":"{\"x\":\"\\u0026\"}"}`},
	{"no text in a text", `{"inner":"ssn","name":1}`, `{"name":1}`},
	{"an object where a text holds one", `{"inner":{"x":1},"name":1}`, `{"name":1}`},
	{"nothing", "", ""},
	{"a scalar", `"078-05-1120"`, `null`},
	{"a number", `78051120`, `null`},
	{"a list", `[{"name":1}]`, `[]`},

	// The attacks: each of these some parser reads in another way than we do, or
	// finds in it what is not declared.
	{"no JSON", "078-05-1120", "!"},
	{"a name twice", `{"name":"a","name":"b"}`, "!"},
	{"a name twice in what is stripped", `{"x":{"y":1,"y":2}}`, "!"},
	{"a name twice, once escaped", `{"name":"a","n\u0061me":"b"}`, "!"},
	{"two values", `{"name":1}{"ssn":2}`, "!"},
	{"a comment", `{"name":1/*ssn*/}`, "!"},
	{"a byte order mark", "\ufeff{}", "!"},
	{"half a surrogate pair", `{"name":"\ud800"}`, "!"},
	{"a long number", `{"name":` + strings.Repeat("1", 129) + `}`, "!"},
	{"deep", strings.Repeat(`{"o":`, 32) + "1" + strings.Repeat("}", 32), "!"},
	{"a form in it", `{"name":1}&ssn=2`, "!"},
	{"as a path", `{"p.name":1,"o.x":2,"p":{"name":3}}`, `{}`},
}

func TestJSONTexts(t *testing.T) {
	p := jsonTextPlan(t)
	for _, tt := range textCases {
		kept := tt.want
		form := "a=1"
		if kept != "!" {
			form = string(appendFormEscaped([]byte("a=1&p="), []byte(kept)))
		}
		in := string(appendFormEscaped([]byte("a=1&p="), []byte(tt.in)))
		rep := new(Report)
		rep.Reset(p)
		body := []byte(in)
		if out, err := p.Form(nil, body, DefaultLimits(), rep); err != nil || string(out) != form || string(body) != in {
			t.Errorf("%s, form: %s, %v, want %s", tt.name, out, err, form)
		}
		if again, _, err := rebuildForm(p, form, DefaultLimits()); err != nil || again != form {
			t.Errorf("%s, form again: %s, %v", tt.name, again, err)
		}
		stripped := Outcome{Stripped: 1, Reason: ReasonWrongType}
		if kept == "!" && (!cmp.Equal(rep.Outcomes[0], stripped) || rep.Outcomes[1].Kept > 0) {
			t.Errorf("%s: counted as %+v", tt.name, rep.Outcomes)
		}
		// In a string of a JSON body.
		want := "{}"
		if kept != "!" {
			want = string(appendJSONString([]byte(`{"p":`), kept)) + "}"
		}
		if out, _, err := rebuild(p, string(appendJSONString([]byte(`{"p":`), tt.in))+"}", DefaultLimits()); err != nil || out != want {
			t.Errorf("%s, JSON: %s, %v, want %s", tt.name, out, err, want)
		}
	}
}

// A part says that it is JSON, as Spring requires, and a Blob stays a file. Another file
// does not pass in the place of a text, whatever it contains.
func TestJSONTextsInParts(t *testing.T) {
	p := jsonTextPlan(t)
	const text = `{"name":"a","ssn":1}`
	for in, want := range map[string]string{
		"name=\"p\"\n\n" + text: "name=\"p\"\nContent-Type: application/json\n\n{\"name\":\"a\"}",
		"name=\"p\"\nContent-Type: application/json; charset=utf-8\n\n" + text:                          "name=\"p\"\nContent-Type: application/json\n\n{\"name\":\"a\"}",
		"name=\"p\"; filename=\"blob\"\nContent-Type: application/json\n\n" + text:                      "name=\"p\"; filename=\"blob\"\nContent-Type: application/json\n\n{\"name\":\"a\"}",
		"name=\"p\"; filename=\"blob\"\nContent-Type: application/json\n\n078-05-1120":                  "",
		"name=\"p\"; filename=\"blob\"\nContent-Type: text/plain\n\n" + text:                            "",
		"name=\"p\"; filename=\"blob\"\n\n" + text:                                                      "",
		"name=\"a\"; filename=\"blob\"\nContent-Type: application/json\n\n" + text:                      "",
		"name=\"denied\"; filename=\"blob\"\nContent-Type: application/json\n\n" + text:                 "",
		"name=\"denied\"\nContent-Type: application/json\n\n" + text:                                    "",
		"name=\"a\"\nContent-Type: application/json\n\n1":                                               "name=\"a\"\n\n1",
		"name=\"short\"\nContent-Type: application/json\n\n{\"x\":\"" + strings.Repeat("x", 30) + "\"}": "",
	} {
		rep := new(Report)
		rep.Reset(p)
		out, err := readForm(p, strings.NewReader(form(in)), DefaultLimits(), rep)
		expected := form()
		if want != "" {
			expected = form(want)
		}
		if err != nil || out != expected {
			t.Errorf("%q: %q, %v, want %q", in, out, err, expected)
		}
	}
}

// A text shares the limits of the submission that holds it: it must not be a way to
// more members or a deeper nesting.
func TestJSONTextsShareLimits(t *testing.T) {
	p := jsonTextPlan(t)
	lim := DefaultLimits()
	lim.Fields = 10
	text := string(appendFormEscaped([]byte("p="), []byte(`{"l":[1,2,3,4,5]}`)))
	if _, _, err := rebuildForm(p, text, lim); err != nil {
		t.Error(err)
	}
	for _, in := range []string{text + "&" + text, text + "&a=1&a=1&a=1&a=1&a=1", string(appendFormEscaped([]byte("p="), []byte(`{"l":[1,2,3,4,5,6,7,8,9,10]}`)))} {
		if _, _, err := rebuildForm(p, in, lim); refusal(t, err).Rule != "fields" {
			t.Errorf("%s: %v", in, err)
		}
	}
	if _, _, err := rebuild(p, `{"a":1,"p":"{\"l\":[1,2,3,4,5]}","x":[1,2,3]}`, lim); refusal(t, err).Rule != "fields" {
		t.Error(err)
	}
	lim.Depth = 3
	if out, _, err := rebuildForm(p, string(appendFormEscaped([]byte("p="), []byte(`{"o":{"x":{"y":1}}}`))), lim); err != nil || out != "" {
		t.Errorf("%s, %v", out, err)
	}
}

// A tick counts only in a text that passes as JSON, and names are reported with the
// path of their text.
func TestJSONTextsAreReported(t *testing.T) {
	p := jsonTextPlan(t)
	for in, want := range map[string]string{
		`{"tick":"on"}`:              "on",
		`{"tick":["on"]}`:            "on",
		`{"tick":"on","tick":"off"}`: "",
		`{"tick":"on"`:               "",
	} {
		_, rep, err := rebuildForm(p, string(appendFormEscaped([]byte("p="), []byte(in))), DefaultLimits())
		if got, _ := rep.Watched(5); err != nil || got != want {
			t.Errorf("%s: watched %q, %v, want %q", in, got, err, want)
		}
	}
	_, rep, err := rebuildForm(p, string(appendFormEscaped([]byte("denied="), []byte(`{"tick":"on"}`))), DefaultLimits())
	if got, _ := rep.Watched(12); err != nil || got != "on" || rep.Outcomes[11].Stripped != 1 {
		t.Errorf("in a denied text: watched %q, %v, %+v", got, err, rep.Outcomes)
	}
	_, rep, err = rebuildForm(p, string(appendFormEscaped([]byte("p="), []byte(`{"name":1,"ssn":1,"l":[{"x":1}],"no":1,"inner":"{\"y\":1}"}`))), DefaultLimits())
	if diff := cmp.Diff([]string{"p.ssn", "p.inner.y"}, slices.Collect(rep.Names())); err != nil || diff != "" {
		t.Error(err, diff)
	}
	if rep.Undeclared != 2 || rep.Outcomes[4].Stripped != 1 || rep.Outcomes[1].Kept != 1 || rep.Outcomes[0].Kept != 1 {
		t.Errorf("%d undeclared, %+v", rep.Undeclared, rep.Outcomes)
	}
}

// A list of JSON texts, each of which takes nearly all the work of a submission and then
// turns out to be no JSON, took seconds: what had been spent was forgotten each time.
func TestAttackJSONTexts(t *testing.T) {
	rule := NewRule(Rule{Pattern: regexp.MustCompile(`^(?:(.*a){20})$`)})
	p, err := NewPlan([]Field{
		{Path: segments("p", "*"), Name: "p.*", Kept: true, JSON: true},
		{Path: segments("p", "*", "x"), Kept: true, Rule: rule},
	}, Brackets)
	if err != nil {
		t.Fatal(err)
	}
	size := int(maxWork / rule.work(1) * 9 / 10)
	for name, text := range map[string]string{
		"no JSON":       `{"x":"` + strings.Repeat("b", size) + `",}`,
		"JSON":          `{"x":"` + strings.Repeat("b", size) + `"}`,
		"too much each": `{"x":"` + strings.Repeat("b", 2*size) + `"}`,
	} {
		form := "p[]=" + strings.Repeat(text+"&p[]=", 10)
		rep := new(Report)
		rep.Reset(p)
		_, err := p.Form(nil, []byte(form), DefaultLimits(), rep)
		if refusal(t, err).Rule != "work" || rep.work > 3*maxWork {
			t.Errorf("%s: %v, work %d of %d", name, err, rep.work, maxWork)
		}
	}
}
