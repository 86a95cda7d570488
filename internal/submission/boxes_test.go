package submission

import (
	"io"
	"strings"
	"testing"
)

// boxCases are forms with the check box "ok" and the field "a": what is sent
// and what goes on, pairs joined by '&'; "!" is a refusal as a repeated name. Of a
// multipart form, parts go on, in another order.
var boxCases = []struct{ name, sent, want, parts string }{
	{"Rails, ticked", "ok=0&ok=1&a=x", "ok=1&a=x", ""},
	{"Rails, not ticked", "ok=0&a=x", "ok=0&a=x", "a=x&ok=0"},
	{"ASP.NET, ticked", "ok=true&a=x&ok=false", "ok=true&a=x", ""},
	{"ASP.NET, not ticked", "a=x&ok=false", "a=x&ok=false", ""},
	{"far apart", "ok=0&a=x&ok=on", "a=x&ok=on", ""},
	{"alone", "ok=on", "ok=on", ""},
	{"its own word", "ok=0&ok=gladly", "ok=gladly", ""},
	// Applications disagree on which of two answers counts.
	{"two answers", "ok=1&ok=yes", "!", ""},
	{"the same twice", "ok=1&ok=1", "ok=1&ok=1", ""},
	{"two shadows", "ok=0&ok=0", "ok=0&ok=0", ""},
	{"two shadows that differ", "ok=0&ok=false", "!", ""},
	{"two shadows before a box", "ok=0&ok=0&ok=1", "!", ""},
	{"two shadows behind a box", "ok=1&ok=0&ok=0", "!", ""},
	{"two shadows and a box", "ok=0&ok=1&ok=false", "!", ""},
	{"one box, three", "ok=0&ok=1&ok=1", "!", ""},
	{"on and off", "ok=on&ok=off", "!", ""},
	{"no box", "a=0&a=1", "!", ""},
	{"no box, the same twice", "a=0&a=0", "a=0&a=0", ""},
	{"nothing but the shadow", "ok=0", "ok=0", ""},
	{"an empty shadow", "ok=&ok=1", "ok=1", ""},
	{"another name for it", "ok=0&ok[]=1", "conflict", ""},
}

func TestBoxes(t *testing.T) {
	for _, watch := range []bool{false, true} { // as the plan that writes has it, and one that learns and writes
		testBoxes(t, watch)
	}
}

func testBoxes(t *testing.T, watch bool) {
	t.Helper()
	plan, err := NewPlan([]Field{
		{Path: segments("ok"), Kept: true, Watch: watch, Box: true}, {Path: segments("a"), Kept: true},
	}, Brackets)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range boxCases {
		want := func(got string, err error, how string, rep *Report) {
			t.Helper()
			expected := test.want
			if how == "multipart" && test.parts != "" {
				expected = test.parts
			}
			switch {
			case test.want == "!" || test.want == "conflict":
				rule := map[string]string{"!": "duplicate-name", "conflict": "name-conflict"}[test.want]
				if fault, ok := err.(*Error); !ok || fault.Rule != rule { //nolint:errorlint // it comes as it is
					t.Errorf("%s, %s: %q, %v", test.name, how, got, err)
				}
			case err != nil || got != expected:
				t.Errorf("%s, %s: %q, %v; want %q", test.name, how, got, err, expected)
			default:
				_, answer, came := strings.Cut(test.want, "ok=")
				answer, _, _ = strings.Cut(answer, "&")
				kept := strings.Count(test.want, "ok=")
				if watched, ok := rep.Watched(0); ok != (watch && came) || watch && watched != answer || int(rep.Outcomes[0].Kept) != kept {
					t.Errorf("%s, %s: watched %q, kept %d", test.name, how, watched, rep.Outcomes[0].Kept)
				}
			}
		}
		var rep Report
		rep.Reset(plan)
		out, err := plan.Form(nil, []byte(test.sent), DefaultLimits(), &rep)
		want(string(out), err, "form", &rep)

		rep.Reset(plan)
		var sent strings.Builder
		for pair := range strings.SplitSeq(test.sent, "&") {
			name, value, _ := strings.Cut(pair, "=")
			sent.WriteString("--B\r\nContent-Disposition: form-data; name=\"" + name + "\"\r\n\r\n" + value + "\r\n")
		}
		m := NewMultipart(strings.NewReader(sent.String()+"--B--\r\n"), "B", plan, DefaultLimits(), &rep)
		written, err := io.ReadAll(m)
		var pairs []string
		for part := range strings.SplitSeq(string(written), "--"+m.Boundary()) {
			if _, rest, ok := strings.Cut(part, `name="`); ok {
				name, value, _ := strings.Cut(rest, "\"\r\n\r\n")
				pairs = append(pairs, name+"="+strings.TrimSuffix(value, "\r\n"))
			}
		}
		want(strings.Join(pairs, "&"), err, "multipart", &rep)
		_ = m.Close()
	}
}

// A denied box takes its shadow with it.
func TestDeniedBox(t *testing.T) {
	plan, err := NewPlan([]Field{{Path: segments("ok"), Reason: "no_consent", Watch: true, Box: true}}, Brackets)
	if err != nil {
		t.Fatal(err)
	}
	for _, sent := range []string{"ok=0", "ok=0&ok=1", "ok=1&ok=0"} {
		var rep Report
		rep.Reset(plan)
		if out, err := plan.Form(nil, []byte(sent), DefaultLimits(), &rep); err != nil || len(out) > 0 || rep.Outcomes[0].Stripped != 1 {
			t.Errorf("%s: %q, %v, stripped %d", sent, out, err, rep.Outcomes[0].Stripped)
		}
	}
}
