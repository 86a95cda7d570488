package minimize

import (
	"net/http"
	"slices"
	"strings"
	"unicode"

	"github.com/modicum-proxy/modicum/internal/policy"
	"github.com/modicum-proxy/modicum/internal/submission"
)

// overridable are the methods that a POST can be taken for.
var overridable = []string{http.MethodPut, http.MethodPatch, http.MethodDelete}

// override is the method that a POST says it is to be taken for.
type override struct {
	header      string // in a header; empty: none
	possible    bool   // the query or the body may say one that leads to a collection
	elsewhere   string // without method_override, the collection of another method of an undeclared path; empty: none
	keepsHeader bool   // the header goes on
}

// saysMethod reads the headers by which a POST says another method, and reports
// whether it is refused for that. Without method_override, it is where the method
// leads to another collection; elsewhere the headers are deleted.
func (e *Engine) saysMethod(r *http.Request, to *destination) (refused bool) {
	said, hop := methodHeaders(r.Header)
	if hop && e.MethodOverride {
		to.refusal = methodOverride("a header says another method, and Connection says that it ends here")
		return true
	}
	if e.MethodOverride {
		to.override.keepsHeader = true
		for _, method := range overridable {
			if other := lookup(to.edition.Set, r, method, to.paths); other.Collection != nil && wholeOf(to.collection) == nil {
				to.override.possible = true
				to.mode = min(to.mode, e.modeOf(other.Collection)) // Enforce, if one of them is enforced
			}
		}
		to.override.header, to.refusal = agree(said)
		another := to.override.header != "" && to.override.header != http.MethodPost
		to.override.possible = to.override.possible || another && wholeOf(to.collection) == nil
		if another && !to.override.possible {
			to.refusal = methodOverride("a header says another method, and what passes whole here is not read")
		}
		return to.refusal != nil
	}
	for _, method := range said {
		other := lookup(to.edition.Set, r, strings.TrimSpace(method), to.paths)
		if other.Collection == nil || other.Collection == to.collection && !other.Ambiguous {
			continue
		}
		to.mode = min(to.mode, e.modeOf(other.Collection))
		to.refusal = methodOverride("a header says another method, which leads to the collection " + other.Collection.Name)
		to.refusal.Remedy = remedyOverride
		return true
	}
	if to.collection != nil || e.Undeclared != Pass && e.Uninspected != Pass {
		return false
	}
	for _, method := range overridable {
		if other := lookup(to.edition.Set, r, method, to.paths); other.Collection != nil {
			to.mode = min(to.mode, e.modeOf(other.Collection))
			to.override.elsewhere = other.Collection.Name
		}
	}
	return false
}

// checkUnread refuses a POST that would go on unread, because no collection declares
// it, although it may say a method that is declared for its path: an application that
// honours it would get fields past that collection.
func (e *Engine) checkUnread(r *http.Request, to *destination) *submission.Error {
	if to.override.elsewhere == "" {
		return nil
	}
	media, err := submission.ParseMedia(r.Header)
	readable := err != nil || media.Kind != submission.MediaOther
	if saysMethodInQuery(r.URL.RawQuery) || e.Undeclared == Pass && hasBody(r) && readable {
		refusal := methodOverride("no collection declares the POST, and it could say a method (_method) that the collection " + to.override.elsewhere + " declares for this path")
		refusal.Remedy = "declare the POST; or, if the application honours _method, set method_override on"
		return refusal
	}
	return nil
}

// saysMethodInQuery reports whether a query may have the field that overrides the
// method, as the laxest application reads its names: with escapes of escapes, beside
// what cannot be decoded, behind blanks, and with other signs for the underscore (PHP).
func saysMethodInQuery(query string) bool {
	for pair := range strings.FieldsFuncSeq(query, func(r rune) bool { return r == '&' || r == ';' }) {
		name, _, _ := strings.Cut(pair, "=")
		for range 3 {
			name = policy.DecodeLeniently(strings.ReplaceAll(name, "+", " "))
		}
		name = strings.TrimLeft(name, " ")
		letters := strings.Map(func(r rune) rune {
			if unicode.IsLetter(r) || unicode.IsDigit(r) {
				return r
			}
			return -1
		}, name)
		if !strings.HasPrefix(name, "m") && !strings.HasPrefix(name, "M") && strings.EqualFold(letters, "method") {
			return true
		}
	}
	return false
}

// methodHeaders returns the methods that the headers say, in any spelling of their
// names, and whether Connection takes one of them away before the application.
func methodHeaders(h http.Header) (said []string, hop bool) {
	for name, values := range h {
		if !isMethodHeader(name) {
			continue
		}
		said = append(said, values...)
		for _, connection := range h["Connection"] {
			for listed := range strings.SplitSeq(connection, ",") {
				hop = hop || strings.EqualFold(strings.Trim(listed, " \t"), name)
			}
		}
	}
	return said, hop
}

// isMethodHeader reports whether a header says another method.
func isMethodHeader(name string) bool {
	switch readAs(name) {
	case "X-Http-Method-Override", "X-Http-Method", "X-Method-Override":
		return true
	}
	return false
}

const remedyOverride = "if the application honours it, set method_override on; if nothing is to be minimized there, add the path to except"

// agree returns the method that all of what was said means, in capitals; empty:
// nothing was said.
func agree(said []string) (string, *submission.Error) {
	method := ""
	for _, text := range said {
		switch one := strings.ToUpper(strings.Trim(text, " \t")); {
		case one == "":
		case one != http.MethodPost && !slices.Contains(overridable, one):
			return "", methodOverride("a POST can be taken for PUT, PATCH or DELETE, and for no other method")
		case method != "" && method != one:
			return "", methodOverride("the request says two methods")
		default:
			method = one
		}
	}
	return method, nil
}

// takeMethod leads a POST to the collection of the method that its headers, its
// query and its body say. If the POST has a collection of its own, a field passes
// only if both collections let it.
func (e *Engine) takeMethod(s *Submission, doc *document) error {
	to := &s.work.to
	values, err := to.edition.methods.read(s.work, doc, e.Limits)
	if err != nil {
		return err
	}
	if doc.media.Kind == submission.MediaRaw {
		another := to.override.header != "" && to.override.header != http.MethodPost
		if another || slices.ContainsFunc(values, func(v selected) bool { return v.query.given }) {
			return methodOverride("a header or the query says another method, and what is accepted with read: pass is not read")
		}
		return nil
	}
	said := []string{to.override.header}
	for _, v := range values {
		if v.query.odd || v.body.odd {
			return methodOverride("the field that overrides the method comes with two values, a long one, or none")
		}
		said = append(said, v.query.text, v.body.text)
	}
	method, refusal := agree(said)
	if refusal != nil {
		return refusal
	}
	own := to.collection
	if method != "" && method != http.MethodPost {
		other := lookup(s.Set, s.r, method, to.paths)
		switch {
		case other.Ambiguous:
			return methodOverride("the method that is said leads to two collections")
		case other.Collection == nil && own != nil:
			return methodOverride("the method that is said leads to no collection")
		case to.division != nil && other.Division == to.division:
			return nil // a value chooses, whatever the method
		case to.division != nil || other.Division != nil:
			return methodOverride("the method that is said leads to or from a route that several collections share (when)")
		case wholeOf(other.Collection) != nil:
			return methodOverride("the method that is said leads to the collection " + other.Collection.Name + ", where requests pass whole")
		}
		to.collection, to.pattern = other.Collection, other.Pattern
		s.Collection, s.on = to.collection, to.pattern
		if own != nil && own != to.collection {
			to.also = own
		}
	}
	if to.collection == nil {
		// The body has been read, so it cannot pass as it came.
		to.rejected = doc.hasBody && e.Undeclared != Strip
		if to.rejected && s.Mode == Enforce {
			refusal := e.undeclaredBody(s.r, to)
			if method != "" {
				refusal.Detail = "no collection of the policy declares this path for " + method + ", the method that is said"
			}
			return refusal
		}
		return nil
	}
	s.Verdict = Minimized
	return nil
}

// checkMethod refuses a form that asks the application to take it for a
// request of another method, if that leads to another collection.
func checkMethod(s *Submission) error {
	report := &s.work.report
	for _, i := range s.decision.method {
		method, ok := report.Watched(i)
		if report.Unclear(i) {
			return methodOverride("the field that overrides the method comes with two values or a long one")
		}
		// What the rule of the field makes of it has no white space.
		if method = strings.TrimSpace(method); !ok || method == "" {
			continue
		}
		other := lookup(s.Set, s.r, method, s.work.to.paths)
		if other.Collection != nil && (!other.Holds(s.Collection) || other.Ambiguous) {
			refusal := methodOverride("the field that overrides the method leads to the collection " + other.Collection.Name + ", whose fields are others")
			refusal.Remedy = remedyOverride
			// The other collection is not to be reached through one that is only reported.
			refusal.Final = s.engine.modeOf(other.Collection) == Enforce
			return refusal
		}
	}
	return nil
}

func methodOverride(detail string) *submission.Error {
	return refused(http.StatusBadRequest, "method-override", detail)
}

// implied returns the fields that override the method, where "**" lets them
// pass although the policy does not name them: they are checked all the same.
func implied(c *policy.Collection) []submission.Field {
	open := slices.IndexFunc(c.Fields, func(f policy.Field) bool { return len(f.Path) == 1 && f.Path[0].Kind == policy.Subtree })
	if open < 0 || slices.ContainsFunc(c.Fields, func(f policy.Field) bool { return overridesMethod(pathOf(f.Path)) }) {
		return nil
	}
	var fields []submission.Field
	for _, name := range []string{"_method", "_METHOD"} {
		fields = append(fields, submission.Field{Path: []submission.Segment{{Text: name}}, Name: name, Implied: &open})
	}
	return fields
}

// overridesMethod reports whether applications take the value of a field for
// the method of the request: as _method, and Slim as _METHOD.
func overridesMethod(path []submission.Segment) bool {
	return len(path) == 1 && path[0].Kind == submission.Name && strings.EqualFold(path[0].Text, "_method")
}
