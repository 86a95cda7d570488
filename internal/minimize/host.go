package minimize

import (
	"net/http"
	"net/netip"
	"strings"
)

// maxHost is the most bytes of a name (RFC 1035, section 2.3.4).
const maxHost = 253

// isHost reports whether a host is a name, an IPv4 address or an IPv6 address
// in brackets, with at most a port. Servers disagree on anything else: of
// "[shop.example]" Caddy takes the brackets off.
func isHost(host string) bool {
	if literal, ok := strings.CutPrefix(host, "["); ok {
		address, rest, closed := strings.Cut(literal, "]")
		ip, err := netip.ParseAddr(address)
		if !closed || err != nil || !ip.Is6() || ip.Zone() != "" {
			return false
		}
		return rest == "" || rest[0] == ':' && isPort(rest[1:])
	}
	name, port, hasPort := strings.Cut(host, ":")
	if hasPort && !isPort(port) {
		return false
	}
	name = strings.TrimSuffix(name, ".")
	if name == "" || len(name) > maxHost {
		return false
	}
	label := 0
	for i := range len(name) {
		switch c := name[i]; {
		case c == '.' && label == 0:
			return false
		case c == '.':
			label = 0
		case isAlpha(c), '0' <= c && c <= '9', c == '-', c == '_':
			label++
		default:
			return false
		}
	}
	return label > 0
}

func isPort(text string) bool {
	for i := range len(text) {
		if text[i] < '0' || text[i] > '9' {
			return false
		}
	}
	return text != "" && len(text) <= len("65535")
}

// hostname returns a host that [isHost] accepts without its port, its brackets
// and the dot that may end a name (RFC 1034, section 3.1): with and without it
// is one host.
func hostname(host string) string {
	if literal, ok := strings.CutPrefix(host, "["); ok {
		address, _, _ := strings.Cut(literal, "]")
		return address
	}
	name, _, _ := strings.Cut(host, ":")
	return strings.TrimSuffix(name, ".")
}

// Hostname returns the name of the host that a request is for, as one host is
// always spelled. The request has passed [NormalizeTarget].
func Hostname(r *http.Request) string { return strings.ToLower(hostname(r.Host)) }
