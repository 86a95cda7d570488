package minimize

import (
	"io"
	"net/http"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/modicum-proxy/modicum/internal/policy"
	"github.com/modicum-proxy/modicum/internal/submission"
)

// destination is where a request leads.
type destination struct {
	edition    *edition
	collection *policy.Collection // nil: none declares the route
	pattern    string             // that led to the collection
	division   *policy.Division   // nil: no value of the body decides; else collection is one of several
	paths      paths
	submits    bool               // the request submits data, or must be recorded
	unread     bool               // it goes on as it came: the operator decided so
	mode       Mode               // of the collection, or of the site
	override   override           // of the method, which the document may say
	also       *policy.Collection // that of the POST, if another method is said; nil: none
	deleted    []string           // names of headers that report deletes
	rejected   bool               // no collection declares its body, which enforce refuses
	refusal    *submission.Error  // nil: it is not refused for where it leads
	deadline   ReadDeadline       // of a body
}

// route finds where a request leads, and deletes the headers that would make an
// application take it elsewhere.
func (e *Engine) route(w http.ResponseWriter, r *http.Request) destination {
	e.step("route")
	to := e.find(w, r)
	switch {
	case to.mode == Enforce:
		deleteOverrides(r.Header, e.trusts(r), to.override.keepsHeader)
	case to.edition != nil && e.strictest(to.edition.Set) == Enforce:
		// One that is only reported must not lead to one that is enforced.
		before := r.Header.Clone()
		deleteOverrides(r.Header, e.trusts(r), true)
		to.deleted = ChangedHeaders(before, r.Header)
	}
	return to
}

// find finds where a request leads, and whether it submits data: a body, a
// query sent with an unsafe method, or a query to a path that a collection may
// serve. An upgrade always counts as a submission.
func (e *Engine) find(w http.ResponseWriter, r *http.Request) destination {
	to := destination{refusal: NormalizeTarget(r), mode: e.Mode}
	if hasBody(r) {
		to.deadline = NewReadDeadline(w, r)
	}
	e.Shield(r)
	to.edition, to.paths = e.Policies.current.Load(), e.paths(r)
	if to.refusal == nil && to.paths.tooLong() {
		to.refusal = pathTooLong()
	}
	if to.refusal != nil {
		to.submits = true
		return to
	}
	upgrade := isUpgrade(r)
	if !upgrade && (r.Header["Content-Type"] == nil || isSafe(r.Method) || r.Method == http.MethodDelete) {
		e.detectBody(r, to.deadline)
	}
	if !upgrade && !hasBody(r) && r.URL.RawQuery == "" {
		found := to.edition.Match(r.Method, hostname(r.Host), to.paths.now)
		to.collection, to.pattern, to.mode = found.Collection, found.Pattern, e.modeOf(found.Collection)
		if found.Division != nil {
			to.collection = found.Division.Rest
		}
		if r.Method == http.MethodPost && e.saysMethod(r, &to) {
			to.submits = true
		}
		return to
	}
	found := lookup(to.edition.Set, r, r.Method, to.paths)
	to.collection, to.pattern, to.mode = found.Collection, found.Pattern, e.modeOf(found.Collection)
	to.division = found.Division
	to.submits = upgrade || hasBody(r) || !isSafe(r.Method) || to.collection != nil
	if !to.submits {
		return to
	}
	if to.collection == nil && !upgrade && r.ContentLength < 0 {
		e.detectBody(r, to.deadline) // an empty body is none
	}
	if found.Ambiguous {
		to.mode = e.strictest(to.edition.Set)
	}
	if r.Method == http.MethodPost && e.saysMethod(r, &to) {
		return to
	}
	to.unread, to.refusal = e.admit(r, &to, found, upgrade)
	return to
}

// modeOf returns the mode of what a collection declares. nil: none does.
func (e *Engine) modeOf(c *policy.Collection) Mode {
	switch {
	case c == nil || c.Mode == "":
		return e.Mode
	case c.Mode == "report":
		return Report
	}
	return Enforce
}

// strictest returns the mode of a request that several collections may serve: it is
// only reported if all of them are.
func (e *Engine) strictest(set *policy.Set) Mode {
	if e.Mode == Enforce || slices.ContainsFunc(set.Collections, func(c *policy.Collection) bool { return e.modeOf(c) == Enforce }) {
		return Enforce
	}
	return Report
}

// admit decides about a submission by where it leads, before its content: it
// goes on unread, is refused, or is read.
func (e *Engine) admit(r *http.Request, to *destination, found policy.Route, upgrade bool) (unread bool, refusal *submission.Error) {
	if refusal := e.checkPaths(to.paths); refusal != nil {
		return false, refusal
	}
	if refusal := e.checkUnread(r, to); refusal != nil {
		return false, refusal
	}
	declared := to.collection != nil
	switch {
	case found.Ambiguous:
		return false, refused(http.StatusBadRequest, "ambiguous-route",
			"applications that ignore letter case, a final slash, a suffix or invisible characters take the path for that of another collection; "+
				"a pattern that spells the path out makes it a route of its own")
	case declared && to.collection.Whole != nil && found.Loose:
		// What the application serves under another spelling may be another route.
		return false, refused(http.StatusBadRequest, "ambiguous-route",
			"only a path that the pattern matches exactly passes whole; a pattern that spells the path out makes it a route of its own")
	case upgrade && !declared && e.Uninspected == Pass && !to.override.possible && (!hasBody(r) || r.Method == http.MethodConnect):
		// A body before the upgrade would go on unread, to an application that
		// ignores the upgrade. That of a CONNECT is the tunnel.
		return true, nil
	case upgrade:
		return false, refused(http.StatusForbidden, "upgrade", "what follows an upgrade cannot be inspected")
	case !declared && e.Undeclared == Pass && !to.override.possible:
		return true, nil
	case !declared && e.Undeclared == Reject && e.Uninspected != Pass && to.mode == Enforce && hasBody(r) && !to.override.possible:
		return false, e.undeclaredBody(r, to) // otherwise, it is read first
	}
	return false, nil
}

// lookup returns where a request leads by its path and by the path before a
// rewrite, by which FastCGI applications route.
func lookup(set *policy.Set, r *http.Request, method string, at paths) policy.Route {
	host := hostname(r.Host)
	now := set.Route(method, host, at.now)
	if at.original == "" {
		return now
	}
	original := set.Route(method, host, at.original)
	if strings.HasSuffix(at.original, at.now) && !strings.EqualFold(path.Ext(at.now), ".php") {
		// A prefix was removed, for which an open pattern says nothing. The path
		// of a script stands for any other, whatever the client writes before it.
		if now.Collection == nil || original.Literal {
			return now.Or(original)
		}
		return now
	}
	// The path that it has now may be that of a front controller.
	if original.Collection == nil || now.Literal {
		return original.Or(now)
	}
	return original
}

// Disguised reports whether a path matches no collection as written although
// an application may serve a declared route under it. `except` must then not
// apply. Of a path that can be read in several ways, no reading may lead to a
// collection.
func (e *Engine) Disguised(r *http.Request) bool {
	set, at := e.Policies.Load(), e.paths(r)
	if at.tooLong() || e.checkPaths(at) != nil {
		return true
	}
	odd, _ := at.odd()
	methods := []string{r.Method}
	if r.Method == http.MethodPost {
		methods = append(methods, overridable...) // a header or a field may say so
	}
	return slices.ContainsFunc(methods, func(method string) bool {
		to := lookup(set, r, method, at)
		return to.Ambiguous || to.Collection != nil && (odd != 0 || set.Match(method, hostname(r.Host), at.now).Collection == nil)
	})
}

// detectBody finds out whether a body of unknown length exists at all. HTTP/3
// does not say so for a GET, and some clients send an empty body in chunks:
// without this, both would be bodies of no type.
func (e *Engine) detectBody(r *http.Request, deadline ReadDeadline) {
	if !hasBody(r) || r.ContentLength > 0 {
		return
	}
	if e.BodyTimeout > 0 {
		deadline.Set(time.Now().Add(e.BodyTimeout))
	}
	first := make([]byte, 1)
	n, err := io.ReadFull(r.Body, first)
	if err == io.EOF {
		r.Body, r.ContentLength, err = http.NoBody, 0, nil
	} else {
		r.Body = replay(first[:n], r.Body, err)
	}
	if e.BodyTimeout > 0 && err == nil {
		deadline.Reset()
	}
}

func hasBody(r *http.Request) bool {
	return r.ContentLength != 0 && r.Body != nil && r.Body != http.NoBody
}

// isSafe reports whether nothing is submitted by a method in general.
func isSafe(method string) bool {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace:
		return true
	}
	return false
}

// isUpgrade reports whether the connection is to become something other than
// HTTP.
func isUpgrade(r *http.Request) bool {
	return r.Method == http.MethodConnect || len(r.Header["Upgrade"]) > 0
}
