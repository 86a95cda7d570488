package policy

import (
	_ "embed" // the schema
	"slices"

	"github.com/goccy/go-yaml/ast"
)

// The structs of this file are the policy language. Their tags are its keys: the
// reader follows them, and the JSON Schema is generated from them and from the
// comments that stand above the fields. A key without omitzero is required.

//go:generate go test -run TestSchemaIsUpToDate -update .

//go:embed policy.v1.schema.json
var schema []byte

// Schema returns the JSON Schema (2020-12) of a policy file.
func Schema() []byte { return slices.Clone(schema) }

// document is one policy file.
type document struct {
	// The version of the policy language. There is only 1.
	Version version `json:"version"`
	// Who decides on purposes and means. One file of a set names it.
	Controller controllerDecl `json:"controller,omitzero"`
	// The purposes that personal data may be collected for, by name.
	Purposes named[purposeDecl, *purposeDecl] `json:"purposes,omitzero"`
	// Field definitions that several collections share: a field refers to one with `use: name`.
	Fields named[definitionDecl, *definitionDecl] `json:"fields,omitzero"`
	// The places where data is collected, by name.
	Collections named[collectionDecl, *collectionDecl] `json:"collections,omitzero"`
	// How names in queries and forms spell nesting, where a collection does not say it: with brackets (user[email], items[0][sku]) or dots (user.email, items[0].sku). Default: brackets.
	Names nesting `json:"names,omitzero"`
	// Examples of submissions and of what passes of them.
	Tests list[testDecl, *testDecl] `json:"tests,omitzero"`
}

// controllerDecl names the controller, as a notice does (GDPR Art. 13(1)).
type controllerDecl struct {
	// The name of the company, body or person.
	Name textValue `json:"name"`
	// How to reach the controller: an e-mail address, a URL or a telephone number.
	Contact word `json:"contact,omitzero"`
	// The postal address.
	Address textValue `json:"address,omitzero"`
	// The country of establishment, ISO 3166-1 alpha-2.
	Country country `json:"country,omitzero"`
	// The data protection officer.
	DPO partyDecl `json:"dpo,omitzero"`
	// The representative in the Union (GDPR Art. 27).
	Representative partyDecl `json:"representative,omitzero"`

	place
}

// partyDecl is a person or an office that a notice names.
type partyDecl struct {
	// The name of the person or office.
	Name textValue `json:"name,omitzero"`
	// How to reach them: an e-mail address, a URL or a telephone number.
	Contact word `json:"contact,omitzero"`
	// The postal address.
	Address textValue `json:"address,omitzero"`
}

// purposeDecl is one reason to process data.
type purposeDecl struct {
	// What people read as the name of the purpose.
	Title textValue `json:"title,omitzero"`
	// What is done with the data, for the notice.
	Description textValue `json:"description,omitzero"`
	// What the person gains by consenting.
	Benefit textValue `json:"benefit,omitzero"`
	// The lawful basis, GDPR Art. 6(1)(a) to (f), or not_personal.
	Basis basis `json:"basis"`
	// How long the data is kept: a number and h, d, w, mo or y.
	Retention period `json:"retention,omitzero"`
	// How long a consent stands before it is asked for again.
	Expires period `json:"expires,omitzero"`
	// Who receives the data, one or a list.
	Recipients textList `json:"recipients,omitzero"`
	// The signal that counts as an objection: gpc is Global Privacy Control.
	Objection objection `json:"objection,omitzero"`
	// What consent platforms call the purpose. Those that are not named here are not believed.
	Signals signalsDecl `json:"signals,omitzero"`
}

// signalsDecl says which consent platforms the operator trusts about a purpose.
type signalsDecl struct {
	// The service in Klaro!'s cookie klaro: its name, or a map that also names the cookie.
	Klaro klaroDecl `json:"klaro,omitzero"`
	// The category in CookieConsent's cookie cc_cookie: its name, or a map that also has the least revision and the name of the cookie.
	CookieConsent cookieConsentDecl `json:"cc_cookie,omitzero"`
	// The key of the privacy notice in Fides' cookie fides_consent: the key, or a map that also names the cookie.
	Fides fidesDecl `json:"fides_consent,omitzero"`
	// The publisher's purpose, 1 to 24, in the PublisherTC segment of an IAB TC string (cookie euconsent-v2 or __gpp).
	TCF tcfPurpose `json:"tcf,omitzero"`
	// The opt-out in an IAB GPP string (cookie __gpp, sections usnat and uspv1) that counts against the purpose. It never gives a consent.
	GPP optOut `json:"gpp,omitzero"`
	// The cookie of any other platform, and what it contains if the person consented.
	Cookie cookieDecl `json:"cookie,omitzero"`

	place
}

// klaroDecl is a consent in a cookie of Klaro!. Its short form is the service alone.
type klaroDecl struct {
	// The service.
	Service word `json:"service"`
	// The name of the cookie (storageName in Klaro!'s configuration). Default: klaro.
	Cookie cookieName `json:"cookie,omitzero"`
}

// cookieConsentDecl is a consent in a cookie of CookieConsent. Its short form is
// the category alone.
type cookieConsentDecl struct {
	// The category.
	Category word `json:"category"`
	// The least revision that counts: an acceptance of an older one says nothing. Default: any.
	Revision revision `json:"revision,omitzero"`
	// The name of the cookie (cookie.name in CookieConsent's configuration). Default: cc_cookie.
	Cookie cookieName `json:"cookie,omitzero"`
}

// fidesDecl is a consent in a cookie of Fides. Its short form is the notice alone.
type fidesDecl struct {
	// The key of the privacy notice.
	Notice word `json:"notice"`
	// The name of the cookie. Default: fides_consent.
	Cookie cookieName `json:"cookie,omitzero"`
}

// cookieDecl is a consent in the cookie of any other platform.
type cookieDecl struct {
	// The name of the cookie.
	Name cookieName `json:"name"`
	// The path of the answer in a cookie that is JSON: names and indexes, with dots between them; * is any element of a list.
	Path cookiePath `json:"path,omitzero"`
	// What the cookie, or the answer at the path, is if the person consented. The cookie is percent-decoded first.
	Equals scalar `json:"equals,omitzero"`
	// An RE2 expression that all of it must match instead. If the expression contains a %, the cookie is not percent-decoded.
	Matches pattern `json:"matches,omitzero"`

	place
}

// collectionDecl is one place where data is collected.
type collectionDecl struct {
	// The requests it is about: one pattern or a list, [METHOD ][HOST]/path as in Go's http.ServeMux.
	On wordList `json:"on"`
	// How the application spells nesting in queries and forms: with brackets (user[email], items[0][sku]; PHP, Rails, qs) or dots (user.email, items[0].sku, [0].sku; Spring, ASP.NET, Play, Struts). Names in the other spelling are undeclared. JSON is not affected.
	Names nesting `json:"names,omitzero"`
	// Requests pass byte for byte for this purpose, and nothing is minimized: for routes that cannot be parsed, such as signed webhooks. Only on, types and max may accompany it.
	Whole word `json:"whole,omitzero"`
	// The media types of the bodies that pass whole, one or a list. Default: any.
	Types mediaTypes `json:"types,omitzero"`
	// The most bytes of a body that passes whole, or as received (read: pass), such as 4MiB. Default: 10MiB.
	Max size `json:"max,omitzero"`
	// Whether to enforce here, whatever the option mode of the site says: enforce, or report, which forwards requests unchanged and records what enforce would do.
	Mode word `json:"mode,omitzero"`
	// The values by which the collection is told apart from others with the same pattern, by field: for front controllers, which serve many actions under one path. All of them have to match. The collection without when has the rest.
	When named[scalarList, *scalarList] `json:"when,omitzero"`
	// The fields that may pass: path to purpose, list of purposes, or rules. Any one of the purposes is enough.
	Fields named[fieldDecl, *fieldDecl] `json:"fields,omitzero"`
	// Other media types that are accepted: json reads the body as JSON; pass forwards it as received, unless it reads as JSON or as a form with a declared field.
	Read named[readingDecl, *readingDecl] `json:"read,omitzero"`
	// The field whose ticking is the consent, by purpose. Each purpose has a field of its own.
	Consents named[consentDecl, *consentDecl] `json:"consents,omitzero"`

	place
	keys []pair // as they are written
}

// rules are the keys of a field definition.
type rules struct {
	// The purposes; any one of them is enough.
	For wordList `json:"for,omitzero"`
	// How the value is reduced before it passes.
	Keep keep `json:"keep,omitzero"`
	// What the value has to be; anything else is stripped. A field of type json contains
	// a JSON text, whose members deeper paths address: payload.user.name.
	Type valueType `json:"type,omitzero"`
	// The most characters of a value, or the most bytes of a file, such as 5MiB. In a
	// multipart form, a text with a max and no other checks may be larger than max_body.
	Max size `json:"max,omitzero"`
	// An RE2 expression that the whole value has to match.
	Pattern pattern `json:"pattern,omitzero"`
	// The values that may pass.
	OneOf scalarList `json:"one_of,omitzero"`
	// The constant that stands in for the field when it is stripped.
	Otherwise constant `json:"otherwise,omitzero"`
	// Refuse a submission that lacks the field.
	Required boolean `json:"required,omitzero"`
	// What data it is: a data category of the fideslang taxonomy, such as user.contact.email.
	Category word `json:"category,omitzero"`
	// What people call the field: the pages show it in place of the name.
	Label textValue `json:"label,omitzero"`
	// Why the data is needed, in one line that the pages show beside the label.
	Why textValue `json:"why,omitzero"`
}

// definitionDecl is a field definition that collections share.
type definitionDecl struct{ rules }

// fieldDecl is a field of a collection, in its short or its long form.
type fieldDecl struct {
	// The name of a definition under the top-level fields; the keys beside it override its own.
	Use word `json:"use,omitzero"`
	rules
}

// consentDecl is the field of a form that gives a consent. Its short form is the
// field alone.
type consentDecl struct {
	// The path of the field.
	Field word `json:"field"`
	// What the field holds when it is ticked. Default: any of on, true, 1 and yes.
	Value scalar `json:"value,omitzero"`

	place
}

// testDecl is an example of a submission.
type testDecl struct {
	// The request: METHOD [HOST]/path[?query].
	On word `json:"on"`
	// The media type of the submission. Default: application/json.
	Type word `json:"type,omitzero"`
	// What is submitted.
	Given example `json:"given"`
	// The purposes that the person has consented to.
	Consents wordList `json:"consents,omitzero"`
	// What is expected of it.
	Expect expectDecl `json:"expect"`

	place
}

// expectDecl is what an example expects.
type expectDecl struct {
	// The fields that pass.
	Kept wordList `json:"kept,omitzero"`
	// The fields that do not pass.
	Stripped wordList `json:"stripped,omitzero"`
	// The submission is refused as a whole.
	Refused boolean `json:"refused,omitzero"`

	place
}

func (c *controllerDecl) read(r *reader, n ast.Node) {
	c.at = r.at(n)
	r.members(n, "the controller", c)
}

func (p *partyDecl) read(r *reader, n ast.Node) { r.members(n, "a person or office", p) }

func (p *purposeDecl) read(r *reader, n ast.Node) { r.members(n, "a purpose", p) }

func (c *collectionDecl) read(r *reader, n ast.Node) {
	c.at, c.keys = r.at(n), r.pairs(n)
	r.members(n, "a collection", c)
}

func (d *definitionDecl) read(r *reader, n ast.Node) { r.members(n, "a field definition", d) }

// read takes the short form, a purpose or a list of them, or the long form.
func (f *fieldDecl) read(r *reader, n ast.Node) {
	if _, isMap := n.(ast.MapNode); isMap {
		r.members(n, "a field", f)
		return
	}
	if _, isNull := n.(*ast.NullNode); isNull {
		r.expected("a purpose, a list of purposes, or rules", n, "")
		f.For.words = make([]word, 1) // an empty word, which is already reported, and not a missing one
		return
	}
	f.For.read(r, n)
}

// read takes the short form, the path of the field, or the long form.
func (c *consentDecl) read(r *reader, n ast.Node) {
	c.at = r.at(n)
	if _, isMap := n.(ast.MapNode); isMap {
		r.members(n, "a consent", c)
		return
	}
	c.Field.read(r, n)
}

func (t *testDecl) read(r *reader, n ast.Node) {
	t.at = r.at(n)
	r.members(n, "a test", t)
}

func (e *expectDecl) read(r *reader, n ast.Node) {
	e.at = r.at(n)
	r.members(n, "an expectation", e)
}
