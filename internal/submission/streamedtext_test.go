package submission

import (
	"io"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf8"
)

// streamForm reads a form whose texts go on while they arrive.
func streamForm(p *Plan, src io.Reader, lim Limits, rep *Report) (string, error) {
	rep.Reset(p)
	m := NewMultipart(src, "B", p, lim, rep)
	m.StreamTexts()
	out, err := io.ReadAll(m)
	_ = m.Close()
	return strings.ReplaceAll(string(out), m.Boundary(), "B"), err
}

// textPlan has fields that stream and fields that do not.
func textPlan(tb testing.TB) *Plan {
	tb.Helper()
	p, err := NewPlan([]Field{
		{Path: segments("any"), Kept: true},
		{Path: segments("short"), Kept: true, Rule: NewRule(Rule{Max: 10}), Otherwise: &Constant{JSON: `"-"`, Text: "-"}},
		{Path: segments("long"), Kept: true, Rule: NewRule(Rule{Type: "text", Max: 2_000_000})},
		{Path: segments("list", "*"), Kept: true, Rule: NewRule(Rule{Max: 100_000})},
		{Path: segments("email"), Kept: true, Rule: NewRule(Rule{Type: "email", Max: 2_000_000})},
		{Path: segments("first"), Kept: true, Rule: NewRule(Rule{Keep: "first", N: 3, Max: 2_000_000})},
		{Path: segments("one"), Kept: true, Rule: NewRule(Rule{OneOf: []string{"x"}, Max: 2_000_000})},
		{Path: segments("seen"), Kept: true, Watch: true, Rule: NewRule(Rule{Max: 2_000_000})},
		{Path: segments("box"), Kept: true, Box: true},
		{Path: segments("no"), Reason: "no_consent"},
		{Path: segments("file"), Kept: true, File: true},
	}, Brackets)
	if err != nil {
		tb.Fatal(err)
	}
	return p
}

// textForms are forms of which the same goes on whether they are in memory or
// stream.
var textForms = map[string]string{
	"short texts":           form("name=\"any\"\n\n1", "name=\"short\"\n\n2", "name=\"long\"\n\n3"),
	"empty texts":           form("name=\"any\"\n\n", "name=\"short\"\n\n"),
	"all of what is held":   form("name=\"any\"\n\n"+strings.Repeat("x", heldText), "name=\"long\"\n\n"+strings.Repeat("y", heldText)),
	"more than is held":     form("name=\"any\"\n\n"+strings.Repeat("x", heldText+1), "name=\"long\"\n\n"+strings.Repeat("y", heldText+1)),
	"windows of text":       form("name=\"any\"\n\n"+strings.Repeat("Ж\r\n--\t", 30_000), "name=\"no\"\n\n1", "name=\"long\"\n\n"+strings.Repeat("😀", 50_000)),
	"too long":              form("name=\"short\"\n\n12345678901", "name=\"any\"\n\n1"),
	"too long by far":       form("name=\"short\"\n\n"+strings.Repeat("😀", 50_000), "name=\"any\"\n\n1"),
	"as long as allowed":    form("name=\"short\"\n\n" + strings.Repeat("😀", 10)),
	"a list":                form("name=\"list[]\"\n\n"+strings.Repeat("x", 100_000), "name=\"list[]\"\n\n"+strings.Repeat("y", 100_000)),
	"files between":         form("name=\"any\"\n\n"+strings.Repeat("x", 90_000), "name=\"file\"; filename=\"f\"\n\n"+strings.Repeat("f", 90_000), "name=\"long\"\n\nx"),
	"fields that are held":  form("name=\"email\"\n\na@b.example", "name=\"first\"\n\n"+strings.Repeat("x", 90_000), "name=\"one\"\n\nx", "name=\"seen\"\n\ns", "name=\"box\"\n\n0"),
	"a file for a text":     form("name=\"any\"; filename=\"f\"\n\n" + strings.Repeat("x", 90_000)),
	"a text for a file":     form("name=\"file\"\n\n" + strings.Repeat("x", 90_000)),
	"a NUL far behind":      form("name=\"any\"\n\n" + strings.Repeat("x", 90_000) + "\x00"),
	"a NUL in what is left": form("name=\"short\"\n\n" + strings.Repeat("x", 90_000) + "\x00"),
	"half a character":      form("name=\"any\"\n\n" + strings.Repeat("x", 90_000) + "\xd0"),
	"a half in the midst":   form("name=\"any\"\n\n" + strings.Repeat("x", 90_000) + "\xf0\x9f\x98" + strings.Repeat("x", 90_000)),
	"a surrogate":           form("name=\"long\"\n\n" + strings.Repeat("x", 90_000) + "\xed\xa0\x80"),
	"Latin-1":               form("name=\"long\"\n\n" + strings.Repeat("\xe9", 90_000)),
	"DEL":                   form("name=\"long\"\n\n" + strings.Repeat("\x7f", 90_000)),
	"a text twice":          form("name=\"any\"\n\n"+strings.Repeat("x", 90_000), "name=\"long\"\n\n1", "name=\"any\"\n\n"+strings.Repeat("x", 90_000)),
	"two texts":             form("name=\"any\"\n\n"+strings.Repeat("x", 90_000), "name=\"any\"\n\n"+strings.Repeat("x", 89_999)+"y"),
	"two that are left out": form("name=\"short\"\n\n"+strings.Repeat("x", 20_000), "name=\"short\"\n\n"+strings.Repeat("y", 20_000)),
	"a name twice":          form("name=\"any\"\n\n"+strings.Repeat("x", 90_000), "name=\"any\"\n\n2"),
	"more than max_body":    form("name=\"any\"\n\n" + strings.Repeat("x", 1<<20+1)),
}

// TestStreamedTextAsHeld: an application must not get another form because it was
// long, nor a form that is refused when it is short.
func TestStreamedTextAsHeld(t *testing.T) {
	p := textPlan(t)
	for name, in := range textForms {
		want, held, wantErr := rebuildParts(p, in, DefaultLimits())
		for reader, src := range map[string]io.Reader{
			"whole": strings.NewReader(in), "half": iotest.HalfReader(strings.NewReader(in)),
			"three bytes": &chopped{strings.NewReader(in), 3}, "7001 bytes": &chopped{strings.NewReader(in), 7001},
		} {
			rep := new(Report)
			got, err := streamForm(p, src, DefaultLimits(), rep)
			if wantErr != nil {
				if e := refusal(t, err); e.Rule != refusal(t, wantErr).Rule || strings.Contains(got, "--B--") {
					t.Errorf("%s, %s: refused by %s, held by %s", name, reader, e.Rule, wantErr)
				}
				continue
			}
			if err != nil || got != want {
				t.Errorf("%s, %s: %v, equal: %v", name, reader, err, got == want)
			}
			for i := range rep.Outcomes {
				if rep.Outcomes[i] != held.Outcomes[i] {
					t.Errorf("%s, %s: field %d is reported %+v, held %+v", name, reader, i, rep.Outcomes[i], held.Outcomes[i])
				}
			}
		}
	}
}

// TestStreamedTextMax: a text may be larger than what is held in memory if its
// field has a max, and no larger than that.
func TestStreamedTextMax(t *testing.T) {
	p := textPlan(t)
	for _, test := range []struct{ name, in, rule string }{
		{"1.5 MB", form("name=\"long\"\n\n" + strings.Repeat("x", 1_500_000)), ""},
		{"all that is allowed, in 8 MB", form("name=\"long\"\n\n" + strings.Repeat("😀", 2_000_000)), ""},
		{"more than is allowed", form("name=\"long\"\n\n" + strings.Repeat("😀", 2_000_001)), "text-size"},
		{"texts that are larger together", form("name=\"list[]\"\n\n"+strings.Repeat("😀", 100_000), "name=\"list[]\"\n\n"+strings.Repeat("😀", 100_000), "name=\"list[]\"\n\n"+strings.Repeat("😀", 100_000)), ""},
		{"more than is allowed of an element", form("name=\"list[]\"\n\n" + strings.Repeat("x", 100_001)), "text-size"},
		{"no max", form("name=\"any\"\n\n" + strings.Repeat("x", 1_500_000)), "body-size"},
		// These need the whole value, whatever their max.
		{"a type", form("name=\"email\"\n\n" + strings.Repeat("x", 1_500_000)), "body-size"},
		{"a reduction", form("name=\"first\"\n\n" + strings.Repeat("x", 1_500_000)), "body-size"},
		{"some values", form("name=\"one\"\n\n" + strings.Repeat("x", 1_500_000)), "body-size"},
		{"a field that decides", form("name=\"seen\"\n\n" + strings.Repeat("x", 1_500_000)), "body-size"},
		{"a check box", form("name=\"box\"\n\n" + strings.Repeat("x", 1_500_000)), "body-size"},
	} {
		for _, observe := range []bool{false, true} {
			rep := new(Report)
			rep.Reset(p)
			m := NewMultipart(strings.NewReader(test.in), "B", p, DefaultLimits(), rep)
			m.StreamTexts()
			m.Observe = observe
			out, err := io.ReadAll(m)
			if observe {
				if string(out) != test.in || err != nil {
					t.Errorf("%s: observed with %v", test.name, err)
				}
				err = m.Err()
			}
			got := ""
			if err != nil {
				got = refusal(t, err).Rule
			}
			whole := strings.HasSuffix(string(out), "--\r\n")
			if got != test.rule || whole != (test.rule == "" || observe) {
				t.Errorf("%s, observed %v: refused by %q, want %q; whole: %v", test.name, observe, got, test.rule, whole)
			}
			_ = m.Close()
		}
	}
}

// TestStreamedTextInAnyPieces: whether a text that is too long is left out or
// refuses the form must not depend on the network.
func TestStreamedTextInAnyPieces(t *testing.T) {
	for limit, rule := range map[int64]string{heldText - 1: "", heldText: "text-size"} {
		p, err := NewPlan([]Field{{Path: segments("a"), Kept: true, Rule: NewRule(Rule{Max: limit})}}, Brackets)
		if err != nil {
			t.Fatal(err)
		}
		in := form("name=\"x\"\n\n"+strings.Repeat("-", 40_000), "name=\"a\"\n\n"+strings.Repeat("x", int(limit)+1))
		for _, size := range []int{1, 1000, 40_000, 1 << 20} {
			rep := new(Report)
			_, err := streamForm(p, &chopped{strings.NewReader(in), size}, DefaultLimits(), rep)
			if rule != "" {
				if e := refusal(t, err); e.Rule != rule {
					t.Errorf("max %d, in pieces of %d: refused by %s", limit, size, e.Rule)
				}
			} else if err != nil || rep.Outcomes[0] != (Outcome{Stripped: 1, Reason: ReasonTooLong}) {
				t.Errorf("max %d, in pieces of %d: %v, %+v", limit, size, err, rep.Outcomes[0])
			}
		}
	}
}

// TestStreamedTextMemory: what a text holds in memory does not depend on its size.
func TestStreamedTextMemory(t *testing.T) {
	p, err := NewPlan([]Field{{Path: segments("a"), Kept: true, Rule: NewRule(Rule{Max: 1 << 40})}}, Brackets)
	if err != nil {
		t.Fatal(err)
	}
	rep := new(Report)
	run := func(size int64) (allocated uint64) {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		rep.Reset(p)
		body := io.MultiReader(strings.NewReader("--B\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n"),
			io.LimitReader(&repeated{block: []byte(strings.Repeat("Ж", 1<<19))}, size), strings.NewReader("\r\n--B--\r\n"))
		m := NewMultipart(body, "B", p, DefaultLimits(), rep)
		defer closing(t, m)
		m.StreamTexts()
		n, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, struct{ io.Reader }{m}, make([]byte, 32<<10))
		if err != nil || n < size {
			t.Fatalf("%d bytes, %v", n, err)
		}
		runtime.ReadMemStats(&after)
		return after.TotalAlloc - before.TotalAlloc
	}
	run(1 << 20)
	if small, large := run(1<<20), run(100<<20); large > small+256<<10 {
		t.Errorf("1 MB allocated %d bytes, 100 MB %d", small, large)
	}
}

// FuzzStreamedText: in whatever pieces a text comes, it is text and has as many
// characters as if it came whole.
func FuzzStreamedText(f *testing.F) {
	for _, seed := range []string{"", "a", "Ж😀\t\r\n", "\xf0\x9f\x98", "\xf0\x9f\x98x", "\xed\xa0\x80", "\xc0\xaf", "\x80", "a\x00", "\x7f", "\xf4\x90\x80\x80", "\xe2\x82\xac\xe2"} {
		f.Add(seed, uint8(1))
		f.Add(seed, uint8(3))
	}
	f.Fuzz(func(t *testing.T, in string, size uint8) {
		var text streamedText
		ok, step := true, int(size)+1
		for rest := in; ok; rest = rest[step:] {
			if len(rest) <= step {
				ok = text.add([]byte(rest), true)
				break
			}
			ok = text.add([]byte(rest[:step]), false)
		}
		if want := utf8.ValidString(in) && isText([]byte(in)); ok != want {
			t.Fatalf("%q in pieces of %d is text: %v, whole: %v", in, step, ok, want)
		}
		if ok && text.characters != int64(utf8.RuneCountInString(in)) {
			t.Fatalf("%q has %d characters", in, text.characters)
		}
	})
}
