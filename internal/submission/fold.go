package submission

import (
	"bytes"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// foldName returns what a name has in common with the names that some application
// takes for it: its letters, marks and digits, in lower case. Go's
// encoding/json ignores case by Unicode's rules ("K" is k), its successor
// '_' and '-' as well, and Jackson and .NET can be told to ignore either.
func foldName(name []byte) string {
	text := string(name)
	for _, c := range name {
		if c >= 0x80 {
			text = cases.Fold().String(norm.NFKC.String(text))
			break
		}
	}
	folded := strings.Map(func(r rune) rune {
		switch {
		case 'A' <= r && r <= 'Z':
			return r + 'a' - 'A'
		case r == 'ı': // the lower case of I in Turkish
			return 'i'
		case r == '\u0307': // İ folds to i and this dot; Java compares it as i
			return -1
		case unicode.IsLetter(r), unicode.IsDigit(r), unicode.IsMark(r):
			return r
		}
		return -1
	}, text)
	if folded == "" {
		// A name of signs alone is similar to such a name, without what PHP drops before it.
		return joinName(bytes.TrimLeft(name, " "))
	}
	return folded
}

// fold notes what the members' names are taken for by applications that ignore
// letter case.
func (p *Plan) fold(n *node) {
	if n.any == void && len(n.wildcards) == 0 && p.nesting != Dots {
		return
	}
	for _, e := range n.names {
		if leaf := p.nodes[e.node].leaf; leaf != none && p.fields[leaf].Implied != nil {
			continue
		}
		if n.folded == nil {
			n.folded = make(map[string]bool, len(n.names))
		}
		n.folded[foldName([]byte(e.name))] = true
	}
}

// openMember returns the node of a member that has no name of its own here: that of
// a wildcard, that of "**", or void. Some names match no open segment. Go's
// encoding/json and others fill "offers" from "OFFERS" too, so that a name which
// folds to a sibling's would bring the sibling's value past its field, and a
// name that folds to one of a stricter wildcard past that; so would a name that
// some libraries take apart ("prefs.offers", Rails' "birthday(1i)"). And JavaScript gives
// "__proto__" and its like a meaning (prototype pollution, CWE-1321).
func (p *Plan) openMember(at int32, name []byte, rep *Report) (next int32, by *wildcard) {
	n := &p.nodes[at]
	if n.any == void && len(n.wildcards) == 0 {
		return void, nil
	}
	w, place := n.wildcardOf(name, rep)
	switch {
	case w == nil && n.any == void, isReserved(name):
		return void, nil
	case w != nil && at == root && isMethodField(name):
		return void, nil // it overrides the method: only a field of its name may
	case !rep.spendFold(name, n.folded != nil, n.compares(place)):
		return void, nil // the submission is refused
	case w == nil && (n.folded != nil || len(n.wildcards) > 0) && !isPlainName(name):
		return void, nil
	case n.folded != nil && n.folded[foldName(name)]:
		return void, nil
	case n.folded != nil && !w.spells(firstWord(name)) && !isPlainName(name) && n.folded[foldName(firstWord(name))] && !p.isEntry(n, w, name):
		return void, nil
	case n.resembles(name, place, rep):
		return void, nil
	case w != nil:
		return w.node, w
	}
	if _, ok := parseIndex(name); ok && n.element == at {
		return at, nil // {"0": …} is a list for PHP
	}
	return n.any, nil
}

// isEntry reports whether a name is that of an entry of a dictionary whose
// wildcard spells the bracket, as Items\[{row}\] does, beside a sibling of the
// same name that is no list: ASP.NET sends Items.Index with Items[a1].Sku. Libraries
// that take Items[Index] for Items.Index find no member of the sibling by it.
func (p *Plan) isEntry(n *node, w *wildcard, name []byte) bool {
	word := firstWord(name)
	if p.nesting != Dots || w == nil || !bytes.HasPrefix([]byte(w.names.prefix), name[:min(len(word)+1, len(name))]) || name[len(word)] != '[' {
		return false
	}
	e := n.find(word, hashName(word))
	if e == nil {
		return false
	}
	sibling := &p.nodes[e.node]
	isList := sibling.element != 0 && sibling.element != void || sibling.numbers || sibling.any != void || len(sibling.wildcards) > 0
	key, _, _ := bytes.Cut(name[len(word)+1:], []byte("]"))
	return !isList && !sibling.folded[foldName(key)]
}

// What it takes to fold and to join a name, in the units of maxWork for each byte.
// One character that Unicode spells with others can stand for 18 of them.
var (
	foldWork = [...]int64{isASCII: 16, isNormal: 200, isOther: 5000}
	joinWork = [...]int64{isASCII: 100, isNormal: 1500, isOther: 7000}
)

const (
	isASCII  = iota
	isNormal // beyond ASCII, but already in the form to which names are folded
	isOther
)

// spendFold counts the work of folding a name, joining it, or both, and reports
// whether the submission is within maxWork.
func (r *Report) spendFold(name []byte, fold, join bool) bool {
	kind := isASCII
	if bytes.ContainsFunc(name, func(r rune) bool { return r >= utf8.RuneSelf }) {
		if kind = isNormal; !norm.NFKC.IsNormal(name) {
			kind = isOther
		}
	}
	if fold {
		r.work += foldWork[kind] * int64(len(name))
	}
	if join {
		r.work += joinWork[kind] * int64(len(name))
	}
	return r.work <= maxWork
}

// isReserved reports whether every object of JavaScript has a member called name.
func isReserved(name []byte) bool {
	return string(name) == "__proto__" || string(name) == "constructor" || string(name) == "prototype"
}

// isMethodField reports whether applications take a field for the method of the
// request. PHP drops blanks before a name, and takes a dot for an underscore.
func isMethodField(name []byte) bool {
	name = bytes.TrimLeft(name, " ")
	return len(name) == len("_method") && (name[0] == '_' || name[0] == '.') && bytes.EqualFold(name[1:], []byte("method"))
}

// isPlainName reports whether no library takes a name apart: it has letters,
// marks, digits, '_', '-' and blanks.
func isPlainName(name []byte) bool { return len(firstWord(name)) == len(name) }

// firstWord returns what is left of a name for a library that takes it apart.
func firstWord(name []byte) []byte {
	i := bytes.IndexFunc(name, func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsMark(r) && !unicode.IsDigit(r) && r != '_' && r != '-' && r != ' '
	})
	if i < 0 {
		return name
	}
	return name[:i]
}
