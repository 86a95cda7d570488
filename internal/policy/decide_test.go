package policy

import (
	"strings"
	"testing"
)

const decisions = `version: 1
purposes:
  ads: {basis: legitimate_interests, objection: gpc, retention: 1y}
  delivery: {basis: contract, retention: 1y}
  letter: {basis: consent, retention: 1y}
  profile: {basis: consent, objection: gpc, retention: 1y}
collections:
  c:
    on: POST /c
    fields:
      address: delivery
      email: [letter, profile]
      phone: [ads, letter]
      both: [letter, delivery]
    consents: {letter: subscribe}
`

func TestDecide(t *testing.T) {
	s := compile(t, decisions)
	c := s.Match("POST", "", "/c").Collection
	ids := func(names ...string) (set PurposeSet) {
		for _, name := range names {
			id, ok := s.PurposeID(name)
			if !ok {
				t.Fatal(name)
			}
			set = set.With(id)
		}
		return set
	}
	for _, test := range []struct {
		field             string
		granted, objected PurposeSet
		kept              bool
		purpose, reason   string
	}{
		{"address", ids(), ids(), true, "delivery", ""},
		{"address", ids(), ids("delivery"), true, "delivery", ""}, // no objection to a contract is foreseen
		{"email", ids(), ids(), false, "letter", ReasonNoConsent},
		{"email", ids("ads", "delivery"), ids(), false, "letter", ReasonNoConsent},
		{"email", ids("profile"), ids(), true, "profile", ""},
		{"email", ids("letter", "profile"), ids(), true, "letter", ""},
		{"email", ids("letter", "profile"), ids("letter"), true, "profile", ""},
		{"email", ids("letter", "profile"), ids("letter", "profile"), false, "letter", ReasonObjected},
		{"phone", ids(), ids(), true, "ads", ""},
		{"phone", ids(), ids("ads"), false, "ads", ReasonObjected},
		{"phone", ids("letter"), ids("ads"), true, "letter", ""},
		{"both", ids(), ids("letter"), true, "delivery", ""},
		{"subscribe", ids(), ids(), false, "letter", ReasonNoConsent},
		{"subscribe", ids("letter"), ids(), true, "letter", ""},
	} {
		f := fieldOf(t, c, test.field)
		v := c.Decide(f, Standing{Granted: test.granted, Objected: test.objected})
		if v.Kept != test.kept || v.Reason != test.reason || s.Purposes[v.Purpose].Name != test.purpose {
			t.Errorf("%s with %v, without %v: %+v", test.field, test.granted, test.objected, v)
		}
	}
}

// TestDecideRefusesByDefault: what nobody declared does not pass, even where a
// value was forgotten in our own code.
func TestDecideRefusesByDefault(t *testing.T) {
	c := compile(t, decisions).Collections[0]
	all := PurposeSet{^uint64(0), ^uint64(0), ^uint64(0), ^uint64(0)}
	for what, v := range map[string]Verdict{
		"a field without purpose": c.Decide(&Field{}, Standing{Granted: all}),
		"the zero collection":     new(Collection).Decide(&c.Fields[0], Standing{Granted: all}),
		"the zero verdict":        {Reason: ReasonNoPurpose},
	} {
		if v.Kept || v.Reason != ReasonNoPurpose {
			t.Errorf("%s: %+v", what, v)
		}
	}
}

func TestDecideAllocatesNothing(t *testing.T) {
	c := compile(t, decisions).Collections[0]
	if n := testing.AllocsPerRun(100, func() {
		for i := range c.Fields {
			c.Decide(&c.Fields[i], Standing{})
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkDecide(b *testing.B) {
	c := setOf(b, 1).Collections[0]
	b.ReportAllocs()
	for b.Loop() {
		for i := range c.Fields {
			c.Decide(&c.Fields[i], Standing{})
		}
	}
}

func TestPurposeSet(t *testing.T) {
	var s PurposeSet
	if !s.IsEmpty() || s.Has(0) {
		t.Error("the zero set is not empty")
	}
	for _, id := range []PurposeID{0, 63, 64, 200, 255} {
		s = s.With(id)
		if !s.Has(id) || !s.Intersects(PurposeSet{}.With(id)) {
			t.Errorf("%d is not in the set", id)
		}
	}
	var all []PurposeID
	for id := range s.All() {
		all = append(all, id)
		if len(all) == 4 {
			break
		}
	}
	if len(all) != 4 || all[3] != 200 {
		t.Errorf("All yields %v", all)
	}
	if s.Without(255).Has(255) || s.Without(255) == s || s.Union(PurposeSet{}.With(7)) != s.With(7) || s.Intersects(PurposeSet{}.With(7)) {
		t.Error("the sets do not add up")
	}
}

// compile compiles a policy; of one without a controller another file names it.
func compile(tb testing.TB, text string) *Set {
	tb.Helper()
	sources := []Source{{"policy.yaml", []byte(text)}}
	if !strings.Contains(text, "controller") {
		sources = append(sources, Source{"controller.yaml", []byte("version: 1\ncontroller: {name: Whittle}\n")})
	}
	s, problems := Compile(sources...)
	if err := problems.Err(); err != nil {
		tb.Fatal(err)
	}
	return s
}

func fieldOf(t *testing.T, c *Collection, name string) *Field {
	t.Helper()
	for i := range c.Fields {
		if c.Fields[i].Name == name {
			return &c.Fields[i]
		}
	}
	t.Fatalf("the collection %q has no field %q", c.Name, name)
	return nil
}
