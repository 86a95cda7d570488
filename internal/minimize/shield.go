package minimize

import (
	"net/http"
	"net/textproto"
	"slices"
	"strings"
)

// Shield deletes from a request, whether it submits something or not, what
// must not reach an application in any mode: headers that only we may set, and
// an offer of h2c, after which the client would talk to the application past us
// (RFC 9113 has dropped it; "h2c smuggling").
func (*Engine) Shield(r *http.Request) {
	h := r.Header
	for name := range h {
		as := readAs(name)
		if as == "Http2-Settings" || len(as) > 8 && strings.EqualFold(as[:8], "Privacy-") {
			delete(h, name)
		}
	}
	if slices.ContainsFunc(h["Upgrade"], offersH2C) {
		delete(h, "Upgrade")
	}
}

// ShieldExcepted is [Engine.Shield] for a request that `except` covers. When the
// engine enforces, it also deletes the headers by which an application takes the
// request for one to another path, which may be declared. The method that a header
// says goes on.
func (e *Engine) ShieldExcepted(r *http.Request) {
	e.Shield(r)
	if e.Mode == Enforce {
		deleteOverrides(r.Header, e.trusts(r), true)
	}
}

func (e *Engine) trusts(r *http.Request) bool { return e.Trusted != nil && e.Trusted(r) }

// deleteOverrides deletes the headers by which an application takes a request for
// another one: of another method unless keepMethod is set, of another path or host.
// A trusted proxy may still name another path or host.
func deleteOverrides(h http.Header, trusted, keepMethod bool) {
	for name := range h {
		switch readAs(name) {
		case "X-Http-Method-Override", "X-Http-Method", "X-Method-Override":
			if !keepMethod {
				delete(h, name)
			}
		case "X-Original-Url", "X-Rewrite-Url":
			delete(h, name)
		case "Forwarded", "X-Forwarded-Prefix", "X-Forwarded-Uri", "X-Forwarded-Path", "X-Forwarded-Server",
			"X-Original-Uri", "X-Original-Host", "X-Script-Name", "X-Host", "X-Http-Host-Override":
			if !trusted {
				delete(h, name)
			}
		}
	}
}

// readAs returns the name that an application may take a header's for: to
// CGI and its heirs (PHP, WSGI, Rack) '-', '_' and at times '.' are one.
func readAs(name string) string {
	if strings.IndexByte(name, '_') < 0 && strings.IndexByte(name, '.') < 0 {
		return name
	}
	return textproto.CanonicalMIMEHeaderKey(strings.NewReplacer("_", "-", ".", "-").Replace(name))
}

// offersH2C looks into a list: who lets WebSockets pass must not let pass
// what is offered beside them.
func offersH2C(upgrade string) bool {
	for protocol := range strings.SplitSeq(upgrade, ",") {
		if strings.EqualFold(strings.Trim(protocol, " \t"), "h2c") {
			return true
		}
	}
	return false
}

// purify deletes the headers of a submission by which an application could
// read it otherwise than we do (internal/submission/RULES.md, "The request").
func purify(h http.Header) {
	for _, value := range h["Connection"] {
		for name := range strings.SplitSeq(value, ",") {
			delete(h, textproto.CanonicalMIMEHeaderKey(strings.Trim(name, " \t")))
		}
	}
	for name := range h {
		switch name {
		case "Connection", "Keep-Alive", "Proxy-Connection", "Te", "Trailer", "Transfer-Encoding", "Upgrade", "Expect":
			delete(h, name)
		default:
			// CherryPy takes Content_Type for the real one.
			if strings.ContainsAny(name, "_.") {
				delete(h, name)
			}
		}
	}
}
