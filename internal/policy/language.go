package policy

import (
	_ "embed" // the schema
	"slices"

	"github.com/goccy/go-yaml/ast"
)

// The structs of this file are the policy language. Their tags are its keys: the
// reader follows them. The JSON Schema and the tables of README.md are generated from
// them and from the comments above the fields, in Markdown. "Default: x." at the end of
// a comment is the default. A key without omitzero is required.

//go:generate go test -run TestSchemaIsUpToDate|TestReferenceIsUpToDate -update .

//go:embed policy.v1.schema.json
var schema []byte

// Schema returns the JSON Schema (2020-12) of a policy file.
func Schema() []byte { return slices.Clone(schema) }

// document is one policy file.
type document struct {
	// The version of the language, in each file.
	Version version `json:"version"`
	// Who determines the purposes and means of processing; in only one file of a set. A purpose that rests on consent requires it.
	Controller controllerDecl `json:"controller,omitzero"`
	// Why data is processed, by name.
	Purposes named[purposeDecl, *purposeDecl] `json:"purposes,omitzero"`
	// Definitions that several collections share, by name. A field refers to one with `use`. A definition has the keys of a field except `use`.
	Fields named[definitionDecl, *definitionDecl] `json:"fields,omitzero"`
	// Where data is collected, by name.
	Collections named[collectionDecl, *collectionDecl] `json:"collections,omitzero"`
	// How names in queries and forms spell nesting, for collections that do not say it. Default: brackets.
	Names nesting `json:"names,omitzero"`
	// Submissions, and the fields of them that must pass. `modicum check` runs them.
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
	// The country of establishment, ISO 3166-1 alpha-2, such as `DE`. Telephone numbers without `+` are read as numbers of this country.
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
	// The lawful basis, GDPR Art. 6(1)(a) to (f), or `not_personal` for data that is not personal.
	Basis basis `json:"basis"`
	// The name that people read.
	Title textValue `json:"title,omitzero"`
	// What is done with the data.
	Description textValue `json:"description,omitzero"`
	// What the person gains by consenting.
	Benefit textValue `json:"benefit,omitzero"`
	// How long the data is kept.
	Retention period `json:"retention,omitzero"`
	// How long a consent is valid before people are asked again. Default: retention.
	Expires period `json:"expires,omitzero"`
	// Who receives the data.
	Recipients textList `json:"recipients,omitzero"`
	// People can object on the page of choices, and Global Privacy Control counts as an objection.
	Objection objection `json:"objection,omitzero"`
	// For `basis: consent`, the consent platforms that are trusted, and what they call the purpose. A platform that is not listed is not trusted.
	Signals signalsDecl `json:"signals,omitzero"`
}

// signalsDecl says which consent platforms the operator trusts about a purpose.
type signalsDecl struct {
	// Klaro!: the service in its cookie.
	Klaro klaroDecl `json:"klaro,omitzero"`
	// CookieConsent: the category in its cookie.
	CookieConsent cookieConsentDecl `json:"cc_cookie,omitzero"`
	// Fides: the key of the privacy notice in its cookie.
	Fides fidesDecl `json:"fides_consent,omitzero"`
	// An IAB TC string (cookie `euconsent-v2` or `__gpp`): the publisher's purpose in its PublisherTC segment.
	TCF tcfPurpose `json:"tcf,omitzero"`
	// An IAB GPP string (cookie `__gpp`, sections usnat and uspv1): the opt-out that counts against the purpose. It never gives a consent.
	GPP optOut `json:"gpp,omitzero"`
	// The cookie of any other platform, and what it contains if the person consented.
	Cookie cookieDecl `json:"cookie,omitzero"`

	place
}

// klaroDecl is a consent in a cookie of Klaro!. Its short form is the service alone.
type klaroDecl struct {
	// The service.
	Service word `json:"service"`
	// The name of the cookie (`storageName` in Klaro!'s configuration). Default: klaro.
	Cookie cookieName `json:"cookie,omitzero"`
}

// cookieConsentDecl is a consent in a cookie of CookieConsent. Its short form is
// the category alone.
type cookieConsentDecl struct {
	// The category.
	Category word `json:"category"`
	// The least revision that counts. An acceptance of an older revision says nothing, a refusal remains one, and a revision that is missing or is no whole number refuses. Default: any.
	Revision revision `json:"revision,omitzero"`
	// The name of the cookie (`cookie.name` in CookieConsent's configuration). Default: cc_cookie.
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
	// For a cookie that is JSON, the path of the answer: names and indexes, with dots between them; `*` is any element of a list.
	Path cookiePath `json:"path,omitzero"`
	// What the cookie, or the text, number or boolean at the path, is if the person consented. Either this key or `matches` is required.
	Equals scalar `json:"equals,omitzero"`
	// An RE2 expression that all of it matches if the person consented. It must not match an empty text.
	Matches pattern `json:"matches,omitzero"`

	place
}

// collectionDecl is one place where data is collected.
type collectionDecl struct {
	// The requests: `[METHOD ][HOST]/path/{wildcard}`, with the precedence of Go's `http.ServeMux`. Two patterns of equal precedence are an error.
	On wordList `json:"on"`
	// The values by which the collection is told apart from others with the same pattern, by the path of a field: for front controllers, which serve many actions under one path. All of them must match. The collection without `when` has the rest.
	When named[scalarList, *scalarList] `json:"when,omitzero"`
	// The fields that may pass, by path.
	Fields named[fieldDecl, *fieldDecl] `json:"fields,omitzero"`
	// The field that a person ticks to give the consent, by purpose. Each purpose has a field of its own.
	Consents named[consentDecl, *consentDecl] `json:"consents,omitzero"`
	// How the application spells nesting in queries and forms: `brackets` (`user[email]`, `items[0][sku]`; PHP, Rails, qs) or `dots` (`user.email`, `items[0].sku`, `[0].sku`; Spring, ASP.NET, Play, Struts). Names in the other spelling are undeclared. JSON is not affected. Default: that of the top level.
	Names nesting `json:"names,omitzero"`
	// Whether to enforce here, whatever the site's option `mode` says, to enforce a site route by route: `report` forwards requests unchanged and records what `enforce` would do. Default: that of the site.
	Mode mode `json:"mode,omitzero"`
	// Other media types that are accepted, and how a body of the type is read: as JSON, or not at all.
	Read named[readingDecl, *readingDecl] `json:"read,omitzero"`
	// A purpose for which requests pass byte for byte: nothing is minimized. For routes that cannot be parsed, such as signed webhooks. Only `on`, `mode`, `types` and `max` may accompany it.
	Whole word `json:"whole,omitzero"`
	// With `whole`, the media types that a body may have; another type or none is refused with 415. Default: any.
	Types mediaTypes `json:"types,omitzero"`
	// With `whole` or `read: {TYPE: pass}`, the maximum number of bytes of a body, which streams; more is refused with 413. Default: 10MiB.
	Max size `json:"max,omitzero"`

	place
	keys []pair // as they are written
}

// rules are the keys of a field definition.
type rules struct {
	// The purposes; any one of them is enough. Required unless the definition under `use` has it.
	For wordList `json:"for,omitzero"`
	// What the value must be; a value that does not fit is stripped. `phone` is rewritten in E.164. A `file` passes only in multipart forms. A field of type `json` contains a JSON text, whose members deeper paths address: `payload.user.name`.
	Type valueType `json:"type,omitzero"`
	// How the value is reduced before it passes.
	Keep keep `json:"keep,omitzero"`
	// The maximum number of characters; for a file, of bytes, such as `5MiB`. In a multipart
	// form, a text with `max` and no other checks may be larger than `max_body`. Default: 10MiB for a file.
	Max size `json:"max,omitzero"`
	// An RE2 expression that the whole value must match.
	Pattern pattern `json:"pattern,omitzero"`
	// The values that may pass.
	OneOf scalarList `json:"one_of,omitzero"`
	// A constant that replaces the field if it is stripped, for applications that require the field.
	Otherwise constant `json:"otherwise,omitzero"`
	// A submission without the field is refused with 422. Default: false.
	Required boolean `json:"required,omitzero"`
	// What people call the field: the pages show it in place of the name.
	Label textValue `json:"label,omitzero"`
	// Why the data is needed, in one line that the pages show beside the label.
	Why textValue `json:"why,omitzero"`
	// The personal data category, of the fideslang taxonomy, such as `user.contact.email`. `check` warns of a special category (GDPR Art. 9) whose basis is neither consent nor legal obligation.
	Category word `json:"category,omitzero"`
}

// definitionDecl is a field definition that collections share.
type definitionDecl struct{ rules }

// fieldDecl is a field of a collection, in its short or its long form.
type fieldDecl struct {
	// The name of a definition under the top-level `fields`; keys beside it override its own.
	Use word `json:"use,omitzero"`
	rules
}

// consentDecl is the field of a form that gives a consent. Its short form is the
// field alone.
type consentDecl struct {
	// The path of the field.
	Field word `json:"field"`
	// What the field contains when it is ticked. Default: any of on, true, 1 and yes.
	Value scalar `json:"value,omitzero"`

	place
}

// testDecl is an example of a submission.
type testDecl struct {
	// The request: `METHOD [HOST]/path[?query]`. With GET, `given` is the query.
	On word `json:"on"`
	// The media type of the submission. Default: application/json.
	Type word `json:"type,omitzero"`
	// The submission; a path may be the name of a member.
	Given example `json:"given"`
	// The purposes to which the person has consented outside this submission.
	Consents wordList `json:"consents,omitzero"`
	// What must come out.
	Expect expectDecl `json:"expect"`

	place
}

// expectDecl is what an example expects.
type expectDecl struct {
	// All fields that pass. Default: not checked.
	Kept wordList `json:"kept,omitzero"`
	// All fields that do not pass. Default: not checked.
	Stripped wordList `json:"stripped,omitzero"`
	// The submission is refused as a whole. Default: false.
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
