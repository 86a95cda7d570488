package signal

import (
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/modicum-proxy/modicum/internal/policy"
)

// answer is where a cookie of any platform contains the person's answer, and what
// it is if the person consented.
type answer struct {
	path   policy.Path    // of a JSON value; empty: the whole text is the answer
	equals string         // used if expression is nil
	whole  *regexp.Regexp // matches a whole answer; nil if equals is used
	asSent bool           // the expression is about the text before percent-decoding
}

// newAnswer returns the answer that a policy, which is valid, declares.
func newAnswer(c *policy.Cookie) *answer {
	a := &answer{equals: c.Equals}
	a.path, _ = policy.ParsePath(c.Path)
	if c.Matches != "" {
		a.whole = regexp.MustCompile("^(?:" + c.Matches + ")$")
		a.asSent = len(a.path) == 0 && strings.Contains(c.Matches, "%")
	}
	return a
}

// read reports whether the cookie gives the consent, and whether it could be
// read. A cookie that exists and does not give it refuses it: for us it makes no
// difference which word the platform has for that.
func (a *answer) read(value string) (consents, ok bool) {
	text, ok := unescape(value)
	if !ok || !utf8.ValidString(text) {
		return false, false
	}
	switch {
	case len(a.path) > 0:
		ok = readOne(text, func(d *jsontext.Decoder) error { return a.find(d, a.path, &consents) })
		return consents, ok
	case a.asSent:
		text = value
	}
	return a.is(text), true
}

func (a *answer) is(text string) bool {
	if a.whole != nil {
		return a.whole.MatchString(text)
	}
	return text == a.equals
}

// find reads a JSON value and looks for the consent at a path below it. All of
// the value is read, so that a cookie that is not JSON gives no consent.
func (a *answer) find(d *jsontext.Decoder, path policy.Path, consents *bool) error {
	if len(path) == 0 {
		return a.compare(d, consents)
	}
	if kind := d.PeekKind(); kind == '[' {
		return a.findElement(d, path, consents)
	} else if kind != '{' {
		return skip(d)
	}
	return members(d, func(name string) error {
		if path[0].Kind != policy.Literal || name != path[0].Text {
			return skip(d)
		}
		return a.find(d, path[1:], consents)
	})
}

// findElement is find in a list, whose elements have their index as a name; * is
// the name of all.
func (a *answer) findElement(d *jsontext.Decoder, path policy.Path, consents *bool) error {
	if _, err := d.ReadToken(); err != nil {
		return err
	}
	for i := 0; d.PeekKind() != ']'; i++ {
		below := skip
		if path[0].Kind == policy.Element || path[0].Text == strconv.Itoa(i) {
			below = func(d *jsontext.Decoder) error { return a.find(d, path[1:], consents) }
		}
		if err := below(d); err != nil {
			return err
		}
	}
	_, err := d.ReadToken()
	return err
}

// compare reads the answer. Only a text, a number and a boolean can be one.
func (a *answer) compare(d *jsontext.Decoder, consents *bool) error {
	kind := d.PeekKind()
	if kind != '"' && kind != '0' && kind != 't' && kind != 'f' {
		return skip(d)
	}
	token, err := d.ReadToken()
	if err == nil && a.is(token.String()) {
		*consents = true
	}
	return err
}
