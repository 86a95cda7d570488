package minimize

import (
	"net/http"
	"slices"
	"strings"

	"github.com/modicum-proxy/modicum/internal/policy"
	"github.com/modicum-proxy/modicum/internal/submission"
)

// checkMethod refuses a form that asks the application to take it for a
// request of another method, if that leads to another collection.
func checkMethod(s *Submission) error {
	report := &s.work.report
	for _, i := range s.decision.method {
		method, ok := report.Watched(i)
		if report.Unclear(i) {
			return methodOverride("the field that overrides the method comes with two values or a long one")
		}
		if !ok || method == "" {
			continue
		}
		other := lookup(s.Set, s.r, method, s.work.to.paths)
		if other.Collection != nil && (other.Collection != s.Collection || other.Ambiguous) {
			return methodOverride("the field that overrides the method leads to the collection " + other.Collection.Name + ", whose fields are others")
		}
	}
	return nil
}

func methodOverride(detail string) error {
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
