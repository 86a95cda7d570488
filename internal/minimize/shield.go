package minimize

import (
	"net/http"
	"net/textproto"
	"slices"
	"strings"
)

// Shield deletes from a request, whether it submits something or not, what
// must not reach an application: headers that only we may set, and an offer
// of h2c, after which the client would talk to the application past us (RFC
// 9113 has dropped it; "h2c smuggling"). When the engine enforces, also
// those by which an application takes a request for another one: of another
// method, path or host. A trusted proxy may still name another path or host.
func (e *Engine) Shield(r *http.Request) {
	h := r.Header
	for name := range h {
		switch as := readAs(name); as {
		case "Http2-Settings":
			delete(h, name)
		case "X-Http-Method-Override", "X-Http-Method", "X-Method-Override", "X-Original-Url", "X-Rewrite-Url":
			if e.Mode == Enforce {
				delete(h, name)
			}
		case "Forwarded", "X-Forwarded-Prefix", "X-Forwarded-Uri", "X-Forwarded-Path", "X-Forwarded-Server",
			"X-Original-Uri", "X-Original-Host", "X-Script-Name", "X-Host", "X-Http-Host-Override":
			if e.Mode == Enforce && (e.Trusted == nil || !e.Trusted(r)) {
				delete(h, name)
			}
		default:
			if len(as) > 8 && strings.EqualFold(as[:8], "Privacy-") {
				delete(h, name)
			}
		}
	}
	if slices.ContainsFunc(h["Upgrade"], offersH2C) {
		delete(h, "Upgrade")
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
