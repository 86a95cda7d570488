package submission

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"net/netip"
	"unicode/utf8"
)

// Generalised data is less data. Each reduction but the pseudonym leaves
// what it made as it is when it meets it again, so that a submission may
// pass two proxies.

// reduced reports whether a value already is what the rule's reduction makes
// of its type: "1990" is no date, but all that keep: year wants of one.
func (r *Rule) reduced(value []byte) bool {
	switch {
	case r.Type == "date" && r.Keep == "year":
		return datePrecision(value) >= precisionYear
	case r.Type == "date" && r.Keep == "month":
		return datePrecision(value) >= precisionMonth
	case r.Type == "email" && r.Keep == "domain":
		return isDomain(value)
	}
	return false
}

// reduce appends what the rule keeps of a value that is not empty. It is
// false for a value that does not fit the reduction.
func (r *Rule) reduce(dst, value []byte, k kind) (out []byte, as kind, ok bool) {
	if k == kindBoolean && r.Keep != "" && r.Keep != "pseudonym" {
		return dst, k, false
	}
	switch r.Keep {
	case "":
		return append(dst, value...), k, true
	case "year":
		if datePrecision(value) < precisionYear {
			return dst, k, false
		}
		return append(dst, value[:len("2006")]...), k, true
	case "month":
		if datePrecision(value) < precisionMonth {
			return dst, k, false
		}
		return append(dst, value[:len("2006-01")]...), k, true
	case "first":
		return append(dst, firstRunes(value, r.N)...), kindText, r.N > 0
	case "last":
		return append(dst, lastRunes(value, r.N)...), kindText, r.N > 0
	case "domain":
		if isEmail(value) {
			value = value[bytes.LastIndexByte(value, '@')+1:]
		}
		return append(dst, value...), k, isDomain(value)
	case "network":
		out, ok = appendNetwork(dst, value)
		return out, k, ok
	case "round":
		out, ok = appendRounded(dst, value, r.N)
		return out, k, ok
	case "pseudonym":
		return appendPseudonym(dst, value, r.Key), kindText, len(r.Key) > 0
	default:
		return dst, k, false
	}
}

func firstRunes(value []byte, n int) []byte {
	end := 0
	for ; n > 0 && end < len(value); n-- {
		_, size := utf8.DecodeRune(value[end:])
		end += size
	}
	return value[:end]
}

func lastRunes(value []byte, n int) []byte {
	start := len(value)
	for ; n > 0 && start > 0; n-- {
		_, size := utf8.DecodeLastRune(value[:start])
		start -= size
	}
	return value[start:]
}

// appendNetwork appends the network of an IP address, /24 or /48, as an
// address, so that an application which expects one goes on working.
func appendNetwork(dst, value []byte) ([]byte, bool) {
	addr, err := netip.ParseAddr(string(value))
	if err != nil || addr.Zone() != "" {
		return dst, false
	}
	addr = addr.Unmap() // ::ffff:192.0.2.1 would keep all of the IPv4 address or none
	size := 48
	if addr.Is4() {
		size = 24
	}
	network, err := addr.Prefix(size)
	if err != nil {
		return dst, false
	}
	return network.Addr().AppendTo(dst), true
}

// appendPseudonym appends a keyed hash: the same for the same value, and
// not to be undone or tried out without the key. Its letters need no escape
// anywhere.
func appendPseudonym(dst, value, key []byte) []byte {
	mac := hmac.New(sha256.New, key)
	mac.Write(value)
	var sum [sha256.Size]byte
	dst = append(dst, "p_"...)
	return base64.RawURLEncoding.AppendEncode(dst, mac.Sum(sum[:0])[:16])
}
