package minimize

import (
	"cmp"
	"errors"
	"net"
	"net/http"

	"github.com/modicum-proxy/modicum/internal/policy"
	"github.com/modicum-proxy/modicum/internal/submission"
)

// Rules of refusals that hold in every mode: a request without one reading,
// which cannot be attributed to one application; no record, no delivery; and
// a fault of our code.
const (
	ruleTarget     = "request-target"
	ruleHost       = "request-host"
	ruleUnrecorded = "unrecorded"
	ruleInternal   = "internal"
)

// ruleAmbiguousPath is the rule that a path can be read in one way.
const ruleAmbiguousPath = "ambiguous-path"

// RuleUndeclared is the rule that a collection declares the route of a body.
const RuleUndeclared = "undeclared"

// isFinal reports whether a refusal holds in report mode too.
func isFinal(refusal *submission.Error) bool {
	if refusal == nil {
		return false
	}
	if refusal.Final {
		return true
	}
	switch refusal.Rule {
	case ruleTarget, ruleHost, ruleUnrecorded, ruleInternal:
		return true
	}
	return false
}

// refused returns a refusal whose place in the submission has no meaning.
func refused(status int, rule, detail string) *submission.Error {
	return &submission.Error{Status: status, Rule: rule, Detail: detail, Offset: -1}
}

// refusedFor is refused, because of a field.
func refusedFor(f *policy.Field, status int, rule, detail string) *submission.Error {
	refusal := refused(status, rule, detail)
	refusal.Field = f.Name
	return refusal
}

// called returns what the page of a refusal, which is in English, calls a field.
func called(f *policy.Field) string { return cmp.Or(f.Label.In("en"), f.Name) }

// asRefusal turns what ended the reading of a body into a refusal.
func asRefusal(err error) *submission.Error {
	var refusal *submission.Error
	var tooLarge *http.MaxBytesError
	var timeout net.Error
	switch {
	case errors.As(err, &refusal):
		return refusal
	case errors.As(err, &tooLarge):
		return refused(http.StatusRequestEntityTooLarge, "body-size", "the body is larger than the server allows")
	case errors.As(err, &timeout) && timeout.Timeout():
		return refused(http.StatusRequestTimeout, "too-slow", "the body did not arrive in time (body_timeout)")
	}
	return refused(http.StatusBadRequest, "incomplete", "the body did not arrive whole")
}

func internalFault() *submission.Error {
	return refused(http.StatusInternalServerError, ruleInternal, "the submission could not be read because of a fault of the proxy")
}

func unrecorded() *submission.Error {
	return refused(http.StatusServiceUnavailable, ruleUnrecorded, "the submission cannot be recorded at the moment")
}

// undeclaredBody refuses a body that no collection declares. Its remedy names the
// option that is missing if the policy declares another method of the path, as it
// does for a form of Rails or Laravel that is sent with _method.
func (e *Engine) undeclaredBody(r *http.Request, to *destination) *submission.Error {
	refusal := refused(http.StatusForbidden, RuleUndeclared, "no collection of the policy declares this route")
	refusal.Remedy = "declare the route in the policy, or set undeclared strip or undeclared pass"
	if to.mode == Enforce {
		refusal.Remedy += "; meanwhile, mode report"
	}
	if r.Method != http.MethodPost || e.MethodOverride {
		return refusal
	}
	for _, method := range overridable {
		if lookup(to.edition.Set, r, method, to.paths).Collection != nil {
			refusal.Remedy = "declare the POST in the policy; or, if the application takes it for the " + method + " that is declared, set method_override on"
			break
		}
	}
	return refusal
}

func pathTooLong() *submission.Error {
	return refused(http.StatusRequestURITooLong, ruleTarget, "the path of the request target is longer than 8 KiB")
}

func bodyTooLarge() *submission.Error {
	return refused(http.StatusRequestEntityTooLarge, "body-size", "the body is larger than the limit (max_body)")
}

// consentUnknown refuses a submission that lacks a required field only
// because the store does not say whether the field may pass.
func consentUnknown(f *policy.Field) *submission.Error {
	return refusedFor(f, http.StatusServiceUnavailable, "consent-unknown",
		"the field "+called(f)+" is required, and it is not known at the moment whether its consent stands")
}
