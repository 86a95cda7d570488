package submission

import (
	"strings"
	"testing"
)

// emptyListCases are forms with the lists "l.*", "o.l.*", "rows.*.sku", "c.*" (each with
// a constant), "no.*" (denied), "m.**", "both" and "both.*", and the check box "ok": what
// is sent and what goes on. A name with a bang is refused as a conflict with that field.
var emptyListCases = []struct{ name, sent, want string }{
	{"nothing chosen", "l=&a=x", "l=&a=x"},
	{"one", "l=&l[]=1", "l%5B%5D=1"},
	{"two, others before and behind", "a=x&l=&l[]=1&l[]=2&b=", "a=x&l%5B%5D=1&l%5B%5D=2&b="},
	{"without an equals sign", "l&l[]=1", "l%5B%5D=1"},
	{"with numbers", "l=&l[3]=1", "l%5B3%5D=1"},
	{"below a name", "o[l]=&o[l][]=1&o[l][]=2", "o%5Bl%5D%5B%5D=1&o%5Bl%5D%5B%5D=2"},
	{"below a name, nothing chosen", "o[l]=&a=x", "o%5Bl%5D=&a=x"},
	{"escaped", "o%5Bl%5D=&o%5Bl%5D%5B%5D=1", "o%5Bl%5D%5B%5D=1"},
	{"two lists", "l=&l[]=1&o[l]=&o[l][]=2", "l%5B%5D=1&o%5Bl%5D%5B%5D=2"},
	{"rows", "rows=&rows[0][sku]=1&rows[1][sku]=2", "rows%5B0%5D%5Bsku%5D=1&rows%5B1%5D%5Bsku%5D=2"},
	{"a list in a row", "rows[0][tags]=&rows[0][tags][]=1&rows[1][tags]=", "rows%5B0%5D%5Btags%5D%5B%5D=1&rows%5B1%5D%5Btags%5D="},
	{"an open branch", "m[x]=&m[x][]=1&m[y]=", "m%5Bx%5D%5B%5D=1&m%5By%5D="},
	{"a constant", "c=&c[]=1", "c%5B%5D=-"},
	{"a constant, nothing chosen", "c=", "c=-"},
	{"denied", "no=&no[]=1&a=x", "a=x"},
	{"a scalar of its own", "both=&both[]=1", "both%5B%5D=1"},
	{"a scalar of its own, twice", "both=&both=", "both=&both="},
	{"elements that are stripped", "n=&n[]=x&n[]=1", "n%5B%5D=1"},
	{"a tick", "ok=&ok[]=Yes", "ok%5B%5D=Yes"},
	{"a tick and another", "ok=&ok[]=Yes&ok[]=No", "ok%5B%5D=Yes&ok%5B%5D=No"},
	{"no tick", "a=x&ok=", "a=x&ok="},

	// The attack: of a value and a list, PHP reads the list, qs both, and Rack neither, so
	// that a value that we judged as one would be another to the application. Only what
	// holds no data may come beside a list, before it, and once.
	{"a value", "l=1&l[]=2", "!l.*"},
	{"a value of a space", "l=+&l[]=2", "!l.*"},
	{"nothing and a value", "l=&l=1&l[]=2", "!l.*"},
	{"a value and nothing", "l=1&l=&l[]=2", "!l.*"},
	{"nothing twice", "l=&l=&l[]=2", "!l.*"},
	{"nothing behind the list", "l[]=1&l=", "!l.*"},
	{"nothing behind the list, too", "l=&l[]=1&l=", "!l.*"},
	{"a value behind the list", "l=&l[]=1&l=2", "!l.*"},
	{"two notations", "l=&l[]=1&l[0]=2", "!l.*"},
	{"a member", "l=&l[x]=1", "!l.*"},
	{"a member behind the list", "l=&l[]=1&l[x]=2", "l%5B%5D=1"},
	{"a member of an object", "o=&o[l][]=1", "!o.l.*"},
	{"elements that are not declared", "a=&a[]=1", "!a"},
	{"a hidden no beside ticks", "ok=0&ok[]=Yes", "!ok"},
	{"a box beside ticks", "ok=&ok=1&ok[]=Yes", "!ok"},
	{"a box behind ticks", "ok=&ok[]=Yes&ok=1", "!ok"},
	{"a member of an open branch", "m[x]=&m[x][y]=1", "!m.**"},
}

func emptyListPlan(t *testing.T) *Plan {
	t.Helper()
	p, err := NewPlan([]Field{
		{Path: segments("ok"), Name: "ok", Kept: true, Watch: true, Box: true},
		{Path: segments("a"), Name: "a", Kept: true},
		{Path: segments("b"), Name: "b", Kept: true},
		{Path: segments("l", "*"), Name: "l.*", Kept: true},
		{Path: segments("o", "l", "*"), Name: "o.l.*", Kept: true},
		{Path: segments("rows", "*", "sku"), Name: "rows.*.sku", Kept: true},
		{Path: segments("rows", "*", "tags", "*"), Name: "rows.*.tags.*", Kept: true},
		{Path: segments("m", "**"), Name: "m.**", Kept: true},
		{Path: segments("c", "*"), Name: "c.*", Reason: "no_consent", Otherwise: &Constant{JSON: `"-"`, Text: "-"}},
		{Path: segments("no", "*"), Name: "no.*", Reason: "no_consent"},
		{Path: segments("n", "*"), Name: "n.*", Kept: true, Rule: NewRule(Rule{Type: "integer"})},
		{Path: segments("both"), Name: "both", Kept: true},
		{Path: segments("both", "*"), Name: "both.*", Kept: true},
		{Path: segments("f"), Name: "f", Kept: true, File: true},
		{Path: segments("files", "*"), Name: "files.*", Kept: true, File: true},
	}, Brackets)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestEmptyBeforeList(t *testing.T) {
	p := emptyListPlan(t)
	for _, tt := range emptyListCases {
		check := func(how, got string, err error, rep *Report) {
			t.Helper()
			field, refused := strings.CutPrefix(tt.want, "!")
			if refused {
				if err == nil {
					t.Errorf("%s, %s: %q goes on as %q", tt.name, how, tt.sent, got)
					return
				}
				e := refusal(t, err)
				if e.Rule != "name-conflict" || e.Field != field || !strings.Contains(e.Detail, " "+field+", ") || strings.Contains(e.Error(), "byte") {
					t.Errorf("%s, %s: %q is refused by %s of %q: %v", tt.name, how, tt.sent, e.Rule, e.Field, e)
				}
				return
			}
			if err != nil || got != tt.want {
				t.Errorf("%s, %s: %q, %v; want %q", tt.name, how, got, err, tt.want)
			}
			kept := uint32(0)
			for _, o := range rep.Outcomes {
				kept += o.Kept
			}
			if want := strings.Count(strings.ReplaceAll(tt.want, "=-", ""), "="); int(kept) != want {
				t.Errorf("%s, %s: %d kept, want %d", tt.name, how, kept, want)
			}
			if ticked, ok := rep.Watched(0); strings.Contains(tt.sent, "Yes") && (ok == strings.Contains(tt.sent, "No") || ok && ticked != "Yes") {
				t.Errorf("%s, %s: ticked %q, %v", tt.name, how, ticked, ok)
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

// Yii sends an empty text before each file input, so that it is in $_POST. It never goes
// on, so that nothing is compared with the file.
func TestEmptyBeforeFile(t *testing.T) {
	p := emptyListPlan(t)
	file := func(name string) string { return "name=\"" + name + "\"; filename=\"x\"\n\ndata" }
	for _, tt := range []struct {
		parts []string
		want  string
	}{
		{[]string{"name=\"f\"\n\n", file("f")}, "f"},
		{[]string{file("f"), "name=\"f\"\n\n"}, "f"},
		{[]string{"name=\"f\"\n\n", "name=\"a\"\n\n1"}, "a"},
		{[]string{"name=\"files\"\n\n", file("files[]"), file("files[]")}, "files[] files[]"},
		// The content of a file is not compared with anything.
		{[]string{"name=\"f\"\n\n", file("f"), file("f")}, "duplicate-name"},
		{[]string{"name=\"f\"\n\n ", file("f")}, "duplicate-name"},
		{[]string{"name=\"a\"\n\n", file("a")}, "duplicate-name"},
		{[]string{"name=\"files\"\n\nx", file("files[]")}, "name-conflict"},
		{[]string{file("files"), file("files[]")}, "name-conflict"},
	} {
		rep := new(Report)
		rep.Reset(p)
		got, err := readForm(p, strings.NewReader(form(tt.parts...)), DefaultLimits(), rep)
		if err != nil {
			got = refusal(t, err).Rule
		} else {
			var names []string
			for part := range strings.SplitSeq(got, "data; name=\"") {
				name, _, _ := strings.Cut(part, "\"")
				names = append(names, name)
			}
			got = strings.Join(names[1:], " ")
		}
		if got != tt.want {
			t.Errorf("%q: %s, want %s", tt.parts, got, tt.want)
		}
	}
}

// The query names one person and the body another, behind an empty field: that the
// field does not go on must not hide that there were two.
func TestEmptyBeforeListHidesNothing(t *testing.T) {
	p, err := NewPlan([]Field{{Path: segments("mail", "*"), Watch: true}}, Brackets)
	if err != nil {
		t.Fatal(err)
	}
	for query, unclear := range map[string]bool{"": false, "mail[]=b": false, "mail[]=a": true} {
		rep := new(Report)
		rep.Reset(p)
		if _, err := p.Query(nil, []byte(query), DefaultLimits(), rep); err != nil {
			t.Fatal(err)
		}
		if _, err := p.Form(nil, []byte("mail=&mail[]=b"), DefaultLimits(), rep); err != nil {
			t.Fatal(err)
		}
		if value, ok := rep.Watched(0); ok && (unclear || value != "b") {
			t.Errorf("%q: the person is %q", query, value)
		}
		if query == "" && rep.Unclear(0) || unclear && !rep.Unclear(0) {
			t.Errorf("%q: unclear is %v", query, rep.Unclear(0))
		}
	}
}
