package submission

import (
	"errors"
	"fmt"
	"slices"
)

// add enters the path of a field.
func (p *Plan) add(index int32, path []Segment) error {
	at := int32(0)
	for i, s := range path {
		if s.Kind == Subtree {
			if i != len(path)-1 {
				return errors.New(`"**" stands only at the end of a path`)
			}
			if p.nodes[at].subtree != none {
				return fmt.Errorf("the path %v is declared twice", path)
			}
			p.nodes[at].subtree = index
			return nil
		}
		next, err := p.child(at, s)
		if err != nil {
			return err
		}
		at = next
	}
	if p.nodes[at].leaf != none {
		return fmt.Errorf("the path %v is declared twice", path)
	}
	p.nodes[at].leaf = index
	return nil
}

// addTicks lets a check box come as a list: Contact Form 7 sends news[]=yes, and a
// front end a list of the names of what was ticked. The elements lead to the field of
// the box, unless they have one of their own.
func (p *Plan) addTicks() error {
	for at := range int32(len(p.nodes)) { //nolint:gosec // G115: a policy holds far fewer fields than 2^31
		leaf := p.nodes[at].leaf
		if leaf == none || !p.fields[leaf].Box || p.nodes[at].star {
			continue
		}
		element, err := p.child(at, Segment{Kind: Element})
		if err != nil {
			return err
		}
		p.nodes[element].leaf = leaf
	}
	return nil
}

// child returns the node below at, made when it is not there yet.
func (p *Plan) child(at int32, s Segment) (int32, error) {
	n := &p.nodes[at]
	next := int32(len(p.nodes)) //nolint:gosec // G115: at most maxNodes
	switch s.Kind {
	case Name:
		for _, e := range n.names {
			if e.name == s.Text {
				return e.node, nil
			}
		}
		n.names = append(n.names, entry{name: s.Text, hash: hashName([]byte(s.Text)), node: next})
		n.numbers = n.numbers || isIndex(s.Text)
	case Element:
		if n.star {
			return n.element, nil
		}
		n.element, n.star = next, true
	case Wildcard:
		for i := range n.wildcards {
			if n.wildcards[i].segment.Text == s.Text {
				return n.wildcards[i].node, nil
			}
		}
		w, err := p.compile(s)
		if err != nil {
			return void, err
		}
		w.node = next
		n.wildcards = append(n.wildcards, w)
	case Subtree:
		return void, errors.New(`"**" stands only at the end of a path`)
	default:
		return void, fmt.Errorf("the segment %q is of an unknown kind", s.Text)
	}
	p.nodes = append(p.nodes, node{leaf: none, subtree: none, any: void})
	if s.Kind == Wildcard {
		p.nodes[next].wildcard = s.Text
	}
	return next, nil
}

// maxNodes bounds a tree. Only overlays can make one that is much larger than the
// policy.
const maxNodes = 1 << 17

// overlay gives a name, below at and all that is below it, what wildcards that
// match it declare, and if it is an index, what "*" declares: where the name says
// nothing itself, they count.
func (p *Plan) overlay(at int32) error {
	n := &p.nodes[at]
	slices.SortStableFunc(n.wildcards, func(a, b wildcard) int { return b.literal - a.literal })
	names, wildcards, star, element := n.names, n.wildcards, n.star, n.element
	doubtful := p.doubtful(at)
	for _, e := range names {
		if star && isIndex(e.name) {
			if err := p.graft(e.node, element, false); err != nil {
				return err
			}
		}
		for i := range wildcards {
			if wildcards[i].names.matches([]byte(e.name)) && !doubtful(e.name, i) {
				if err := p.graft(e.node, wildcards[i].node, false); err != nil {
					return err
				}
			}
		}
	}
	for _, below := range p.below(at) {
		if err := p.overlay(below); err != nil {
			return err
		}
	}
	return nil
}

// below returns the nodes one segment below at.
func (p *Plan) below(at int32) []int32 {
	n := &p.nodes[at]
	var all []int32
	for _, e := range n.names {
		all = append(all, e.node)
	}
	for i := range n.wildcards {
		all = append(all, n.wildcards[i].node)
	}
	if n.star {
		all = append(all, n.element)
	}
	return all
}

// doubtful returns a function that reports whether a name which is declared would
// not match a wildcard of the same place, though it fits, if it were not declared: see
// [Plan.openMember].
func (p *Plan) doubtful(at int32) func(name string, place int) bool {
	n, count := p.nodes[at], make(map[string]int)
	if len(n.wildcards) > 0 {
		for _, e := range n.names {
			count[foldName([]byte(e.name))]++
		}
	}
	return func(name string, place int) bool {
		return count[foldName([]byte(name))] > 1 || isReserved([]byte(name)) || n.resembles([]byte(name), place, new(Report))
	}
}

// graft adds to a node what another one declares. Where the node is declared to
// be the end of a path, nothing is added, and nothing less exact where the other one is.
func (p *Plan) graft(to, from int32, isNew bool) error {
	switch n := &p.nodes[to]; {
	case isNew:
		n.leaf = p.nodes[from].leaf
	case n.leaf != none || n.subtree != none || n.closed:
		return nil
	default:
		n.closed = p.nodes[from].leaf != none
	}
	if len(p.nodes) > maxNodes {
		return errors.New("too many paths match the same names")
	}
	source := p.nodes[from]
	p.nodes[to].subtree = source.subtree
	add := func(s Segment, branch int32) error {
		before := len(p.nodes)
		next, err := p.child(to, s)
		if err != nil {
			return err
		}
		return p.graft(next, branch, len(p.nodes) > before)
	}
	for _, e := range source.names {
		if err := add(Segment{Text: e.name}, e.node); err != nil {
			return err
		}
	}
	for i := range source.wildcards {
		if err := add(source.wildcards[i].segment, source.wildcards[i].node); err != nil {
			return err
		}
	}
	if source.star {
		return add(Segment{Kind: Element}, source.element)
	}
	return nil
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
	element, names, wildcards := n.element, n.names, n.wildcards
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
	case subtree != none && len(names)+len(wildcards) > 0:
		n.element = at
	default:
		n.element = covering
	}
	for _, e := range names {
		p.inherit(e.node, subtree, covering)
	}
	for i := range wildcards {
		p.inherit(wildcards[i].node, subtree, covering)
	}
}
