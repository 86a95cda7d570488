package submission

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// rebuildForm runs the form pass over body.
func rebuildForm(p *Plan, body string, lim Limits) (string, *Report, error) {
	rep := new(Report)
	rep.Reset(p)
	out, err := p.Form([]byte("before"), []byte(body), lim, rep)
	return strings.TrimPrefix(string(out), "before"), rep, err
}

// formCases feed the unit test and the fuzz seeds.
var formCases = []struct {
	name  string
	paths []string
	in    string
	want  string
}{
	{"kept and stripped", []string{"name", "email"}, "name=a&shoe=42&email=b", "name=a&email=b"},
	{"names that fold to a literal sibling", []string{"p.**", "p.offers", "**"}, "p[OFFERS]=1&p[of_fers]=2&p[offers]=3&p[x][offers]=4&P[offers]=5&q=6", "p%5Boffers%5D=3&p%5Bx%5D%5Boffers%5D=4&q=6"},
	{"what holds of elements holds of members", []string{"items.**", "!items.*.ssn"}, "items[00][ssn]=1&items[10000][ssn]=2&items[x][ssn]=3&items[x][sku]=5", "items%5Bx%5D%5Bsku%5D=5"},
	{"what holds of members holds of those of elements", []string{"p.**", "!p.address.ssn"}, "p[address][0][ssn]=1&p[address][0][city]=2&p[address][ssn]=3", "p%5Baddress%5D%5B0%5D%5Bcity%5D=2"},
	{"a scalar beside a subtree", []string{"**", "!birthday"}, "birthday[]=1990&birthday[x]=1990&a[]=1&tags=2", "a%5B%5D=1&tags=2"},
	{"a list beside a subtree", []string{"**", "tags.*"}, "tags=1&tags=2&a=3", "tags=1&tags=2&a=3"},
	{"prototypes", []string{"**"}, "__proto__[x]=1&a[constructor][prototype][x]=2&constructor=3&b=4", "b=4"},
	{"first stripped", []string{"b"}, "a=1&b=2", "b=2"},
	{"last stripped", []string{"a"}, "a=1&b=2", "a=1"},
	{"nothing kept", nil, "a=1&b=2", ""},
	{"nothing sent", []string{"a"}, "", ""},
	{"empty pairs", []string{"a", "b"}, "&&a=1&&&b=2&", "a=1&b=2"},
	{"no equals sign", []string{"a", "b"}, "a&b&c", "a=&b="},
	{"no value", []string{"a", "b"}, "a=&b=&=x&=", "a=&b="},
	{"equals signs in a value", []string{"a"}, "a=b=c==", "a=b%3Dc%3D%3D"},
	{"spaces", []string{"a"}, "a=x+y%20z+", "a=x%20y%20z%20"},
	{"our spelling", []string{"a", "b", "c"}, "a=%41%2d%7e%2f%3A&b=%c3%a9%2F&c=!'()*~,:@;/?$", "a=A-~%2F%3A&b=%C3%A9%2F&c=%21%27%28%29%2A~%2C%3A%40%3B%2F%3F%24"},
	{"raw UTF-8", []string{"a"}, "a=Жé", "a=%D0%96%C3%A9"},
	{"half raw, half escaped UTF-8", []string{"a"}, "a=\xd0%96", "a=%D0%96"},
	{"lines", []string{"a", "b"}, "a=x%0D%0Ay%09z&b=x\r\ny\tz", "a=x%0D%0Ay%09z&b=x%0D%0Ay%09z"},
	// ';' separates in six frameworks: a value must not hold it bare.
	{"semicolon", []string{"a", "ssn"}, "a=1;ssn=2", "a=1%3Bssn%3D2"},
	{"semicolon in a name", []string{"a", "ssn"}, "a;ssn=2", ""},
	{"escaped names", []string{"email", "user.email"}, "em%61il=x&user%5bemail%5D=y&%75ser[name]=z", "email=x&user%5Bemail%5D=y"},
	{"elements", []string{"items.*.sku", "tags.*"}, "items[0][sku]=a&items[0][note]=n&items%5B1%5D%5Bsku%5D=b&tags[]=x&tags[]=y", "items%5B0%5D%5Bsku%5D=a&items%5B1%5D%5Bsku%5D=b&tags%5B%5D=x&tags%5B%5D=y"},
	// What is predicted from one name must not be used for a later one.
	{
		"names that begin alike",
		[]string{"user.email", "user.name", "items.*.sku", "l.*"},
		"user%5Bemail%5D=1&items%5b0%5d%5bsku%5d=2&user%5Bname%5D=3&user%5Bx%5D=4&user%5Bname%5Dx=5&items[1][sku]=6&items[1][email]=7&l%5B0%5D=8&l%5B1%5D=9&lo%5B1%5D=0",
		"user%5Bemail%5D=1&items%5B0%5D%5Bsku%5D=2&user%5Bname%5D=3&items%5B1%5D%5Bsku%5D=6&l%5B0%5D=8&l%5B1%5D=9",
	},
	{
		"names that begin alike, twice spelled",
		[]string{"a.b.c", "a.b.d", "a.*.e"},
		"a[b][c]=1&a%5Bb%5D%5Bd%5D=2&a[0][e]=3&a[1][e]=4&a%5B1%5D[x]=5&a[b][x]=6",
		"a%5Bb%5D%5Bc%5D=1&a%5Bb%5D%5Bd%5D=2&a%5B0%5D%5Be%5D=3&a%5B1%5D%5Be%5D=4",
	},
	// The first name ends in an escaped bracket behind a raw one: user alone
	// was remembered as what leads to user.address, so that user[city], which
	// nobody declares, passed for user.address.city.
	{
		"a stem cut at the wrong bracket",
		[]string{"user.address.city", "items.*.sku"},
		"user[address]%5Bx]=1&user[city]=SECRET&items[0]%5bx%5d=1&items[sku]=SECRET&items[0][sku]=a",
		"items%5B0%5D%5Bsku%5D=a",
	},
	{"a choice of several", []string{"tags.*"}, "tags=x&tags=y", "tags=x&tags=y"},
	{"spelled by the policy", []string{`user\.email`, "имя"}, "user.email=x&%D0%B8%D0%BC%D1%8F=y&user_email=z", "user.email=x&%D0%B8%D0%BC%D1%8F=y"},
	// PHP turns "s sn" and "s.sn" into s_sn.
	{"names that PHP rewrites", []string{"s_sn", "x"}, "s.sn=1&s+sn=2&s[sn=3&s%5Bsn=4&x=5", "x=5"},
	{"the charset field", []string{"a", "_charset_", "_CHARSET_"}, "_charset_=utf-16&a=1&_CHARSET_=utf-7&_Charset_=x", "a=1"},
	{"denied", []string{"a", "!b"}, "a=1&b=2", "a=1"},
	{"everything", []string{"**"}, "a=1&b[c][]=2&s.sn=3", "a=1&b%5Bc%5D%5B%5D=2"},
	{"a question mark is part of a name", []string{"a"}, "?a=1", ""},
	{"long values around a word's length", []string{"a", "b"}, "a=1234567&b=12345678&c=123456789&a2=1234567%40&b2=12345678+", "a=1234567&b=12345678"},
}

func TestForm(t *testing.T) {
	for _, tt := range formCases {
		t.Run(tt.name, func(t *testing.T) {
			p := formPlan(t, tt.paths...)
			got, _, err := rebuildForm(p, tt.in, DefaultLimits())
			if err != nil {
				t.Fatal(err)
			}
			if got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
			again, rep, err := rebuildForm(p, got, DefaultLimits())
			if err != nil || again != got || rep.StrippedAny() {
				t.Errorf("rebuilt again: %s, %v", again, err)
			}
		})
	}
}

func TestFormRefuses(t *testing.T) {
	for _, tt := range []struct {
		name, in, rule string
		status         int
		offset         int64
	}{
		// Some decoders leave a bad escape as it is, some drop it, some
		// take the next two bytes whatever they are.
		{"a bare percent sign", "a=100%", "percent-encoding", 400, 5},
		{"half an escape", "a=%4", "percent-encoding", 400, 2},
		{"an escape across pairs", "a=%4&b=1", "percent-encoding", 400, 2},
		{"no digits", "a=12345678%zz", "percent-encoding", 400, 10},
		{"IIS escape", "a=%u0041", "percent-encoding", 400, 2},
		{"bad escape in a name", "%zz=1", "percent-encoding", 400, 0},
		{"bad escape in what is stripped", "x=1&undeclared=%zz", "percent-encoding", 400, 15},
		{"half an escape in what is stripped", "x=1&undeclared=%4z", "percent-encoding", 400, 15},
		{"bad escape after a space", "a=+%", "percent-encoding", 400, 3},
		// Bytes that are no UTF-8 are dropped by one, replaced by another.
		{"bad UTF-8", "a=%ff", "utf-8", 400, 2},
		{"raw bad UTF-8", "a=\xff", "utf-8", 400, 2},
		{"Latin-1", "a=caf%E9", "utf-8", 400, 2},
		{"overlong UTF-8", "a=%c0%af", "utf-8", 400, 2},
		{"a surrogate", "a=%ED%A0%80", "utf-8", 400, 2},
		{"a cut rune", "a=%d0", "utf-8", 400, 2},
		{"bad UTF-8 in a name", "%ff=1", "utf-8", 400, 0},
		{"bad UTF-8 in what is stripped", "undeclared=%ff", "utf-8", 400, 11},
		// A NUL ends the string to C code.
		{"NUL", "a=x%00y", "control", 400, 2},
		{"raw NUL", "a=x\x00", "control", 400, 2},
		{"NUL in a name", "a%00=1", "control", 400, 0},
		{"NUL in what is stripped", "undeclared=%00", "control", 400, 11},
		{"raw NUL in what is stripped", "undeclared=1234\x005678", "control", 400, 11},
		{"raw delete in what is stripped", "undeclared=1234\x7f5678", "control", 400, 11},
		{"raw bad UTF-8 in what is stripped", "undeclared=1234\xff5678", "utf-8", 400, 11},
		{"escape character", "a=%1B", "control", 400, 2},
		{"delete", "a=%7F", "control", 400, 2},
		{"line end in a name", "a%0A=1", "control", 400, 0},
		{"tab in a name", "a\t=1", "control", 400, 0},
		{"a body that ends in a line end after a name", "a=1&b\n", "control", 400, 4},
		// Which of two counts is anyone's guess.
		{"twice", "email=a&email=b", "duplicate-name", 400, -1},
		{"twice, once escaped", "email=a&em%61il=b", "duplicate-name", 400, -1},
		{"a value and an object", "name=x&name[ssn]=y", "name-conflict", 400, -1},
		{"a list in two notations", "tags[]=x&tags=y", "name-conflict", 400, -1},
		{"deep", "a[" + strings.Repeat("x][", 40) + "]=1", "depth", 400, 0},
		{"a long name", strings.Repeat("n", 257) + "=1", "name-length", 413, 0},
		{"a long name after a like one", "tags[x]=1&tags[" + strings.Repeat("n", 251) + "]=1", "name-length", 413, 10},
		{"a long escaped name", strings.Repeat("%6E", 257) + "=1", "name-length", 413, 0},
		{"many pairs", strings.Repeat("x=1&", 1001), "fields", 413, 4000},
		{"many names", strings.Repeat("x&", 1001), "fields", 413, 2000},
	} {
		p := formPlan(t, "a", "b", "email", "name", "tags.*")
		rep := new(Report)
		rep.Reset(p)
		for where, pass := range map[string]func(dst, b []byte, lim Limits, rep *Report) ([]byte, error){"body": p.Form, "query": p.Query} {
			out, err := pass([]byte("before"), []byte(tt.in), DefaultLimits(), rep)
			if err == nil {
				t.Errorf("%s: written as %s", tt.name, out)
				continue
			}
			e := refusal(t, err)
			if e.Status != tt.status || e.Rule != tt.rule || e.Offset != tt.offset || !strings.Contains(e.Detail, where) {
				t.Errorf("%s: got %d %s at %d (%s), want %d %s at %d", tt.name, e.Status, e.Rule, e.Offset, e.Detail, tt.status, tt.rule, tt.offset)
			}
			if string(out) != "before" {
				t.Errorf("%s: %q was written", tt.name, out)
			}
		}
	}
}

// TestFormErrorsHoldNoValues: what someone typed must not get into a log.
func TestFormErrorsHoldNoValues(t *testing.T) {
	p := formPlan(t, "a", "canary", "name")
	for _, in := range []string{"a=canary%zz", "a=canary&a=canary2", "a=1&a=canary", "name=1&name[canary]=canary", "canary%00=1", "a=canary%ff", strings.Repeat("canary", 50) + "=1"} {
		_, _, err := rebuildForm(p, in, DefaultLimits())
		if err == nil || strings.Contains(err.Error(), "canary") {
			t.Errorf("%q: %v", in, err)
		}
	}
}

// TestFormHonest: what clients really send arrives whole.
func TestFormHonest(t *testing.T) {
	everything := formPlan(t, "**")
	for _, tt := range []struct{ name, body string }{
		{"Chrome, all of ASCII", "t=%20%21%22%23%24%25%26%27%28%29*%2B%2C-.%2F09%3A%3B%3C%3D%3E%3F%40AZ%5B%5C%5D%5E_%60az%7B%7C%7D%7E&next=1"},
		{"Chrome, a text area", "message=Hello%2C%0D%0A%0D%0Aline+two%0D%0A%09indented&submit="},
		{"Firefox, an unchecked box and an empty text", "name=&newsletter=on&color=%23ff0000"},
		{"URLSearchParams", "q=caf%C3%A9+%F0%9F%98%80&plus=1%2B1"},
		{"axios", "user[name]=Ann&user[tags][]=a&user[tags][]=b&items[0][sku]=x"},
		{"jQuery", "a%5B%5D=1&a%5B%5D=2&o%5Bx%5D%5By%5D=3&l%5B0%5D%5Bk%5D=v"},
		{"encodeURIComponent", "s=it's!(*)~"},
		{"Python requests", "q=a+b%2Fc&n=%D0%96&k=1&k=2"},
		{"curl --data-urlencode", "note=a%20b%26c%3Dd%0A"},
		{"curl --data-binary of a file with a last line end", "a=1&b=2\n"},
		{"Rails", "_method=patch&authenticity_token=abc%2Bdef%3D%3D&user%5Bemail%5D=a%40b.example&user%5Bids%5D%5B%5D=&user%5Bids%5D%5B%5D=1&commit=Save"},
		{"Django", "csrfmiddlewaretoken=tok&form-TOTAL_FORMS=2&form-0-name=a&form-1-name=b"},
		{"PHP", "qty[17]=2&qty[abc]=1&file[0][name]=x"},
		{"Go", url.Values{"z": {"1", "2"}, "a b": nil, "m[x]": {"ü&=;+%"}}.Encode()},
		{"an empty search", "q="},
		{"a tracking query", "utm_source=a&utm_medium=b&gclid=Cj0-K_Q"},
	} {
		want, err := url.ParseQuery(strings.TrimSuffix(tt.body, "\n"))
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(tt.body, "\n") {
			want["b"][0] += "\n"
		}
		out, rep, err := rebuildForm(everything, tt.body, DefaultLimits())
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		got, err := url.ParseQuery(out)
		if err != nil || fmt.Sprint(got) != fmt.Sprint(want) || rep.StrippedAny() {
			t.Errorf("%s: %v\ngot  %v\nwant %v", tt.name, err, got, want)
		}
	}
}

func TestFormFields(t *testing.T) {
	p, err := NewPlan([]Field{
		{Path: segments("email"), Kept: true, Rule: &Rule{Type: "email"}},
		{Path: segments("birthday"), Kept: true, Rule: &Rule{Type: "date", Keep: "year"}},
		{Path: segments("phone"), Reason: "no_consent", Otherwise: &Constant{JSON: `"&-"`, Text: "&-"}},
		{Path: segments("size"), Kept: true, Rule: &Rule{OneOf: []string{"S"}}, Otherwise: &Constant{JSON: `"S"`, Text: "S"}},
		{Path: segments("photo"), Kept: true, File: true},
		{Path: segments("newsletter"), Reason: "no_consent", Watch: true},
		{Path: segments("_method"), Kept: true, Watch: true},
		{Path: segments("items", "*", "sku"), Kept: true, Rule: &Rule{Max: 3}},
		{Path: segments("undecided")},
	}, Brackets)
	if err != nil {
		t.Fatal(err)
	}
	out, rep, err := rebuildForm(p, "email=a%40b.example&birthday=1990-05-04&phone=123&size=XL&photo=me.jpg&newsletter=on&_method=p%61tch"+
		"&items[0][sku]=abc&items[1][sku]=abcd&items[1][note]=x&items[2][note]=x&undecided=1&ssn=1&s.sn=2", DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	if want := "email=a%40b.example&birthday=1990&phone=%26-&size=S&_method=patch&items%5B0%5D%5Bsku%5D=abc"; out != want {
		t.Errorf("got  %s\nwant %s", out, want)
	}
	want := []Outcome{
		{Kept: 1},
		{Kept: 1},
		{Stripped: 1, Reason: "no_consent"},
		{Stripped: 1, Reason: "wrong_type"},
		{Stripped: 1, Reason: "wrong_type"},
		{Stripped: 1, Reason: "no_consent"},
		{Kept: 1},
		{Kept: 1, Stripped: 1, Reason: "too_long"},
		{Stripped: 1},
	}
	if !slices.Equal(rep.Outcomes, want) {
		t.Errorf("got  %+v\nwant %+v", rep.Outcomes, want)
	}
	names := slices.Collect(rep.Names())
	if want := []string{"items.*.note", "ssn", `s\.sn`}; rep.Undeclared != 4 || !slices.Equal(names, want) {
		t.Errorf("undeclared %d: got %q, want %q", rep.Undeclared, names, want)
	}
	if v, ok := rep.Watched(5); !ok || v != "on" {
		t.Errorf("the tick is %q, %v", v, ok)
	}
	if v, ok := rep.Watched(6); !ok || v != "patch" {
		t.Errorf("the override is %q, %v", v, ok)
	}
}

// TestFormLeavesItsInput: the engine sends the body as it came in report mode.
func TestFormLeavesItsInput(t *testing.T) {
	p := formPlan(t, "**")
	in := []byte("a=x+y%20z%c3%a9&b=%41&%63=d")
	before := string(in)
	rep := new(Report)
	rep.Reset(p)
	if _, err := p.Form(nil, in, DefaultLimits(), rep); err != nil || string(in) != before {
		t.Errorf("%q, %v", in, err)
	}
}

func TestFormAllocates(t *testing.T) {
	var body strings.Builder
	body.WriteString("email=someone%40example.org&first_name=Ada&shoe_size=38")
	for i := range 100 {
		fmt.Fprintf(&body, "&items%%5B%d%%5D%%5Bsku%%5D=A-%d&items%%5B%d%%5D%%5Bcomment%%5D=Some+Street+12%%2C+Berlin", i, i, i)
		fmt.Fprintf(&body, "&items%%5B%d%%5D%%5Bscore%%5D=%d", i, i)
	}
	form := []byte(body.String())
	p, rep, out := plan(t, "email", "first_name", "items.*.sku", "items.*.comment"), new(Report), make([]byte, 0, 1<<20)
	pass := &formPass{where: "body"} // its pool forgets under the race detector
	if n := testing.AllocsPerRun(200, func() {
		rep.Reset(p)
		var err error
		if out, err = pass.rebuild(p, out[:0], form, DefaultLimits(), rep); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// pair is a name and its value, decoded.
type pair struct{ name, value string }

// parsePairs reads a form with net/url, but keeps the order.
func parsePairs(tb testing.TB, form string) []pair {
	tb.Helper()
	var pairs []pair
	for p := range strings.SplitSeq(form, "&") {
		if p == "" {
			continue
		}
		name, value, _ := strings.Cut(p, "=")
		name, err1 := url.QueryUnescape(name)
		value, err2 := url.QueryUnescape(value)
		if err1 != nil || err2 != nil {
			tb.Fatalf("%q: %v, %v", p, err1, err2)
		}
		pairs = append(pairs, pair{name, value})
	}
	return pairs
}

// written is how we spell a form.
var written = regexp.MustCompile(`^([A-Za-z0-9._~-]|%[0-9A-F]{2}|&|=)*$`)

// FuzzForm: of a form that is accepted, an independent reader finds in the
// output exactly the pairs that the plan allows, in order.
func FuzzForm(f *testing.F) {
	for _, tt := range formCases {
		f.Add(tt.in, strings.Join(tt.paths, " "))
	}
	f.Fuzz(func(t *testing.T, in, paths string) {
		p := fuzzPlan(paths)
		if p == nil {
			return
		}
		out, _, err := rebuildForm(p, in, DefaultLimits())
		if err != nil {
			_ = refusal(t, err)
			return
		}
		var want []pair
		for _, pair := range parsePairs(t, in) {
			path, ok := namePath(declaredBy(p), pair.name)
			if ok && allowsName(declaredBy(p), path) && !strings.EqualFold(pair.name, "_charset_") {
				want = append(want, pair)
			}
		}
		if got := parsePairs(t, out); !slices.Equal(got, want) {
			t.Fatalf("got  %q\nwant %q", got, want)
		}
		if !written.MatchString(out) {
			t.Fatalf("written as %q", out)
		}
		again, rep, err := rebuildForm(p, out, DefaultLimits())
		if err != nil || again != out || rep.StrippedAny() {
			t.Fatalf("rebuilt again: %s\nbecame %s, %v", out, again, err)
		}
	})
}

// TestUndeclaredSiblingIsDecoded: a name that follows a declared sibling is read by
// their common stem, and reported as any other: not as "m%5Battachments%5D".
func TestUndeclaredSiblingIsDecoded(t *testing.T) {
	p := formPlan(t, "m.subject", "items.*.sku")
	for _, form := range []string{
		"m%5Bsubject%5D=a&m%5Battachments%5D=b&items%5B0%5D%5Bsku%5D=c&items%5B0%5D%5Bnote%5D=d",
		"m[subject]=a&m[attachments]=b&items[0][sku]=c&items[0][note]=d",
		"m%5bsubject%5d=a&m%5battachments%5d=b&items[0][note]=d",
		"m%5Battachments%5D=b&items%5B0%5D%5Bnote%5D=d",
		"m%5Bsubject%5D=a&m%5Battachments%5D=b&m%5B%61ttachments%5D=c&items%5B0%5D%5Bnote%5D=d",
	} {
		rep := new(Report)
		rep.Reset(p)
		if _, err := p.Form(nil, []byte(form), DefaultLimits(), rep); err != nil {
			t.Fatal(err)
		}
		if got, want := slices.Collect(rep.Names()), []string{"m.attachments", "items.*.note"}; !slices.Equal(got, want) {
			t.Errorf("%s: got %q, want %q", form, got, want)
		}
	}
}
