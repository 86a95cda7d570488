package policy

import (
	"fmt"
	"slices"
	"strings"
)

// Compile checks policy files, merges them and compiles them into a set. It
// reports all problems at once; the set is nil when one of them is an error.
func Compile(sources ...Source) (*Set, Diagnostics) {
	p := &problems{lines: make(map[string][]string)}
	c := &compiler{problems: p, set: new(Set), definitions: make(map[string]rules)}
	if len(sources) == 0 {
		p.report("empty-set", Position{}, "the policy set has no file", "")
	}
	readable := true
	for _, source := range sources {
		d := readDocument(source, p)
		if d == nil {
			readable = false
			continue
		}
		c.documents = append(c.documents, d)
	}
	c.controller()
	c.purposes()
	if readable {
		// Otherwise a name that an unreadable file declares would be reported as unknown.
		c.controlled()
		c.shared()
		c.collections()
		c.tests()
	}
	if p.failed() {
		return nil, p.sorted()
	}
	c.warn()
	c.set.Version = c.set.digest()
	return c.set, p.sorted()
}

// PurposeID returns the id of the purpose called name.
func (s *Set) PurposeID(name string) (PurposeID, bool) {
	i, ok := slices.BinarySearchFunc(s.Purposes, name, func(p Purpose, name string) int { return strings.Compare(p.Name, name) })
	return PurposeID(i), ok //nolint:gosec // G115: a set has at most MaxPurposes purposes
}

type compiler struct {
	problems    *problems
	documents   []*document
	set         *Set
	definitions map[string]rules
}

// declare reports a name that is none or that another file declares, too.
func (c *compiler) declare(what, name string, at Position, declared map[string]Position) bool {
	if !namePattern.MatchString(name) {
		c.problems.report("bad-name", at, fmt.Sprintf("%q is not a name for a %s", name, what),
			"a name has letters, digits, - and _, begins with a letter, and has at most 64 of them")
	}
	if before, twice := declared[name]; twice {
		c.problems.add(Diagnostic{
			Code: "declared-twice", Position: at, Related: []Position{before},
			Message: fmt.Sprintf("the %s %q is already declared at %v", what, name, before), Hint: "rename or remove one of the two",
		})
		return false
	}
	declared[name] = at
	return true
}

func (c *compiler) controller() {
	for _, d := range c.documents {
		decl := &d.Controller
		if !decl.given() {
			continue
		}
		if before := c.set.Controller.Position; before.Line != 0 {
			c.problems.add(Diagnostic{
				Code: "declared-twice", Position: decl.at, Related: []Position{before},
				Message: fmt.Sprintf("the controller is already declared at %v", before), Hint: "keep it in one file",
			})
			continue
		}
		c.set.Controller = Controller{
			Name: decl.Name.text, Contact: decl.Contact.text, Address: decl.Address.text, Country: decl.Country.text,
			DPO: decl.DPO.party(), Representative: decl.Representative.party(), Position: decl.at,
		}
	}
}

// controlled reports a consent that is asked for in the name of nobody: it is
// informed only if the person knows the controller (GDPR recital 42).
func (c *compiler) controlled() {
	if c.set.Controller.Position.Line != 0 {
		return
	}
	for _, p := range c.set.Purposes {
		if p.Basis == Consent {
			c.problems.report("no-controller", p.Position,
				fmt.Sprintf("the purpose %q rests on consent, and no file names the controller who asks for it (GDPR recital 42)", p.Name),
				"write controller: {name: …, contact: …} at the top of one file")
			return
		}
	}
}

func (p *partyDecl) party() Party {
	return Party{Name: p.Name.text, Contact: p.Contact.text, Address: p.Address.text}
}

func (c *compiler) purposes() {
	declared := make(map[string]Position)
	for _, d := range c.documents {
		for i := range d.Purposes {
			e := &d.Purposes[i]
			if c.declare("purpose", e.Name, e.at, declared) {
				c.set.Purposes = append(c.set.Purposes, c.purpose(e))
			}
		}
	}
	slices.SortFunc(c.set.Purposes, func(a, b Purpose) int { return strings.Compare(a.Name, b.Name) })
	if len(c.set.Purposes) > MaxPurposes {
		c.problems.report("too-many-purposes", c.set.Purposes[MaxPurposes].Position,
			fmt.Sprintf("the set has %d purposes, more than %d", len(c.set.Purposes), MaxPurposes), "")
		c.set.Purposes = c.set.Purposes[:MaxPurposes]
	}
	for i := range c.set.Purposes {
		p := &c.set.Purposes[i]
		p.ID = PurposeID(i)
		if p.Basis == Consent {
			c.set.byConsent = c.set.byConsent.With(p.ID)
		}
		if p.Objection != "" {
			c.set.objection = c.set.objection.With(p.ID)
		}
	}
}

func (c *compiler) purpose(e *entry[purposeDecl]) Purpose {
	decl := &e.Value
	if decl.Expires.given() && decl.Basis.text != string(Consent) {
		c.problems.report("expires-without-consent", decl.Expires.at, "only a consent expires, and this purpose has another basis",
			"retention says how long data is kept")
	}
	if decl.Signals.given() && decl.Basis.text != string(Consent) {
		c.problems.report("signals-without-consent", decl.Signals.at,
			"consent platforms speak of consents, and this purpose has another basis",
			"remove the signals; objection: gpc names a signal that counts against a purpose of any basis")
	}
	p := Purpose{
		Name: e.Name, Title: decl.Title.text, Description: decl.Description.text, Benefit: decl.Benefit.text,
		Basis: Basis(decl.Basis.text), Retention: decl.Retention.text, Expires: decl.Expires.text,
		Objection: decl.Objection.text, Signals: decl.Signals.signals(), Position: e.at,
	}
	for _, r := range decl.Recipients {
		p.Recipients = append(p.Recipients, r.text)
	}
	return p
}

// resolve returns the purposes that words name.
func (c *compiler) resolve(words []word) []PurposeID {
	var ids []PurposeID
	for _, w := range words {
		id, ok := c.set.PurposeID(w.text)
		switch {
		case w.text == "": // reported when it was read
		case !ok:
			var all []string
			for _, p := range c.set.Purposes {
				all = append(all, p.Name)
			}
			c.problems.report("unknown-purpose", w.at, fmt.Sprintf("there is no purpose %q", w.text), didYouMean(w.text, all))
		case slices.Contains(ids, id):
			c.problems.report("repeated-purpose", w.at, fmt.Sprintf("the purpose %q is named twice", w.text), "remove one")
		default:
			ids = append(ids, id)
		}
	}
	return ids
}

// consentPurpose returns the purpose of a name whose consent is spoken of.
func (c *compiler) consentPurpose(w word) (PurposeID, bool) {
	ids := c.resolve([]word{w})
	if len(ids) == 0 {
		return 0, false
	}
	if !c.set.byConsent.Has(ids[0]) {
		c.problems.report("not-by-consent", w.at,
			fmt.Sprintf("the purpose %q does not rest on consent, but on %s", w.text, c.set.Purposes[ids[0]].Basis),
			"a consent is asked for a purpose with basis: consent only")
		return 0, false
	}
	return ids[0], true
}
