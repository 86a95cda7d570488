package submission

import (
	"crypto/sha256"
	"hash"
	"slices"
)

// A name that takes one value can come more than once (RULES.md,
// form/duplicate-name and form/check-boxes):
//
//   - with the same value each time: all of them go on, and whichever an
//     application takes, it takes the same;
//   - as a check box and the hidden field beside it, which says no: the box goes
//     on, and the hidden field if the box does not come.
//
// Applications disagree on everything else, so that the form is refused.

// answer is what came so far under a name that takes one value. How a form points
// to a value is its own affair; 0: none came.
type answer struct {
	yes     int32 // the first value; of a check box, that of the box
	no      int32 // the first value of a hidden field
	held    int32 // what has to be taken back if the box comes
	several bool  // one of the two came more than once
}

// answered returns what came so far under the name that was resolved last, which
// takes one value.
func (t *texts) answered() *answer {
	if n := len(t.roles); n > len(t.answers) {
		t.answers = slices.Grow(t.answers, n-len(t.answers))[:n]
	}
	a := &t.answers[t.here]
	if !t.twice {
		*a = answer{}
	}
	return a
}

// first returns where a value is noted as the first of its kind. It reports
// whether the value may come beside those that did.
func (a *answer) first(no bool) (first *int32, ok bool) {
	first, other := &a.yes, a.no
	if no {
		first, other = &a.no, a.yes
	}
	a.several = a.several || *first != 0
	return first, other == 0 || !a.several
}

// isNo reports whether a text is what the hidden field beside a check box says:
// Rails, CakePHP and Yii write "0" before it, ASP.NET "false" after it. The words of
// a field that is a boolean are more.
func (f *Field) isNo(text []byte) bool {
	switch {
	case f.Box && (len(text) == 0 || string(text) == "0" || string(text) == "false"):
		return true
	case f.Boolean:
		return len(text) == 0 || isBoolean(text) && !isTrue(text)
	}
	return false
}

// repeated refuses a name that comes with values that do not go together.
func (t *texts) repeated(where string, leaf int32) *Error {
	name := t.plan.fields[leaf].Name
	return &Error{
		Status: 400, Rule: "duplicate-name", Offset: -1, Field: name,
		Detail: "the field " + name + " comes with different values in the " + where +
			", and applications disagree on which counts; declare it as a list (name.*) if it is one, or with type: boolean if it is a check box with a hidden field",
	}
}

// fingerprint stands for a text that is not held: its size, and the text itself
// if it fits or else its SHA-256. No two texts with the same are known.
type fingerprint struct {
	size int64
	text [sha256.Size]byte
}

// fingerprinter takes the fingerprint of a text that comes in pieces.
type fingerprinter struct {
	fingerprint

	hash hash.Hash // nil: not needed yet
}

func (f *fingerprinter) reset() { f.fingerprint = fingerprint{} }

func (f *fingerprinter) add(data []byte) {
	before := f.size
	f.size += int64(len(data))
	if f.size <= sha256.Size {
		copy(f.text[before:], data)
		return
	}
	if f.hash == nil {
		f.hash = sha256.New()
	}
	if before <= sha256.Size {
		f.hash.Reset()
		f.hash.Write(f.text[:before])
	}
	f.hash.Write(data)
}

// sum returns the fingerprint of what was added.
func (f *fingerprinter) sum() fingerprint {
	sum := f.fingerprint
	if sum.size > sha256.Size {
		f.hash.Sum(sum.text[:0])
	}
	return sum
}
