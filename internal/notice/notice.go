// Package notice makes what people are told out of the policy set: for each
// purpose that rests on consent the text of the question, with an identity
// of its own that changes when what is said changes.
package notice

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/modicum-proxy/modicum/internal/policy"
)

// Consent is what a person is told before consenting to one purpose, in one
// language (GDPR Art. 13 and 7, 152-FZ Art. 9). It holds what the policy
// says; labels around it are those of the pages.
type Consent struct {
	// ID identifies the content, "<22 characters of base64url>". The same
	// content has the same ID, whatever language it was asked in.
	ID          string
	Purpose     string // its name in the policy
	Title       string
	Description string
	Benefit     string
	Data        []Datum
	// Retention and Expires are written as in the policy: "3y"; empty: not said.
	Retention  string
	Expires    string
	Recipients []string
	Controller Party
	DPO        Party
	// Basis is that of a purpose which people object to instead of consenting;
	// empty: it rests on consent.
	Basis policy.Basis `json:",omitempty"`
	// Policy is the version of the set. It is no part of the identity.
	Policy string
}

// Datum is one kind of data that a purpose asks for.
type Datum struct {
	Field    string // the path as the policy writes it
	Category string // of the fideslang taxonomy; empty: not said
	Keep     string // how it is reduced before it passes, "year"; empty: not
	Label    string `json:",omitempty"` // what people call the field; empty: not said
	Why      string `json:",omitempty"` // why it is needed; empty: not said
	// Whole is the route, as the policy writes it, where anything that is sent
	// passes; there is no field then. Empty: it is a field.
	Whole string `json:",omitempty"`
}

// Party is a person or an office.
type Party struct {
	Name, Contact, Address, Country string
}

// ForPurpose returns the notice of a purpose in a language, or in that
// which the policy has.
func ForPurpose(set *policy.Set, id policy.PurposeID, language string) *Consent {
	p, c := &set.Purposes[id], &set.Controller
	n := &Consent{
		Purpose: p.Name, Title: p.Title.In(language), Description: p.Description.In(language), Benefit: p.Benefit.In(language),
		Data: data(set, id, language), Retention: p.Retention, Expires: p.Expires,
		Controller: Party{Name: c.Name.In(language), Contact: c.Contact, Address: c.Address.In(language), Country: c.Country},
		DPO:        Party{Name: c.DPO.Name.In(language), Contact: c.DPO.Contact, Address: c.DPO.Address.In(language)},
	}
	if n.Title == "" {
		n.Title = p.Name
	}
	if p.Basis != policy.Consent {
		n.Basis = p.Basis
	}
	for _, r := range p.Recipients {
		n.Recipients = append(n.Recipients, r.In(language))
	}
	n.ID = n.digest()
	n.Policy = set.Version
	return n
}

// data returns the fields that a purpose asks for, over all collections, each
// once and in order, and the routes where anything passes for it.
func data(set *policy.Set, id policy.PurposeID, language string) []Datum {
	found := map[Datum]bool{}
	for _, c := range set.Collections {
		if c.Whole != nil && c.Whole.Purpose == id || c.MaxPassed > 0 && c.Purposes.Has(id) {
			for _, p := range c.Patterns {
				found[Datum{Whole: p.Text}] = true
			}
		}
		ticks := map[string]bool{}
		for _, consent := range c.Consents {
			ticks[consent.Path.Key()] = true
		}
		for i := range c.Fields {
			f := &c.Fields[i]
			// The box that is ticked says nothing of the person beyond the consent.
			if slices.Contains(f.Purposes, id) && !ticks[f.Path.Key()] {
				found[Datum{Field: f.Name, Category: f.Category, Keep: f.Keep.Kind, Label: f.Label.In(language), Why: f.Why.In(language)}] = true
			}
		}
	}
	return slices.SortedFunc(maps.Keys(found), func(a, b Datum) int {
		return strings.Compare(a.key(), b.key())
	})
}

func (d Datum) key() string {
	return strings.Join([]string{d.Field, d.Category, d.Keep, d.Whole, d.Label, d.Why}, "\x00")
}

func (n *Consent) digest() string {
	content, err := json.Marshal(n)
	if err != nil {
		panic("a notice has to be JSON: " + err.Error()) // it is made of strings
	}
	sum := sha256.Sum256(content)
	return base64.RawURLEncoding.EncodeToString(sum[:])[:22]
}

// Languages returns the languages that the policy's texts are written in,
// sorted; texts without a language do not count.
func Languages(set *policy.Set) []string {
	found := map[string]bool{}
	add := func(texts ...policy.Text) {
		for _, t := range texts {
			for tag := range t {
				found[tag] = tag != ""
			}
		}
	}
	add(set.Controller.Name, set.Controller.Address, set.Controller.DPO.Name, set.Controller.DPO.Address)
	for i := range set.Purposes {
		p := &set.Purposes[i]
		add(p.Title, p.Description, p.Benefit)
		add(p.Recipients...)
	}
	for _, c := range set.Collections {
		for i := range c.Fields {
			add(c.Fields[i].Label, c.Fields[i].Why)
		}
	}
	delete(found, "")
	return slices.Sorted(maps.Keys(found))
}
