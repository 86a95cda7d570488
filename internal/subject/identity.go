package subject

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/nyaruka/phonenumbers"
	"golang.org/x/net/idna"
	"golang.org/x/text/unicode/norm"

	"github.com/modicum-proxy/modicum/internal/consent"
)

// Named returns the pseudonyms of a person that the operator names by an
// e-mail address, a telephone number (of a country, ISO 3166-1, when it has no
// code), a user of a login and its realm, or the value of our cookie. Errors
// do not contain the value.
func (k *Keys) Named(id Identity, country string) ([]consent.Subject, error) {
	if id.Realm != "" && id.Kind != ByUser {
		return nil, errors.New("only a user has a realm")
	}
	switch id.Kind {
	case ByCookie:
		c, ok := k.parseCookie(strings.TrimPrefix(id.Value, CookieName+"="))
		if !ok {
			return nil, errors.New("it is no cookie that was signed with one of our keys")
		}
		return []consent.Subject{c.Subject()}, nil
	case ByUser:
		if id.Value == "" || id.Realm == "" {
			return nil, errors.New("a user needs a name and a realm: the token's issuer, the value of `realm`, or the site's host")
		}
		return k.Subjects(id), nil
	case ByEmail, ByPhone:
		normalized, ok := Normalize(id.Kind, id.Value, country)
		if !ok {
			return nil, fmt.Errorf("it is not spelled as one: expected name@domain, or a telephone number such as +49 30 1234567")
		}
		return k.Subjects(normalized), nil
	}
	return nil, fmt.Errorf("expected %s, %s, %s or %s", ByEmail, ByPhone, ByUser, ByCookie)
}

// Normalize returns an e-mail address or a telephone number in its canonical
// spelling, so that a person has one pseudonym however they write it. It
// returns false for anything that an application might read as a different
// address than we do, such as "<ada@shop.example>", a list, or a domain that
// ends in a dot: that could hide who the person is. Country (ISO 3166-1)
// applies to numbers without a country code.
func Normalize(kind Kind, value, country string) (Identity, bool) {
	switch kind {
	case ByEmail:
		text := strings.TrimSpace(value)
		if norm.NFKC.String(text) != norm.NFC.String(text) || strings.ContainsRune(text, 'İ') { // whose lower case is i
			return Identity{}, false
		}
		local, domain, _ := strings.Cut(strings.ToLower(norm.NFC.String(text)), "@")
		ascii, err := idna.Lookup.ToASCII(domain)
		if err != nil || !isLocalPart(local) || !isDomain(ascii) {
			return Identity{}, false
		}
		return Identity{Kind: kind, Value: local + "@" + ascii}, true
	case ByPhone:
		value = strings.TrimSpace(value) // as in what is forwarded
		if _, behind, several := strings.Cut(value, "/"); several && len(behind) < 3 {
			return Identity{}, false // "1234567/8" is two numbers
		}
		if strings.ContainsFunc(value, func(r rune) bool { return (r < '0' || r > '9') && !strings.ContainsRune("+ ()-./\u00a0", r) }) {
			return Identity{}, false
		}
		number, err := phonenumbers.Parse(value, country)
		if err != nil || !phonenumbers.IsPossibleNumber(number) {
			return Identity{}, false
		}
		return Identity{Kind: kind, Value: phonenumbers.Format(number, phonenumbers.E164)}, true
	case ByCookie, ByUser:
	}
	return Identity{}, false
}

// isLocalPart reports whether a text is a local part that needs no quotes: a
// dot-atom of RFC 5322, section 3.2.3, with letters of all scripts (RFC 6531).
func isLocalPart(text string) bool {
	return isDotted(text) && !strings.ContainsFunc(text, func(r rune) bool {
		if r == 'ı' || unicode.In(r, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector) {
			return true // an i to some, or nothing that anybody sees
		}
		return !unicode.In(r, unicode.L, unicode.M, unicode.Nd) && !strings.ContainsRune("!#$%&'*+-./=?^_`{|}~", r)
	})
}

// isDomain reports whether a text is the name of a host, in ASCII.
func isDomain(text string) bool {
	return isDotted(text) && !strings.ContainsFunc(text, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' && r != '.'
	})
}

// isDotted reports whether a text consists of parts with dots between them.
func isDotted(text string) bool { return !slices.Contains(strings.Split(text, "."), "") }
