package minimize

import (
	"hash/maphash"
	"net/http"
	"sync/atomic"

	"github.com/modicum-proxy/modicum/internal/policy"
)

// Headers of ours. They are deleted from what clients send.
const (
	headerPurpose  = "Privacy-Purpose"
	headerStripped = "Privacy-Stripped"
	headerReceipt  = "Privacy-Receipt"
)

// Announce sets the response headers that say what is collected and what was
// left out, over any of these names that the application set.
func (s *Submission) Announce(h http.Header) {
	if s.Mode == Report {
		return
	}
	s.mu.Lock()
	answer := s.answer
	s.mu.Unlock()
	for name, values := range answer {
		h[name] = append(h[name], values...)
		if isSafe(s.r.Method) {
			h.Set("Cache-Control", "no-store") // the cookie is one person's
		}
	}
	delete(h, headerPurpose)
	delete(h, headerStripped)
	delete(h, headerReceipt)
	if s.engine.Notice != "" && s.Collection != nil {
		s.addLink(h)
	}
	if s.decision != nil && s.decision.header != "" {
		s.header(h, headerPurpose, valueToldPurpose, s.decision.header)
	}
	if s.Receipt == "" {
		return
	}
	s.header(h, headerReceipt, valueToldReceipt, `"`+s.Receipt+`"`)
	if stripped, _ := s.leftOut(); stripped != "" {
		s.header(h, headerStripped, valueToldStripped, stripped)
	}
}

// addLink adds the Link to the notice (RFC 8288).
func (s *Submission) addLink(h http.Header) {
	var buf [128]byte
	link := s.engine.text(append(append(append(buf[:0], '<'), s.engine.Notice...), `>; rel="privacy-policy"`...))
	if others := h["Link"]; len(others) > 0 {
		h["Link"] = append(others, link)
	} else {
		s.header(h, "Link", valueLink, link)
	}
}

// Conceal removes what no field declares from the headers of a response, for
// anyone other than the sender: servers log them. It is for the time between
// the response and Close.
func (s *Submission) Conceal(h http.Header) {
	if h[headerStripped] == nil || s.Mode == Report || s.engine.ShowUndeclared {
		return
	}
	if _, declared := s.leftOut(); declared != "" {
		h.Set(headerStripped, declared)
	} else {
		h.Del(headerStripped)
	}
}

// leftOut returns the headers that name what was left out, as far as that is
// known when the application answers.
func (s *Submission) leftOut() (stripped, declared string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stripped, s.declared
}

// maxStripped bounds the header that names what was left out, in bytes: servers
// in front of us accept only so much of headers.
const maxStripped = 2 << 10

// strippedHeaders returns Privacy-Stripped for the sender, and without what no
// field declares.
func strippedHeaders(s *Submission) (all, declared string) {
	if s.decision == nil || !s.work.report.StrippedAny() {
		return "", ""
	}
	all = strippedHeader(s, true)
	if s.work.report.Undeclared == 0 {
		return all, all
	}
	return all, strippedHeader(s, false)
}

// strippedHeader names what was left out; undeclared adds the names that no
// field declares, which are for the sender alone. It ends by saying whether
// there was more.
func strippedHeader(s *Submission, undeclared bool) string {
	b, report := s.work.header[:0], &s.work.report
	more := !undeclared && report.Undeclared > 0 || report.More()
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
	if undeclared {
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
	if undeclared && report.Undeclared > 0 {
		return string(b) // what a client made up is not kept
	}
	return s.engine.text(b)
}

// texts are the last texts of headers. Most submissions to a site lack the same
// fields.
type texts [64]atomic.Pointer[string]

// text returns b as a string, whose memory is shared if the text came before.
func (e *Engine) text(b []byte) string {
	last := &e.texts[maphash.Bytes(e.Policies.seed, b)%uint64(len(e.texts))]
	if text := last.Load(); text != nil && *text == string(b) {
		return *text
	}
	text := string(b)
	last.Store(&text)
	return text
}
