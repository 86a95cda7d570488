package submission

import (
	"errors"
	"fmt"
	"hash/maphash"
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
	// Box says that the field is a check box. In a form, a hidden field of the
	// same name may come with it, which stands for the box that is not checked.
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
	Text string // of a [Name]
}

// SegmentKind says what a segment matches.
type SegmentKind uint8

// The kinds of segments. The zero value matches one name only.
const (
	Name    SegmentKind = iota // the member called Text
	Element                    // any element of a list
	Subtree                    // everything below; the last segment
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
	live    bool // something here or below is kept, or has a constant in its place
	object  bool // a member is, or something below one
	array   bool // an element is, or something below one
	// names is a table of the members, open addressing, a power of two long.
	// It is empty for a node without named children.
	names []entry
	// folded holds the names as [foldName] has them, where any is not void.
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
	passes  sync.Pool // of *jsonPass: each remembers the shapes that came last
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
	p := &Plan{fields: fields, nesting: nesting, nodes: make([]node, 2, 2+4*len(fields))}
	p.nodes[root] = node{leaf: none, subtree: none, any: void}
	p.nodes[void] = node{leaf: none, subtree: none, any: void, element: void}
	for i, f := range fields {
		if err := p.add(int32(i), f); err != nil {
			return nil, err
		}
	}
	p.inherit(root, none, void)
	for i := range p.nodes {
		p.fold(&p.nodes[i])
		p.nodes[i].index()
	}
	p.setActions()
	return p, nil
}

// With returns a plan with other decisions about the same fields: fields have
// the paths of those of p, in the same order. The plans share their tree.
func (p *Plan) With(fields []Field) *Plan {
	other := &Plan{fields: fields, nesting: p.nesting, nodes: slices.Clone(p.nodes)}
	other.setActions()
	return other
}

// Size estimates the bytes that the plan occupies beside what it shares: paths,
// rules, and the tree of the plan that it was made of by [Plan.With].
func (p *Plan) Size() int64 {
	return int64(len(p.fields))*int64(unsafe.Sizeof(Field{})) + int64(len(p.nodes))*int64(unsafe.Sizeof(node{}))
}

func (p *Plan) add(index int32, f Field) error {
	at := int32(0)
	for i, s := range f.Path {
		if s.Kind == Subtree {
			if i != len(f.Path)-1 {
				return errors.New(`"**" stands only at the end of a path`)
			}
			if p.nodes[at].subtree != none {
				return fmt.Errorf("the path %v is declared twice", f.Path)
			}
			p.nodes[at].subtree = index
			return nil
		}
		at = p.child(at, s)
	}
	if p.nodes[at].leaf != none {
		return fmt.Errorf("the path %v is declared twice", f.Path)
	}
	p.nodes[at].leaf = index
	return nil
}

// child returns the node below at, made when it is not there yet.
func (p *Plan) child(at int32, s Segment) int32 {
	next := int32(len(p.nodes)) //nolint:gosec // G115: a policy holds far fewer fields than 2^31
	if s.Kind == Element {
		if p.nodes[at].element != 0 {
			return p.nodes[at].element
		}
		p.nodes[at].element = next
	} else {
		for _, e := range p.nodes[at].names {
			if e.name == s.Text {
				return e.node
			}
		}
		p.nodes[at].names = append(p.nodes[at].names, entry{name: s.Text, hash: hashName([]byte(s.Text)), node: next})
	}
	p.nodes = append(p.nodes, node{leaf: none, subtree: none, any: void})
	return next
}

// inherit passes a subtree field down to the nodes it covers, so that a reader
// never has to look up the tree: members that have no node of their own lead to
// a node of the subtree, which leads to itself.
func (p *Plan) inherit(at, subtree, covering int32) {
	if own := p.nodes[at].subtree; own != none {
		subtree, covering = own, int32(len(p.nodes)) //nolint:gosec // G115: as above
		p.nodes = append(p.nodes, node{leaf: own, subtree: own, any: covering, element: covering})
	}
	n := &p.nodes[at]
	if n.leaf != none && n.subtree == none {
		// The policy says that a scalar stands here: a list or an object of the
		// name does not pass by "**" above it.
		subtree, covering = none, void
	}
	n.subtree, n.any = subtree, covering
	element, names := n.element, n.names
	switch {
	case n.leaf != none:
	case element != 0 && p.nodes[element].leaf != none && subtree != none:
		n.leaf, n.list = p.nodes[element].leaf, true // some read a scalar as a list of one
	default:
		n.leaf = subtree
	}
	switch {
	case element != 0:
		if subtree != none {
			n.any = element
		}
		p.inherit(element, subtree, covering)
	case subtree != none && len(names) > 0:
		n.element = at
	default:
		n.element = covering
	}
	for _, e := range names {
		p.inherit(e.node, subtree, covering)
	}
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
			if f.Kept && !f.File && f.Rule == nil && !f.Watch && !f.Box && !f.Boolean && f.Implied == nil {
				n.scalar = actionPass
			}
		}
		n.object = p.nodes[n.any].live
		for _, e := range n.names {
			n.object = n.object || e.node != 0 && p.nodes[e.node].live // the table has free entries
		}
		n.live = n.live || n.object
		n.array = p.nodes[n.element].live // which can be the node itself
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

// isBranch reports whether the plan knows members or elements here.
func (n *node) isBranch() bool {
	return len(n.names) > 0 || n.any != void || n.element != void
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
