package submission

const hexDigits = "0123456789ABCDEF"

// appendJSONString writes s, valid UTF-8, as a JSON string. '&', ';' and
// '=' go as escapes: Bottle reads any body as a form, and must find neither
// a separator nor a name in ours.
func appendJSONString[S string | []byte](dst []byte, s S) []byte {
	dst = append(dst, '"')
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			dst = append(dst, '\\', c)
		case c < 0x20 || c == '&' || c == ';' || c == '=' || c == 0x7f:
			dst = append(dst, '\\', 'u', '0', '0', hexDigits[c>>4]|0x20, hexDigits[c&15]|0x20)
		default:
			dst = append(dst, c)
		}
	}
	return append(dst, '"')
}

// appendFormEscaped writes s percent-encoded, all but RFC 3986's unreserved
// characters.
func appendFormEscaped(dst, s []byte) []byte {
	for i := 0; i < len(s); {
		if c := s[i]; !unreserved[c] {
			dst = append(dst, '%', hexDigits[c>>4], hexDigits[c&15])
			i++
			continue
		}
		n := skipUnreserved(s, i+1)
		dst = append(dst, s[i:n]...)
		i = n
	}
	return dst
}

// unreserved is RFC 3986, section 2.3.
var unreserved = func() (table [256]bool) {
	for _, c := range []byte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~") {
		table[c] = true
	}
	return table
}()
