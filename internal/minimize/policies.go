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
	current atomic.Pointer[policy.Set]
	seed    maphash.Seed

	// open keeps Close away while the cache is used: a request in flight may
	// outlive the configuration that it began under.
	open  sync.RWMutex
	cache *ristretto.Cache[uint64, *allowList] // nil once closed
}

// maxAllowLists bounds the cache. One costs a few kilobytes, and a policy
// has one for each collection and set of granted purposes that occurs.
const maxAllowLists = 4096

// NewPolicies returns a holder of set. key is the HMAC key of the fields
// that keep a pseudonym; without one, such fields are an error.
func NewPolicies(set *policy.Set, key []byte) (*Policies, error) {
	cache, err := ristretto.NewCache(&ristretto.Config[uint64, *allowList]{
		NumCounters:        10 * maxAllowLists,
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
	for _, c := range set.Collections {
		if _, err := p.compile(allowKey{set: set, collection: c}); err != nil {
			return fmt.Errorf("%s: collection %q: %w", c.Position, c.Name, err)
		}
	}
	p.current.Store(set)
	return nil
}

// Load returns the set in force.
func (p *Policies) Load() *policy.Set { return p.current.Load() }

// Close releases the cache. Requests in flight do without it.
func (p *Policies) Close() {
	p.open.Lock()
	defer p.open.Unlock()
	p.cache.Close()
	p.cache = nil
}

// allowKey is what an allow-list is compiled for.
type allowKey struct {
	set        *policy.Set
	collection *policy.Collection
	standing   policy.Standing
	// identifying are the fields that tell whom a submission is about, each
	// followed by a zero byte.
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
	method   int   // the field that overrides the method; −1: none
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
func (p *Policies) allowList(key allowKey) (*allowList, error) {
	hash := maphash.Comparable(p.seed, key)
	p.open.RLock()
	defer p.open.RUnlock()
	if l, ok := p.cache.Get(hash); ok && l.allowKey == key {
		return l, nil
	}
	l, err := p.compile(key)
	if err != nil {
		return nil, err
	}
	p.cache.Set(hash, l, 1)
	return l, nil
}

// compile decides about every field of a collection, nil being the one
// without any field.
func (p *Policies) compile(key allowKey) (*allowList, error) {
	l := &allowList{allowKey: key, method: -1}
	set, c := key.set, key.collection
	if c == nil {
		c = new(policy.Collection)
	}
	fields := make([]submission.Field, len(c.Fields))
	var letPass policy.PurposeSet
	for i := range c.Fields {
		f := &c.Fields[i]
		verdict := c.Decide(f, key.standing)
		if verdict.Kept {
			letPass = letPass.With(verdict.Purpose)
		}
		rule, err := p.rule(set, f)
		if err != nil {
			return nil, err
		}
		fields[i] = submission.Field{
			Path: f.Path, Kept: verdict.Kept, Reason: verdict.Reason,
			File: f.Type == "file", Rule: rule,
		}
		if f.Type == "file" {
			fields[i].MaxFile = f.Max
		}
		if f.Otherwise != nil {
			fields[i].Otherwise = &submission.Constant{JSON: f.Otherwise.JSON, Text: f.Otherwise.Text}
		}
		if f.Required {
			l.required = append(l.required, i)
		}
		if len(f.Path) == 1 && f.Path[0] == "_method" {
			l.method = i
			fields[i].Watch = true
		}
		if slices.Contains(strings.Split(key.identifying, "\x00"), f.Name) {
			l.whom = append(l.whom, i)
			fields[i].Watch = true
		}
		for _, consent := range c.Consents {
			if slices.Equal(consent.Path, f.Path) {
				fields[i].Watch, fields[i].Box = true, true
				l.ticks = append(l.ticks, tick{field: i, purpose: consent.Purpose, value: consent.Value})
			}
		}
	}
	for id := range letPass.All() {
		if purpose := &set.Purposes[id]; purpose.Basis != policy.NotPersonal {
			l.purposes = append(l.purposes, purpose.Name)
		}
	}
	l.header = tokenList(l.purposes)
	var err error
	l.plan, err = submission.NewPlan(fields)
	return l, err
}

// rule returns what the values of f have to be; nil: anything.
func (p *Policies) rule(set *policy.Set, f *policy.Field) (*submission.Rule, error) {
	anything := f.Type == "" || f.Type == "text" || f.Type == "file"
	if anything && f.Keep.Kind == "" && (f.Max == 0 || f.Type == "file") && f.Pattern == nil && len(f.OneOf) == 0 {
		return nil, nil //nolint:nilnil // no rule is an answer
	}
	rule := &submission.Rule{
		Type: f.Type, Keep: f.Keep.Kind, N: f.Keep.N, Max: f.Max, Pattern: f.Pattern, OneOf: f.OneOf,
		Region: set.Controller.Country,
	}
	if rule.Keep == "pseudonym" {
		if len(p.key) == 0 {
			return nil, fmt.Errorf("%s: the field %q keeps a pseudonym, which needs a key: set pseudonym_key", f.Position, f.Name)
		}
		rule.Key = p.key
	}
	return rule, nil
}
