package submission

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// wildcardCases are names beside wildcards, "name>path" where the name leads to a
// field.
var wildcardCases = []struct {
	name  string
	paths []string
	names []string
}{
	{"inside a segment", []string{"form-{n:[0-9]+}-name", "form-TOTAL"}, []string{"form-0-name>form-{n:[0-9]+}-name", "form-27-name>form-{n:[0-9]+}-name", "form--name", "form-x-name", "xform-0-name", "form-0-name-old", "form-TOTAL>form-TOTAL"}},
	{"alone", []string{"{token:[0-9a-f]{4}}"}, []string{"12ab>{token:[0-9a-f]{4}}", "12AB", "12abc", "12a"}},
	{"without an expression", []string{"q_{x}"}, []string{"q_1>q_{x}", "q_a-B_9>q_{x}", "q_", "q_a b", "q_ä", "q_" + strings.Repeat("a", 65), "q_" + strings.Repeat("a", 64) + ">q_{x}"}},
	{"several in a segment", []string{"$ACTION_{f:[0-9]+}:{b:[0-9]+}"}, []string{"$ACTION_1:0>$ACTION_{f:[0-9]+}:{b:[0-9]+}", "$ACTION_1:", "$ACTION_1"}},
	{"what the expression spells", []string{`i_{n:[0-9]+[.][0-9]+}`}, []string{"i_1.3>i_{n:[0-9]+[\x00][0-9]+}"}},
	{"as a branch", []string{"cart.{line:[0-9a-f]+}.qty", "cart.{line:[0-9a-f]+}"}, []string{"cart[a1][qty]>cart.{line:[0-9a-f]+}.qty", "cart[b1]>cart.{line:[0-9a-f]+}", "cart[a2][note]", "cart[x][qty]"}},
	{"indexes", []string{"a.{row}.city"}, []string{"a[0][city]>a.{row}.city", "a[new_1][city]>a.{row}.city", "a[][city]"}},
	{"a star before a wildcard, for an index", []string{"a.*", "!a.{n:[0-9]+}", "!b.{n}"}, []string{"a[5]>a.*", "a[05]>!a.{n:[0-9]+}", "b[5]>!b.{n}"}},
	{"a wildcard before a subtree", []string{"a.**", "!a.x_{n}"}, []string{"a[x_1]>!a.x_{n}", "a[y]>a.**"}},
	{"literals first", []string{"pref_{t}", "!pref_offers"}, []string{"pref_colour>pref_{t}", "pref_offers>!pref_offers"}},
	{"more of the name first", []string{"opt_{any}", "!opt_mail_{any}"}, []string{"opt_size>opt_{any}", "opt_mail_weekly>!opt_mail_{any}"}},
	{"literals take what they do not say", []string{"a.{x}.p", "a.{x}.q", "!a.b.p"}, []string{"a[b][p]>!a.b.p", "a[b][q]>a.{x}.q", "a[c][p]>a.{x}.p"}},

	// Go's encoding/json, PHP and others take these for the names beside.
	{"names that fold to a sibling", []string{"{any}", "!birth_day"}, []string{"Birth_Day", "birth-day", "birthday", "BIRTHDAY", "city>{any}"}},
	{"names that fold to another wildcard", []string{"opt_{any}", "!opt_mail_{any}"}, []string{"opt-mail-weekly", "OPT_MAIL_weekly", "opt_MAIL_weekly", "opt_mail-weekly", "opt_mailweekly", "opt_Mail__x", "opt_-mail_x", "opt_mai_x>opt_{any}"}},
	{"names that fold to an equal wildcard", []string{"{up:[A-Z]+}", "!{low:[a-z]+}"}, []string{"ABC", "abc"}},
	{"names that fold past a subtree", []string{"a.**", "!a.opt_{x}"}, []string{"a[OPT_x]", "a[opt-x]", "a[optx]", "a[opt_x]>!a.opt_{x}", "a[o]>a.**"}},
	{"prototypes", []string{"a.{x}", "a.{x}.y", "{z}"}, []string{"a[__proto__]", "a[constructor]", "a[prototype][y]", "constructor", "a[proto]>a.{x}"}},
	// The field overrides the method of the request: no wildcard lets it pass unseen.
	{"a field that overrides the method", []string{"{x}", "a.{x}"}, []string{"_method", "_METHOD", "_method[x]", "_charset_x>{x}"}},
	// PHP takes .method for _method, and drops blanks before a name.
	{"a field that overrides the method of PHP", []string{`{x:[a-z._ ]+}`}, []string{".method", "._method>{x:[a-z\x00_ ]+}", " _method", "  .Method", "method>{x:[a-z\x00_ ]+}"}},
	// PHP gives a[ ] the next number, as it does a[].
	{"a blank in brackets", []string{"a.{x:[ a-z]+}", "!a.0"}, []string{"a[ ]", "a[]", "a[ b]>a.{x:[ a-z]+}", "a[0]>!a.0"}},
	// String.equalsIgnoreCase of Java takes İ for i, and ı too.
	{"names in Turkish", []string{"a.{x:[a-zİı]+}", "!a.birthday", "a.**"}, []string{"a[bİrthday]", "a[bırthday]", "a[İzmir]>a.{x:[a-zİı]+}"}},
	// PHP takes a dot for an underscore, and drops blanks before a name.
	{"names of signs", []string{"{x:[._a ]+}", "!_", "!__"}, []string{".", "._", " _", "  .", "_>!_", "...>{x:[\x00_a ]+}"}},
	// Spring reads prefs.offers, Rails birthday(1i).
	{"names that libraries take apart", []string{`{x:[a-z.()0-9]+}`, "!prefs.offers", "!birthday"}, []string{"prefs.offers", "birthday(1i)", "Birthday(1i)", "other>{x:[a-z\x00()0-9]+}"}},
	// JSF has a field that is called as the form is.
	{"what the policy writes behind a sibling", []string{"!form", "form:items:{n:[0-9]+}:qty", "form{x:[:a-z]+}"}, []string{"form:items:10:qty>form:items:{n:[0-9]+}:qty", "form:items:x:qty", "form:name", "Form:items:1:qty", "form>!form"}},
	// qs with allowDots, and Spring, read prefs.offers as prefs[offers].
	{"a dot that the policy writes behind a sibling", []string{"!prefs.offers", "prefs\x00{x:[a-z]+}"}, []string{"prefs.offers", "prefs.size", "prefs[offers]>!prefs.offers"}},
}

func TestWildcards(t *testing.T) {
	for _, tt := range wildcardCases {
		t.Run(tt.name, func(t *testing.T) {
			for i, path := range tt.paths {
				// A dot in a class is one of the name.
				tt.paths[i] = regexp.MustCompile(`\[[^]]*\]`).ReplaceAllStringFunc(path, func(class string) string {
					return strings.ReplaceAll(class, ".", "\x00")
				})
			}
			p := wildcardPlan(t, tt.paths, Brackets)
			for _, name := range tt.names {
				name, want, _ := strings.Cut(name, ">")
				var n names
				n.begin(p, new(Report))
				at, _ := n.resolve([]byte(name), 32)
				got := ""
				if leaf := p.nodes[at].leaf; leaf != none {
					got = tt.paths[leaf]
				}
				if got != want && strings.ReplaceAll(got, "\x00", ".") != want {
					t.Errorf("%q: leads to %q, want %q", name, got, want)
				}
			}
		})
	}
}

// Spring takes Scores[00] and Scores['0'] for Scores[0]: what "Scores.*" denies must not
// pass by a wildcard that spells the brackets.
func TestWildcardsInBracketsBesideList(t *testing.T) {
	p := wildcardPlan(t, []string{"!s.*", `s[{key:[0-9']+}]`, "!m.*.x", `m[{key}].x`, `k[{key}]`}, Dots)
	for _, name := range []string{"s[00]", "s['0']", "m[01].x", "k[math]"} {
		var n names
		n.begin(p, new(Report))
		at, _ := n.resolve([]byte(name), 32)
		if kept := p.nodes[at].leaf != none; kept != (name == "k[math]") {
			t.Errorf("%s leads to a field: %v", name, kept)
		}
	}
}

// wildcardPlan makes a plan of paths in which "\x00" is a dot that separates no
// segments.
func wildcardPlan(tb testing.TB, paths []string, nesting Nesting) *Plan {
	tb.Helper()
	var fields []Field
	for _, path := range paths {
		path, denied := strings.CutPrefix(path, "!")
		split := strings.Split(path, ".")
		for i := range split {
			split[i] = strings.ReplaceAll(split[i], "\x00", ".")
		}
		fields = append(fields, Field{Path: segments(split...), Kept: !denied, Reason: "no_consent"})
	}
	p, err := NewPlan(fields, nesting)
	if err != nil {
		tb.Fatal(err)
	}
	return p
}

// What a wildcard matched can be somebody's name: a report has the wildcard, also
// where what stands below is undeclared.
func TestWildcardsAreReported(t *testing.T) {
	p := wildcardPlan(t, []string{"share_{person}", "cart.{line}.qty"}, Brackets)
	const want = "[cart.{line}.note cart.{line}.x]"
	_, rep, err := rebuildForm(p, "share_Lovelace=1&cart[Lovelace][note]=1&cart[Lovelace][x][y]=2", DefaultLimits())
	if got := fmt.Sprint(slices.Collect(rep.Names())); err != nil || got != "[cart.{line}.note cart.{line}.x.y]" {
		t.Errorf("form: %s, %v", got, err)
	}
	_, rep, err = rebuild(p, `{"share_Lovelace":1,"cart":{"Lovelace":{"note":1,"x":{"y":2}}}}`, DefaultLimits())
	if got := fmt.Sprint(slices.Collect(rep.Names())); err != nil || got != want {
		t.Errorf("JSON: %s, %v", got, err)
	}
}

func TestWildcardsInJSON(t *testing.T) {
	for _, tt := range []struct {
		paths    []string
		in, want string
	}{
		{[]string{"a.{q}"}, `{"a":{"q-17":"x","what is it?":1,"__proto__":2,"q1":{"x":1}},"q-17":3}`, `{"a":{"q-17":"x"}}`},
		{[]string{"a.{q}.n"}, `{"a":{"k":{"n":1,"m":2},"l":{"n":3}}}`, `{"a":{"k":{"n":1},"l":{"n":3}}}`},
		{[]string{"a.{q}"}, `{"a":[1,2]}`, `{}`},
		// PHP reads a list as it does an object with numbers for names.
		{[]string{"a.**", "!a.{n:[0-9]+}"}, `{"a":[1,2,{"x":3}]}`, `{"a":[null,null,null]}`},
		{[]string{"a.**", "!a.1"}, `{"a":[1,2,3],"b":1}`, `{"a":[1,null,3]}`},
		// Left out, an element would move those after it to other numbers.
		{[]string{"p.0", "p.2"}, `{"p":[1,"x",3,4,[5],{"y":6},7]}`, `{"p":[1,null,3,null,null,null,null]}`},
		{[]string{"p.*", "!p.1"}, `{"p":[[1],2,3]}`, `{"p":[null,null,3]}`},
		{[]string{"p.*.x", "!p.1.x", "p.1.y"}, `{"p":[{"x":1},{"x":2,"y":3},{"x":4,"y":5}]}`, `{"p":[{"x":1},{"y":3},{"x":4}]}`},
		{[]string{"p.1.x", "!p.0.x"}, `{"p":[{"x":1},{"x":2}]}`, `{"p":[null,{"x":2}]}`},
		{[]string{"!p.1"}, `{"p":[1,2]}`, `{}`},
		{[]string{"p.1"}, `{"p":[]}`, `{"p":[]}`},
		{[]string{"1"}, `[1,2,3]`, `[null,2,null]`},
	} {
		p := wildcardPlan(t, tt.paths, Brackets)
		for range 2 { // also with what was remembered
			got, _, err := rebuild(p, tt.in, DefaultLimits())
			if err != nil || got != tt.want {
				t.Errorf("%q: %s: got %s, %v, want %s", tt.paths, tt.in, got, err, tt.want)
			}
		}
	}
}

// hostileWildcards are as many as one place may have, none of which is decided
// without RE2.
func hostileWildcards() []string {
	paths := make([]string, maxWildcards)
	for i := range paths {
		paths[i] = fmt.Sprintf("a{x:(?:[ab]*c){1,20}}%da{y:[a-z]*}", i)
	}
	return paths
}

func hostileNames() string {
	var form strings.Builder
	for i := range 900 {
		fmt.Fprintf(&form, "a%s%03da=&", strings.Repeat("ab", 125), i)
	}
	return form.String()
}

// 1,000 names of 256 bytes before 64 wildcards would take RE2 seconds.
func TestAttackWildcards(t *testing.T) {
	p := wildcardPlan(t, hostileWildcards(), Brackets)
	_, rep, err := rebuildForm(p, hostileNames(), DefaultLimits())
	if refusal(t, err).Rule != "work" {
		t.Errorf("refused by %v", err)
	}
	if rep.work > 3*maxWork {
		t.Errorf("%d of %d", rep.work, maxWork)
	}
	// A name that was not looked at is not remembered as undeclared.
	json := `{"` + strings.ReplaceAll(strings.TrimSuffix(hostileNames(), "=&"), "=&", `":1,"`) + `":1,"aac5ab":1}`
	if _, _, err := rebuild(p, json, DefaultLimits()); refusal(t, err).Rule != "work" {
		t.Errorf("refused by %v", err)
	}
	if got, _, err := rebuild(p, `{"aac5ab":1}`, DefaultLimits()); err != nil || got != `{"aac5ab":1}` {
		t.Errorf("got %s, %v", got, err)
	}
}

// 1,000 names of characters that each fold to 18 others took a second beside one
// declared name, and more beside a wildcard. Names as people write them do not cost
// that.
func TestAttackFoldedNames(t *testing.T) {
	for _, paths := range [][]string{{"**", "q"}, {"**", "a_{x}"}, {"{x:[^a]+}", "{y:[^ab]+}z"}} {
		p := wildcardPlan(t, paths, Brackets)
		for character, refused := range map[string]bool{"\ufdfa": true, "\U0001d400": true, "e\u0323\u0307": true, "b": false} {
			var body strings.Builder
			for i := range 900 {
				fmt.Fprintf(&body, `,"%03d%s":1`, i, strings.Repeat(character, 250/len(character)))
			}
			_, _, err := rebuild(p, "{"+body.String()[1:]+"}", DefaultLimits())
			if (err != nil) != refused || err != nil && refusal(t, err).Rule != "work" {
				t.Errorf("%s: %s: %v", paths, character, err)
			}
		}
		var body strings.Builder
		for i := range 900 {
			fmt.Fprintf(&body, `,"Вопрос %d":1`, i)
		}
		if _, _, err := rebuild(p, "{"+body.String()[1:]+"}", DefaultLimits()); err != nil {
			t.Errorf("%s: %v", paths, err)
		}
	}
}

// BenchmarkAttackWildcards is bounded by maxWork, about 50 ms.
func BenchmarkAttackWildcards(b *testing.B) {
	for name, paths := range map[string][]string{"re2": hostileWildcards(), "runs": runWildcards()} {
		p, rep, lim := wildcardPlan(b, paths, Brackets), new(Report), DefaultLimits()
		body, dst := []byte(hostileNames()), make([]byte, 0, 1<<20)
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				rep.Reset(p)
				_, _ = p.Form(dst, body, lim, rep)
			}
		})
	}
}

// runWildcards are classes of characters that differ in their ends only.
func runWildcards() []string {
	paths := make([]string, maxWildcards)
	for i := range paths {
		paths[i] = fmt.Sprintf("a{x:[a-z0-9]*}%c", 'A'+i%26) + strings.Repeat("x", i/26)
	}
	return paths
}

// oracleSegment reports, naively, whether a segment matches a token of a name.
func oracleSegment(s Segment, token string) bool {
	switch s.Kind {
	case Name:
		return s.Text == token
	case Element:
		return token == "" || regexp.MustCompile(`^(0|[1-9][0-9]{0,17})$`).MatchString(token)
	case Wildcard:
		expression := ""
		for _, p := range s.Parts {
			expression += regexp.QuoteMeta(p.Literal)
			if p.Expression != "" {
				expression += "(" + p.Expression + ")"
			}
		}
		return token != "" && regexp.MustCompile("^(?:"+expression+")$").MatchString(token)
	case Subtree:
	}
	return false
}

// oracleMatches reports whether a path matches the tokens of a name.
func oracleMatches(path []Segment, tokens []string) bool {
	switch {
	case len(path) == 1 && path[0].Kind == Subtree:
		return true
	case len(path) == 1 && len(tokens) == 0 && path[0].Kind == Element:
		return true // a choice of several
	case len(path) == 0 || len(tokens) == 0:
		return len(path) == len(tokens)
	}
	return oracleSegment(path[0], tokens[0]) && oracleMatches(path[1:], tokens[1:])
}

// oracleFold is what the laxest application makes of a name.
func oracleFold(name string) string {
	return regexp.MustCompile(`[^a-z0-9]`).ReplaceAllString(strings.ToLower(name), "")
}

// TestWildcardsOracle: a name leads to a field only if the field's path matches it,
// no field spells it, and no name beside or more exact wildcard can be meant; if one
// field alone can be meant, the name leads to it.
func TestWildcardsOracle(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // G404: the same in each run
	pieces := []string{"a", "b", "ab", "a_b", "A", "7", "07", "a-b", "x_a", "x_b", "xa", "X_a"}
	open := []string{"*", "{n}", "{n:[0-9]+}", "x_{n}", "x_{n:[ab]}", "a{n:[_-]?}b", "{n:[a-z]+}"}
	kept := 0
	for range 5_000 {
		var fields []Field
		for range 1 + random.IntN(5) {
			var path []string
			for range 1 + random.IntN(2) {
				if random.IntN(2) == 0 {
					path = append(path, open[random.IntN(len(open))])
				} else {
					path = append(path, pieces[random.IntN(len(pieces))])
				}
			}
			if path[0] != "*" {
				fields = append(fields, Field{Path: segments(path...), Kept: true})
			}
		}
		p, err := NewPlan(fields, Brackets)
		if err != nil {
			continue // a path twice
		}
		tokens := make([]string, 1+random.IntN(2))
		for i := range tokens {
			tokens[i] = pieces[random.IntN(len(pieces))]
		}
		if checkOracle(t, p, tokens) {
			kept++
		}
	}
	if kept < 500 {
		t.Errorf("only %d names led to a field", kept)
	}
}

// FuzzWildcards is TestWildcardsOracle for two paths of at most two segments, and
// a name of words.
func FuzzWildcards(f *testing.F) {
	for _, paths := range []string{"a.{n}", "x_{n:[ab]}", "{n:[0-9]+}.b", "*", "a{n:[_-]?}b"} {
		f.Add("a", paths, "a", "7")
		f.Add("x_{n}", paths, "x_a", "")
	}
	word := regexp.MustCompile(`^[A-Za-z0-9_-]{1,20}$`)
	f.Fuzz(func(t *testing.T, first, second, token, below string) {
		var fields []Field
		for _, path := range []string{first, second} {
			split := strings.Split(path, ".")
			if len(path) > 40 || len(split) > 2 || split[0] == "*" || slices.Contains(split, "") {
				return
			}
			fields = append(fields, Field{Path: segments(split...), Kept: true})
		}
		tokens := []string{token, below}
		if below == "" {
			tokens = tokens[:1]
		}
		p, err := NewPlan(fields, Brackets)
		if err != nil || slices.ContainsFunc(tokens, func(s string) bool { return !word.MatchString(s) }) {
			return
		}
		checkOracle(t, p, tokens)
	})
}

func checkOracle(t *testing.T, p *Plan, tokens []string) bool {
	t.Helper()
	name := tokens[0]
	for _, token := range tokens[1:] {
		name += "[" + token + "]"
	}
	var n names
	n.begin(p, new(Report))
	at, _ := n.resolve([]byte(name), 32)
	fields, leaf := p.fields, p.nodes[at].leaf
	var matching []int
	spelled, doubtful := -1, false
	for i, f := range fields {
		if !oracleMatches(f.Path, tokens) {
			for k := range min(len(f.Path), len(tokens)) {
				doubtful = doubtful || oracleFold(f.Path[k].Text) == oracleFold(tokens[k]) || f.Path[k].Kind != Name
			}
			continue
		}
		matching = append(matching, i)
		if !slices.ContainsFunc(f.Path, func(s Segment) bool { return s.Kind != Name }) {
			spelled = i
		}
	}
	switch {
	case leaf == none:
		if len(matching) == 1 && !doubtful && len(fields) == 1 || spelled >= 0 {
			t.Fatalf("%q leads nowhere in %v", name, fields)
		}
		return false
	case !slices.Contains(matching, int(leaf)):
		t.Fatalf("%q leads to %v", name, fields[leaf].Path)
	case spelled >= 0 && int(leaf) != spelled:
		t.Fatalf("%q is spelled by %v, and leads to %v", name, fields[spelled].Path, fields[leaf].Path)
	}
	for k, s := range fields[leaf].Path {
		if s.Kind != Wildcard {
			continue
		}
		for i, f := range fields {
			if len(f.Path) <= k || !slices.EqualFunc(f.Path[:k], fields[leaf].Path[:k], sameSegment) {
				continue
			}
			other := f.Path[k]
			if other.Kind == Name && oracleFold(other.Text) == oracleFold(tokens[k]) && other.Text != tokens[k] {
				t.Fatalf("%q can be meant for %v, and leads to %v", name, f.Path, fields[leaf].Path)
			}
			more := len(regexp.MustCompile(`\{.*?\}`).ReplaceAllString(other.Text, "")) > len(regexp.MustCompile(`\{.*?\}`).ReplaceAllString(s.Text, ""))
			if other.Kind == Wildcard && more && slices.Contains(matching, i) {
				t.Fatalf("%q matches %v, and leads to %v of %v", name, f.Path, fields[leaf].Path, fields)
			}
		}
	}
	return true
}
