package minimize

import (
	"net/http"
	"net/netip"
	"strings"

	"github.com/modicum-proxy/modicum/internal/submission"
)

// The rules of requests that have no one reading at all. They hold in every
// mode: such a request cannot be attributed to one application.
const (
	ruleTarget = "request-target"
	ruleHost   = "request-host"
)

// NormalizeTarget returns why the target or the host of a request can be read in
// two ways; nil: they cannot. It comes before anything else looks at the
// request: "GET x:http://shop.example/search?ssn=1" has no path for Go, leads
// to no collection and reaches the application whole.
//
// A target is "*" of OPTIONS, origin-form (RFC 9112, section 3.2.1), or
// absolute-form of http or https with the host of the request. An empty path
// of the latter is made "/" (RFC 9110, section 4.2.3), and a Host header beside
// the host is deleted.
func NormalizeTarget(r *http.Request) *submission.Error {
	if !isHost(r.Host) && (r.Host != "" || r.ProtoAtLeast(1, 1)) {
		return badTarget(ruleHost, "the host is not a name or an address with at most a port: expected name, name:80, 192.0.2.1 or [2001:db8::1]:80")
	}
	for _, host := range r.Header["Host"] {
		if host != r.Host { // of HTTP/2 and 3, which keep it beside :authority
			return badTarget(ruleHost, "the request names two hosts")
		}
	}
	delete(r.Header, "Host")
	u := r.URL
	switch {
	case r.Method == http.MethodOptions && u.Path == "*" && u.Opaque == "" && u.Host == "" && u.RawQuery == "":
		return nil
	case u.Opaque != "" || u.User != nil || u.Fragment != "":
		return badTarget(ruleTarget, "the request target is neither a path nor an http address of this site")
	case u.Scheme == "" && u.Host == "":
	case u.Scheme != "http" && u.Scheme != "https", !isHost(u.Host), !strings.EqualFold(hostname(u.Host), hostname(r.Host)):
		return badTarget(ruleTarget, "the request target is an address of another site or scheme")
	case u.Path == "":
		u.Path = "/"
	}
	if len(u.Path) > maxPath {
		return pathTooLong()
	}
	if !strings.HasPrefix(u.Path, "/") {
		return badTarget(ruleTarget, "the path of the request target does not begin with a slash")
	}
	return nil
}

// maxPath is the most bytes of a path, decoded: reading it loosely takes up to
// half a microsecond for each.
const maxPath = 8 << 10

func pathTooLong() *submission.Error {
	return &submission.Error{Status: http.StatusRequestURITooLong, Rule: ruleTarget, Detail: "the path of the request target is longer than 8 KiB", Offset: -1}
}

func badTarget(rule, detail string) *submission.Error {
	return &submission.Error{Status: http.StatusBadRequest, Rule: rule, Detail: detail, Offset: -1}
}

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
