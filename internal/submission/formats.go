package submission

import (
	"bytes"
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/nyaruka/phonenumbers"
)

// The formats of the types. Each is as narrow as honest clients allow, for
// what an allowed field takes, it can be made to carry.

// isEmail is RFC 5321's Mailbox with a dot-atom before the @, and letters
// beyond ASCII as RFC 6531 has them. No display name, comment, quoted part.
func isEmail(s []byte) bool {
	at := bytes.LastIndexByte(s, '@')
	if at < 1 || at > 64 || len(s) > 254 || !isHostname(s[at+1:]) {
		return false
	}
	dot := true // so that the first character is none
	for _, c := range s[:at] {
		if c == '.' && dot || c < utf8.RuneSelf && c != '.' && !isAlphanumeric(c) && strings.IndexByte("!#$%&'*+-/=?^_`{|}~", c) < 0 {
			return false
		}
		dot = c == '.'
	}
	return !dot && isPrintable(s[:at])
}

// isDomain is a host name of two labels or more.
func isDomain(s []byte) bool { return bytes.IndexByte(s, '.') > 0 && isHostname(s) }

// isHostname is RFC 1123's host name, with letters beyond ASCII for the
// clients that leave it to others to encode them. The last label is no
// number: 192.0.2.1 is no name.
func isHostname(s []byte) bool {
	if len(s) == 0 || len(s) > 253 {
		return false
	}
	numeric := false
	for rest, more := s, true; more; {
		var label []byte
		label, rest, more = bytes.Cut(rest, []byte("."))
		if len(label) == 0 || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		numeric = true
		for _, c := range label {
			if c < utf8.RuneSelf && c != '-' && !isAlphanumeric(c) {
				return false
			}
			numeric = numeric && c-'0' < 10
		}
	}
	return !numeric && isPrintable(s)
}

func isPrintable(s []byte) bool {
	return utf8.Valid(s) && !bytes.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) })
}

// e164 reads a phone number as people write it, and spells it as E.164. An
// extension has no place there, and neither do letters.
func e164(s []byte, region string) ([]byte, bool) {
	if len(s) > 40 || bytes.IndexFunc(s, func(r rune) bool { return !strings.ContainsRune("+0123456789 ()-./\u00a0\u2010\u2011\u2012\u2013", r) }) >= 0 {
		return nil, false
	}
	number, err := phonenumbers.Parse(string(s), region)
	if err != nil || phonenumbers.IsPossibleNumberWithReason(number) != phonenumbers.IS_POSSIBLE {
		return nil, false
	}
	return []byte(phonenumbers.Format(number, phonenumbers.E164)), true
}

// precision is how far a date goes.
type precision int

const (
	precisionNone precision = iota
	precisionYear
	precisionMonth
	precisionDay
)

// datePrecision reads YYYY, YYYY-MM, YYYY-MM-DD, and behind the day a time
// as RFC 3339 or HTML's datetime-local writes it.
func datePrecision(s []byte) precision {
	year, s, ok := cutNumber(s, 4, 0, 9999)
	if !ok {
		return precisionNone
	}
	if len(s) == 0 {
		return precisionYear
	}
	month, s, ok := cutNumber(cutByte(s, "-"), 2, 1, 12)
	if !ok {
		return precisionNone
	}
	if len(s) == 0 {
		return precisionMonth
	}
	days := 31
	switch month {
	case 4, 6, 9, 11:
		days = 30
	case 2:
		days = 28
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			days = 29
		}
	}
	_, s, ok = cutNumber(cutByte(s, "-"), 2, 1, days)
	if !ok || len(s) > 0 && !isTime(cutByte(s, "Tt ")) {
		return precisionNone
	}
	return precisionDay
}

// isTime is HH:MM with or without seconds, their fraction and an offset.
func isTime(s []byte) bool {
	_, s, ok := cutNumber(s, 2, 0, 23)
	if !ok {
		return false
	}
	if _, s, ok = cutNumber(cutByte(s, ":"), 2, 0, 59); !ok {
		return false
	}
	if seconds := cutByte(s, ":"); seconds != nil {
		if _, s, ok = cutNumber(seconds, 2, 0, 60); !ok {
			return false
		}
		if fraction := cutByte(s, "."); fraction != nil {
			var digits []byte
			if digits, s = cutDigits(fraction); len(digits) == 0 || len(digits) > 9 {
				return false
			}
		}
	}
	if len(s) == 0 || string(s) == "Z" || string(s) == "z" {
		return true
	}
	if _, s, ok = cutNumber(cutByte(s, "+-"), 2, 0, 23); !ok {
		return false
	}
	_, s, ok = cutNumber(cutByte(s, ":"), 2, 0, 59)
	return ok && len(s) == 0
}

// cutByte returns what follows the first byte, nil if that is none of set.
func cutByte(s []byte, set string) []byte {
	if len(s) == 0 || strings.IndexByte(set, s[0]) < 0 {
		return nil
	}
	return s[1:]
}

// cutNumber reads a number of so many digits that lies between low and high.
func cutNumber(s []byte, size, low, high int) (n int, rest []byte, ok bool) {
	if len(s) < size {
		return 0, nil, false
	}
	for _, c := range s[:size] {
		if c-'0' > 9 {
			return 0, nil, false
		}
		n = n*10 + int(c-'0')
	}
	return n, s[size:], low <= n && n <= high
}

// maxSafe is 2^53 − 1, the largest integer that every JSON parser reads alike.
const maxSafe = "9007199254740991"

// isInteger takes a number in one spelling only: no sign on zero, no
// fraction, no exponent, nothing that a float cannot hold.
func isInteger(s []byte) bool {
	digits, negative := bytes.CutPrefix(s, []byte("-"))
	if len(digits) == 0 || digits[0] == '0' && (negative || len(digits) > 1) {
		return false
	}
	if n, rest := cutDigits(digits); len(n) == 0 || len(rest) > 0 {
		return false
	}
	return len(digits) < len(maxSafe) || len(digits) == len(maxSafe) && string(digits) <= maxSafe
}

func isNumber(s []byte) bool {
	_, ok := parseDecimal(s)
	return ok
}

func isBoolean(s []byte) bool {
	switch len(s) {
	case 1:
		return s[0] == '0' || s[0] == '1'
	case 2, 3, 4, 5:
		for _, word := range [...]string{"true", "false", "on", "off", "yes", "no"} {
			if strings.EqualFold(word, string(s)) {
				return true
			}
		}
	}
	return false
}

// isTrue reports whether a boolean means yes.
func isTrue(s []byte) bool {
	for _, word := range [...]string{"1", "true", "on", "yes"} {
		if strings.EqualFold(word, string(s)) {
			return true
		}
	}
	return false
}

// isURL takes absolute ones of the web. User information is a password in
// most cases, and a disguise for the host in the others.
func isURL(s []byte) bool {
	scheme, _, ok := bytes.Cut(s, []byte("://"))
	if !ok || !strings.EqualFold(string(scheme), "https") && !strings.EqualFold(string(scheme), "http") {
		return false
	}
	if bytes.ContainsAny(s, " \t\r\n\\") {
		return false
	}
	u, err := url.Parse(string(s))
	return err == nil && u.User == nil && u.Hostname() != ""
}

// isUUID is the text form of RFC 9562.
func isUUID(s []byte) bool {
	if len(s) != 36 {
		return false
	}
	for i, c := range s {
		switch i {
		case 8, 13, 18, 23:
			if c != '-' {
				return false
			}
		default:
			if c-'0' > 9 && (c|0x20 < 'a' || c|0x20 > 'f') {
				return false
			}
		}
	}
	return true
}
