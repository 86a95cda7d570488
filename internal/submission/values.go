package submission

import (
	"regexp"
	"slices"
	"unicode/utf8"
)

// Rule checks and reduces the values of a field. It is filled by the caller
// and not changed afterwards. A Type or Keep that is none of those named
// here lets nothing pass.
type Rule struct {
	Type    string         // "", email, phone, date, integer, number, boolean, url, country, uuid, text
	Keep    string         // "", year, month, first, last, domain, network, round, pseudonym
	N       int            // of first(n), last(n), round(n)
	Max     int64          // the most characters; 0: any
	Pattern *regexp.Regexp // anchored by the caller; nil: any
	OneOf   []string       // empty: any
	Key     []byte         // of pseudonym's HMAC-SHA-256
	Region  string         // ISO 3166-1 of phones without +; empty: international ones only
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
// A null passes, and so does an empty text, unless OneOf says otherwise: a
// browser sends every input that was left empty, and neither holds any data.
func (r *Rule) apply(dst, value []byte, k kind) (out []byte, as kind, reason string) {
	if k == kindNull {
		return append(dst, value...), k, ""
	}
	if r.Max > 0 && int64(len(value)) > r.Max && int64(utf8.RuneCount(value)) > r.Max {
		return dst, k, ReasonTooLong
	}
	if len(r.OneOf) > 0 && !slices.Contains(r.OneOf, string(value)) {
		return dst, k, ReasonWrongType
	}
	if len(value) == 0 {
		return dst, k, ""
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

// fits tells whether a value that is not empty is of a type. "phone" is not
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
		return isCountry(value)
	case "uuid":
		return isUUID(value)
	default:
		return false
	}
}
