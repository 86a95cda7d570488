package submission

import "bytes"

// Names that nest with dots, as Spring, ASP.NET and Play write paths: user.email,
// items[0].sku, [0].sku. Digits in brackets at the end of a segment are the index of an
// element. Any other bracket is part of the segment: Scores[math].

// maxDottedIndex is the most digits of an index (RULES.md, form/dotted-names).
// Binders fill a list up to the index that is named.
const maxDottedIndex = 4

// resolveDotted is [names.resolve] for a name that nests with dots.
func (n *names) resolveDotted(name []byte, depth int) (at int32, f fault) {
	if !areBalanced(name) {
		return n.resolveSpelled(name)
	}
	if bytes.Count(name, []byte("."))+bytes.Count(name, []byte("[")) >= depth {
		return void, faultDepth
	}
	at, here := int32(root), int32(root)
	for start := true; ; start = false {
		segment, indexes, rest, more := cutDotted(name)
		switch {
		case len(segment) > 0 && start:
			at, here = n.first(segment)
		case len(segment) > 0:
			next, key := n.member(at, segment)
			at, here, f = n.enter(at, here, place{next, key, segment}, asObject)
		case !start || len(indexes) == 0:
			return void, faultNone
		}
		for len(indexes) > 0 && at != void {
			end := bytes.IndexByte(indexes, ']')
			text := indexes[1:end]
			indexes = indexes[end+1:]
			index, _ := parseIndex(text)
			next, key := n.element(at, text, index)
			at, here, f = n.enter(at, here, place{next, key, text}, elementRole(indexValue, len(indexes) == 0 && !more))
		}
		switch {
		case at == void:
			return void, f
		case !more:
			return n.finish(at, here, false)
		}
		name = rest
	}
}

// cutDotted cuts a name at its first dot outside of brackets, and the segment before it
// at its indexes.
func cutDotted(name []byte) (segment, indexes, rest []byte, more bool) {
	end, inside := len(name), false
	for i, c := range name {
		if c == '[' || c == ']' {
			inside = c == '['
		} else if c == '.' && !inside {
			end, more = i, true
			break
		}
	}
	if more {
		rest = name[end+1:]
	}
	segment = name[:end]
	for bytes.HasSuffix(segment, []byte("]")) {
		open := bytes.LastIndexByte(segment, '[')
		digits := segment[open+1 : len(segment)-1]
		if _, ok := parseIndex(digits); !ok || len(digits) > maxDottedIndex {
			break
		}
		segment = segment[:open]
	}
	return segment, name[len(segment):end], rest, more
}

// appendSplitDotted is [appendSplit] for names that nest with dots.
func appendSplitDotted(segments [][]byte, name []byte) [][]byte {
	if !areBalanced(name) {
		return append(segments, name)
	}
	for more := true; more; {
		var segment, indexes []byte
		if segment, indexes, name, more = cutDotted(name); len(segment) > 0 || len(indexes) == 0 {
			segments = append(segments, segment)
		}
		for range bytes.Count(indexes, []byte("[")) {
			segments = append(segments, nil)
		}
	}
	return segments
}

// areBalanced reports whether each bracket is closed before the next one opens.
func areBalanced(name []byte) bool {
	inside := false
	for _, c := range name {
		switch c {
		case '[', ']':
			if inside == (c == '[') {
				return false
			}
			inside = !inside
		}
	}
	return !inside
}
