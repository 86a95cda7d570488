package submission

import (
	"bytes"
	"slices"
)

// The names of form fields, as PHP, Rails and qs write paths: user[email],
// items[0][sku], tags[]. A segment in brackets that is empty or an index is
// an element of a list, any other is a member. For those that nest with dots, see
// dotted.go.
//
// A name is split in one way, and every segment of it is either spelled by
// the policy or a word. So the bytes of a name that leads to a field are
// bytes of ours, as good as written anew.

// maxIndex is the most digits of an index (RULES.md, form/indexes). What is
// longer is the name of a member.
const maxIndex = 18

// fault is a name that could be read in two ways.
type fault uint8

const (
	faultNone fault = iota
	faultDepth
	faultMixed // a scalar and a branch, or two notations of one list
)

// refusal describes the fault of a name in the query or the form.
func (n *names) refusal(f fault, where string, offset int64) *Error {
	e := &Error{Status: 400, Offset: offset}
	switch f {
	case faultNone:
	case faultDepth:
		e.Rule, e.Detail = "depth", "a name in the "+where+" nests deeper than the limit (max_depth)"
	case faultMixed:
		e.Rule, e.Offset, e.Field = "name-conflict", -1, n.plan.nearestField(n.mixed)
		e.Detail = "the name of the field " + e.Field + ", or its beginning, is used in the " + where +
			" both for a value and for what holds values, or for a list in two notations, and applications disagree on which counts; use it in one way"
	}
	return e
}

// names resolves the names of one form or query, and remembers how each
// declared one was used.
//
// A place is a concrete name, or the beginning of one. The places of names
// without an element or a free member are the plan's nodes themselves; those
// of others are found in a table. Both are bounded by the body.
type names struct {
	plan  *Plan
	rep   *Report
	roles []role // by place
	table []namePlace
	used  int    // of the table
	texts []byte // free members, one after the other
	split [][]byte

	here   int32 // the place of the last name that has a value
	single bool  // it takes one value, and
	twice  bool  // it had one before

	matched bool  // a wildcard matched a segment of the last name that was resolved whole
	mixed   int32 // the node of the last name that contradicts another
	begins  bool  // the last name can be that of a hidden field before a list

	// emptied is the place whose hidden field stands before the list that the last name
	// begins, or 0.
	emptied int32

	branched bool   // the last name that was resolved whole has a branch
	branch   branch // of the last name that has one
}

func (n *names) begin(p *Plan, rep *Report) {
	n.plan, n.rep = p, rep
	n.roles = slices.Grow(n.roles[:0], len(p.nodes))[:len(p.nodes)]
	clear(n.roles)
	if n.used > 0 {
		clear(n.table)
	}
	n.used, n.texts = 0, n.texts[:0]
	if len(n.table) > maxNamePlaces {
		n.table, n.texts = nil, nil
	}
}

// resolve returns the node of the value that name stands for, void when no
// field declares it. A name with a bracket is split at it, even if the
// policy spells the whole as one segment: there is one reading.
func (n *names) resolve(name []byte, depth int) (at int32, f fault) {
	n.branched, n.single, n.twice, n.matched, n.begins, n.emptied = false, false, false, false, false, 0
	if n.plan.nesting == Dots {
		return n.resolveDotted(name, depth)
	}
	i := bytes.IndexByte(name, '[')
	if i < 0 {
		if at, here := n.first(name); at != void {
			return n.finish(at, here, false)
		}
		return void, faultNone
	}
	if segments := bracketed(name[i:]); segments < 0 || i == 0 {
		return n.resolveSpelled(name)
	} else if segments >= depth {
		return void, faultDepth
	}
	if at, here := n.first(name[:i]); at != void {
		return n.descend(at, here, name[i:])
	}
	return void, faultNone
}

// resolveSpelled resolves a name with brackets that nest nothing. It is found
// only if the policy spells it: parsers disagree on what it means.
func (n *names) resolveSpelled(name []byte) (at int32, f fault) {
	if e := n.plan.nodes[root].find(name, hashName(name)); e != nil {
		return n.finish(e.node, e.node, false)
	}
	return void, faultNone
}

// first returns the node and the place of a name's first segment; void where the
// plan knows none.
func (n *names) first(segment []byte) (at, here int32) {
	hash := hashName(segment)
	if e := n.plan.nodes[root].find(segment, hash); e != nil {
		return e.node, e.node
	}
	if at = n.open(root, segment); at == void {
		return void, void
	}
	return at, n.at(root, freeMember, segment)
}

// open returns the node of a member that has no name of its own.
func (n *names) open(at int32, segment []byte) int32 {
	next, by := n.plan.openMember(at, segment, n.rep)
	if by == nil && !isWord(segment) {
		return void
	}
	if n.plan.nesting == Brackets && (bytes.IndexByte(segment, ']') >= 0 || string(segment) == " ") {
		return void // PHP reads a[ ] as it does a[]
	}
	n.matched = n.matched || by != nil
	return next
}

// descend follows the segments in brackets from a node and its place.
func (n *names) descend(at, here int32, rest []byte) (int32, fault) {
	repeats := false
	for {
		i := bytes.IndexByte(rest, ']')
		segment := rest[1:i]
		rest = rest[i+1:]
		if len(rest) == 0 {
			n.branched, n.branch = true, branch{at: at, here: here, repeats: repeats}
			return n.below(segment)
		}
		repeats = repeats || len(segment) == 0
		var f fault
		if at, here, f = n.step(at, here, segment, false); at == void {
			return void, f
		}
	}
}

// branch is where the last segment of a name begins. Forms list the members
// of one element after another, so the next name is likely to share it.
type branch struct {
	at, here int32
	repeats  bool
}

// below resolves a name that is the last branch and segment.
func (n *names) below(segment []byte) (int32, fault) {
	n.single, n.twice, n.begins, n.emptied = false, false, false, 0
	at, here, f := n.step(n.branch.at, n.branch.here, segment, true)
	if at == void {
		return void, f
	}
	return n.finish(at, here, n.branch.repeats || len(segment) == 0)
}

// step follows one segment from a node and its place; void where the plan
// knows nothing.
func (n *names) step(at, here int32, segment []byte, last bool) (int32, int32, fault) {
	if index, ok := parseIndex(segment); ok {
		next, key := n.element(at, segment, index)
		return n.enter(at, here, place{next, key, segment}, elementRole(indexValue, last))
	}
	if len(segment) > 0 {
		next, key := n.member(at, segment)
		return n.enter(at, here, place{next, key, segment}, asObject)
	}
	node := &n.plan.nodes[at]
	if node.numbers || !node.star && len(node.wildcards) > 0 {
		// PHP gives it the next index, which can be that of another field.
		return void, here, faultNone
	}
	return n.enter(at, here, place{node.element, emptyElement, segment}, elementRole(emptyValue, last))
}

// place is where a segment leads.
type place struct {
	node int32
	key  int64 // what the place is called: see [namePlace]
	text []byte
}

// elementRole returns the role of a list for an element of it.
func elementRole(value role, last bool) role {
	if last {
		return value
	}
	return value << 1 // emptyBranch, indexBranch
}

// enter follows a segment from a node and its place, which it gives a role.
func (n *names) enter(at, here int32, to place, use role) (int32, int32, fault) {
	if to.node == void && use == asObject && n.roles[here]&inList != 0 {
		return void, here, faultNone // the rows of a list have members of their own
	}
	if use&elementRoles != 0 && n.roles[here]&asEmpty != 0 {
		n.roles[here] &^= asValue | asEmpty
		n.emptied = here
	}
	if n.use(here, use) {
		n.mixed = at
		return void, here, faultMixed
	}
	next := int32(to.key) //nolint:gosec // G115: an index of nodes
	switch {
	case to.node == void:
		return void, here, faultNone
	case to.key <= 0 || here != at:
		next = n.at(here, to.key, to.text)
	}
	if use&elementRoles != 0 {
		n.roles[next] |= inList
	}
	return to.node, next, faultNone
}

// member returns the node of a member, and what its place is called.
func (n *names) member(at int32, segment []byte) (next int32, key int64) {
	if e := n.plan.nodes[at].find(segment, hashName(segment)); e != nil {
		return e.node, int64(e.node)
	}
	return n.open(at, segment), freeMember
}

// element returns the node of the element with an index, and what its place is
// called: that of its number, or else that of "*", of a wildcard, or of "**".
func (n *names) element(at int32, segment []byte, index int64) (next int32, key int64) {
	node := &n.plan.nodes[at]
	if node.numbers {
		if e := node.find(segment, hashName(segment)); e != nil {
			return e.node, int64(e.node)
		}
	}
	next = node.element
	if !node.star && len(node.wildcards) > 0 {
		if free, by := n.plan.openMember(at, segment, n.rep); by != nil {
			next = free
		}
	}
	return next, firstIndex - index
}

// finish notes that the place of a whole name has a value. A name that does not end
// in brackets may be that of an element of a declared list: so browsers send a
// choice of several.
func (n *names) finish(at, here int32, repeats bool) (int32, fault) {
	node, own := &n.plan.nodes[at], at
	if node.leaf == node.subtree || node.list {
		element := n.plan.nodes[node.element].leaf
		if element != none {
			at, repeats = node.element, true
		}
	}
	before := n.roles[here] &^ (inList | asEmpty)
	n.roles[here] &^= asEmpty
	if n.use(here, asValue) {
		n.mixed = own
		return void, faultMixed
	}
	n.begins = before == 0 && (node.star || node.leaf == node.subtree && node.element != void)
	n.here, n.single = here, !repeats && n.plan.nodes[at].leaf != none
	n.twice = n.single && before == asValue
	return at, faultNone
}

// appendPath appends the path that name spells, for a report: "items.*.sku".
// What a wildcard matches can identify a person, so the wildcard stands for it. A
// name of no known spelling is one segment.
func (n *names) appendPath(path, name []byte) []byte {
	at := int32(root)
	n.split = appendSplit(n.split[:0], name, n.plan.nesting)
	for _, segment := range n.split {
		if segment == nil {
			path, at = appendElement(path), n.plan.nodes[at].element
			continue
		}
		at, _ = n.member(at, segment)
		if wildcard := n.plan.nodes[at].wildcard; wildcard != "" {
			path = appendSpelled(path, wildcard)
		} else {
			path = appendSegment(path, segment)
		}
	}
	return path
}

// appendSplit appends the segments of a name, nil for an element.
func appendSplit(segments [][]byte, name []byte, nesting Nesting) [][]byte {
	if nesting == Dots {
		return appendSplitDotted(segments, name)
	}
	i := bytes.IndexByte(name, '[')
	if i <= 0 || bracketed(name[i:]) < 0 {
		return append(segments, name)
	}
	segments = append(segments, name[:i])
	for rest := name[i:]; len(rest) > 0; {
		end := bytes.IndexByte(rest, ']')
		segment := rest[1:end]
		if _, ok := parseIndex(segment); ok || len(segment) == 0 {
			segment = nil
		}
		segments = append(segments, segment)
		rest = rest[end+1:]
	}
	return segments
}

// bracketed counts the segments of s, which begins with '['; −1 when it is
// not made of segments in brackets.
func bracketed(s []byte) int {
	count := 0
	for ; len(s) > 0; count++ {
		end := bytes.IndexByte(s, ']')
		if s[0] != '[' || end < 0 || bytes.IndexByte(s[1:end], '[') >= 0 {
			return -1
		}
		s = s[end+1:]
	}
	return count
}

// parseIndex reads the index of an element in its one spelling: no sign, no
// leading zero.
func parseIndex(s []byte) (index int64, ok bool) {
	if len(s) == 0 || len(s) > maxIndex || s[0] == '0' && len(s) > 1 {
		return 0, false
	}
	for _, c := range s {
		if c-'0' > 9 {
			return 0, false
		}
		index = index*10 + int64(c-'0')
	}
	return index, true
}

// isIndex reports whether a name is spelled as the index of an element.
func isIndex(name string) bool {
	_, ok := parseIndex([]byte(name))
	return ok
}

// isWord reports whether a segment is one that no parser takes apart.
func isWord(s []byte) bool {
	for _, c := range s {
		if !wordBytes[c] {
			return false
		}
	}
	return len(s) > 0
}

// wordBytes are those of a word.
var wordBytes = func() (table [256]bool) {
	for c := range table {
		table[c] = isAlphanumeric(byte(c)) || c == '_' || c == '-'
	}
	return table
}()
