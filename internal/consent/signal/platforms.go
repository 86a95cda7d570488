package signal

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"errors"
	"io"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/modicum-proxy/modicum/internal/policy"
)

// Bounds of the JSON in a cookie.
const (
	maxDepth    = 8
	maxInflated = 64 << 10
)

var errForm = errors.New("the cookie has another form")

// klaro reads the cookie of Klaro!: {"<service>": true|false}. It is written
// when the person saves a choice.
func (r *Reader) klaro(value string) (said, bool) {
	var s said
	text, ok := unescape(value)
	ok = ok && readObject(text, func(d *jsontext.Decoder, service string) error {
		granted, isBool, err := readBool(d)
		switch {
		case err != nil:
			return err
		case !isBool:
			return errForm
		case granted:
			s.grant(r.services[service])
		default:
			s.deny(r.services[service])
		}
		return nil
	})
	return s, ok
}

// cookieConsent reads the cookie of CookieConsent, {"categories": [accepted],
// …}: a category that it does not list was not accepted.
func (r *Reader) cookieConsent(value string) (said, bool) {
	var s said
	listed := false
	text, ok := unescape(value)
	ok = ok && readObject(text, func(d *jsontext.Decoder, name string) error {
		if name != "categories" {
			return skip(d)
		}
		listed = true
		return readStrings(d, func(category string) { s.grant(r.categories[category]) })
	})
	s.deny(without(r.trust[atCookieConsent], s.granted))
	return s, ok && listed
}

// fidesCookie is what counts of the cookie of Fides.
type fidesCookie struct {
	consent       said
	notApplicable policy.PurposeSet
	method        string // how the cookie came to be written
	consents      bool   // there is a member of this name
}

// fides reads the cookie of Fides: {"consent": {"<notice>": true|"opt_in"|…},
// "fides_meta": {"consentMethod": …}, …} (ethyca/fides, fides-js, cookie.ts).
// Its script also writes defaults there, unasked: only what says that a
// person did it, or is of the time before it said so, grants.
func (r *Reader) fides(value string) (said, bool) {
	text, ok := unwrapFides(value)
	if !ok {
		return said{}, false
	}
	var c fidesCookie
	ok = readObject(text, func(d *jsontext.Decoder, name string) error {
		switch name {
		case "consent":
			c.consents = true
			return members(d, func(notice string) error { return r.fidesConsent(d, notice, &c.consent) })
		case "fides_meta":
			return members(d, func(name string) (err error) {
				if name != "consentMethod" {
					return skip(d)
				}
				c.method, err = readString(d)
				return err
			})
		case "non_applicable_notice_keys":
			return readStrings(d, func(notice string) { c.notApplicable = c.notApplicable.Union(r.notices[notice]) })
		}
		return skip(d)
	})
	s := c.consent
	s.granted = without(s.granted, c.notApplicable)
	switch c.method {
	case "", "accept", "save", "individual_notice", "button":
	default: // dismiss, gpc, script, acknowledge, and what we do not know
		s.granted = policy.PurposeSet{}
	}
	return s, ok && c.consents
}

func (r *Reader) fidesConsent(d *jsontext.Decoder, notice string, s *said) error {
	purposes := r.notices[notice]
	if purposes.IsEmpty() {
		return skip(d)
	}
	if d.PeekKind() != '"' {
		granted, isBool, err := readBool(d)
		if err == nil && !isBool {
			err = errForm
		}
		if granted {
			s.grant(purposes)
		} else {
			s.deny(purposes)
		}
		return err
	}
	preference, err := readString(d)
	switch preference {
	case "opt_in":
		s.grant(purposes)
	case "acknowledge", "not_applicable", "tcf": // no answer to a question
	default:
		s.deny(purposes)
	}
	return err
}

// unwrapFides returns the JSON of the cookie: bare, in base64, or compressed
// and then in base64 after "gzip:".
func unwrapFides(value string) (string, bool) {
	text, ok := unescape(value)
	if !ok || strings.HasPrefix(text, "{") {
		return text, ok
	}
	packed, isPacked := strings.CutPrefix(text, "gzip:")
	decoded, err := base64.StdEncoding.Strict().DecodeString(packed)
	if err != nil || !isPacked {
		return string(decoded), err == nil
	}
	return inflate(decoded)
}

// inflate returns what one gzip member holds, if nothing follows it and it is
// not too much (CWE-409).
func inflate(packed []byte) (string, bool) {
	source := bytes.NewReader(packed)
	z, err := gzip.NewReader(source)
	if err != nil {
		return "", false
	}
	z.Multistream(false)
	text, err := io.ReadAll(io.LimitReader(z, maxInflated+1))
	if err != nil || len(text) > maxInflated || source.Len() > 0 {
		return "", false
	}
	return string(text), true
}

// readObject reads a text that is one JSON object (RFC 8259, I-JSON: UTF-8
// and no name twice) and calls member for each of its members.
func readObject(text string, member func(d *jsontext.Decoder, name string) error) bool {
	d := jsontext.NewDecoder(strings.NewReader(text))
	if err := members(d, func(name string) error { return member(d, name) }); err != nil {
		return false
	}
	_, err := d.ReadToken()
	return errors.Is(err, io.EOF)
}

// members reads an object and calls member for each of its members, whose
// value it has to read.
func members(d *jsontext.Decoder, member func(name string) error) error {
	return elements(d, '{', '}', member)
}

func readStrings(d *jsontext.Decoder, each func(string)) error {
	return elements(d, '[', ']', func(text string) error {
		each(text)
		return nil
	})
}

// elements reads what is between two brackets. It calls element with each name of
// an object, or each string of an array.
func elements(d *jsontext.Decoder, opening, closing jsontext.Kind, element func(text string) error) error {
	if d.PeekKind() != opening {
		return errForm
	}
	if _, err := d.ReadToken(); err != nil {
		return err
	}
	for d.PeekKind() != closing {
		text, err := readString(d)
		if err != nil {
			return err
		}
		if err := element(text); err != nil {
			return err
		}
	}
	_, err := d.ReadToken()
	return err
}

func readString(d *jsontext.Decoder) (string, error) {
	token, err := d.ReadToken()
	if err != nil {
		return "", err
	}
	if token.Kind() != '"' {
		return "", errForm
	}
	return token.String(), nil
}

// readBool reads a value, and reports whether it is a boolean at all.
func readBool(d *jsontext.Decoder) (set, isBool bool, err error) {
	kind := d.PeekKind()
	return kind == 't', kind == 't' || kind == 'f', skip(d)
}

// skip reads a value of any kind that is not nested too deeply.
func skip(d *jsontext.Decoder) error {
	depth := d.StackDepth()
	for {
		if _, err := d.ReadToken(); err != nil {
			return err
		}
		switch {
		case d.StackDepth() == depth:
			return nil
		case d.StackDepth() > maxDepth:
			return errForm
		}
	}
}
