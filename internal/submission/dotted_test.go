package submission

import (
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// dottedCases are nameCases for names that nest with dots.
var dottedCases = []struct {
	name  string
	paths []string
	names []string
	fault fault
}{
	{"members", []string{"user.email", "user.address.city"}, []string{"user.email>user.email", "user.address.city>user.address.city", "user.name", "user[email]", "email", "user.email.x"}, faultMixed},
	{"elements", []string{"items.*.sku", "tags.*"}, []string{"items[0].sku>items.*.sku", "items[12].sku>items.*.sku", "items[0].note", "items.0.sku", "items.*.sku", "tags[0]>tags.*", "tags[1]>tags.*"}, faultNone},
	{"a list of lists", []string{"m.*.*"}, []string{"m[0][1]>m.*.*", "m[1][0]>m.*.*", "m[0].x"}, faultNone},
	{"a list at the top", []string{"*.sku"}, []string{"[0].sku>*.sku", "[1].sku>*.sku", "[0].x", "[].sku", ".sku", "0.sku"}, faultNone},
	{"numbers", []string{"a.*", "!a.7"}, []string{"a[3]>a.*", "a[7]>!a.7"}, faultNone},
	{"a choice of several", []string{"tags.*"}, []string{"tags>tags.*", "tags>tags.*"}, faultNone},
	// Binders fill a list up to the index that is named.
	{"long indexes", []string{"items.*.sku"}, []string{"items[9999].sku>items.*.sku", "items[10000].sku", "items[007].sku"}, faultNone},
	{"dictionaries", []string{"Scores[{s:[a-z]+}]", "Scores2[x]"}, []string{"Scores[math]>Scores[{s:[a-z]+}]", "Scores[Doctor]", "Scores[0]", "Scores2[x]>Scores2[x]", "Scores2[y]"}, faultNone},
	{"a key with a dot", []string{"m[{k:[a-z\x00]+}].v"}, []string{"m[a.b].v>m[{k:[a-z\x00]+}].v", "m[a.b].w"}, faultNone},
	// Spring takes each of these for an element of the list.
	{"keys that are indexes", []string{"!a.*", "a[{k:[0-9'\"+]+}]"}, []string{"a[00]", "a['0']", `a["0"]`, "a[+0]", "a[0]>!a.*"}, faultNone},
	{"brackets of PHP", []string{"user.**", "**"}, []string{"user[email]", "items[]", "user.x[]", "a[b]c", "foo[bar", "foo]"}, faultNone},
	{"empty segments", []string{"a.b", "**"}, []string{"a..b", ".a", "a.", ".", "", "a.[0]", "a.b>a.b"}, faultNone},
	{"a subtree", []string{"meta.**", "!meta.ssn"}, []string{"meta.a.b>meta.**", "meta.list[0].x>meta.**", "meta.SSN", "meta.ssn>!meta.ssn"}, faultNone},
	{"a value and an object", []string{"a", "a.b"}, []string{"a>a", "a.b"}, faultMixed},
	{"too deep", []string{"m.**"}, []string{"m" + strings.Repeat(".a", 32)}, faultDepth},
	{"a dictionary beside its index", []string{"Items[{row:[A-Za-z0-9_-]+}].Sku", "Items.Index.*", "Items.Total"}, []string{
		"Items[a1].Sku>Items[{row:[A-Za-z0-9_-]+}].Sku", "Items[Index].Sku>", "Items[total].Sku>", "Items[0].Sku>", "items[a1].Sku>", "Items.Index>Items.Index.*",
	}, faultNone},
	// To binders of lists, Items[00] is Items[0].
	{"a dictionary beside a list", []string{"Items[{row:[A-Za-z0-9_-]+}].Sku", "Items.*.Sku"}, []string{"Items[00].Sku>", "Items[a1].Sku>", "Items[0].Sku>Items.*.Sku"}, faultNone},
}

func TestDottedNames(t *testing.T) {
	for _, tt := range dottedCases {
		t.Run(tt.name, func(t *testing.T) {
			p := wildcardPlan(t, tt.paths, Dots)
			var n names
			n.begin(p, new(Report))
			for i, name := range tt.names {
				name, want, _ := strings.Cut(name, ">")
				at, f := n.resolve([]byte(name), 32)
				if i < len(tt.names)-1 && f != faultNone || i == len(tt.names)-1 && f != tt.fault {
					t.Errorf("%q: fault %d, want %d", name, f, tt.fault)
				}
				got := ""
				if leaf := p.nodes[at].leaf; leaf != none {
					got = tt.paths[leaf]
				}
				if got != want {
					t.Errorf("%q: leads to %q, want %q", name, got, want)
				}
				_ = n.appendPath(nil, []byte(name))
			}
		})
	}
}

// springPath is where Spring's binder writes what comes under a name: the property
// names and keys that BeanWrapperImpl and AbstractNestablePropertyAccessor find in
// it. ok is false if it writes nowhere.
func springPath(name string) (path []string, ok bool) {
	name = strings.TrimSuffix(name, "[]") // WebDataBinder.adaptEmptyArrayIndices
	for name != "" {
		// PropertyAccessorUtils.getNestedPropertySeparatorIndex
		end, inKey := len(name), false
		for i, c := range name {
			if c == '[' || c == ']' {
				inKey = !inKey
			} else if c == '.' && !inKey {
				end = i
				break
			}
		}
		token := name[:end]
		name = strings.TrimPrefix(name[end:], ".")
		property, keys := springTokens(token)
		if property == "" && len(path) > 0 {
			return nil, false
		}
		if property != "" {
			path = append(path, property)
		}
		for _, key := range keys {
			// A list takes what Integer.parseInt reads.
			if i, err := strconv.Atoi(strings.TrimSpace(key)); err == nil {
				key = "#" + strconv.Itoa(i)
			}
			path = append(path, key)
		}
	}
	return path, len(path) > 0
}

// springTokens is AbstractNestablePropertyAccessor.getPropertyNameTokens.
func springTokens(token string) (property string, keys []string) {
	property, from := token, 0
	for {
		start := strings.IndexByte(token[from:], '[')
		if start < 0 {
			return property, keys
		}
		start += from
		end, open := -1, 0
		for i := start + 1; i < len(token); i++ {
			if token[i] == '[' {
				open++
			} else if token[i] == ']' {
				if open == 0 {
					end = i
					break
				}
				open--
			}
		}
		if end < 0 {
			return property, keys
		}
		if from == 0 {
			property = token[:start]
		}
		key := token[start+1 : end]
		if len(key) > 1 && (key[0] == '\'' && key[len(key)-1] == '\'' || key[0] == '"' && key[len(key)-1] == '"') {
			key = key[1 : len(key)-1]
		}
		keys = append(keys, key)
		from = end + 1
	}
}

// springReaches reports whether a path of the policy is about what stands at a
// path of the binder.
func springReaches(field []Segment, path []string) bool {
	for i, s := range field {
		if i == len(path) {
			return false
		}
		element := strings.HasPrefix(path[i], "#")
		switch s.Kind {
		case Subtree:
			return true
		case Element:
			if !element {
				return false
			}
		case Name:
			if strings.TrimPrefix(path[i], "#") != s.Text {
				return false
			}
		case Wildcard:
		}
	}
	return len(field) == len(path)
}

// springDenied are properties that must not be bound.
var springDenied = [][]Segment{segments("ssn"), segments("user", "ssn"), segments("items", "*", "price"), segments("list", "*"), segments("nums", "7")}

// springPlan lets names pass beside springDenied by paths of every kind.
func springPlan(tb testing.TB) *Plan {
	tb.Helper()
	var fields []Field
	for _, path := range [][]Segment{
		segments("name"), segments("user", "name"), segments("items", "*", "sku"), segments("{any}"), segments("user", "{any}"),
		segments("list[{k}]"), segments(`items[{k:[0-9'"]+}]`, "price"), segments("nums", "*"), segments("user", "**"),
		segments(`{k:[a-z']+}[{l:[0-9a-z'"]+}]`, "{m}"), segments("*", "x"),
	} {
		fields = append(fields, Field{Path: path, Kept: true})
	}
	for _, path := range springDenied {
		fields = append(fields, Field{Path: path, Reason: "no_consent"})
	}
	p, err := NewPlan(fields, Dots)
	if err != nil {
		tb.Fatal(err)
	}
	return p
}

// checkSpring fails if a name passes that Spring binds to a property of
// springDenied. It reports whether the name passes, and whether Spring binds it.
func checkSpring(t *testing.T, p *Plan, name string) (kept, bound bool) {
	t.Helper()
	var n names
	n.begin(p, new(Report))
	at, f := n.resolve([]byte(name), 32)
	leaf := p.nodes[at].leaf
	if f != faultNone || leaf == none || !p.fields[leaf].Kept {
		return false, false
	}
	path, ok := springPath(name)
	if ok && slices.ContainsFunc(springDenied, func(field []Segment) bool { return springReaches(field, path) }) {
		t.Fatalf("%q passes by %v, and Spring writes it at %q", name, p.fields[leaf].Path, path)
	}
	return true, ok
}

// What Spring binds to a property that is denied never passes, whatever else
// is declared: a name passes only by a field that is about the same property.
func TestDottedOracle(t *testing.T) {
	p := springPlan(t)
	random := rand.New(rand.NewPCG(3, 4)) //nolint:gosec // G404: the same in each run
	pieces := []string{"ssn", "user", "items", "price", "list", "nums", "name", "sku", "0", "7", "07", "00", "'0'", `"7"`, "+7", "[", "]", "[", "]", ".", ".", "[0]", "[7]", "[]", "]."}
	passed, written := 0, 0
	for range 200_000 {
		var b strings.Builder
		for range 1 + random.IntN(8) {
			b.WriteString(pieces[random.IntN(len(pieces))])
		}
		kept, bound := checkSpring(t, p, b.String())
		if kept {
			passed++
		}
		if bound {
			written++
		}
	}
	if passed < 1000 || written < 1000 {
		t.Errorf("only %d names passed, and %d were bound", passed, written)
	}
}

// FuzzDottedNames is TestDottedOracle for any name.
func FuzzDottedNames(f *testing.F) {
	for _, name := range []string{"user.name", "items[0].sku", "list[k]", "items['0'].price", "nums[3]", "[0].x", "user.a[1].b", "list[00]", "user[ssn]"} {
		f.Add(name)
	}
	p := springPlan(f)
	f.Fuzz(func(t *testing.T, name string) { checkSpring(t, p, name) })
}
