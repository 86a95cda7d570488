package submission

import (
	"fmt"
	"io"
	"strings"
	"testing"
	"time"
)

// repeatCases are forms with the text "a", the year of the date "born", the booleans
// "on" and "rows.*.on", the list "l.*", the member "o.x" of an object, the denied field
// "no", the open "m.**" and the file "f": what is sent and what goes on; "!field" is a
// refusal that names a field.
var repeatCases = []struct{ name, sent, want string }{
	// Whichever an application takes, it takes the same.
	{"the same twice", "a=x&a=x", "a=x&a=x"},
	{"the same three times, others between", "a=x&l=1&a=x&l=2&a=x", "a=x&l=1&a=x&l=2&a=x"},
	{"the same, spelled in two ways", "a=x+%79&%61=x%20y", "a=x%20y&a=x%20y"},
	{"nothing twice", "a=&a", "a=&a="},
	{"below a name", "o[x]=1&o[x]=1", "o%5Bx%5D=1&o%5Bx%5D=1"},
	{"in an open branch, all are lists", "m[x]=1&m[x]=2", "m%5Bx%5D=1&m%5Bx%5D=2"},
	{"each is reduced", "born=1990-05-04&born=1990-05-04", "born=1990&born=1990"},
	{"each is stripped", "born=x&born=x&a=1", "a=1"},
	{"a denied one", "no=1&no=1&a=1", "a=1"},
	{"long", "a=" + strings.Repeat("x", 1000) + "&a=" + strings.Repeat("x", 1000), "a=" + strings.Repeat("x", 1000) + "&a=" + strings.Repeat("x", 1000)},
	{"a list takes any", "l=1&l=2", "l=1&l=2"},

	// The attacks: of two values, one application takes the first, another the
	// last, and a third joins them.
	{"two values", "a=x&a=y", "!a"},
	{"a value and nothing", "a=x&a=", "!a"},
	{"nothing and a value", "a=&a=x", "!a"},
	{"a beginning of the other", "a=xy&a=x", "!a"},
	{"the other begins with it", "a=x&a=xy", "!a"},
	{"the third is another", "a=x&a=x&a=y", "!a"},
	{"another letter case", "a=x&a=X", "!a"},
	{"white space that is part of a text", "a=x&a=x+", "!a"},
	{"long, and the last letter is another", "a=" + strings.Repeat("x", 1000) + "&a=" + strings.Repeat("x", 999) + "y", "!a"},
	{"the same year", "born=1990-05-04&born=1990-05-05", "!born"},
	{"the same date, and a time", "born=1990-05-04&born=1990-05-04T10:00", "!born"},
	{"denied", "no=1&no=2", "!no"},
	{"below a name, two", "o[x]=1&o[x]=2", "!o.x"},
	// Merged by qs and Rack, whether the values are the same or not.
	{"a value and a branch", "o=1&o[x]=1", "conflict"},
	{"the same as value and as list", "l=1&l[]=1", "conflict"},

	// A hidden field and its check box are one answer.
	{"Rails, ticked", "on=0&on=1", "on=1"},
	{"Rails, not ticked", "a=x&on=0&l=1", "a=x&on=0&l=1"},
	{"ASP.NET, ticked", "on=true&a=x&on=false", "on=true&a=x"},
	{"ASP.NET, not ticked", "on=false&a=x", "on=false&a=x"},
	{"other words of Rails", "on=no&on=yes", "on=yes"},
	{"in capitals", "on=False&on=True&a=x", "on=True&a=x"},
	{"nothing beside a box", "on=&on=on", "on=on"},
	{"two trues", "on=1&on=1", "on=1&on=1"},
	{"two falses", "on=0&on=0", "on=0&on=0"},
	{"rows", "rows[0][on]=0&rows[0][on]=1&rows[1][on]=0&rows[2][on]=0&rows[2][on]=1", "rows%5B0%5D%5Bon%5D=1&rows%5B1%5D%5Bon%5D=0&rows%5B2%5D%5Bon%5D=1"},
	{"rows without numbers keep all", "rows[][on]=0&rows[][on]=1&rows[][on]=0", "rows%5B%5D%5Bon%5D=0&rows%5B%5D%5Bon%5D=1&rows%5B%5D%5Bon%5D=0"},
	{"two spellings of true", "on=1&on=true", "!on"},
	{"two spellings of false", "on=0&on=false", "!on"},
	{"a pair and more", "on=0&on=1&on=1", "!on"},
	{"a pair and another no", "on=0&on=1&on=0", "!on"},
	{"two pairs", "on=1&on=0&on=1&on=0", "!on"},
	{"two shadows and a box", "on=0&on=0&on=1", "!on"},
	// A value of no boolean beside a hidden no is stripped like any other.
	{"smuggled beside a no", "on=0&on=078-05-1120&a=x", "a=x"},
	{"smuggled in the place of a no", "on=078-05-1120&on=1", "!on"},
}

func repeatPlan(t *testing.T) *Plan {
	t.Helper()
	p, err := NewPlan([]Field{
		{Path: segments("a"), Kept: true, Name: "a"},
		{Path: segments("born"), Kept: true, Name: "born", Rule: NewRule(Rule{Type: "date", Keep: "year"})},
		{Path: segments("on"), Kept: true, Name: "on", Boolean: true, Rule: NewRule(Rule{Type: "boolean"})},
		{Path: segments("rows", "*", "on"), Kept: true, Name: "rows.*.on", Boolean: true, Rule: NewRule(Rule{Type: "boolean"})},
		{Path: segments("l", "*"), Kept: true, Name: "l.*"},
		{Path: segments("o", "x"), Kept: true, Name: "o.x"},
		{Path: segments("no"), Reason: "no_consent", Name: "no"},
		{Path: segments("m", "**"), Kept: true, Name: "m.**"},
		{Path: segments("f"), Kept: true, File: true, Name: "f"},
	}, Brackets)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestRepeatedNames(t *testing.T) {
	p := repeatPlan(t)
	for _, tt := range repeatCases {
		check := func(how, got string, err error, rep *Report) {
			t.Helper()
			field, refused := strings.CutPrefix(tt.want, "!")
			switch {
			case refused || tt.want == "conflict":
				e := refusal(t, err)
				if refused && (e.Rule != "duplicate-name" || e.Field != field || !strings.Contains(e.Detail, " "+field+" ") || strings.Contains(e.Error(), "byte")) {
					t.Errorf("%s, %s: %q is refused by %s of %q: %v", tt.name, how, tt.sent, e.Rule, e.Field, e)
				}
				if !refused && e.Rule != "name-conflict" {
					t.Errorf("%s, %s: refused by %s", tt.name, how, e.Rule)
				}
			case err != nil || got != tt.want:
				t.Errorf("%s, %s: %q, %v; want %q", tt.name, how, got, err, tt.want)
			default:
				kept := uint32(0)
				for _, o := range rep.Outcomes {
					kept += o.Kept
				}
				if want := strings.Count(tt.want, "="); int(kept) != want {
					t.Errorf("%s, %s: %d kept, want %d", tt.name, how, kept, want)
				}
			}
		}
		for how, pass := range map[string]func(dst, b []byte, lim Limits, rep *Report) ([]byte, error){"form": p.Form, "query": p.Query} {
			rep := new(Report)
			rep.Reset(p)
			out, err := pass(nil, []byte(tt.sent), DefaultLimits(), rep)
			check(how, string(out), err, rep)
		}
		for _, size := range []int{1, 1 << 20} {
			rep := new(Report)
			rep.Reset(p)
			out, err := rebuildAsParts(t, p, tt.sent, size, rep)
			check("multipart", out, err, rep)
		}
	}
}

// rebuildAsParts sends an urlencoded form as a multipart one, read in pieces of so
// many bytes, and returns what goes on as urlencoded again.
func rebuildAsParts(t *testing.T, p *Plan, form string, size int, rep *Report) (string, error) {
	t.Helper()
	decode := func(s string) string {
		pass := formPass{where: "body"}
		text, _, err := pass.decode(nil, []byte(s), 0, len(s))
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	var sent strings.Builder
	for pair := range strings.SplitSeq(form, "&") {
		name, value, _ := strings.Cut(pair, "=")
		sent.WriteString("--B\r\nContent-Disposition: form-data; name=\"" + decode(name) + "\"\r\n\r\n" + decode(value) + "\r\n")
	}
	sent.WriteString("--B--\r\n")
	m := NewMultipart(&slowly{strings.NewReader(sent.String()), size}, "B", p, DefaultLimits(), rep)
	if size == 1 {
		m.StreamTexts()
	}
	defer m.Close() //nolint:errcheck // it only gives back memory
	written, err := io.ReadAll(m)
	if err != nil {
		return "", err
	}
	var pairs []string
	for part := range strings.SplitSeq(string(written), "--"+m.Boundary()) {
		if _, rest, ok := strings.Cut(part, `name="`); ok {
			name, value, _ := strings.Cut(rest, "\"\r\n\r\n")
			pair := appendFormEscaped(nil, []byte(name))
			pairs = append(pairs, string(appendFormEscaped(append(pair, '='), []byte(strings.TrimSuffix(value, "\r\n")))))
		}
	}
	return strings.Join(pairs, "&"), nil
}

// slowly reads at most so many bytes at once.
type slowly struct {
	io.Reader
	size int
}

func (s *slowly) Read(p []byte) (int, error) { return s.Reader.Read(p[:min(len(p), s.size)]) }

// A hidden no of a boolean goes on before the part that follows it: some
// applications read only the fields before a file. A box that comes later still
// cannot take it back, so that the form is refused, not read in two ways.
func TestHiddenBooleanBeforeFile(t *testing.T) {
	p := repeatPlan(t)
	file := "name=\"f\"; filename=\"x\"\n\ndata"
	for _, tt := range []struct {
		parts []string
		want  string
	}{
		{[]string{"name=\"on\"\n\n0", file}, "on f"},
		{[]string{"name=\"on\"\n\n0", "name=\"on\"\n\n1", file}, "on f"},
		{[]string{"name=\"on\"\n\n0", file, "name=\"on\"\n\n1"}, "duplicate-name"},
		{[]string{"name=\"on\"\n\n1", file, "name=\"on\"\n\n0"}, "on f"},
		// The content of a file is not compared.
		{[]string{file, file}, "duplicate-name"},
		{[]string{file, "name=\"f\"\n\ndata"}, "duplicate-name"},
		{[]string{"name=\"f\"\n\ndata", file}, "duplicate-name"},
		{[]string{"name=\"a\"\n\ndata", "name=\"a\"; filename=\"x\"\n\ndata"}, "duplicate-name"},
	} {
		rep := new(Report)
		rep.Reset(p)
		out, err := readForm(p, strings.NewReader(form(tt.parts...)), DefaultLimits(), rep)
		var got string
		if err != nil {
			got = refusal(t, err).Rule
		} else {
			var names []string
			for part := range strings.SplitSeq(out, `name="`) {
				name, _, _ := strings.Cut(part, `"`)
				names = append(names, name)
			}
			got = strings.Join(names[1:], " ")
			got = strings.ReplaceAll(got, " x", "")
		}
		if got != tt.want {
			t.Errorf("%q: %s, want %s", tt.parts, got, tt.want)
		}
	}
}

// A client repeats a large value as often as it may: each is compared with the
// first, so that the work grows with the form and not with its square; and a
// multipart form holds a fingerprint of each name, not the values.
func TestRepeatedNamesStayLinear(t *testing.T) {
	p := repeatPlan(t)
	work := func(pairs, size int) time.Duration {
		value := strings.Repeat("%78", size)
		body := []byte(strings.TrimSuffix(strings.Repeat("a="+value+"&", pairs), "&"))
		begin := time.Now()
		for range 5 {
			rep := new(Report)
			rep.Reset(p)
			if _, err := p.Form(nil, body, DefaultLimits(), rep); err != nil {
				t.Fatal(err)
			}
		}
		return time.Since(begin)
	}
	work(1, 300_000) // what is set up once
	one := work(1, 300_000)
	for _, pairs := range []int{2, 1000} {
		if many := work(pairs, 300_000/pairs); many > 20*one+time.Millisecond {
			t.Errorf("%d values take %v, one of the same size together %v", pairs, many, one)
		}
	}

	lim := DefaultLimits()
	var sent strings.Builder
	for range 500 {
		for _, name := range []string{"a", "o[x]"} {
			fmt.Fprintf(&sent, "--B\r\nContent-Disposition: form-data; name=%q\r\n\r\n%s\r\n", name, strings.Repeat("x", 1000))
		}
	}
	rep := new(Report)
	rep.Reset(p)
	m := NewMultipart(strings.NewReader(sent.String()+"--B--\r\n"), "B", p, lim, rep)
	if _, err := io.Copy(io.Discard, m); err != nil {
		t.Fatal(err)
	}
	if rep.Outcomes[0].Kept != 500 || rep.Outcomes[5].Kept != 500 {
		t.Errorf("%+v", rep.Outcomes)
	}
}
