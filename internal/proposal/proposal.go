// Package proposal drafts a policy from a collection log: the names that
// arrived and that no collection declares.
package proposal

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/modicum-proxy/modicum/internal/terminal"
)

// Logger is the logger of the collection log.
const Logger = "http.log.minimize"

// maxLogLine bounds a line of a collection log; ours are far shorter.
const maxLogLine = 1 << 20

// Proposal is what a collection log says about undeclared names.
type Proposal struct {
	Submissions int // lines of the collection log

	routes   map[string]arrivals // no collection declares these requests
	declared map[string]arrivals // by the collection that declares the other fields
}

// FromLog reads a log in JSON. It ignores the lines of other loggers.
func FromLog(r io.Reader) (*Proposal, error) {
	p := &Proposal{routes: map[string]arrivals{}, declared: map[string]arrivals{}}
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxLogLine)
	for lines.Scan() {
		var entry struct {
			Logger     string   `json:"logger"`
			On         string   `json:"on"`
			Collection string   `json:"collection"`
			Names      []string `json:"undeclared_names"`
		}
		if json.Unmarshal(lines.Bytes(), &entry) != nil || !strings.HasPrefix(entry.Logger, Logger) {
			continue
		}
		p.Submissions++
		if len(entry.Names) == 0 {
			continue
		}
		counts, key := p.declared, entry.Collection
		if key == "" {
			counts, key = p.routes, likelyPattern(entry.On)
		}
		if counts[key] == nil {
			counts[key] = arrivals{}
		}
		counts[key].add(entry.Names)
	}
	return p, lines.Err()
}

// IsEmpty reports whether there was no undeclared name.
func (p *Proposal) IsEmpty() bool { return len(p.routes)+len(p.declared) == 0 }

// identifier matches a segment of a path that names one of many resources.
var identifier = regexp.MustCompile(`^(?:[0-9]+|[0-9a-fA-F]{8}-[0-9a-fA-F-]{27}|[0-9a-fA-F]{16,})$`)

// likelyPattern replaces identifiers by wildcards. A path that ends in a slash
// stands for itself, and not for all below it.
func likelyPattern(on string) string {
	segments := strings.Split(on, "/")
	for i, n := 1, 0; i < len(segments); i++ {
		if identifier.MatchString(segments[i]) {
			n++
			segments[i] = "{id" + strings.Repeat("_", n-1) + "}"
		}
	}
	if last := len(segments) - 1; segments[last] == "" {
		segments[last] = "{$}"
	}
	return strings.Join(segments, "/")
}

// Print writes the draft as a policy file. It does not guess purposes: `check`
// refuses the word that it writes in their place.
func (p *Proposal) Print(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "# Names that arrived in %s and that no collection declares.\n", terminal.Plural(p.Submissions, "submission"))
	b.WriteString(`# A log knows names, not purposes: replace each fill_me by one of your purposes,
# or delete the line of a field that you do not need. check refuses the file
# until then. A name may be that of an object or a list: declare the parts that
# you need, such as address.city or items.*.sku.
version: 1
`)
	if len(p.routes) > 0 {
		b.WriteString("collections:\n")
	}
	taken := map[string]bool{}
	for _, on := range slices.Sorted(maps.Keys(p.routes)) {
		fmt.Fprintf(&b, "  %s:\n    on: %s\n", collectionName(on, taken), yamlText(on))
		if p.routes[on].haveDots() {
			b.WriteString("    names: dots\n")
		}
		b.WriteString("    fields:\n")
		p.routes[on].print(&b, "      ")
	}
	for _, collection := range slices.Sorted(maps.Keys(p.declared)) {
		with := ""
		if p.declared[collection].haveDots() {
			with = " (with names: dots)"
		}
		fmt.Fprintf(&b, "\n# The collection %s also receives these fields, which it does not declare%s:\n", terminal.Printable(collection), with)
		p.declared[collection].print(&b, "#     ")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

var notName = regexp.MustCompile(`[^A-Za-z0-9]+`)

// collectionName returns a name for the collection of a request: api_order for
// "POST /api/order". If that is taken, the method follows, and then a number.
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

// yamlText writes a text as a YAML scalar: as it is if it needs no quotes,
// otherwise as a JSON string, which is also YAML.
func yamlText(text string) string {
	if plainText.MatchString(text) && !slices.Contains([]string{"true", "false", "null", "yes", "no", "on", "off", "y", "n"}, strings.ToLower(text)) {
		return text
	}
	quoted, _ := json.Marshal(text) // never fails for a string
	return string(quoted)
}
