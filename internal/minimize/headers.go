package minimize

import (
	"net/http"
	"net/textproto"
	"slices"
	"strings"

	"github.com/modicum-proxy/modicum/internal/policy"
)

// Headers of ours. They are deleted from what clients send.
const (
	headerPurpose  = "Privacy-Purpose"
	headerStripped = "Privacy-Stripped"
	headerReceipt  = "Privacy-Receipt"
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
// read it otherwise than we do: CANONICAL, "The request".
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

// stale are the headers that speak of bytes which do not go on.
var stale = []string{"Content-Encoding", "Content-Digest", "Repr-Digest", "Digest", "Content-Md5", "Content-Range"}

// tokenList writes names as an RFC 9651 list of tokens, or of strings where
// a name is no token.
func tokenList(names []string) string {
	var b []byte
	for i, name := range names {
		if i > 0 {
			b = append(b, ", "...)
		}
		if isToken(name) {
			b = append(b, name...)
		} else {
			b = appendString(b, name)
		}
	}
	return string(b)
}

func isToken(s string) bool {
	if s == "" || !isAlpha(s[0]) {
		return false
	}
	for i := range len(s) {
		if c := s[i]; !isAlpha(c) && (c < '0' || c > '9') && strings.IndexByte("-_.:/*", c) < 0 {
			return false
		}
	}
	return true
}

func isAlpha(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }

// appendString writes s as an RFC 9651 string, or as a display string when
// it holds more than printable ASCII.
func appendString(b []byte, s string) []byte {
	const hexDigits = "0123456789abcdef"
	display := strings.ContainsFunc(s, func(r rune) bool { return r < 0x20 || r > 0x7e })
	if display {
		b = append(b, '%')
	}
	b = append(b, '"')
	for i := range len(s) {
		switch c := s[i]; {
		case display && (c == '%' || c == '"' || c < 0x20 || c > 0x7e):
			b = append(b, '%', hexDigits[c>>4], hexDigits[c&15])
		case !display && (c == '"' || c == '\\'):
			b = append(b, '\\', c)
		default:
			b = append(b, c)
		}
	}
	return append(b, '"')
}

// maxStripped bounds the header that names what was left out: servers in
// front of us take only so much of headers.
const maxStripped = 2 << 10

// strippedHeader names what was left out; with names also what no field
// declares, which is for the sender alone. It ends by telling that there were
// others. Of what is refused nothing is told, and the report may be of
// another submission then.
func (s *Submission) strippedHeader(names bool) string {
	if s.list == nil || s.Refusal != nil {
		return ""
	}
	b, report := s.work.header[:0], &s.work.report
	more := !names && report.Undeclared > 0 || report.More()
	item := func(name, reason string) {
		if len(b) > maxStripped {
			more = true
			return
		}
		if len(b) > 0 {
			b = append(b, ", "...)
		}
		b = append(append(appendString(b, name), ";reason="...), reason...)
	}
	for i := range report.Outcomes {
		if o := &report.Outcomes[i]; o.Stripped > 0 {
			item(s.Collection.Fields[i].Name, o.Reason)
		}
	}
	if names {
		for name := range report.Names() {
			item(name, policy.ReasonNoPurpose)
		}
	}
	if more {
		if len(b) > 0 {
			b = append(b, ", "...)
		}
		b = append(b, "others;reason=no_purpose"...)
	}
	s.work.header = b
	return string(b)
}
