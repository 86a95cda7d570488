package submission

import (
	"iter"
	"slices"
)

// maxNames is how many undeclared names a report holds.
const maxNames = 16

// maxPath is the most bytes of an undeclared path that a report holds.
const maxPath = 256

// Report holds what became of a submission: how often each field of the plan was
// kept and stripped, and what no field declares. It has names and counts, and
// values only of watched fields. A report is reused with [Report.Reset]; the
// query and the body of one request share one.
type Report struct {
	// Outcomes stand parallel to the plan's fields, but for those implied.
	Outcomes []Outcome
	// Undeclared counts the members, pairs and parts that no field declares.
	Undeclared int

	open    int   // the "**" field that implied fields are counted with
	work    int64 // spent on rules so far, in the units of maxWork
	watched []watched
	sums    []comparison
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

// maxWatched is the most bytes of a watched value: those of the longest e-mail
// address (RFC 5321, section 4.5.3.1).
const maxWatched = 320

// watched is the value of a field of the plan that asked for it.
type watched struct {
	field int32
	size  int32 // over maxWatched: the value is too long, or there were two
	value [maxWatched]byte
}

// Watched returns the value of a field with [Field.Watch], as text. It returns
// false if the field did not come or if it is [Report.Unclear].
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

// Unclear reports whether a watched field came with a value of more than 320
// bytes, or with two that differ.
func (r *Report) Unclear(field int) bool {
	return slices.ContainsFunc(r.watched, func(w watched) bool { return int(w.field) == field && w.size > maxWatched })
}

// Forget removes the value of a watched field.
func (r *Report) Forget(field int) {
	r.watched = slices.DeleteFunc(r.watched, func(w watched) bool { return int(w.field) == field })
}

// watch notes the value of a watched field. answer says that it is an element of a
// list, and the only answer of the field unless it is empty.
func (r *Report) watch(field int32, value []byte, answer bool) {
	if answer && len(value) == 0 {
		return // as the hidden field beside a list of Rails
	}
	i := slices.IndexFunc(r.watched, func(w watched) bool { return w.field == field })
	if i >= 0 {
		if w := &r.watched[i]; answer || w.size > maxWatched || string(w.value[:w.size]) != string(value) {
			w.size = maxWatched + 1
		}
		return
	}
	r.watched = append(r.watched, watched{field: field})
	w := &r.watched[len(r.watched)-1]
	w.size = int32(copy(w.value[:], value)) //nolint:gosec // G115: at most maxWatched
	if len(value) > maxWatched {
		w.size = maxWatched + 1
	}
}

// comparison is the first value of a field that is compared.
type comparison struct {
	field   int32
	sum     fingerprint
	differs bool // another value came
}

// Differs reports whether a field with [Field.Compare] came with values that are not
// the same, in the query and the body together.
func (r *Report) Differs(field int) bool {
	return slices.ContainsFunc(r.sums, func(c comparison) bool { return int(c.field) == field && c.differs })
}

// compare notes a value of a field that is compared. A null differs from any text.
func (r *Report) compare(field int32, value []byte, null bool) {
	var f fingerprinter
	f.add(value)
	sum := f.sum()
	if null {
		sum.size = -1
	}
	for i := range r.sums {
		if c := &r.sums[i]; c.field == field {
			c.differs = c.differs || c.sum != sum
			return
		}
	}
	r.sums = append(r.sums, comparison{field: field, sum: sum})
}

// Reset makes the report ready for a submission under plan p.
func (r *Report) Reset(p *Plan) {
	declared := len(p.fields)
	for declared > 0 && p.fields[declared-1].Implied != nil {
		declared--
		r.open = *p.fields[declared].Implied
	}
	r.Outcomes = slices.Grow(r.Outcomes[:0], declared)[:declared]
	clear(r.Outcomes)
	r.Undeclared, r.names, r.count = 0, r.names[:0], 0
	r.watched, r.sums, r.more, r.work = r.watched[:0], r.sums[:0], false, 0
}

// spend counts the work of a rule on a value of so many bytes. It reports whether
// the submission is within maxWork; if not, workExceeded refuses it.
func (r *Report) spend(rule *Rule, size int) bool {
	r.work += rule.work(size)
	return r.work <= maxWork
}

// workExceeded returns the refusal of a submission that asks for too much work, or
// nil.
func (r *Report) workExceeded() *Error {
	if r.work <= maxWork {
		return nil
	}
	return tooLarge("work", "checking the names and values would take more work than one submission may cause; send fewer or shorter names, and fewer or shorter values of the type phone or with a pattern")
}

// Names yields the first undeclared names, each once. They may be shown to the
// sender of the submission only: an undeclared name can be personal data.
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

// More reports whether there were undeclared names that Names does not yield.
func (r *Report) More() bool { return r.more }

// StrippedAny reports whether anything was left out.
func (r *Report) StrippedAny() bool {
	return r.Undeclared > 0 || slices.ContainsFunc(r.Outcomes, func(o Outcome) bool { return o.Stripped > 0 })
}

func (r *Report) countKept(field int32) { r.outcome(field).Kept++ }

// outcome returns what becomes of a field, or of the one that implies it.
func (r *Report) outcome(field int32) *Outcome {
	if int(field) >= len(r.Outcomes) {
		return &r.Outcomes[r.open]
	}
	return &r.Outcomes[field]
}

func (r *Report) countStripped(field int32, reason string) {
	o := r.outcome(field)
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

// full reports whether there is no room for the name that the caller has, and
// notes that there was one.
func (r *Report) full() bool {
	r.more = r.more || r.count == maxNames
	return r.count == maxNames
}

// remember adds a path that no field declares; hash is its hashName.
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
