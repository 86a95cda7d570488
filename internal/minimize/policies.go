package minimize

import (
	"fmt"
	"hash/maphash"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/dgraph-io/ristretto/v2"

	"github.com/modicum-proxy/modicum/internal/policy"
	"github.com/modicum-proxy/modicum/internal/submission"
)

// Policies holds the policy set in force and the decisions compiled from
// it. It is safe for concurrent use; a request that loaded a set keeps it.
type Policies struct {
	key     []byte // of pseudonyms
	current atomic.Pointer[edition]
	seed    maphash.Seed

	// mu is held for reading while the cache is used: a request in flight can
	// outlive the configuration that it began under, and must not use the cache
	// after Close.
	mu    sync.RWMutex
	cache *ristretto.Cache[uint64, *decision] // nil once closed
}

// edition is a policy set that is or was in force, with what all decisions of
// a collection share: the tree of its fields, and their rules.
type edition struct {
	*policy.Set

	plans map[*policy.Collection]*submission.Plan // that let nothing pass; nil: of what no collection declares
	rules map[*policy.Field]*submission.Rule
	// fields are those of the plans: to be copied, and decided about.
	fields map[*policy.Collection][]submission.Field
	// selectors read the values that divide the requests to a pattern.
	selectors map[*policy.Division]*selector
	// kinds say how the media types that a collection names are read.
	kinds map[*policy.Collection]map[string]submission.MediaKind
	// methods reads the fields by which a POST says another method.
	methods *selector
	// watchers are maps of collections to decisions, by [Engine.watchKey].
	watchers sync.Map
}

// newEdition compiles a set.
func (p *Policies) newEdition(set *policy.Set) (*edition, error) {
	e := &edition{
		Set: set, plans: make(map[*policy.Collection]*submission.Plan), rules: make(map[*policy.Field]*submission.Rule),
		fields: make(map[*policy.Collection][]submission.Field),
		kinds:  make(map[*policy.Collection]map[string]submission.MediaKind), selectors: make(map[*policy.Division]*selector),
	}
	var err error
	if e.methods, err = newSelector([]policy.Path{{{Text: "_method"}}, {{Text: "_METHOD"}}}, []string{"_method", "_METHOD"}, submission.Brackets); err != nil {
		return nil, err
	}
	for _, c := range append([]*policy.Collection{nil}, set.Collections...) {
		e.fields[c] = fieldsOf(c)
		plan, err := submission.NewPlan(e.fields[c], nestingOf(c))
		if err != nil {
			return nil, fmt.Errorf("%s: collection %q: %w", c.Position, c.Name, err)
		}
		e.plans[c] = plan
		if kinds := kindsOf(c); kinds != nil {
			e.kinds[c] = kinds
		}
		for i := 0; c != nil && i < len(c.Fields); i++ {
			rule, err := p.rule(set, &c.Fields[i])
			if err != nil {
				return nil, fmt.Errorf("%s: collection %q: %w", c.Position, c.Name, err)
			}
			e.rules[&c.Fields[i]] = rule
		}
	}
	for _, d := range set.Divisions() {
		selector, err := newSelector(d.Paths, d.Names, nesting(d.Dots), textsAbove(d)...)
		if err != nil {
			return nil, fmt.Errorf("the values that divide a pattern: %w", err)
		}
		e.selectors[d] = selector
	}
	return e, nil
}

// textsAbove returns the paths of the JSON texts that hold values which divide a
// pattern, in any of its collections.
func textsAbove(d *policy.Division) (texts []policy.Path) {
	collections := d.Collections
	if d.Rest != nil {
		collections = append(slices.Clone(collections), d.Rest)
	}
	for _, c := range collections {
		for i := range c.Fields {
			f := &c.Fields[i]
			above := f.Type == "json" && slices.ContainsFunc(d.Paths, func(path policy.Path) bool {
				return len(f.Path) < len(path) && f.Path.Equal(path[:len(f.Path)])
			})
			if above && !slices.ContainsFunc(texts, f.Path.Equal) {
				texts = append(texts, f.Path)
			}
		}
	}
	return texts
}

// kindsOf returns how the media types that a collection names are read; nil: it
// names none. The parameters of what passes whole do not matter.
func kindsOf(c *policy.Collection) map[string]submission.MediaKind {
	if c == nil || c.Whole == nil && len(c.Read) == 0 {
		return nil
	}
	kinds := make(map[string]submission.MediaKind)
	if c.Whole != nil {
		for _, t := range c.Whole.Types {
			kinds[t] = submission.MediaOther
		}
	}
	for t, reading := range c.Read {
		switch reading {
		case policy.ReadJSON:
			kinds[t] = submission.MediaJSON
		case policy.ReadPass:
			kinds[t] = submission.MediaRaw
		}
	}
	return kinds
}

// fieldsOf returns the fields of a collection, none of which passes.
func fieldsOf(c *policy.Collection) []submission.Field {
	if c == nil {
		return nil
	}
	fields := make([]submission.Field, 0, len(c.Fields)+2)
	for i := range c.Fields {
		f := submission.Field{
			Path: pathOf(c.Fields[i].Path), Name: c.Fields[i].Name,
			File: c.Fields[i].Type == "file", Boolean: c.Fields[i].Type == "boolean", JSON: c.Fields[i].Type == "json",
		}
		f.Box = slices.ContainsFunc(c.Consents, func(consent policy.ConsentField) bool { return isTick(&consent, &c.Fields[i]) })
		if f.File {
			f.MaxFile = c.Fields[i].Max
		}
		fields = append(fields, f)
	}
	return append(fields, implied(c)...)
}

// nestingOf returns how the names of a collection's forms nest.
func nestingOf(c *policy.Collection) submission.Nesting { return nesting(c != nil && c.Dots) }

func nesting(dots bool) submission.Nesting {
	if dots {
		return submission.Dots
	}
	return submission.Brackets
}

// pathOf converts a path of the policy.
func pathOf(path policy.Path) []submission.Segment {
	segments := make([]submission.Segment, len(path))
	for i, s := range path {
		segments[i].Text = s.Text
		switch s.Kind {
		case policy.Literal:
			segments[i].Kind = submission.Name
		case policy.Element:
			segments[i].Kind = submission.Element
		case policy.Subtree:
			segments[i].Kind = submission.Subtree
		case policy.Wildcard:
			segments[i].Kind = submission.Wildcard
			for _, p := range s.Parts {
				segments[i].Parts = append(segments[i].Parts, submission.Part{Literal: p.Literal, Expression: p.Expression})
			}
		default:
			panic(fmt.Sprintf("the segment %q has an unknown kind", s.Text))
		}
	}
	return segments
}

// maxDecisions bounds the cache, in bytes. A policy has one for each
// collection and set of granted purposes that occurs. Clients choose the latter
// where the cookie of a consent platform is trusted.
const maxDecisions = 16 << 20

// typicalDecision is the size of a decision about some ten fields, in bytes.
const typicalDecision = 4 << 10

// NewPolicies puts set in force. key is the HMAC key of the fields
// that keep a pseudonym; without one, such fields are an error.
func NewPolicies(set *policy.Set, key []byte) (*Policies, error) {
	cache, err := ristretto.NewCache(&ristretto.Config[uint64, *decision]{
		NumCounters:        10 * maxDecisions / typicalDecision,
		MaxCost:            maxDecisions,
		BufferItems:        64,
		IgnoreInternalCost: true,
	})
	if err != nil {
		return nil, fmt.Errorf("making the cache of decisions: %w", err)
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
	p.mu.Lock()
	defer p.mu.Unlock()
	p.current.Store(e)
	if p.cache != nil {
		p.cache.Clear() // only requests in flight still reference the old set
	}
	return nil
}

// Load returns the set in force.
func (p *Policies) Load() *policy.Set { return p.current.Load().Set }

// Close releases the cache. Requests in flight do without it.
func (p *Policies) Close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cache.Close()
	p.cache = nil
}

// rule returns what the values of f have to be; nil: anything.
func (p *Policies) rule(set *policy.Set, f *policy.Field) (*submission.Rule, error) {
	kind := f.Type
	if kind == "json" {
		kind = "" // the members have rules, and the text has none but max
	}
	anything := kind == "" || kind == "text" || kind == "file"
	if anything && f.Keep.Kind == "" && (f.Max == 0 || f.Type == "file") && f.Pattern == nil && len(f.OneOf) == 0 {
		return nil, nil //nolint:nilnil // no rule is an answer
	}
	rule := submission.Rule{
		Type: kind, Keep: f.Keep.Kind, N: f.Keep.N, Max: f.Max, Pattern: f.Pattern, OneOf: f.OneOf,
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
