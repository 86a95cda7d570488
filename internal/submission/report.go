package submission

import (
	"iter"
	"slices"
)

// maxNames is how many undeclared names a report keeps to tell the sender.
const maxNames = 16

// maxPath is the longest undeclared path that is told, in bytes.
const maxPath = 256

// Report says what became of a submission: for each field of the plan how
// often it was kept and stripped, and what no field declares. It holds names
// and counts, never values. A report is reused with [Report.Reset]; the
// query and the body of one request share one.
type Report struct {
	// Outcomes stand parallel to the plan's fields.
	Outcomes []Outcome
	// Undeclared counts the members, pairs and parts that no field declares.
	Undeclared int

	watched []watched
	names   []byte // the first undeclared names, one after the other
	ends    [maxNames]int32
	hashes  [maxNames]uint32
	count   int  // of names
	more    bool // there were names that found no room
}

// Outcome counts what became of the values of one field.
type Outcome struct {
	Kept, Stripped uint32
	// Reason is why the last one was stripped.
	Reason string
}

// maxWatched is the most bytes of a watched value that are told: those of the
// longest e-mail address (RFC 5321, section 4.5.3.1).
const maxWatched = 320

// watched is the value of a field of the plan that asked for it.
type watched struct {
	field int32
	size  int32 // over maxWatched: too long to be told
	value [maxWatched]byte
}

// Watched returns the last value of a field that [Field.Watch] names, as
// text. It is false when the field did not come, or is longer than any value
// that somebody decides by; [Report.Overlong] tells which.
func (r *Report) Watched(field int) (string, bool) {
	for i := range r.watched {
		if w := &r.watched[i]; int(w.field) == field {
			if w.size > maxWatched {
				return "", false
			}
			return string(w.value[:w.size]), true
		}
	}
	return "", false
}

// Overlong tells whether a watched field came with a value that is too long
// to be told.
func (r *Report) Overlong(field int) bool {
	return slices.ContainsFunc(r.watched, func(w watched) bool { return int(w.field) == field && w.size > maxWatched })
}

// Forget takes back what was told of a watched field.
func (r *Report) Forget(field int) {
	r.watched = slices.DeleteFunc(r.watched, func(w watched) bool { return int(w.field) == field })
}

func (r *Report) watch(field int32, value []byte) {
	i := slices.IndexFunc(r.watched, func(w watched) bool { return w.field == field })
	if i < 0 {
		i = len(r.watched)
		r.watched = append(r.watched, watched{field: field})
	}
	r.watched[i].size = int32(copy(r.watched[i].value[:], value)) //nolint:gosec // G115: at most maxWatched
	if len(value) > maxWatched {
		r.watched[i].size = maxWatched + 1
	}
}

// Reset makes the report ready for a submission under plan p.
func (r *Report) Reset(p *Plan) {
	r.Outcomes = slices.Grow(r.Outcomes[:0], len(p.fields))[:len(p.fields)]
	clear(r.Outcomes)
	r.Undeclared, r.names, r.count = 0, r.names[:0], 0
	r.watched, r.more = r.watched[:0], false
}

// Names yields the first undeclared names, each once. They are for the
// sender of the submission and nobody else: an undeclared name can be
// personal data.
func (r *Report) Names() iter.Seq[string] {
	return func(yield func(string) bool) {
		start := int32(0)
		for _, end := range r.ends[:r.count] {
			if !yield(string(r.names[start:end])) {
				return
			}
			start = end
		}
	}
}

// More tells whether there were undeclared names that Names does not yield.
func (r *Report) More() bool { return r.more }

// StrippedAny tells whether anything was left out.
func (r *Report) StrippedAny() bool {
	return r.Undeclared > 0 || slices.ContainsFunc(r.Outcomes, func(o Outcome) bool { return o.Stripped > 0 })
}

func (r *Report) keep(field int32) { r.Outcomes[field].Kept++ }

func (r *Report) strip(field int32, reason string) {
	o := &r.Outcomes[field]
	o.Stripped++
	o.Reason = reason
}

// undeclared counts a name that no field declares, and remembers the first
// few as paths ("items.*.note"). The list is bounded, so a client cannot make
// the search long.
func (r *Report) undeclared(name []byte) {
	r.Undeclared++
	if !r.full() {
		r.remember(name, hashName(name))
	}
}

// full tells whether there is no room for another name, which the caller
// has at hand.
func (r *Report) full() bool {
	r.more = r.more || r.count == maxNames
	return r.count == maxNames
}

// remember keeps a path that no field declares; hash is that of hashName.
func (r *Report) remember(path []byte, hash uint32) {
	if len(path) > maxPath {
		r.more = true
		return
	}
	if r.full() || slices.Contains(r.hashes[:r.count], hash) {
		return
	}
	r.names = append(r.names, path...)
	r.ends[r.count] = int32(len(r.names)) //nolint:gosec // G115: at most maxNames × maxPath
	r.hashes[r.count] = hash
	r.count++
}
