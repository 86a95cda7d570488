package minimize

import (
	"net/http"
	"slices"
)

// changedHeaders returns the names of the request headers that enforce would delete
// or change. They are found by doing so, on a copy.
func changedHeaders(s *Submission) []string {
	h := s.work.enforced
	if h == nil {
		h = s.r.Header.Clone()
	}
	deleteOverrides(h, s.engine.trusts(s.r), s.work.to.override.keepsHeader)
	if doc := &s.work.document; s.decision != nil && s.Verdict != Whole && (doc.hasBody || s.stream != nil) {
		piece, disposition := pieceHeaders(s)
		for _, name := range stale {
			delete(h, name)
		}
		if piece != "" {
			h["Content-Range"] = []string{piece}
		}
		if disposition != "" {
			h["Content-Disposition"] = []string{disposition}
		}
	}
	names := slices.Concat(s.work.to.deleted, ChangedHeaders(s.r.Header, h))
	slices.Sort(names)
	return names[:min(len(names), maxChanged)]
}

// maxChanged bounds how many headers are named, and maxHeaderName the bytes of a
// name: clients choose both.
const maxChanged, maxHeaderName = 32, 64

// ChangedHeaders returns the sorted names of the headers that are missing or
// different after a change. It ignores those that a proxy never forwards as they
// came (RFC 9110, section 7.6.1).
func ChangedHeaders(before, after http.Header) []string {
	var names []string
	for name, values := range before {
		switch name {
		case "Connection", "Keep-Alive", "Proxy-Connection", "Te", "Trailer", "Transfer-Encoding", "Expect", "Content-Length":
		default:
			if !slices.Equal(values, after[name]) {
				names = append(names, name[:min(len(name), maxHeaderName)])
			}
		}
	}
	slices.Sort(names)
	return names[:min(len(names), maxChanged)]
}
