package consent

import (
	"errors"
	"fmt"
	"strings"

	"github.com/nyaruka/phonenumbers"
	"golang.org/x/net/idna"
	"golang.org/x/text/unicode/norm"
)

// Named returns the pseudonyms of a person whom the operator names: by an
// e-mail address, a telephone number (of a country, ISO 3166-1, when it has no
// code), a user of the login, or the value of our cookie. Errors do not hold
// the value.
func (k *Keys) Named(kind Kind, value, country string) ([]Subject, error) {
	switch kind {
	case ByCookie:
		c, ok := k.parseCookie(strings.TrimPrefix(value, CookieName+"="))
		if !ok {
			return nil, errors.New("it is no cookie that was signed with one of our keys")
		}
		return []Subject{c.subject()}, nil
	case ByUser:
		if value == "" {
			return nil, errors.New("expected the name of a user")
		}
		return k.Subjects(Identity{Kind: kind, Value: value}), nil
	case ByEmail, ByPhone:
		id, ok := spelled(kind, value, country)
		if !ok {
			return nil, fmt.Errorf("it is not spelled as one: expected name@domain, or a telephone number such as +49 30 1234567")
		}
		return k.Subjects(id), nil
	}
	return nil, fmt.Errorf("expected %s, %s, %s or %s", ByEmail, ByPhone, ByUser, ByCookie)
}

// spelled returns an e-mail address or a telephone number in the one spelling
// that it has, so that a person has one pseudonym however they write it.
func spelled(kind Kind, value, country string) (Identity, bool) {
	switch kind {
	case ByEmail:
		local, domain, ok := strings.Cut(strings.ToLower(norm.NFC.String(strings.TrimSpace(value))), "@")
		ascii, err := idna.Lookup.ToASCII(domain)
		if !ok || err != nil || local == "" || ascii == "" || strings.Contains(domain, "@") {
			return Identity{}, false
		}
		return Identity{Kind: kind, Value: local + "@" + ascii}, true
	case ByPhone:
		number, err := phonenumbers.Parse(value, country)
		if err != nil || !phonenumbers.IsPossibleNumber(number) {
			return Identity{}, false
		}
		return Identity{Kind: kind, Value: phonenumbers.Format(number, phonenumbers.E164)}, true
	case ByCookie, ByUser:
	}
	return Identity{}, false
}
