package minimize

import (
	"net/http"
	"strings"

	"github.com/modicum-proxy/modicum/internal/submission"
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
		return refused(http.StatusBadRequest, ruleHost, "the host is not a name or an address with at most a port: expected name, name:80, 192.0.2.1 or [2001:db8::1]:80")
	}
	for _, host := range r.Header["Host"] {
		if host != r.Host { // of HTTP/2 and 3, which keep it beside :authority
			return refused(http.StatusBadRequest, ruleHost, "the request names two hosts")
		}
	}
	delete(r.Header, "Host")
	u := r.URL
	switch {
	case r.Method == http.MethodOptions && u.Path == "*" && u.Opaque == "" && u.Host == "" && u.RawQuery == "":
		return nil
	case u.Opaque != "" || u.User != nil || u.Fragment != "":
		return refused(http.StatusBadRequest, ruleTarget, "the request target is neither a path nor an http address of this site")
	case u.Scheme == "" && u.Host == "":
	case u.Scheme != "http" && u.Scheme != "https", !isHost(u.Host), !strings.EqualFold(hostname(u.Host), hostname(r.Host)):
		return refused(http.StatusBadRequest, ruleTarget, "the request target is an address of another site or scheme")
	case u.Path == "":
		u.Path = "/"
	}
	if len(u.Path) > maxPath {
		return pathTooLong()
	}
	if !strings.HasPrefix(u.Path, "/") {
		return refused(http.StatusBadRequest, ruleTarget, "the path of the request target does not begin with a slash")
	}
	return nil
}

// maxPath is the most bytes of a path, decoded: reading it loosely takes up to
// half a microsecond for each.
const maxPath = 8 << 10
