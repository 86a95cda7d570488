package submission

import (
	"bytes"
	"cmp"
	"regexp"
	"regexp/syntax"
	"slices"
	"unicode/utf8"

	"github.com/modicum-proxy/modicum/internal/countries"
)

// Rule checks and reduces the values of a field. It is filled by the caller
// and not changed afterwards. With another Type or Keep than those named here,
// nothing passes.
type Rule struct {
	Type    string         // "", email, phone, date, integer, number, boolean, url, country, uuid, text
	Keep    string         // "", year, month, first, last, domain, network, round, pseudonym
	N       int            // of first(n), last(n), round(n)
	Max     int64          // the most characters; 0: any
	Pattern *regexp.Regexp // anchored by the caller; nil: any
	OneOf   []string       // empty: any
	Key     []byte         // of pseudonym's HMAC-SHA-256
	Region  string         // ISO 3166-1 of phones without +; empty: international ones only

	instructions int // of the program of Pattern; 0: they were not counted
}

// maxWork bounds the work that the values of one submission may ask of rules,
// in about nanoseconds: a body of phone numbers must not hold up other clients.
const maxWork = 50_000_000

// What rules cost, in the units of maxWork. Reading a phone number takes 10 to
// 15 µs; RE2 is linear in the text and in the size of the expression, and its
// worst expressions take some nanoseconds for a byte and an instruction.
const (
	phoneWork   = 20_000
	patternWork = 4
)

// work returns what the rule costs for a value of so many bytes.
func (r *Rule) work(size int) int64 {
	work := int64(size)
	if r.Type == "phone" {
		work += phoneWork
	}
	if r.Pattern != nil {
		work += int64(size) * patternWork * int64(cmp.Or(r.instructions, maxInstructions))
	}
	return work
}

// maxInstructions is what the program of a pattern is taken to have that
// [NewRule] did not look at.
const maxInstructions = 1000

// NewRule returns a rule that knows what it costs. One that is made without it
// is taken to be costly.
func NewRule(r Rule) *Rule {
	if r.Pattern == nil {
		return &r
	}
	r.instructions = instructions(r.Pattern)
	return &r
}

// instructions returns how large the program of an expression is.
func instructions(re *regexp.Regexp) int {
	expression, err := syntax.Parse(re.String(), syntax.Perl)
	if err != nil {
		return maxInstructions
	}
	program, err := syntax.Compile(expression.Simplify())
	if err != nil {
		return maxInstructions
	}
	return len(program.Inst)
}

// kind is what a scalar is written as. Forms hold text only.
type kind uint8

const (
	kindText kind = iota
	kindNumber
	kindBoolean
	kindNull
)

// apply decides one value, given as text (a JSON string unescaped, a number
// as written). It appends what goes on to dst and returns it with the kind
// it has now; a reason other than "" strips the value.
//
// A null passes, and so does an empty text: a browser sends every input that was
// left empty, and neither holds any data.
func (r *Rule) apply(dst, value []byte, k kind) (out []byte, as kind, reason string) {
	if k == kindNull {
		return append(dst, value...), k, ""
	}
	if k == kindText && r.trims() {
		value = r.trim(value)
	}
	if r.Max > 0 && int64(len(value)) > r.Max && int64(utf8.RuneCount(value)) > r.Max {
		return dst, k, ReasonTooLong
	}
	if len(value) == 0 {
		return dst, k, ""
	}
	if len(r.OneOf) > 0 && !slices.Contains(r.OneOf, string(value)) {
		return dst, k, ReasonWrongType
	}
	if r.Pattern != nil && !r.Pattern.Match(value) {
		return dst, k, ReasonWrongType
	}
	ok := true
	switch {
	case r.reduced(value):
	case r.Type == "phone":
		value, ok = e164(value, r.Region)
		ok = ok && k == kindText
	default:
		ok = fits(r.Type, value, k)
	}
	if ok {
		out, as, ok = r.reduce(dst, value, k)
	}
	if !ok {
		return dst, k, ReasonWrongType
	}
	return out, as, ""
}

// trims reports whether values lose the white space around them (RULES.md,
// value/white-space): it is part of a text, but of nothing that has a format.
func (r *Rule) trims() bool {
	switch r.Keep {
	case "year", "month", "domain", "network", "round":
		return true // whatever the type: what they make of a value has none
	}
	return len(r.OneOf) > 0 || r.Type != "" && r.Type != "text"
}

// trim removes white space around a value, except if it is part of one of OneOf.
func (r *Rule) trim(value []byte) []byte {
	trimmed := bytes.TrimSpace(value)
	if len(trimmed) < len(value) && slices.Contains(r.OneOf, string(value)) {
		return value
	}
	return trimmed
}

// fits reports whether a value that is not empty is of a type. "phone" is not
// asked here, for it rewrites what it accepts.
func fits(name string, value []byte, k kind) bool {
	switch name {
	case "", "text":
		return true
	case "boolean":
		return k == kindBoolean || isBoolean(value)
	case "integer":
		return k != kindBoolean && isInteger(value)
	case "number":
		return k == kindNumber || k == kindText && isNumber(value)
	}
	if k != kindText {
		return false
	}
	switch name {
	case "email":
		return isEmail(value)
	case "date":
		return datePrecision(value) == precisionDay
	case "url":
		return isURL(value)
	case "country":
		return len(value) == 2 && countries.IsCode([]byte{value[0] &^ 0x20, value[1] &^ 0x20}) // in upper case
	case "uuid":
		return isUUID(value)
	default:
		return false
	}
}
