package submission

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// formPlan is plan with dots that are part of a name written "\.".
func formPlan(tb testing.TB, paths ...string) *Plan {
	tb.Helper()
	var fields []Field
	for _, path := range paths {
		path, denied := strings.CutPrefix(path, "!")
		f := Field{Name: path, Kept: !denied}
		if denied {
			f.Reason = "no_consent"
		}
		for segment := range strings.SplitSeq(strings.ReplaceAll(path, `\.`, "\x00"), ".") {
			f.Path = append(f.Path, segments(strings.ReplaceAll(segment, "\x00", "."))...)
		}
		fields = append(fields, f)
	}
	p, err := NewPlan(fields, Brackets)
	if err != nil {
		tb.Fatal(err)
	}
	return p
}

// nameCases are lists of names, "name>path" where the name leads to a field,
// and the fault of the last one.
var nameCases = []struct {
	name  string
	paths []string
	names []string
	fault fault
}{
	{"plain", []string{"email", "a-b_C9"}, []string{"email>email", "a-b_C9>a-b_C9", "Email", "emai", "email "}, faultNone},
	{"members", []string{"user.email", "user.address.city"}, []string{"user[email]>user.email", "user[address][city]>user.address.city", "user[name]", "email"}, faultNone},
	{"elements", []string{"items.*.sku", "tags.*"}, []string{"items[0][sku]>items.*.sku", "items[1][sku]>items.*.sku", "items[9999][sku]>items.*.sku", "items[0][note]", "tags[0]>tags.*", "tags[7]>tags.*"}, faultNone},
	{"elements without a number", []string{"tags.*", "items.*.sku"}, []string{"tags[]>tags.*", "tags[]>tags.*", "items[][sku]>items.*.sku", "items[][sku]>items.*.sku"}, faultNone},
	{"a choice of several", []string{"tags.*", "user.roles.*"}, []string{"tags>tags.*", "tags>tags.*", "user[roles]>user.roles.*", "user[roles]>user.roles.*"}, faultNone},
	{"a list of lists", []string{"m.*.*"}, []string{"m[0][0]>m.*.*", "m[0][1]>m.*.*", "m[1]>m.*.*", "m[1]>m.*.*"}, faultNone},
	// "01" and "1" are two keys to PHP and one to others.
	{"what is no index is a member", []string{"a.*", "o.01", "o.-1"}, []string{"a[01]", "a[-1]", "a[+1]", "a[1e1]", "a[1234567890123456789]", "o[01]>o.01", "o[-1]>o.-1"}, faultNone},
	{"long indexes", []string{"a.*"}, []string{"a[10000]>a.*", "a[1612345678901]>a.*", "a[123456789012345678]>a.*", "a[4294967297]>a.*", "a[1]>a.*"}, faultNone},
	{"a long index twice", []string{"a.*"}, []string{"a[1612345678901]>a.*", "a[1612345678901]"}, faultRepeated},
	{"numbers", []string{"o.1", "!o.2", "o.4.city", "o.x"}, []string{"o[1]>o.1", "o[2]>!o.2", "o[4][city]>o.4.city", "o[4][x]", "o[3]", "o[x]>o.x"}, faultNone},
	{"a number before a star", []string{"a.*", "!a.7"}, []string{"a[3]>a.*", "a[7]>!a.7", "a[07]", "a[12]>a.*"}, faultNone},
	{"a number takes from a star what it does not say", []string{"a.*.x", "a.*.y", "!a.7.x"}, []string{"a[7][x]>!a.7.x", "a[7][y]>a.*.y", "a[8][x]>a.*.x"}, faultNone},
	{"a number that is a value is not a branch", []string{"a.*.x", "!a.7"}, []string{"a[7][x]", "a[8][x]>a.*.x"}, faultNone},
	{"an undeclared member of an element", []string{"a.*"}, []string{"a[10000]>a.*", "a[10000][note]", "a[3][note]", "a[3]>a.*"}, faultNone},
	{"a number twice", []string{"a.7"}, []string{"a[7]>a.7", "a[7]"}, faultRepeated},
	{"a number and the empty index", []string{"o.1"}, []string{"o[]", "o[1]>o.1", "o[]", "o[][x]", "o[1]"}, faultRepeated},
	// PHP goes on numbering where it is: a[6]=&a[]= is a[7].
	{"the empty index beside numbers", []string{"a.*", "!a.7"}, []string{"a[6]>a.*", "a[]", "a[]", "a[][x]"}, faultNone},
	{"the empty index beside numbers, first", []string{"a.*", "!a.0", "!b.0.x", "b.*.x"}, []string{"a[]", "a[1]>a.*", "b[][x]", "b[0][x]>!b.0.x"}, faultNone},
	{"the empty index beside numbers, in a subtree", []string{"a.**", "!a.1"}, []string{"a[]", "a[]", "a[1]>!a.1", "a[2]>a.**"}, faultNone},
	{"the empty index beside a wildcard, in a subtree", []string{"a.**", "!a.{n:[0-9]+}"}, []string{"a[]", "a[1]>!a.{n:[0-9]+}", "a[x]>a.**"}, faultNone},
	{"a star is no element", []string{"a.*", "m.**"}, []string{"a[*]", "m[*]", "m[a]>m.**"}, faultNone},
	// PHP turns each of these into s_sn or s[sn].
	{"beyond the grammar", []string{"s.sn", "s_sn"}, []string{"s.sn", "s sn", "s[sn", "s]sn", "s[sn]x", "s[sn]]", "s[[sn]]", "s[s[n]", "[s][sn]", " s", "s[sn].x", "", "s[s n]", "s[s\x00n]"}, faultNone},
	{"spelled by the policy", []string{`user\.email`, "имя", "a b.c d"}, []string{`user.email>user\.email`, "имя>имя", "a b[c d]>a b.c d", "user_email"}, faultNone},
	{"brackets that nest are not spelled by the policy", []string{"a[b]", "!a.b"}, []string{"a[b]>!a.b", "a[c]"}, faultNone},
	{"brackets that nest nothing are", []string{"s[sn", "[email]", "foo]", "a[b]c", "foo[]bar"}, []string{"s[sn>s[sn", "[email]>[email]", "foo]>foo]", "a[b]c>a[b]c", "foo[]bar>foo[]bar", "foo[baz", "a[c]c"}, faultNone},
	{"no wildcard matches brackets that nest nothing", []string{`s[{x}`, `{x:[a-z\]]+}`, "**"}, []string{"s[sn", "sn]", "sn][x]"}, faultNone},
	{"subtree", []string{"meta.**"}, []string{"meta[a]>meta.**", "meta[b][c][0][]>meta.**", "meta[a b]", "meta[имя]", "meta[x[y]]", "other"}, faultNone},
	{"a choice of several in a subtree", []string{"meta.**"}, []string{"meta[a]>meta.**", "meta[a]>meta.**"}, faultNone},
	{"everything", []string{"**"}, []string{"a>**", "b[c]>**", "b[d][]>**", "s.sn", "0>**"}, faultNone},
	{"denied in a subtree", []string{"meta.**", "!meta.ssn", "!meta.tags.*"}, []string{"meta[ssn]>!meta.ssn", "meta[x]>meta.**", "meta[tags]>!meta.tags.*", "meta[tags]>!meta.tags.*"}, faultNone},

	// PHP takes 2[offers] for the member of an element, as it does of {"2": …}.
	{"a number beside a denied name", []string{"**", "!offers"}, []string{"2[offers]>!offers", "2[x]>**", "2[3][offers]>!offers", "3>**"}, faultNone},
	{"a number that folds to a name", []string{"**", "!_1"}, []string{"1", "1[x]", "2[-1]", "2[x]>**"}, faultNone},

	// name=x&name[ssn]=y merges in qs and Rack.
	{"a value and an object", []string{"name"}, []string{"name>name", "name[ssn]"}, faultMixed},
	{"an object and a value", []string{"name"}, []string{"name[ssn]", "name"}, faultMixed},
	{"a value and an object below", []string{"user.name"}, []string{"user[name]>user.name", "user[name][ssn]"}, faultMixed},
	{"a value and an object in an element", []string{"items.*.sku"}, []string{"items[0][sku]>items.*.sku", "items[0][sku][x]"}, faultMixed},
	{"a value where an object is declared", []string{"user.email"}, []string{"user[email]>user.email", "user"}, faultMixed},
	{"a value and a list", []string{"tags.*"}, []string{"tags>tags.*", "tags[]"}, faultMixed},
	{"a list and a value", []string{"tags.*"}, []string{"tags[]>tags.*", "tags"}, faultMixed},
	{"a value and a list, in a subtree", []string{"m.**"}, []string{"m[a]>m.**", "m[a][]"}, faultMixed},
	// PHP takes the second for the first element, qs appends it.
	{"two notations of a list", []string{"tags.*"}, []string{"tags[]>tags.*", "tags[0]"}, faultMixed},
	{"two notations of a list of objects", []string{"items.*.sku"}, []string{"items[0][sku]>items.*.sku", "items[][sku]"}, faultMixed},
	{"a value and an object as elements", []string{"a.*", "a.*.x"}, []string{"a[]>a.*", "a[][x]"}, faultMixed},
	// jQuery.param({a: [1, {x: 2}]})
	{"values and objects as jQuery numbers them", []string{"a.*", "a.*.x"}, []string{"a[]>a.*", "a[1][x]>a.*.x", "a[]>a.*", "a[3][x]>a.*.x"}, faultNone},
	{"numbered values and objects", []string{"a.*", "a.*.x"}, []string{"a[0]>a.*", "a[1][x]>a.*.x"}, faultNone},
	{"an element as value and object", []string{"a.*", "a.*.x"}, []string{"a[0]>a.*", "a[0][x]"}, faultMixed},

	// Applications disagree on which of two counts.
	{"twice", []string{"email"}, []string{"email>email", "email"}, faultRepeated},
	{"twice, denied", []string{"!email"}, []string{"email>!email", "email"}, faultRepeated},
	{"twice below", []string{"user.email"}, []string{"user[email]>user.email", "user[email]"}, faultRepeated},
	{"twice in an element", []string{"items.*.sku"}, []string{"items[0][sku]>items.*.sku", "items[1][sku]>items.*.sku", "items[0][sku]"}, faultRepeated},
	{"an element twice", []string{"tags.*"}, []string{"tags[3]>tags.*", "tags[3]"}, faultRepeated},
	{"a declared member of a subtree twice", []string{"m.**", "m.a"}, []string{"m[a]>m.a", "m[a]"}, faultRepeated},
	{"undeclared twice", []string{"a"}, []string{"utm", "utm", "utm[x]", "a>a"}, faultNone},
	{"undeclared below twice", []string{"user.email"}, []string{"user[x]", "user[x]", "user[email]>user.email"}, faultNone},

	{"as deep as allowed", []string{"m.**"}, []string{"m" + strings.Repeat("[a]", 31) + ">m.**"}, faultNone},
	{"too deep", []string{"m.**"}, []string{"m" + strings.Repeat("[a]", 32)}, faultDepth},
	{"too deep, undeclared", []string{"a"}, []string{"m" + strings.Repeat("[a]", 32)}, faultDepth},
}

// faultRepeated stands for a name that takes one value and has one already: only
// its value shows whether it is refused.
const faultRepeated = 100

// resolveAll is names.resolve, with faultRepeated.
func resolveAll(n *names, name string) (int32, fault) {
	at, f := n.resolve([]byte(name), 32)
	if f == faultNone && n.twice {
		f = faultRepeated
	}
	return at, f
}

func TestNames(t *testing.T) {
	for _, tt := range nameCases {
		t.Run(tt.name, func(t *testing.T) {
			p := formPlan(t, tt.paths...)
			var n names
			n.begin(p, new(Report))
			for i, name := range tt.names {
				name, want, _ := strings.Cut(name, ">")
				at, f := resolveAll(&n, name)
				if i == len(tt.names)-1 && tt.fault != faultNone {
					if f != tt.fault {
						t.Errorf("%q: fault %d, want %d", name, f, tt.fault)
					}
					break
				}
				got := ""
				if leaf := p.nodes[at].leaf; leaf != none {
					got = tt.paths[leaf]
				}
				if got != want || f != faultNone {
					t.Errorf("%q: leads to %q, fault %d, want %q", name, got, f, want)
				}
			}
		})
	}
}

func TestAppendPath(t *testing.T) {
	var n names
	n.begin(formPlan(t, "a"), new(Report))
	for in, want := range map[string]string{
		"email":              "email",
		"user[email]":        "user.email",
		"items[0][sku]":      "items.*.sku",
		"tags[]":             "tags.*",
		"items[01][a][9999]": "items.01.a.*",
		"user.email":         `user\.email`,
		"s[sn":               `s\[sn`,
		"a[b]c":              `a\[b\]c`,
		"":                   "",
	} {
		if got := string(n.appendPath(nil, []byte(in))); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}

// TestNamesStayBounded: many names that are alike, in every way in which
// they are remembered, cost a place each and no more.
func TestNamesStayBounded(t *testing.T) {
	p := formPlan(t, "m.**", "items.*.a")
	var n names
	for range 3 {
		n.begin(p, new(Report))
		for i := range 5000 {
			for _, name := range []string{fmt.Sprintf("m[k%d]", i), fmt.Sprintf("items[%d][a]", i)} {
				if at, f := n.resolve([]byte(name), 32); f != faultNone || p.nodes[at].leaf == none {
					t.Fatal(name, at, f)
				}
			}
		}
		if n.used != 15000 {
			t.Errorf("%d places for 15,000 names and elements", n.used)
		}
	}
	// Places stay right when the table grows.
	if _, f := n.resolve([]byte("m[k0]"), 32); f != faultNone {
		t.Error("a list in a subtree was refused")
	}
	if _, f := resolveAll(&n, "items[0][a]"); f != faultRepeated {
		t.Error("a scalar came twice unnoticed")
	}
	if _, f := n.resolve([]byte("m[k4999][x]"), 32); f != faultMixed {
		t.Error("a value became an object unnoticed")
	}
	n.begin(p, new(Report))
	if len(n.table) > maxNamePlaces {
		t.Errorf("a table of %d is kept", len(n.table))
	}
	if _, f := n.resolve([]byte("items[0][a]"), 32); f != faultNone {
		t.Error("the last form's names are remembered")
	}
}

var (
	wordSegment  = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)
	indexSegment = regexp.MustCompile(`^(0|[1-9][0-9]{0,17})?$`)
)

// namePath is the path that a name spells to the oracle: "." before the name
// of a member, "*" for an element; false for a name beyond the grammar.
func namePath(fields []declared, name string) ([]string, bool) {
	spelled := func(at []string, name string) bool { // by a field, at this place
		return slices.ContainsFunc(fields, func(f declared) bool {
			n := len(at)
			return len(f.Path) > n && f.Path[n] == name && name != "*" && name != "**" && covers(f.Path[:n], at)
		})
	}
	head, rest, _ := strings.Cut(name, "[")
	segments := []string{head}
	if rest != "" || strings.HasSuffix(name, "[") {
		inner, ok := strings.CutSuffix(rest, "]")
		if !ok {
			return nil, false
		}
		segments = append(segments, strings.Split(inner, "][")...)
	}
	var path []string
	for i, s := range segments {
		switch {
		case i > 0 && indexSegment.MatchString(s):
			path = append(path, "*")
		case (i == 0 || !strings.ContainsAny(s, "[]")) && spelled(path, s), wordSegment.MatchString(s):
			path = append(path, "."+s)
		default:
			return nil, false
		}
	}
	return path, true
}

// allowsName is allows for a name: one that is declared as a list may stand
// for an element of it.
func allowsName(fields []declared, path []string) bool {
	own := func(path []string) bool {
		return slices.ContainsFunc(fields, func(f declared) bool {
			return len(f.Path) == len(path) && !slices.Contains(f.Path, "**") && covers(f.Path, path)
		})
	}
	below := func(path []string) bool { // the subtree that begins here
		return slices.ContainsFunc(fields, func(f declared) bool {
			return len(f.Path) == len(path)+1 && f.Path[len(path)] == "**" && covers(f.Path, path)
		})
	}
	if element := append(slices.Clone(path), "*"); !own(path) && (own(element) || below(element)) {
		path = element
	}
	kept, _ := allows(fields, path)
	return kept
}

// FuzzNames: a name leads to a field that is kept exactly when a slow reader
// of names says so, and no two names that an application merges pass.
func FuzzNames(f *testing.F) {
	for _, tt := range nameCases {
		var names []string
		for _, name := range tt.names {
			name, _, _ := strings.Cut(name, ">")
			names = append(names, name)
		}
		f.Add(strings.Join(names, "\n"), strings.Join(tt.paths, " "))
	}
	f.Fuzz(func(t *testing.T, list, paths string) {
		p := fuzzPlan(paths)
		if p == nil {
			return
		}
		var n names
		n.begin(p, new(Report))
		values := map[string]bool{}
		for name := range strings.SplitSeq(list, "\n") {
			at, fault := n.resolve([]byte(name), 32)
			if fault != faultNone {
				return
			}
			leaf := p.nodes[at].leaf
			kept := leaf != none && p.fields[leaf].Kept
			path, ok := namePath(declaredBy(p), name)
			if want := ok && allowsName(declaredBy(p), path); kept != want {
				t.Fatalf("%q: kept is %v, want %v (%q)", name, kept, want, path)
			}
			if !kept {
				continue
			}
			for other := range values {
				if strings.HasPrefix(other, name+"[") || strings.HasPrefix(name, other+"[") {
					t.Fatalf("%q and %q are a value and a branch", name, other)
				}
			}
			values[name] = true
			_ = n.appendPath(nil, []byte(name))
		}
	})
}

// beyondOracle matches paths with numbers, wildcards or brackets: see FuzzWildcards.
var beyondOracle = regexp.MustCompile(`[][{}]|(^|[ .!])(0|[1-9][0-9]*)($|[ .])`)

// fuzzPlan makes a plan of paths that are separated by spaces; nil if they
// make none.
func fuzzPlan(paths string) *Plan {
	if len(paths) > 200 || beyondOracle.MatchString(paths) {
		return nil
	}
	var fields []Field
	for path := range strings.SplitSeq(paths, " ") {
		path, denied := strings.CutPrefix(path, "!")
		fields = append(fields, Field{Path: segments(strings.Split(path, ".")...), Kept: !denied, Reason: "no_consent"})
	}
	p, err := NewPlan(fields, Brackets)
	if err != nil {
		return nil
	}
	return p
}
