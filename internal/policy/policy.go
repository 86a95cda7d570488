// Package policy reads the policy set: which personal data may pass, for which
// purpose and on which lawful basis. Files compile once into an immutable [Set];
// matching a request and deciding on a field are pure and allocate nothing.
package policy

import (
	"encoding/json"
	"regexp"
)

// Set is a compiled policy set. It is immutable and safe for concurrent use.
type Set struct {
	// Version is the hex SHA-256 of the canonical form: it changes with what the
	// policy says, not with layout, comments, key order or the order of files.
	Version    string
	Controller Controller
	// Purposes are sorted by name; a [PurposeID] is an index into them.
	Purposes []Purpose
	// Collections stand in order of declaration; [Collection.ID] is the index.
	Collections []*Collection
	Tests       []Test

	byConsent PurposeSet // purposes whose basis is consent
	objection PurposeSet // purposes marked `objection:`
	routes    routes
	divisions []*Division
}

// Divisions returns the divisions of patterns that collections share.
func (s *Set) Divisions() []*Division { return s.divisions }

// Controller is who decides on purposes and means (GDPR Art. 4(7)), as a notice
// names it (Art. 13(1)(a) and (b)).
type Controller struct {
	Name           Text
	Contact        string // an e-mail address, a URL or a telephone number
	Address        Text
	Country        string // ISO 3166-1 alpha-2
	DPO            Party  // the data protection officer
	Representative Party  // the representative in the Union (Art. 27)
	Position       Position
}

// Party is a person or an office that a notice names beside the controller.
type Party struct {
	Name    Text
	Contact string
	Address Text
}

// Basis is the lawful basis of a purpose, GDPR Art. 6(1)(a) to (f). The zero
// value is no basis.
type Basis string

// The lawful bases, and [NotPersonal] for what is no personal data.
const (
	Consent             Basis = "consent"
	Contract            Basis = "contract"
	LegalObligation     Basis = "legal_obligation"
	VitalInterests      Basis = "vital_interests"
	PublicTask          Basis = "public_task"
	LegitimateInterests Basis = "legitimate_interests"
	NotPersonal         Basis = "not_personal"
)

// Purpose is one reason to process data, with its lawful basis.
type Purpose struct {
	ID          PurposeID
	Name        string
	Title       Text
	Description Text
	// Benefit is what the person gains by consenting.
	Benefit Text
	Basis   Basis
	// Retention is how long the data is kept, as the policy writes it: a number
	// and h, d, w, mo or y ("3y"). Empty: not said.
	Retention string
	// Expires is how long a consent is valid, written as Retention is. Empty: as
	// long as the data is kept, or until it is withdrawn; see [Purpose.Term].
	Expires    string
	Recipients []Text
	// Objection names the signal that counts as an objection to this purpose:
	// "gpc" (Global Privacy Control) or empty.
	Objection string
	// Signals are part of the version only where the policy has them, so that a
	// policy without keeps its version.
	Signals  Signals `json:",omitzero"`
	Position Position
}

// Collection is one place where data is collected: the requests that reach it
// and the fields that may pass there.
type Collection struct {
	Name     string
	ID       int // index in [Set.Collections]
	Position Position
	Patterns []Pattern
	Fields   []Field // in order of declaration
	Consents []ConsentField
	// Dots is set if names in queries and forms nest with dots instead of brackets.
	Dots bool
	// Mode is "enforce" or "report"; empty: that of the site.
	Mode string
	// Purposes are all purposes that the fields name, or the one of Whole.
	Purposes PurposeSet
	// When are the values by which the collection is told apart from others with
	// its pattern. All have to match; none: it has the rest.
	When []Condition
	// Whole is how requests pass unread; nil: they are minimized.
	Whole *Whole
	// Read is how bodies of other media types are read, by type in lower case.
	Read map[string]Reading
	// MaxPassed is the most bytes of a body that passes as received; 0: none does.
	MaxPassed int64

	set *Set // nil only in the zero Collection, which refuses everything
}

// Whole is how the requests of a collection pass byte for byte, without being read.
type Whole struct {
	Purpose PurposeID
	// Types are the media types that a body may have, in lower case; empty: any.
	Types []string
	// Max is the most bytes of a body.
	Max      int64
	Position Position
}

// Reading is how a body is read that is neither form nor JSON by its type.
type Reading string

// The ways of reading.
const (
	ReadJSON Reading = "json" // as JSON
	ReadPass Reading = "pass" // not at all: it passes as received
)

// DefaultMaxWhole bounds, in bytes, what passes unread if the policy names no max. It
// is that of a file.
const DefaultMaxWhole = 10 << 20

// Pattern is a pattern of [net/http.ServeMux]: [METHOD ][HOST]/[PATH].
type Pattern struct {
	Text     string
	Position Position
}

// ConsentField is the field of a form whose ticking is the consent to a purpose.
type ConsentField struct {
	Purpose PurposeID
	Path    Path
	// Value is what the field holds when it is ticked; empty means any of on,
	// true, 1 and yes.
	Value    string
	Position Position
}

// Field is a path that a collection declares, and what may pass there.
type Field struct {
	// Name is the path as the policy writes it.
	Name string
	Path Path
	// Purposes are the purposes of the field; any one of them is enough.
	Purposes []PurposeID
	Keep     Keep
	// Type is one of the words of `type:`, or empty for any scalar.
	Type string
	// Max bounds the value: characters of a text, bytes of a file; 0 is not given.
	Max int64
	// Pattern is anchored at both ends; nil is not given.
	Pattern *regexp.Regexp
	OneOf   []string
	// Otherwise goes on in place of a value that is stripped; nil if there is none.
	Otherwise *Constant
	// Required refuses a submission that lacks the field.
	Required bool
	// Category is a data category of the fideslang taxonomy, dotted.
	Category string
	// Label is what people call the field; nil: its category, or its name.
	Label Text
	// Why is why the data is needed, in one line; nil is not given.
	Why Text
	// List is set if the field is the elements of a list: the path ends in "*".
	List     bool
	Position Position
}

// Keep is how a value is reduced before it passes. The zero value does not
// reduce it.
type Keep struct {
	// Kind is one of year, month, first, last, domain, network, round, pseudonym.
	Kind string
	// N is the number of characters of first and last, and the number of
	// decimals of round (negative: to the left of the point).
	N int
}

// Constant is a scalar of the policy in its two spellings.
type Constant struct {
	JSON string // a JSON literal
	Text string // what a form would hold
}

// Test is an example that the operator wrote beside the policy.
type Test struct {
	// On is the request, "POST /checkout"; a host may stand before the path.
	On string
	// Type is the media type of the submission; Default: application/json.
	Type string
	// Given is the submission, its members in the order in which they are written.
	Given json.RawMessage
	// Consents names the purposes that the person has consented to.
	Consents []string
	Expect   Expect
	Position Position
}

// Expect is what a [Test] expects. A nil list expects nothing of what it names,
// an empty one that there is none.
type Expect struct {
	Kept     []string
	Stripped []string
	Refused  bool
}
