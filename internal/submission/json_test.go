package submission

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"
)

// plan compiles a plan that keeps the given paths and denies those that
// begin with "!", with the reason "no_consent".
func plan(tb testing.TB, paths ...string) *Plan {
	tb.Helper()
	var fields []Field
	for _, path := range paths {
		path, denied := strings.CutPrefix(path, "!")
		f := Field{Kept: !denied}
		if denied {
			f.Reason = "no_consent"
		}
		if path != "" {
			f.Path = segments(strings.Split(path, ".")...)
		}
		fields = append(fields, f)
	}
	p, err := NewPlan(fields, Brackets)
	if err != nil {
		tb.Fatal(err)
	}
	return p
}

// rebuild runs the JSON pass over a copy of body.
func rebuild(p *Plan, body string, lim Limits) (string, *Report, error) {
	rep := new(Report)
	rep.Reset(p)
	out, err := p.JSON(nil, []byte(body), lim, rep)
	return string(out), rep, err
}

// jsonCases feed the unit test, the fuzz seeds and the oracle.
var jsonCases = []struct {
	name  string
	paths []string
	in    string
	want  string
}{
	{"kept and stripped", []string{"name", "email"}, `{"name":"a","shoe":42,"email":"b"}`, `{"name":"a","email":"b"}`},
	{"first stripped", []string{"b"}, `{"a":1,"b":2}`, `{"b":2}`},
	{"last stripped", []string{"a"}, `{"a":1,"b":2}`, `{"a":1}`},
	{"nothing kept", nil, `{"a":1,"b":{"c":[1,{"d":2}]}}`, `{}`},
	{"white space goes, that of a string stays", []string{"a", "c"}, " { \"a\" : \" x \" ,\n\t\"b\":1 , \"c\" :\r[ ] } ", `{"a":" x "}`},
	{"nested", []string{"address.city"}, `{"address":{"street":"s","city":"c"},"x":{"city":"c"}}`, `{"address":{"city":"c"}}`},
	{"list of objects", []string{"items.*.sku"}, `{"items":[{"sku":"a","note":"n"},{"note":"n","sku":"b"},{"sku":"c","x":1}]}`, `{"items":[{"sku":"a"},{"sku":"b"},{"sku":"c"}]}`},
	{"list of scalars", []string{"tags.*"}, `{"tags":["a",1,true,null,{"x":1},[2]]}`, `{"tags":["a",1,true,null]}`},
	{"a scalar path takes no container", []string{"items"}, `{"items":[{"sku":"a"}]}`, `{}`},
	{"a list path takes no object", []string{"items.*.sku"}, `{"items":{"0":{"sku":"a"}}}`, `{}`},
	{"a list path takes no scalar", []string{"items.*.sku"}, `{"items":["x",{"sku":"a"},7]}`, `{"items":[{"sku":"a"}]}`},
	{"a dotted name is no path", []string{"items.*.sku"}, `{"items.0.sku":"x","items":[]}`, `{"items":[]}`},
	{"subtree", []string{"meta.**"}, `{"meta":{"a":[1,{"b":null}],"c":"d"},"x":1}`, `{"meta":{"a":[1,{"b":null}],"c":"d"}}`},
	{"everything", []string{"**"}, `{"a":[1,{"b":null}],"c":"d"}`, `{"a":[1,{"b":null}],"c":"d"}`},
	{"denied in a subtree", []string{"meta.**", "!meta.ssn"}, `{"meta":{"a":1,"ssn":"2"}}`, `{"meta":{"a":1}}`},
	{"a denied container is not there", []string{"a", "!p.q"}, `{"a":1,"p":{"q":1}}`, `{"a":1}`},
	{"numbers as written", []string{"*"}, `[1e400,-0,9007199254740993,1.10,0.0,-1E-2]`, `[1e400,-0,9007199254740993,1.10,0.0,-1E-2]`},
	{"escapes of a value as written", []string{"a"}, `{"a":"\u0041\/\ud83d\ude00\n"}`, `{"a":"\u0041\/\ud83d\ude00\n"}`},
	{"a name in our spelling", []string{"email"}, `{"em\u0061il":"x"}`, `{"email":"x"}`},
	{"separators of forms", []string{"a", "b&c"}, `{"a":"x&y;z","b&c":1}`, `{"a":"x\u0026y\u003bz","b\u0026c":1}`},
	{"the equals sign of forms", []string{"a", "b=c"}, `{"a":"x=y","b=c":"cGFk=="}`, `{"a":"x\u003dy","b\u003dc":"cGFk\u003d\u003d"}`},
	{"a name that folds to a literal sibling", []string{"**", "offers", "p.**", "p.of_fers.x"}, `{"OFFERS":1,"of-fers":2,"offers":3,"other":4,"p":{"OfFers":{"x":1},"of_fers":{"x":2,"X":3},"z":5}}`, `{"offers":3,"other":4,"p":{"of_fers":{"x":2},"z":5}}`},
	{"a name that Unicode folds", []string{"**", "kiss", "straße"}, `{"\u212aiss":1,"ki\u017fs":2,"ＫＩＳＳ":3,"STRASSE":4,"kis":5}`, `{"kis":5}`},
	{"what holds of elements holds of members", []string{"items.**", "!items.*.ssn"}, `{"items":{"0":{"sku":1,"ssn":2},"x":{"ssn":3,"a":4},"b":5}}`, `{"items":{"0":{"sku":1},"x":{"a":4},"b":5}}`},
	{"what holds of members holds of those of elements", []string{"p.**", "!p.address.ssn"}, `{"p":{"address":[{"ssn":1,"city":2},[{"ssn":3}]],"address.ssn":4,"address[ssn]":5,"x":{"ssn":6}}}`, `{"p":{"address":[{"city":2},[{}]],"x":{"ssn":6}}}`},
	{"marks tell names apart", []string{"**", "का"}, `{"का":1,"की":2,"$":3,"+":4}`, `{"का":1,"की":2}`},
	{"a scalar beside a subtree", []string{"**", "!birthday"}, `{"birthday":["1990"],"a":["1990"]}`, `{"a":["1990"]}`},
	{"the same, kept", []string{"**", "birthday"}, `{"birthday":{"x":1},"a":{"birthday":{"x":2}}}`, `{"a":{"birthday":{"x":2}}}`},
	{"a scalar where a list is denied", []string{"**", "!tags.*"}, `{"tags":"secret","a":1}`, `{"a":1}`},
	{"a list as an object with numbers", []string{"p.**", "!p.address.ssn"}, `{"p":{"address":{"0":{"ssn":1,"city":2}}}}`, `{"p":{"address":{"0":{"city":2}}}}`},
	{"names that Rails takes apart", []string{"user.**", "!user.birthday"}, `{"user":{"birthday(1i)":1,"birthday/x":2,"first name":3}}`, `{"user":{"first name":3}}`},
	{"prototypes", []string{"**"}, `{"a":1,"__proto__":{"x":1},"b":{"constructor":{"prototype":{"x":1}},"proto":2}}`, `{"a":1,"b":{"proto":2}}`},
	{"a number that folds to a name", []string{"**", "!_1"}, `{"1":2,"2":{"-1":3,"x":4}}`, `{"2":{"x":4}}`},
	{"a prototype that is spelled out", []string{"constructor"}, `{"constructor":"Brunel"}`, `{"constructor":"Brunel"}`},
	{"separators in a subtree's names", []string{"m.**"}, `{"m":{"a=1&b":"\u0026"}}`, `{"m":{"a\u003d1\u0026b":"\u0026"}}`},
	{"UTF-8", []string{"имя"}, `{"имя":"Жанна","фамилия":"x"}`, `{"имя":"Жанна"}`},
	{"top list", []string{"*.a"}, `[{"a":1,"b":2},3,[4]]`, `[{"a":1}]`},
	{"top scalar", []string{""}, ` "x" `, `"x"`},
	{"top scalar, undeclared", []string{"a"}, `"x"`, `null`},
	{"a member too few, one too many, another order", []string{"*.a", "*.b", "*.c"}, `[{"a":1,"b":2,"c":3},{"a":1,"c":3},{"a":1,"x":0,"b":2},{"b":1,"a":2,"c":3},{"b":1,"a":2,"c":3}]`, `[{"a":1,"b":2,"c":3},{"a":1,"c":3},{"a":1,"b":2},{"b":1,"a":2,"c":3},{"b":1,"a":2,"c":3}]`},
	{"a null in the place of a branch", []string{"address.city", "tags.*", "items.*.sku", "notes.**"}, `{"address":null,"tags" : null,"items":[null,{"sku":null},{"sku":"a"}],"notes":null}`, `{"address":null,"tags":null,"items":[null,{"sku":null},{"sku":"a"}],"notes":null}`},
	{"a null that nobody declared", []string{"address.city"}, `{"ssn":null,"address":{"ssn":null},"city":null}`, `{"address":{}}`},
	// If it passed, its absence would tell that there is something.
	{"a null in the place of a denied branch", []string{"a", "!health.diagnosis", "p.q", "!p.denied.x"}, `{"health":null,"a":1,"p":{"denied":null}}`, `{"a":1,"p":{}}`},
	{"a null in the place of a branch that is a denied scalar, too", []string{"!do", "do.preview"}, `{"do":null}`, `{}`},
	{"a null at the top", []string{"a.b"}, `null`, `null`},
	{"empty names and containers", []string{"", "a.b"}, `{"":1,"a":{}}`, `{"a":{}}`},
}

func TestJSON(t *testing.T) {
	for _, tt := range jsonCases {
		t.Run(tt.name, func(t *testing.T) {
			p := plan(t, tt.paths...)
			got, _, err := rebuild(p, tt.in, DefaultLimits())
			if err != nil {
				t.Fatal(err)
			}
			if got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
			again, _, err := rebuild(p, got, DefaultLimits())
			if err != nil || again != got {
				t.Errorf("rebuilt again: %s, %v", again, err)
			}
		})
	}
}

func TestJSONRefuses(t *testing.T) {
	for _, tt := range []struct {
		name, in, rule string
	}{
		// gjson reads the first of two members, encoding/json the last.
		{"a name twice", `{"a":1,"a":2}`, "duplicate-name"},
		{"a name twice, once escaped", `{"email":1,"em\u0061il":2}`, "duplicate-name"},
		{"a name twice among what is stripped", `{"x":{"y":[{"z":1,"z":2}]}}`, "duplicate-name"},
		// The prediction must not make a known name look new.
		{"a name twice after a like object", `[{"a":1,"b":2},{"a":1,"b":2,"a":3}]`, "duplicate-name"},
		{"a name twice, skipped before", `[{"a":1,"b":2,"c":3},{"a":1,"c":2,"b":3,"c":4}]`, "duplicate-name"},
		{"a name twice, predicted after a new one", `[{"a":1,"b":2,"c":3},{"a":1,"c":1,"b":2,"b":3}]`, "duplicate-name"},
		{"a name that looks like two members", `[{"a\":1,\"b":1},{"a":1,"b":2,"a":3}]`, "duplicate-name"},
		// Lenient parsers take each of these.
		{"comment", `{"a":1/**/}`, "json-syntax"},
		{"NaN", `{"a":NaN}`, "json-syntax"},
		{"single quotes", `{'a':1}`, "json-syntax"},
		{"trailing comma", `{"a":1,}`, "json-syntax"},
		{"trailing comma in a list", `[1,]`, "json-syntax"},
		{"leading zero", `{"a":01}`, "json-syntax"},
		{"plus sign", `{"a":+1}`, "json-syntax"},
		{"no digit after the point", `{"a":1.}`, "json-syntax"},
		{"hexadecimal", `{"a":0x1}`, "json-syntax"},
		{"trailing data", `{"a":1}{"b":2}`, "trailing-data"},
		{"trailing NUL", "{}\x00", "trailing-data"},
		{"byte order mark", "\ufeff{}", "json-syntax"},
		{"UTF-16", "{\x00\"\x00", "json-syntax"},
		{"form feed as white space", "{\f}", "json-syntax"},
		{"no-break space as white space", "{\u00a0}", "json-syntax"},
		{"control character", "{\"a\":\"\x01\"}", "json-syntax"},
		{"raw newline", "{\"a\":\"\n\"}", "json-syntax"},
		{"unknown escape", `{"a":"\x41"}`, "json-syntax"},
		{"short escape", `{"a":"\u00"}`, "json-syntax"},
		// A lone half becomes U+FFFD here, stays there, and can make two
		// names one.
		{"lone high surrogate", `{"a":"\ud800"}`, "lone-surrogate"},
		{"lone low surrogate", `{"a":"\udc00"}`, "lone-surrogate"},
		{"high surrogate twice", `{"a":"\ud800\ud800"}`, "lone-surrogate"},
		{"lone surrogate in a name", `{"\ud800":1}`, "lone-surrogate"},
		{"bad UTF-8", "{\"a\":\"\xff\"}", "utf-8"},
		{"overlong UTF-8", "{\"a\":\"\xc0\xaf\"}", "utf-8"},
		{"surrogate in UTF-8", "{\"a\":\"\xed\xa0\x80\"}", "utf-8"},
		{"bad UTF-8 in a stripped name", "{\"\xff\":1}", "utf-8"},
		{"long number", `{"a":` + strings.Repeat("1", 129) + `}`, "number-length"},
		{"depth", strings.Repeat("[", 33), "depth"},
		{"empty", "", "json-syntax"},
		{"white space", " \n", "json-syntax"},
		{"open string", `{"a":"x`, "json-syntax"},
		{"open string after a backslash", `"\`, "json-syntax"},
		{"open object", `{"a":1`, "json-syntax"},
		{"mismatched", `{"a":[1}`, "json-syntax"},
		{"half a word", `{"a":tru}`, "json-syntax"},
		{"a word too long", `{"a":nullx}`, "json-syntax"},
		{"no colon", `{"a" 1}`, "json-syntax"},
		{"number as name", `{1:2}`, "json-syntax"},
		{"long name", `{"` + strings.Repeat("n", 257) + `":1}`, "name-length"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, paths := range [][]string{nil, {"**"}, {"a", "*.a"}} {
				out, _, err := rebuild(plan(t, paths...), tt.in, DefaultLimits())
				var e *Error
				if !errors.As(err, &e) {
					t.Fatalf("accepted as %s", out)
				}
				if e.Rule != tt.rule || out != "" {
					t.Errorf("rule %s (%v), output %q, want rule %s", e.Rule, e, out, tt.rule)
				}
			}
		})
	}
}

func TestJSONReport(t *testing.T) {
	p := plan(t, "a", "!b", "items.*.sku", "!items.*.note", "c")
	p.fields[4].Watch = true
	p, err := NewPlan(p.fields, Brackets)
	if err != nil {
		t.Fatal(err)
	}
	_, rep, err := rebuild(p, `{"a":1,"b":2,"x":{"y":1},"items":[{"sku":1,"note":2,"z":1},{"sku":1,"z":1},9,null],"q.r":[1,2],"c":"\u006fn","d":[[1],[2]]}`, DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	want := []Outcome{{Kept: 1}, {Stripped: 1, Reason: "no_consent"}, {Kept: 2}, {Stripped: 1, Reason: "no_consent"}, {Kept: 1}}
	if diff := cmp.Diff(want, rep.Outcomes); diff != "" {
		t.Error(diff)
	}
	names := slices.Collect(rep.Names())
	if diff := cmp.Diff([]string{"x", "items.*.z", "items.*", `q\.r`, "d"}, names); diff != "" {
		t.Error(diff)
	}
	if rep.Undeclared != 6 {
		t.Errorf("%d undeclared, want 6", rep.Undeclared)
	}
	if v, ok := rep.Watched(4); v != "on" || !ok {
		t.Errorf("watched %q, %v", v, ok)
	}
}

// TestJSONOtherwise: the constant of a stripped field counts as what is
// required of it, so it must be written, also where an object holds nothing
// that is kept.
func TestJSONOtherwise(t *testing.T) {
	constant := &Constant{JSON: `"-"`, Text: "-"}
	p, err := NewPlan([]Field{
		{Path: segments("address", "city"), Reason: "no_consent", Otherwise: constant},
		{Path: segments("items", "*", "sku"), Reason: "no_consent", Otherwise: constant},
		{Path: segments("denied", "x"), Reason: "no_consent"},
	}, Brackets)
	if err != nil {
		t.Fatal(err)
	}
	got, _, err := rebuild(p, `{"address":{"street":1,"city":"c"},"items":[{"sku":{"x":1}},{"y":1}],"denied":{"x":1}}`, DefaultLimits())
	if want := `{"address":{"city":"-"},"items":[{"sku":"-"},{}]}`; err != nil || got != want {
		t.Errorf("got %s, %v, want %s", got, err, want)
	}
}

// TestJSONRemembers reads unlike texts with one plan, so that what one left
// behind could mislead the next.
func TestJSONRemembers(t *testing.T) {
	p := plan(t, "a", "b.c", "d.*.e", "**")
	denied := plan(t, "a", "b.c", "d.*.e")
	for range 3 {
		for _, tt := range jsonCases {
			if _, _, err := rebuild(p, tt.in, DefaultLimits()); err != nil {
				t.Errorf("%s: %v", tt.name, err)
			}
			got, _, err := rebuild(denied, tt.in, DefaultLimits())
			if want := oracle(t, denied, tt.in); err != nil || !equalJSON(t, got, want) {
				t.Errorf("%s: got %s, want %s, %v", tt.name, got, want, err)
			}
		}
	}
}

// TestJSONRemembersLimits: sites that share a policy share what its plans
// remember. A long name that one of them allows must not pass at another.
func TestJSONRemembersLimits(t *testing.T) {
	p := plan(t, "a")
	body := `{"` + strings.Repeat("n", 100) + `":1}`
	wide, narrow := DefaultLimits(), DefaultLimits()
	narrow.Name = 50
	for range 3 {
		if _, _, err := rebuild(p, body, wide); err != nil {
			t.Fatal(err)
		}
		_, _, err := rebuild(p, body, narrow)
		if e := refusal(t, err); e.Rule != "name-length" {
			t.Fatal(e)
		}
	}
}

func TestJSONLargeObjects(t *testing.T) {
	lim := DefaultLimits()
	lim.Fields = 1 << 20
	for _, n := range []int{20, 24, 25, 26, 100, 5000} {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, `,"k%d":{"k0":1,"k1":2}`, i)
		}
		members := b.String()[1:]
		p := plan(t, "k7.k1")
		got, _, err := rebuild(p, "{"+members+"}", lim)
		if err != nil || got != `{"k7":{"k1":2}}` {
			t.Errorf("%d members: %s, %v", n, got, err)
		}
		for _, twice := range []int{0, n / 2, n - 1} {
			if _, _, err := rebuild(p, fmt.Sprintf(`{%s,"k%d":0}`, members, twice), lim); err == nil {
				t.Errorf("%d members: the repeated k%d passed", n, twice)
			}
		}
	}
}

func TestJSONAllocatesNothing(t *testing.T) {
	p := plan(t, "name", "email", "items.*.sku")
	body := []byte(`{"name":"a","email":"b","shoe":"c","items":[{"sku":"a","x":[1,2]},{"sku":"b","x":[]}]}`)
	body = append(make([]byte, 0, len(body)+Padding), body...)
	rep, out := new(Report), make([]byte, 0, 1024)
	s := newJSONPass(p) // the race detector empties pools
	if n := testing.AllocsPerRun(200, func() {
		rep.Reset(p)
		s.begin(out[:0], body, DefaultLimits(), rep)
		if err := s.document(); err != nil {
			t.Fatal(err)
		}
		s.end()
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// TestJSONDeep shows that depth costs no stack: 10 MB of "[" kill a process
// that recurses.
func TestJSONDeep(t *testing.T) {
	lim := DefaultLimits()
	lim.Depth, lim.Fields = 1<<24, 1<<24
	const n = 5 << 20
	if _, _, err := rebuild(plan(t, "**"), strings.Repeat("[", n)+strings.Repeat("]", n), lim); err != nil {
		t.Error(err)
	}
}

func FuzzJSON(f *testing.F) {
	for _, tt := range jsonCases {
		f.Add(tt.in, strings.Join(tt.paths, " "), uint8(32))
	}
	f.Fuzz(func(t *testing.T, in, paths string, depth uint8) {
		if len(paths) > 200 {
			return
		}
		var fields []Field
		seen := map[string]bool{}
		if beyondOracle.MatchString(paths) {
			return
		}
		for path := range strings.SplitSeq(paths, " ") {
			path, denied := strings.CutPrefix(path, "!")
			var at []Segment
			if path != "" {
				at = segments(strings.Split(path, ".")...)
			}
			if seen[path] || strings.Contains(path, "**") && path != "**" && !strings.HasSuffix(path, ".**") || strings.Count(path, "**") > 1 {
				return
			}
			seen[path] = true
			fields = append(fields, Field{Path: at, Kept: !denied, Reason: "no_consent"})
		}
		p, err := NewPlan(fields, Brackets)
		if err != nil {
			return
		}
		lim := DefaultLimits()
		lim.Depth = int(depth)
		out, rep, err := rebuild(p, in, lim)
		if valid := validJSON(in, lim); (err == nil) != valid {
			t.Fatalf("valid: %v, but %v", valid, err)
		}
		if err != nil {
			return
		}
		if want := oracle(t, p, in); !equalJSON(t, out, want) {
			t.Fatalf("got  %s\nwant %s", out, want)
		}
		if strings.ContainsAny(out, "&;=") {
			t.Fatalf("separators of forms in %s", out)
		}
		again, rep2, err := rebuild(p, out, lim)
		if err != nil || again != out {
			t.Fatalf("rebuilt again: %s\nbecame %s, %v", out, again, err)
		}
		if rep2.StrippedAny() && out != "null" {
			t.Fatalf("stripped again from %s: %+v %+v", out, rep, rep2)
		}
	})
}

// validJSON is the judgement of an independent strict reader.
func validJSON(in string, lim Limits) bool {
	d := jsontext.NewDecoder(strings.NewReader(in))
	members := 0
	for read := false; ; read = true {
		if read && d.StackDepth() == 0 {
			_, err := d.ReadToken()
			return err != nil && errors.Is(err, errEOF)
		}
		name := false
		if kind, n := d.StackIndex(d.StackDepth()); kind == '{' && n%2 == 0 {
			name = true
		}
		tok, err := d.ReadToken()
		if err != nil || d.StackDepth() > lim.Depth {
			return false
		}
		switch {
		case tok.Kind() == '0' && len(tok.String()) > maxNumber:
			return false
		case name && tok.Kind() == '"':
			if members++; members > lim.Fields || len(tok.String()) > lim.Name {
				return false
			}
		}
	}
}

func equalJSON(t *testing.T, a, b string) bool {
	t.Helper()
	canonical := func(s string) []byte {
		d := jsontext.NewDecoder(strings.NewReader(s))
		var out bytes.Buffer
		e := jsontext.NewEncoder(&out)
		for {
			tok, err := d.ReadToken()
			if err != nil {
				return out.Bytes()
			}
			if err := e.WriteToken(tok); err != nil {
				t.Fatal(err)
			}
		}
	}
	return bytes.Equal(canonical(a), canonical(b))
}
