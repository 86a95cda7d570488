package policy

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml/ast"

	"github.com/modicum-proxy/modicum/internal/countries"
)

// The closed vocabularies of the language.
var (
	bases = []string{
		string(Consent), string(Contract), string(LegalObligation), string(VitalInterests),
		string(PublicTask), string(LegitimateInterests), string(NotPersonal),
	}
	objections = []string{"gpc"}
	nestings   = []string{"brackets", "dots"}
	modes      = []string{"enforce", "report"}
	optOuts    = []string{OptOutSale, OptOutSharing, OptOutAdvertising}
	valueTypes = []string{
		"email", "phone", "date", "integer", "number", "boolean", "url", "country", "uuid", "text", "json", "file",
	}
	keepKinds = []string{"year", "month", "first", "last", "domain", "network", "round", "pseudonym"}
)

// version is the version of the policy language.
type version struct{}

func (version) read(r *reader, n ast.Node) {
	if i, ok := n.(*ast.IntegerNode); !ok || i.GetToken().Value != "1" {
		r.problems.report("unknown-version", r.at(n), "the version of the policy language must be 1", "write version: 1")
	}
}

type basis struct{ word }

func (b *basis) read(r *reader, n ast.Node) {
	b.word.read(r, n)
	b.among(r, "basis", bases)
}

type objection struct{ word }

func (o *objection) read(r *reader, n ast.Node) {
	o.word.read(r, n)
	o.among(r, "objection", objections)
}

// nesting is how names in queries and forms spell a path.
type nesting struct{ word }

func (s *nesting) read(r *reader, n ast.Node) {
	s.word.read(r, n)
	s.among(r, "nesting", nestings)
}

// mode is whether a collection is enforced or only reported.
type mode struct{ word }

func (m *mode) read(r *reader, n ast.Node) {
	m.word.read(r, n)
	m.among(r, "mode", modes)
}

type optOut struct{ word }

func (o *optOut) read(r *reader, n ast.Node) {
	o.word.read(r, n)
	o.among(r, "opt-out", optOuts)
}

// tcfPurpose is the number of a purpose in a PublisherTC segment.
type tcfPurpose struct {
	place
	number int
}

func (p *tcfPurpose) read(r *reader, n ast.Node) {
	p.at = r.at(n)
	written, ok := n.(*ast.IntegerNode)
	if !ok {
		r.expected("a purpose number", n, fmt.Sprintf("write a number from 1 to %d, without quotes", MaxTCFPurpose))
		return
	}
	text := written.GetToken().Value
	number, err := strconv.Atoi(text)
	if err != nil || strconv.Itoa(number) != text || number < 1 || number > MaxTCFPurpose {
		r.problems.report("bad-tcf-purpose", p.at, fmt.Sprintf("%s is not a purpose of a PublisherTC segment", text),
			fmt.Sprintf("write a number from 1 to %d", MaxTCFPurpose))
		return
	}
	p.number = number
}

type valueType struct{ word }

func (t *valueType) read(r *reader, n ast.Node) {
	t.word.read(r, n)
	t.among(r, "type", valueTypes)
}

// country is an ISO 3166-1 alpha-2 code.
type country struct{ word }

func (c *country) read(r *reader, n ast.Node) {
	c.word.read(r, n)
	if c.text != "" && !countries.IsCode(c.text) {
		r.problems.report("unknown-country", c.at, fmt.Sprintf("%q is not a country code", c.text),
			`write ISO 3166-1 alpha-2, such as "DE"`)
	}
}

// period is a [Period] in writing.
type period struct{ word }

func (p *period) read(r *reader, n ast.Node) {
	p.word.read(r, n)
	if _, ok := ParsePeriod(p.text); p.text != "" && !ok {
		r.problems.report("bad-period", p.at, fmt.Sprintf("%q is not a period", p.text),
			"write a number and h, d, w, mo or y: 30d, 18mo, 3y")
	}
}

// sizePattern is a count of characters or bytes.
var sizePattern = regexp.MustCompile(`^([1-9][0-9]{0,17})(B|kB|MB|GB|KiB|MiB|GiB)?$`)

// sizeUnits are the bytes of a unit.
var sizeUnits = map[string]int64{
	"": 1, "B": 1, "kB": 1e3, "MB": 1e6, "GB": 1e9, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30,
}

// size is the most characters or bytes of a value.
type size struct {
	place
	n     int64
	bytes bool // a unit was written
}

func (s *size) read(r *reader, n ast.Node) {
	s.at = r.at(n)
	var written string
	switch n := n.(type) {
	case *ast.StringNode:
		written = n.Value
	case *ast.IntegerNode:
		written = n.GetToken().Value
	default:
		r.expected("a size", n, "")
		return
	}
	parts := sizePattern.FindStringSubmatch(written)
	if parts != nil {
		count, err := strconv.ParseInt(parts[1], 10, 64)
		if unit := sizeUnits[parts[2]]; err == nil && count <= math.MaxInt64/unit {
			s.n, s.bytes = count*unit, parts[2] != ""
			return
		}
	}
	r.problems.report("bad-size", s.at, fmt.Sprintf("%q is not a size", written),
		"write a number of characters, or for a file a number of bytes such as 5MiB, from 1 on")
}

// maxPattern bounds an expression: what RE2 compiles grows with it.
const maxPattern = 1000

// pattern is an RE2 expression that a whole value matches.
type pattern struct {
	word
	re *regexp.Regexp
}

func (p *pattern) read(r *reader, n ast.Node) {
	p.word.read(r, n)
	if p.text == "" {
		return
	}
	if len(p.text) > maxPattern {
		r.problems.report("bad-pattern", p.at,
			fmt.Sprintf("the expression has %d bytes, more than %d", len(p.text), maxPattern), "")
		return
	}
	// Compiled alone first: "a)|(b" must not become valid by the brackets around it.
	_, err := regexp.Compile(p.text)
	if err == nil {
		p.re, err = regexp.Compile(`^(?:` + p.text + `)$`)
	}
	if err != nil {
		r.problems.report("bad-pattern", p.at,
			"the expression is not RE2: "+strings.TrimPrefix(err.Error(), "error parsing regexp: "), "")
	}
}

// keep is the reduction of a value.
type keep struct {
	place
	Keep
}

var keepForm = regexp.MustCompile(`^([a-z]+)(?:\((-?[0-9]{1,3})\))?$`)

// keepNumbers are the reductions that take a number, with its bounds and an
// example of each.
var keepNumbers = map[string]struct {
	least, most int
	example     string
}{
	"first": {1, 999, "first(3)"},
	"last":  {1, 999, "last(4)"},
	"round": {-15, 15, "round(2) or round(-3)"},
}

func (k *keep) read(r *reader, n ast.Node) {
	var w word
	w.read(r, n)
	k.at = w.at
	if w.text == "" {
		return
	}
	kind, _, _ := strings.Cut(w.text, "(")
	if !slices.Contains(keepKinds, kind) {
		r.problems.report("unknown-keep", k.at, fmt.Sprintf("there is no reduction %q", kind), didYouMean(kind, keepKinds))
		return
	}
	k.Kind = kind
	form := keepForm.FindStringSubmatch(w.text)
	number, takesNumber := keepNumbers[kind]
	if !takesNumber {
		if w.text != kind {
			r.problems.report("bad-keep", k.at, fmt.Sprintf("the reduction %s takes no number", kind), "write "+kind)
		}
		return
	}
	if form != nil && form[2] != "" {
		k.N, _ = strconv.Atoi(form[2]) // three digits always fit
		if number.least <= k.N && k.N <= number.most {
			return
		}
	}
	r.problems.report("bad-keep", k.at,
		fmt.Sprintf("the reduction %s takes a number from %d to %d", kind, number.least, number.most),
		"write "+number.example)
}
