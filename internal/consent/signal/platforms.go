package signal

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"io"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/modicum-proxy/modicum/internal/policy"
)

// maxInflated is the most that a compressed cookie may contain.
const maxInflated = 64 << 10

// klaro reads the cookie of Klaro!: {"<service>": true|false}. It is written
// when the person saves a choice.
func (c *cookie) klaro(value string) (said, bool) {
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
			s.grant(c.names[service])
		default:
			s.deny(c.names[service])
		}
		return nil
	})
	return s, ok
}

// unreadable stands for a revision that is not a whole number.
const unreadable = -1

// cookieConsent reads the cookie of CookieConsent, {"categories": [accepted],
// "revision": number, …}: a category that it does not list was not accepted.
func (c *cookie) cookieConsent(value string) (said, bool) {
	var s said
	listed, revision := false, int64(unreadable)
	text, ok := unescape(value)
	ok = ok && readObject(text, func(d *jsontext.Decoder, name string) (err error) {
		switch name {
		case "categories":
			listed = true
			return readStrings(d, func(category string) { s.grant(c.names[category]) })
		case "revision":
			revision, err = readRevision(d)
			return err
		}
		return skip(d)
	})
	s.deny(without(c.about, s.granted))
	for _, r := range c.revisions {
		switch {
		case revision == unreadable:
			s.deny(r.purposes)
		case revision < r.least: // the person agreed to an older text, and will be asked about today's
			s.granted = without(s.granted, r.purposes)
		}
	}
	return s, ok && listed
}

// readRevision reads any value, which is a revision if it is a whole number.
func readRevision(d *jsontext.Decoder) (int64, error) {
	if d.PeekKind() != '0' {
		return unreadable, skip(d)
	}
	token, err := d.ReadToken()
	if err != nil {
		return unreadable, err
	}
	revision, err := strconv.ParseUint(token.String(), 10, 53)
	if err != nil {
		return unreadable, nil //nolint:nilerr // another number, such as 1.5
	}
	return int64(revision), nil
}

// fidesCookie is the part of the cookie of Fides that counts.
type fidesCookie struct {
	consent       said
	notApplicable policy.PurposeSet
	method        string // how the cookie came to be written
	consents      bool   // there is a member "consent"
}

// fides reads the cookie of Fides: {"consent": {"<notice>": true|"opt_in"|…},
// "fides_meta": {"consentMethod": …}, …} (ethyca/fides, fides-js, cookie.ts).
// Its script also writes defaults, before any choice: only a cookie that says that
// a person chose, or that is older than this member, grants.
func (c *cookie) fides(value string) (said, bool) {
	text, ok := unwrapFides(value)
	if !ok {
		return said{}, false
	}
	var f fidesCookie
	ok = readObject(text, func(d *jsontext.Decoder, name string) error {
		switch name {
		case "consent":
			f.consents = true
			return members(d, func(notice string) error { return c.fidesConsent(d, notice, &f.consent) })
		case "fides_meta":
			return members(d, func(name string) (err error) {
				if name != "consentMethod" {
					return skip(d)
				}
				f.method, err = readString(d)
				return err
			})
		case "non_applicable_notice_keys":
			return readStrings(d, func(notice string) { f.notApplicable = f.notApplicable.Union(c.names[notice]) })
		}
		return skip(d)
	})
	s := f.consent
	s.granted = without(s.granted, f.notApplicable)
	switch f.method {
	case "", "accept", "save", "individual_notice", "button":
	default: // dismiss, gpc, script, acknowledge, and unknown ones
		s.granted = policy.PurposeSet{}
	}
	return s, ok && f.consents
}

func (c *cookie) fidesConsent(d *jsontext.Decoder, notice string, s *said) error {
	purposes := c.names[notice]
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

// inflate returns the content of one gzip member, if nothing follows it and it is
// not too large (CWE-409).
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
