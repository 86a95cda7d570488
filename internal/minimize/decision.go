package minimize

import (
	"hash/maphash"
	"reflect"
	"slices"
	"strings"

	"github.com/modicum-proxy/modicum/internal/policy"
	"github.com/modicum-proxy/modicum/internal/submission"
)

// decisionKey is what a decision is compiled for.
type decisionKey struct {
	edition    *edition
	collection *policy.Collection // nil: the decision without any field
	// also is a collection that has to let a field pass too. nil: there is none.
	also     *policy.Collection
	standing policy.Standing
}

// decision is what may pass of the submissions to one collection, given the
// consents and objections in force.
type decision struct {
	decisionKey
	plan        *submission.Plan
	purposes    []string // that let something pass and are about a person
	header      string   // purposes as a structured field
	required    []int    // indexes of fields
	open        []bool   // parallel to the fields: many names lead to it
	ticks       []tick
	identifying []int          // indexes of fields
	method      []int          // indexes of the fields that override the method
	whole       policy.Verdict // on what passes whole
	keeps       bool           // a field passes
}

// tick is a field whose value can give a consent.
type tick struct {
	field   int
	purpose policy.PurposeID
	value   string // empty: any of the usual words for yes
}

// isTick reports whether a field gives a consent: it is the one that the consent
// names, or the elements of the list of that name.
func isTick(consent *policy.ConsentField, f *policy.Field) bool {
	n := len(consent.Path)
	return consent.Path.Equal(f.Path) || len(f.Path) == n+1 && f.Path[n].Kind == policy.Element && consent.Path.Equal(f.Path[:n])
}

// consents reports whether a value of the field gives the consent.
func (t *tick) consents(value string) bool {
	if t.value != "" {
		return value == t.value
	}
	switch strings.ToLower(value) {
	case "on", "true", "1", "yes":
		return true
	}
	return false
}

// decide returns what may pass to a destination, given the consents and
// objections in force.
func (e *Engine) decide(to *destination, st policy.Standing) *decision {
	e.step("decide")
	return e.Policies.decision(decisionKey{edition: to.edition, collection: to.collection, also: to.also, standing: st})
}

// decision returns the decision for a key, compiled if it is not in the cache.
// A cached decision counts only if it has the whole key, so that two keys of
// one hash are never confused. Of a policy that is no longer in force none is
// cached.
func (p *Policies) decision(key decisionKey) *decision {
	hash := maphash.Comparable(p.seed, key)
	p.mu.RLock()
	defer p.mu.RUnlock()
	if d, ok := p.cache.Get(hash); ok && d.decisionKey == key {
		return d
	}
	d := compile(key)
	if key.edition == p.current.Load() {
		p.cache.Set(hash, d, d.size())
	}
	return d
}

// size estimates the bytes that a decision occupies in the cache.
func (d *decision) size() int64 {
	size := 512 + d.plan.Size() + int64(len(d.header))
	return size + int64(16*len(d.purposes)+8*len(d.required)+len(d.open)+48*len(d.ticks)+8*len(d.identifying)+8*len(d.method))
}

// compile decides about every field of a collection.
func compile(key decisionKey) *decision {
	d, fields := newDecision(key)
	if key.collection != nil {
		d.allow(fields)
	}
	d.plan = key.edition.plans[key.collection].With(fields)
	return d
}

// newDecision returns a decision that lets nothing pass yet, and the fields to
// make its plan of.
func newDecision(key decisionKey) (*decision, []submission.Field) {
	d, fields := &decision{decisionKey: key}, slices.Clone(key.edition.fields[key.collection])
	if key.collection == nil {
		return d, fields
	}
	c := key.collection
	d.open = make([]bool, len(c.Fields))
	for i := range c.Fields {
		f := &c.Fields[i]
		d.open[i] = f.Path.IsOpen()
		if f.Required {
			d.required = append(d.required, i)
		}
		for _, consent := range c.Consents {
			if isTick(&consent, f) {
				d.ticks = append(d.ticks, tick{field: i, purpose: consent.Purpose, value: consent.Value})
			}
		}
	}
	return d, fields
}

// allow lets those fields pass that a purpose allows.
func (d *decision) allow(fields []submission.Field) {
	c := d.collection
	var purposes policy.PurposeSet
	if c.Whole != nil {
		d.whole = c.Decide(&policy.Field{Purposes: []policy.PurposeID{c.Whole.Purpose}}, d.standing)
		if d.whole.Kept {
			purposes = purposes.With(d.whole.Purpose)
		}
	}
	for i := range c.Fields {
		f := &c.Fields[i]
		verdict := c.Decide(f, d.standing)
		if verdict.Kept && d.also != nil && !d.alsoLets(f) {
			verdict = policy.Verdict{Reason: policy.ReasonNoPurpose}
		}
		if verdict.Kept {
			purposes, d.keeps = purposes.With(verdict.Purpose), true
		}
		fields[i].Kept, fields[i].Reason, fields[i].Rule = verdict.Kept, verdict.Reason, d.edition.rules[f]
		if f.Otherwise != nil {
			fields[i].Otherwise = &submission.Constant{JSON: f.Otherwise.JSON, Text: f.Otherwise.Text}
		}
	}
	for i := len(c.Fields); i < len(fields); i++ {
		open := &fields[*fields[i].Implied]
		fields[i].Kept, fields[i].Reason, fields[i].Rule = open.Kept, open.Reason, open.Rule
	}
	for i := range fields {
		if overridesMethod(fields[i].Path) {
			d.method = append(d.method, i)
			fields[i].Watch = true
		}
	}
	for id := range purposes.All() {
		if purpose := &d.edition.Purposes[id]; purpose.Basis != policy.NotPersonal {
			d.purposes = append(d.purposes, purpose.Name)
		}
	}
	d.header = tokenList(d.purposes)
}

// alsoLets reports whether the other collection lets a field pass with the same
// path and under the same rules. A path that covers others by a wildcard is another
// path: to be written twice is little to ask where two collections share an address.
func (d *decision) alsoLets(f *policy.Field) bool {
	for i := range d.also.Fields {
		g := &d.also.Fields[i]
		if !slices.EqualFunc(pathOf(f.Path), pathOf(g.Path), func(a, b submission.Segment) bool { return reflect.DeepEqual(a, b) }) {
			continue
		}
		rules, others := d.edition.rules[f], d.edition.rules[g]
		return f.Type == g.Type && f.Max == g.Max && reflect.DeepEqual(rules, others) && d.also.Decide(g, d.standing).Kept
	}
	return false
}
