package proposal

import (
	"cmp"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/modicum-proxy/modicum/internal/policy"
	"github.com/modicum-proxy/modicum/internal/terminal"
)

// arrivals are the names that arrived, by the path that they may stand for.
type arrivals map[string]*arrival

// arrival is a name, or several that differ only in numbers.
type arrival struct {
	name        string // the first
	several     bool
	submissions int // that contained one
}

// add counts the names of one submission.
func (a arrivals) add(names []string) {
	counted := map[string]bool{}
	for _, name := range names {
		path := likelyPath(name)
		one := a[path]
		if one == nil {
			one = &arrival{name: name}
			a[path] = one
		}
		one.several = one.several || one.name != name
		if !counted[path] {
			counted[path] = true
			one.submissions++
		}
	}
}

var (
	row         = regexp.MustCompile(`-[0-9]+-`)           // form-0-name, of Django's formsets
	dottedIndex = regexp.MustCompile(`\\\[[0-9]+\\\]\\\.`) // Items[0].Sku, of ASP.NET and Spring, as the log escapes it
)

// likelyPath replaces numbers that count rows by wildcards and stars.
func likelyPath(name string) string {
	if dottedIndex.MatchString(name) {
		return unescapeDots(name)
	}
	n := -1
	return row.ReplaceAllStringFunc(name, func(string) string {
		n++
		return "-{n" + strings.Repeat("_", n) + ":[0-9]+}-"
	})
}

// unescapeDots returns the path that a name is with `names: dots`.
func unescapeDots(name string) string {
	name = dottedIndex.ReplaceAllString(name, ".*.")
	return strings.TrimPrefix(strings.ReplaceAll(name, `\.`, "."), ".")
}

// haveDots reports whether the names spell nesting with dots. If others nest
// already, they came in brackets or JSON.
func (a arrivals) haveDots() bool {
	found := false
	for _, one := range a {
		if path, err := policy.ParsePath(one.name); err == nil && len(path) > 1 {
			return false
		}
		found = found || dottedIndex.MatchString(one.name)
	}
	return found
}

// fields returns the paths to propose, with the number of submissions of each.
func (a arrivals) fields() map[string]int {
	dots := a.haveDots()
	fields := make(map[string]int, len(a))
	for path, one := range a {
		switch {
		case dots:
			path = unescapeDots(path)
		case !one.several || dottedIndex.MatchString(one.name):
			path = one.name
		}
		fields[path] = max(fields[path], one.submissions)
	}
	return fields
}

// print writes the fields, the most frequent first.
func (a arrivals) print(b *strings.Builder, indent string) {
	fields := a.fields()
	names := slices.SortedFunc(maps.Keys(fields), func(x, y string) int {
		return cmp.Or(fields[y]-fields[x], strings.Compare(x, y))
	})
	for _, name := range names {
		// No client may propose the path that matches every field.
		path, err := policy.ParsePath(name)
		if err != nil || slices.ContainsFunc(path, func(s policy.Segment) bool { return s.Kind == policy.Subtree }) {
			fmt.Fprintf(b, "%s# %s: not a path of a field\n", strings.TrimSuffix(indent, "# "), yamlText(name))
			continue
		}
		fmt.Fprintf(b, "%s%s: fill_me # in %s\n", indent, yamlText(name), terminal.Plural(fields[name], "submission"))
	}
}
