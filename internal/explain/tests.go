package explain

import (
	"context"
	"fmt"
	"slices"

	"github.com/modicum-proxy/modicum/internal/policy"
)

// TestResult says how a test of the policy went. Like all that is told of a
// test it holds names, never what was given for them.
type TestResult struct {
	Position policy.Position `json:"position"`
	On       string          `json:"on"`
	Passed   bool            `json:"passed"`
	Expected Outcome         `json:"expected"`
	Came     Outcome         `json:"came"`
	// Hint says what may explain the difference; it may be empty.
	Hint string `json:"hint,omitempty"`
}

// Outcome is what a test is about: the names that passed, those that were
// left out, or that nothing passed. A nil list expects nothing.
type Outcome struct {
	Kept     []string `json:"kept,omitzero"`
	Stripped []string `json:"stripped,omitzero"`
	Refused  bool     `json:"refused"`
	// Why is the rule that refused the submission and what it complains of.
	Why string `json:"why,omitempty"`
}

// RunTests takes each test of the policy set through the engine. An error says
// why the engine does not take the set.
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
	ask, err := submit(e.set, t)
	var told *Explanation
	if err == nil {
		told, err = e.Explain(ctx, ask)
	}
	if err != nil {
		result.Hint = err.Error()
		return result
	}
	result.Came = told.outcome()
	result.Passed = result.Came.meets(&result.Expected)
	if !result.Passed && told.Collection == "" {
		result.Hint = "no collection declares it"
		if told.NearestPattern != "" {
			result.Hint += fmt.Sprintf("; did you mean %q?", told.NearestPattern)
		}
	}
	return result
}

// outcome sums an explanation up.
func (told *Explanation) outcome() Outcome {
	o := Outcome{Kept: []string{}, Stripped: []string{}}
	if told.Refusal != nil {
		o.Refused, o.Why = true, told.Refusal.Rule+": "+told.Refusal.Detail
		return o
	}
	for _, f := range told.Fields {
		if f.Kept > 0 {
			o.Kept = append(o.Kept, f.Name)
		}
		if f.Stripped > 0 {
			o.Stripped = append(o.Stripped, f.Name)
		}
	}
	for _, u := range told.Undeclared {
		o.Stripped = append(o.Stripped, u.Name)
	}
	o.Kept, o.Stripped = sorted(o.Kept), sorted(o.Stripped)
	return o
}

// meets tells whether an outcome is the expected one.
func (o *Outcome) meets(expected *Outcome) bool {
	return o.Refused == expected.Refused &&
		(expected.Kept == nil || slices.Equal(o.Kept, expected.Kept)) &&
		(expected.Stripped == nil || slices.Equal(o.Stripped, expected.Stripped))
}

// sorted sorts a copy of names and leaves each once; nil stays nil.
func sorted(names []string) []string {
	names = slices.Clone(names)
	slices.Sort(names)
	return slices.Compact(names)
}
