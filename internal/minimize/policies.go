package minimize

import (
	"fmt"
	"hash/maphash"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/dgraph-io/ristretto/v2"

	"github.com/modicum-proxy/modicum/internal/policy"
	"github.com/modicum-proxy/modicum/internal/submission"
)

// Policies holds the policy set in force and the allow-lists compiled from
// it. It is safe for concurrent use; a request that loaded a set keeps it.
type Policies struct {
	key     []byte // of pseudonyms
	current atomic.Pointer[edition]
	seed    maphash.Seed

	// open keeps Close away while the cache is used: a request in flight may
	// outlive the configuration that it began under.
	open  sync.RWMutex
	cache *ristretto.Cache[uint64, *allowList] // nil once closed
}

// edition is a policy set that is or was in force, with what all allow-lists of
// a collection share: the tree of its fields, and their rules.
type edition struct {
	*policy.Set

	plans map[*policy.Collection]*submission.Plan // that let nothing pass; nil: of what no collection declares
	rules map[*policy.Field]*submission.Rule
}

// newEdition compiles a set.
func (p *Policies) newEdition(set *policy.Set) (*edition, error) {
	e := &edition{
		Set: set, plans: make(map[*policy.Collection]*submission.Plan), rules: make(map[*policy.Field]*submission.Rule),
	}
	for _, c := range append([]*policy.Collection{nil}, set.Collections...) {
		plan, err := submission.NewPlan(fieldsOf(c))
		if err != nil {
			return nil, fmt.Errorf("%s: collection %q: %w", c.Position, c.Name, err)
		}
		e.plans[c] = plan
		for i := 0; c != nil && i < len(c.Fields); i++ {
			rule, err := p.rule(set, &c.Fields[i])
			if err != nil {
				return nil, fmt.Errorf("%s: collection %q: %w", c.Position, c.Name, err)
			}
			e.rules[&c.Fields[i]] = rule
		}
	}
	return e, nil
}

// fieldsOf returns the fields of a collection, none of which passes.
func fieldsOf(c *policy.Collection) []submission.Field {
	if c == nil {
		return nil
	}
	fields := make([]submission.Field, 0, len(c.Fields)+2)
	for i := range c.Fields {
		f := submission.Field{Path: c.Fields[i].Path, File: c.Fields[i].Type == "file"}
		if f.File {
			f.MaxFile = c.Fields[i].Max
		}
		fields = append(fields, f)
	}
	return append(fields, implied(c)...)
}

// maxAllowLists bounds the cache, in bytes. A policy has a list for each
// collection and set of granted purposes that occurs, and what occurs is up to
// clients where the cookie of a consent platform is trusted.
const maxAllowLists = 16 << 20

// typicalAllowList is the bytes of a list of some ten fields.
const typicalAllowList = 4 << 10

// NewPolicies returns a holder of set. key is the HMAC key of the fields
// that keep a pseudonym; without one, such fields are an error.
func NewPolicies(set *policy.Set, key []byte) (*Policies, error) {
	cache, err := ristretto.NewCache(&ristretto.Config[uint64, *allowList]{
		NumCounters:        10 * maxAllowLists / typicalAllowList,
		MaxCost:            maxAllowLists,
		BufferItems:        64,
		IgnoreInternalCost: true,
	})
	if err != nil {
		return nil, fmt.Errorf("making the cache of allow-lists: %w", err)
	}
	p := &Policies{key: key, cache: cache, seed: maphash.MakeSeed()}
	if err := p.Swap(set); err != nil {
		cache.Close()
		return nil, err
	}
	return p, nil
}

// Swap puts set in force for the requests that come from now on. A set that
// does not compile is refused and the old one stays.
func (p *Policies) Swap(set *policy.Set) error {
	e, err := p.newEdition(set)
	if err != nil {
		return err
	}
	p.current.Store(e)
	return nil
}

// Load returns the set in force.
func (p *Policies) Load() *policy.Set { return p.current.Load().Set }

// Close releases the cache. Requests in flight do without it.
func (p *Policies) Close() {
	p.open.Lock()
	defer p.open.Unlock()
	p.cache.Close()
	p.cache = nil
}

// allowKey is what an allow-list is compiled for.
type allowKey struct {
	edition    *edition
	collection *policy.Collection // nil: the one without any field
	standing   policy.Standing
	// learns names a list that lets nothing pass: it is for what a submission
	// says of the person, see [Submission.learn]. identifying are then the
	// fields that identify one, each followed by a zero byte.
	learns      bool
	identifying string
}

// allowList is what may pass of the submissions of one collection, given
// what is known of the person.
type allowList struct {
	allowKey
	plan     *submission.Plan
	purposes []string // that let something pass and are about a person
	header   string   // purposes as a structured field
	required []int    // indexes of fields
	ticks    []tick
	whom     []int // indexes of the identifying fields
	method   []int // indexes of the fields that override the method
}

// tick is a field whose value can be a consent.
type tick struct {
	field   int
	purpose policy.PurposeID
	value   string // empty: any of the usual words for yes
}

// allowList returns the list for a collection, compiled when it is not in
// the cache. An entry of the cache is believed only when it bears the whole
// key, so that two keys of one hash cannot be taken for each other.
func (p *Policies) allowList(key allowKey) *allowList {
	hash := maphash.Comparable(p.seed, key)
	p.open.RLock()
	defer p.open.RUnlock()
	if l, ok := p.cache.Get(hash); ok && l.allowKey == key {
		return l
	}
	l := compile(key)
	p.cache.Set(hash, l, l.size())
	return l
}

// size estimates the bytes that a list occupies in the cache.
func (l *allowList) size() int64 {
	size := 512 + l.plan.Size() + int64(len(l.header)+len(l.identifying))
	return size + int64(16*len(l.purposes)+8*len(l.required)+48*len(l.ticks)+8*len(l.whom)+8*len(l.method))
}

// compile decides about every field of a collection.
func compile(key allowKey) *allowList {
	l, c := &allowList{allowKey: key}, key.collection
	if c == nil {
		c = new(policy.Collection)
	}
	identifying := strings.Split(key.identifying, "\x00")
	fields := fieldsOf(key.collection)
	for i := range c.Fields {
		f := &c.Fields[i]
		if f.Required {
			l.required = append(l.required, i)
		}
		for _, consent := range c.Consents {
			if slices.Equal(consent.Path, f.Path) {
				fields[i].Watch, fields[i].Box = key.learns, true
				l.ticks = append(l.ticks, tick{field: i, purpose: consent.Purpose, value: consent.Value})
			}
		}
		if key.learns && slices.Contains(identifying, f.Name) {
			l.whom = append(l.whom, i)
			fields[i].Watch = true
		}
	}
	for i := range fields {
		if !key.learns && overridesMethod(fields[i].Path) {
			l.method = append(l.method, i)
			fields[i].Watch = true
		}
	}
	if !key.learns {
		l.allow(c, fields)
	}
	l.plan = key.edition.plans[key.collection].With(fields)
	return l
}

// allow lets those fields pass that a purpose allows.
func (l *allowList) allow(c *policy.Collection, fields []submission.Field) {
	var letPass policy.PurposeSet
	for i := range c.Fields {
		f := &c.Fields[i]
		verdict := c.Decide(f, l.standing)
		if verdict.Kept {
			letPass = letPass.With(verdict.Purpose)
		}
		fields[i].Kept, fields[i].Reason, fields[i].Rule = verdict.Kept, verdict.Reason, l.edition.rules[f]
		if f.Otherwise != nil {
			fields[i].Otherwise = &submission.Constant{JSON: f.Otherwise.JSON, Text: f.Otherwise.Text}
		}
	}
	for i := len(c.Fields); i < len(fields); i++ {
		open := &fields[*fields[i].Implied]
		fields[i].Kept, fields[i].Reason, fields[i].Rule = open.Kept, open.Reason, open.Rule
	}
	for id := range letPass.All() {
		if purpose := &l.edition.Purposes[id]; purpose.Basis != policy.NotPersonal {
			l.purposes = append(l.purposes, purpose.Name)
		}
	}
	l.header = tokenList(l.purposes)
}

// rule returns what the values of f have to be; nil: anything.
func (p *Policies) rule(set *policy.Set, f *policy.Field) (*submission.Rule, error) {
	anything := f.Type == "" || f.Type == "text" || f.Type == "file"
	if anything && f.Keep.Kind == "" && (f.Max == 0 || f.Type == "file") && f.Pattern == nil && len(f.OneOf) == 0 {
		return nil, nil //nolint:nilnil // no rule is an answer
	}
	rule := submission.Rule{
		Type: f.Type, Keep: f.Keep.Kind, N: f.Keep.N, Max: f.Max, Pattern: f.Pattern, OneOf: f.OneOf,
		Region: set.Controller.Country,
	}
	if rule.Keep == "pseudonym" {
		if len(p.key) == 0 {
			return nil, fmt.Errorf("%s: the field %q keeps a pseudonym, which needs a key: set pseudonym_key", f.Position, f.Name)
		}
		rule.Key = p.key
	}
	return submission.NewRule(rule), nil
}
