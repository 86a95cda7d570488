package caddymodule

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/modicum-proxy/modicum/internal/policy"
	"github.com/modicum-proxy/modicum/internal/terminal"
)

// maxLogLine bounds a line of a collection log; ours are far shorter.
const maxLogLine = 1 << 20

// arrivals is what a collection log tells of undeclared names.
type arrivals struct {
	routes   map[string]fieldCounts // that no collection declares, by request
	declared map[string]fieldCounts // by the collection that declares the rest
	lines    int                    // submissions
	foreign  int                    // lines that are no submission
}

// fieldCounts counts the submissions in which a name came.
type fieldCounts map[string]int

// proposeFrom prints a policy to complete.
func proposeFrom(cmd *cobra.Command, path string) (int, error) {
	log := cmd.InOrStdin()
	if path != "-" {
		file, err := os.Open(path) //nolint:gosec // G304: the operator names it
		if err != nil {
			return exitUsage, fmt.Errorf("reading the log: %w", err)
		}
		defer file.Close() //nolint:errcheck // it was only read
		log = file
	}
	seen, err := readLog(log)
	if err != nil {
		return exitUsage, fmt.Errorf("reading the log: %w", err)
	}
	if seen.lines == 0 {
		return exitUsage, fmt.Errorf("%s holds no line of the collection log: expected JSON of the logger http.log.minimize", path)
	}
	if len(seen.routes)+len(seen.declared) == 0 {
		return exitRefused, fmt.Errorf("%s in %s, and no undeclared name: all is declared, or the site lacks the option show_undeclared", plural(seen.lines, "submission"), path)
	}
	return 0, seen.print(cmd.OutOrStdout())
}

func readLog(r io.Reader) (*arrivals, error) {
	seen := &arrivals{routes: map[string]fieldCounts{}, declared: map[string]fieldCounts{}}
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxLogLine)
	for lines.Scan() {
		var entry struct {
			Logger     string   `json:"logger"`
			On         string   `json:"on"`
			Collection string   `json:"collection"`
			Names      []string `json:"undeclared_names"`
		}
		if json.Unmarshal(lines.Bytes(), &entry) != nil || !strings.HasPrefix(entry.Logger, loggerName) {
			seen.foreign++
			continue
		}
		seen.lines++
		if len(entry.Names) == 0 {
			continue
		}
		counts, key := seen.declared, entry.Collection
		if key == "" {
			counts, key = seen.routes, likelyPattern(entry.On)
		}
		if counts[key] == nil {
			counts[key] = fieldCounts{}
		}
		for _, name := range entry.Names {
			counts[key][name]++
		}
	}
	return seen, lines.Err()
}

// identifier is a segment of a path that names one thing of many.
var identifier = regexp.MustCompile(`^(?:[0-9]+|[0-9a-fA-F]{8}-[0-9a-fA-F-]{27}|[0-9a-fA-F]{16,})$`)

// likelyPattern puts wildcards in the place of identifiers.
func likelyPattern(on string) string {
	segments := strings.Split(on, "/")
	for i, n := 1, 0; i < len(segments); i++ {
		if identifier.MatchString(segments[i]) {
			n++
			segments[i] = "{id" + strings.Repeat("_", n-1) + "}"
		}
	}
	return strings.Join(segments, "/")
}

// print writes the policy file. Purposes are not guessed: `check` refuses
// the word that stands for them.
func (a *arrivals) print(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "# What arrived in %s and no collection declares.\n", plural(a.lines, "submission"))
	b.WriteString(`# A log knows names, not purposes: write a purpose of yours for each fill_me, or
# delete the line of what you do not need. check refuses the file until then.
# A name may stand for an object or a list: write out what you need of it, as
# address.city or items.*.sku.
version: 1
`)
	if len(a.routes) > 0 {
		b.WriteString("collections:\n")
	}
	taken := map[string]bool{}
	for _, on := range slices.Sorted(maps.Keys(a.routes)) {
		fmt.Fprintf(&b, "  %s:\n    on: %s\n    fields:\n", collectionName(on, taken), yamlText(on))
		a.routes[on].print(&b, "      ")
	}
	for _, collection := range slices.Sorted(maps.Keys(a.declared)) {
		fmt.Fprintf(&b, "\n# Your collection %s receives besides what it declares:\n", terminal.Printable(collection))
		a.declared[collection].print(&b, "#     ")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// print writes fields, the most frequent first.
func (c fieldCounts) print(b *strings.Builder, indent string) {
	names := slices.SortedFunc(maps.Keys(c), func(x, y string) int {
		if c[x] != c[y] {
			return c[y] - c[x]
		}
		return strings.Compare(x, y)
	})
	for _, name := range names {
		// A member that a client called "**" must not become the path of everything.
		if path, err := policy.ParsePath(name); err != nil || slices.Contains(path, "**") {
			fmt.Fprintf(b, "%s# %s: no path of a field\n", strings.TrimSuffix(indent, "# "), yamlText(name))
			continue
		}
		fmt.Fprintf(b, "%s%s: fill_me # in %s\n", indent, yamlText(name), plural(c[name], "submission"))
	}
}

var notName = regexp.MustCompile(`[^A-Za-z0-9]+`)

// collectionName makes a name of a request, "POST /api/order" being
// api_order; a second one of that name tells the method, a third a number.
func collectionName(on string, taken map[string]bool) string {
	method, path, _ := strings.Cut(on, " ")
	base := strings.ToLower(strings.Trim(notName.ReplaceAllString(path, "_"), "_"))
	if base == "" {
		base = "home"
	}
	if base[0] >= '0' && base[0] <= '9' {
		base = "page_" + base
	}
	base = base[:min(len(base), 40)]
	name := base
	for n := 1; taken[name]; n++ {
		name = base + "_" + strings.ToLower(method)
		if n > 1 {
			name += "_" + strconv.Itoa(n)
		}
	}
	taken[name] = true
	return name
}

var plainText = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_.*/{} -]*$`)

// yamlText writes a text as a YAML scalar. What is not plain is written as
// JSON has it, which is YAML.
func yamlText(text string) string {
	if plainText.MatchString(text) && !slices.Contains([]string{"true", "false", "null", "yes", "no", "on", "off", "y", "n"}, strings.ToLower(text)) {
		return text
	}
	quoted, _ := json.Marshal(text) // a string always can be
	return string(quoted)
}
