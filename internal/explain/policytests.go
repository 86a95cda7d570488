package explain

import (
	"context"
	"fmt"
	"slices"

	"github.com/modicum-proxy/modicum/internal/policy"
)

// TestResult is the result of a test of the policy. Like all reports about a test
// it contains names, never values.
type TestResult struct {
	Position policy.Position `json:"position"`
	On       string          `json:"on"`
	Passed   bool            `json:"passed"`
	Expected Outcome         `json:"expected"`
	Came     Outcome         `json:"came"`
	// Hint is a possible reason for the difference; may be empty.
	Hint string `json:"hint,omitempty"`
}

// Outcome is what a test checks: the names that passed and those that were
// stripped, or that the submission was refused. A nil list is not checked.
type Outcome struct {
	Kept     []string `json:"kept,omitzero"`
	Stripped []string `json:"stripped,omitzero"`
	Refused  bool     `json:"refused"`
	// Why is the rule that refused the submission, and the reason.
	Why string `json:"why,omitempty"`
}

// RunTests runs each test of the policy set with the engine. It returns an error if
// the engine refuses the set.
func RunTests(ctx context.Context, set *policy.Set) ([]TestResult, error) {
	e, err := New(set)
	if err != nil {
		return nil, err
	}
	defer e.Close()
	results := []TestResult{}
	for i := range set.Tests {
		results = append(results, e.run(ctx, &set.Tests[i]))
	}
	return results, nil
}

func (e *Explainer) run(ctx context.Context, t *policy.Test) TestResult {
	result := TestResult{
		Position: t.Position, On: t.On,
		Expected: Outcome{Kept: sorted(t.Expect.Kept), Stripped: sorted(t.Expect.Stripped), Refused: t.Expect.Refused},
	}
	request, err := testRequest(e.set, t)
	var x *Explanation
	if err == nil {
		x, err = e.Explain(ctx, request)
	}
	if err != nil {
		result.Hint = err.Error()
		return result
	}
	result.Came = x.outcome()
	result.Passed = result.Came.meets(&result.Expected)
	if !result.Passed && x.Collection == "" {
		result.Hint = "no collection declares it"
		if x.NearestPattern != "" {
			result.Hint += fmt.Sprintf("; did you mean %q?", x.NearestPattern)
		}
	}
	return result
}

func (x *Explanation) outcome() Outcome {
	o := Outcome{Kept: []string{}, Stripped: []string{}}
	if x.Refusal != nil {
		o.Refused, o.Why = true, x.Refusal.Rule+": "+x.Refusal.Detail
		return o
	}
	for _, f := range x.Fields {
		if f.Kept > 0 {
			o.Kept = append(o.Kept, f.Name)
		}
		if f.Stripped > 0 {
			o.Stripped = append(o.Stripped, f.Name)
		}
	}
	for _, u := range x.Undeclared {
		o.Stripped = append(o.Stripped, u.Name)
	}
	o.Kept, o.Stripped = sorted(o.Kept), sorted(o.Stripped)
	return o
}

// meets reports whether an outcome is the expected one.
func (o *Outcome) meets(expected *Outcome) bool {
	return o.Refused == expected.Refused &&
		(expected.Kept == nil || slices.Equal(o.Kept, expected.Kept)) &&
		(expected.Stripped == nil || slices.Equal(o.Stripped, expected.Stripped))
}

// sorted returns a sorted copy of names without duplicates, nil for nil.
func sorted(names []string) []string {
	names = slices.Clone(names)
	slices.Sort(names)
	return slices.Compact(names)
}
