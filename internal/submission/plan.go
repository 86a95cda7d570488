package submission

import (
	"hash/maphash"
	"math"
	"math/bits"
	"slices"
	"sync"
	"unsafe"
)

// Reasons for which a value of a kept field is stripped. Fields that are not
// kept carry reasons of the caller's.
const (
	ReasonWrongType = "wrong_type"
	ReasonTooLong   = "too_long"
)

// Field is one path that a plan knows and what becomes of its values. The
// zero value refuses: an undecided field is stripped.
type Field struct {
	// Path leads to the field from the top. An empty path is a scalar at the top.
	Path []Segment
	// Name is what a refusal calls the field: the path as the policy spells it.
	Name string
	// Kept lets the values pass; otherwise Reason says why not.
	Kept   bool
	Reason string
	// JSON says that the value is a JSON text. Fields whose paths go on from this
	// one are about its members, and are not found by other ways.
	JSON bool
	// File says that the field is a file part of a multipart form, which
	// passes there only. MaxFile bounds it in bytes; 0 is [DefaultMaxFile].
	File    bool
	MaxFile int64
	// Rule checks and reduces each value; nil passes any scalar as written.
	Rule *Rule
	// Otherwise stands in for a stripped value; nil leaves the value out.
	Otherwise *Constant
	// Watch copies the value into the report for the caller, whether the field
	// is kept or not: a ticked consent, a method override.
	Watch bool
	// Compare notes whether the values of the field differ: [Report.Differs].
	Compare bool
	// Box says that the field is a check box. In a form, a hidden field of the
	// same name may come with it, which stands for the box that is not checked. It
	// may be a list: [Report.Watched] then has its only element.
	Box bool
	// Boolean says the same of a field whose values are of the type boolean: the
	// hidden field and the box say any of the words for no and yes.
	Boolean bool
	// Implied is set on a field that the policy does not declare but "**" at the
	// top covers, such as _method: the index of that "**" field, under which it is
	// reported. Names that fold to it remain open. Implied fields come last and
	// all name the same field.
	Implied *int
}

// Segment is one step of a path.
type Segment struct {
	Kind SegmentKind
	// Text is the name of a [Name]. Of others, it is what the policy writes, which
	// stands for the names that they match in reports.
	Text  string
	Parts []Part // of a [Wildcard]
}

// Part is a piece of the names that a wildcard matches: what Expression matches,
// or if that is empty, Literal.
type Part struct {
	Literal    string
	Expression string // RE2, without anchors
}

// SegmentKind says what a segment matches.
type SegmentKind uint8

// The kinds of segments. The zero value matches one name only.
const (
	Name     SegmentKind = iota // the member called Text
	Element                     // any element of a list
	Subtree                     // everything below; the last segment
	Wildcard                    // the members whose names Parts match
)

// Constant is a value of the policy in its two spellings.
type Constant struct {
	JSON string // a JSON scalar
	Text string // the value of a form field
}

// DefaultMaxFile bounds a file part for which the policy names no max.
const DefaultMaxFile = 10 << 20

const (
	none = -1 // no field
	root = 0  // the node of the top value
	void = 1  // the node of everything that no field declares
)

// node is a place in the tree of declared paths. Leaves are indexes into
// Plan.fields; none where the path ends no field.
type node struct {
	leaf    int32 // the field that takes a scalar here
	subtree int32 // the field whose "**" covers everything below here
	element int32 // the node of "*"; void when there is none
	any     int32 // the node of members that names does not hold: void, or a subtree's
	scalar  action
	list    bool // the leaf is that of the elements, beside "**"
	star    bool // "*" is declared here
	closed  bool // a wildcard that matches the name of the node ends a path
	numbers bool // a member is called by an index: it is that element of a list, too
	live    bool // something here or below is kept, or has a constant in its place
	object  bool // a member is, or something below one
	array   bool // an element is, or something below one
	// names is a table of the members, open addressing, a power of two long.
	// It is empty for a node without named children.
	names []entry
	// wildcard is set if the node is that of a wildcard, to what the policy writes.
	wildcard string
	// wildcards are in order of precedence; nil if there are none.
	wildcards []wildcard
	// folded holds the names as [foldName] has them, where a name that is not
	// among them can match something.
	folded map[string]bool
}

// action is what a node says about a scalar.
type action uint8

const (
	actionStrip  action = iota // there is no field: the zero value leaves it out
	actionDecide               // the field is denied, checked, reduced or watched
	actionPass                 // the field passes as written
)

// entry is one named member of a node.
type entry struct {
	name string
	hash uint32
	node int32 // never 0 for an entry in use
}

// Plan is the compiled, immutable form of a list of fields: a tree of paths
// that one pass over a submission follows. It is safe for concurrent use.
type Plan struct {
	fields  []Field
	nesting Nesting
	nodes   []node
	above   string          // of a text: the path of its field
	selects bool            // nothing goes on: see Selects
	texts   map[int32]*Plan // of the members of JSON texts, by [Field.JSON] field

	compiled map[string]wildcard // by what the policy writes
	passes   sync.Pool           // of *jsonPass: each remembers the shapes that came last
}

// Nesting says how the names of a form or query spell a path. JSON has a
// notation of its own.
type Nesting uint8

// The ways of nesting.
const (
	Brackets Nesting = iota // user[email], items[0][sku]
	Dots                    // user.email, items[0].sku
)

// NewPlan compiles fields. Two fields with one path are an error.
func NewPlan(fields []Field, nesting Nesting) (*Plan, error) {
	return newPlan(fields, nesting, none)
}

// newPlan compiles the fields that are about the members of the JSON text of one
// field; of none, those that are about no JSON text.
func newPlan(fields []Field, nesting Nesting, text int) (*Plan, error) {
	p := &Plan{fields: fields, nesting: nesting, nodes: make([]node, 2, 2+4*len(fields))}
	if text != none {
		p.above = fields[text].Name
	}
	p.nodes[root] = node{leaf: none, subtree: none, any: void}
	p.nodes[void] = node{leaf: none, subtree: none, any: void, element: void}
	for i, f := range fields {
		above := textAbove(fields, f.Path)
		if above != text {
			continue
		}
		path := f.Path
		if text != none {
			path = path[len(fields[text].Path):]
		}
		if err := p.add(int32(i), path); err != nil {
			return nil, err
		}
		if !f.JSON {
			continue
		}
		below, err := newPlan(fields, nesting, i)
		if err != nil {
			return nil, err
		}
		if p.texts == nil {
			p.texts = make(map[int32]*Plan)
		}
		p.texts[int32(i)] = below
	}
	if err := p.addTicks(); err != nil {
		return nil, err
	}
	if err := p.overlay(root); err != nil {
		return nil, err
	}
	p.inherit(root, none, void)
	for i := range p.nodes {
		p.fold(&p.nodes[i])
		p.nodes[i].index()
	}
	p.setActions()
	return p, nil
}

// textAbove returns the last field above a path that holds a JSON text.
func textAbove(fields []Field, path []Segment) int {
	above := none
	for i, f := range fields {
		if f.JSON && len(f.Path) < len(path) && slices.EqualFunc(f.Path, path[:len(f.Path)], sameSegment) &&
			(above == none || len(f.Path) > len(fields[above].Path)) {
			above = i
		}
	}
	return above
}

func sameSegment(a, b Segment) bool { return a.Kind == b.Kind && a.Text == b.Text }

// With returns a plan with other decisions about the same fields: fields have
// the paths of those of p, in the same order. The plans share their tree.
func (p *Plan) With(fields []Field) *Plan {
	other := &Plan{fields: fields, nesting: p.nesting, above: p.above, nodes: slices.Clone(p.nodes)}
	other.setActions()
	for field, text := range p.texts {
		if other.texts == nil {
			other.texts = make(map[int32]*Plan, len(p.texts))
		}
		other.texts[field] = text.With(fields)
	}
	return other
}

// Comparing returns a plan that compares the values of some fields.
func (p *Plan) Comparing(fields []int) *Plan {
	compared := slices.Clone(p.fields)
	for _, i := range fields {
		compared[i].Compare = true
	}
	return p.With(compared)
}

// Selects says that the plan serves only to find the values of its fields. A part
// whose type holds parts itself is then passed over: whether it is a declared file is
// for the plan to say under which the form goes on.
func (p *Plan) Selects() { p.selects = true }

// Size estimates the bytes that the plan occupies beside what it shares: paths,
// rules, and the tree of the plan that it was made of by [Plan.With].
func (p *Plan) Size() int64 {
	size := int64(len(p.fields))*int64(unsafe.Sizeof(Field{})) + int64(len(p.nodes))*int64(unsafe.Sizeof(node{}))
	for _, text := range p.texts {
		size += int64(len(text.nodes)) * int64(unsafe.Sizeof(node{}))
	}
	return size
}

// setActions sets for each node what becomes of a scalar, and whether anything in
// a container can go on. A node has a higher index than the node above it, so
// it is visited first.
func (p *Plan) setActions() {
	p.passes.New = func() any { return newJSONPass(p) }
	for at := len(p.nodes) - 1; at >= 0; at-- {
		n := &p.nodes[at]
		n.live, n.scalar = false, actionStrip
		if n.leaf != none {
			f := &p.fields[n.leaf]
			n.live, n.scalar = f.Kept || f.Otherwise != nil, actionDecide
			if f.Kept && !f.File && !f.JSON && f.Rule == nil && !f.Watch && !f.Compare && !f.Box && !f.Boolean && f.Implied == nil {
				n.scalar = actionPass
			}
		}
		n.object = p.nodes[n.any].live
		numbered := false
		for _, e := range n.names {
			live := e.node != 0 && p.nodes[e.node].live // the table has free entries
			n.object = n.object || live
			numbered = numbered || live && n.numbers && isIndex(e.name)
		}
		for i := range n.wildcards {
			n.object = n.object || p.nodes[n.wildcards[i].node].live
		}
		n.live = n.live || n.object
		n.array = numbered || p.nodes[n.element].live // which can be the node itself
		n.live = n.live || n.array
	}
}

// index turns the list of members into the table that find probes.
func (n *node) index() {
	if len(n.names) == 0 {
		return
	}
	table := make([]entry, 1<<bits.Len(uint(2*len(n.names)-1)))
	mask := uint32(len(table) - 1) //nolint:gosec // G115: as above
	for _, e := range n.names {
		i := e.hash & mask
		for table[i].node != 0 {
			i = (i + 1) & mask
		}
		table[i] = e
	}
	n.names = table
}

// nearestField returns the name of the field at a node, or else of one below it.
func (p *Plan) nearestField(at int32) string {
	for {
		n := &p.nodes[at]
		if field := max(n.leaf, n.subtree); field != none {
			return p.fields[field].Name
		}
		below := int32(math.MaxInt32)
		for _, e := range n.names {
			if e.node != 0 { // the table has free entries
				below = min(below, e.node)
			}
		}
		for i := range n.wildcards {
			below = min(below, n.wildcards[i].node)
		}
		if n.star {
			below = min(below, n.element)
		}
		if below == math.MaxInt32 {
			return ""
		}
		at = below // it has a higher index
	}
}

// isBranch reports whether the plan knows members or elements here.
func (n *node) isBranch() bool {
	return len(n.names) > 0 || len(n.wildcards) > 0 || n.any != void || n.element != void
}

// find returns the member called name, nil if the plan knows none. hash is
// that of hashName.
func (n *node) find(name []byte, hash uint32) *entry {
	if len(n.names) == 0 {
		return nil
	}
	mask := uint32(len(n.names) - 1) //nolint:gosec // G115: as above
	for i := hash & mask; n.names[i].node != 0; i = (i + 1) & mask {
		if e := &n.names[i]; e.hash == hash && e.name == string(name) {
			return e
		}
	}
	return nil
}

// nameSeed keys the hash of names: a client cannot choose what collides.
var nameSeed = maphash.MakeSeed()

func hashName(name []byte) uint32 {
	return uint32(maphash.Bytes(nameSeed, name)) //nolint:gosec // G115: the low half is as good
}
