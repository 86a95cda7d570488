package explain

import (
	"strings"
	"testing"
)

// Tests of a policy, and explanations, find the collection by the value that divides
// the route.
func TestWhen(t *testing.T) {
	set := compile(t, `
version: 1
purposes:
  order: {title: Order, basis: contract, retention: 1y}
collections:
  save:
    on: POST /ajax
    when: {action: save}
    fields: {action: order, name: order, photo: {for: order, type: file, max: 1MiB}}
  rest:
    on: POST /ajax
    fields: {action: order}
tests:
  - on: POST /ajax
    given: {action: save, name: Ada}
    expect: {kept: [action, name], stripped: []}
  - on: POST /ajax
    type: application/x-www-form-urlencoded
    given: {action: load, name: Ada}
    expect: {kept: [action], stripped: [name]}
  - on: POST /ajax?action=save
    given: {name: Ada}
    expect: {kept: [action, name]}
  - on: POST /ajax
    type: multipart/form-data
    given: {action: save, photo: x}
    expect: {kept: [action, photo], stripped: []}
  - on: POST /ajax
    given: {action: Save}
    expect: {refused: true}
`)
	results, err := RunTests(t.Context(), set)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range results {
		if !r.Passed {
			t.Errorf("%v: %+v", r.Position, r)
		}
	}
	e, err := New(set)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	for body, want := range map[string]string{`{"action":"save"}`: "save", `{"action":"x"}`: "rest"} {
		x, err := e.Explain(t.Context(), Request{On: "POST /ajax", Header: map[string][]string{"Content-Type": {"application/json"}}, Body: []byte(body)})
		if err != nil || x.Collection != want || x.Position == nil || !strings.Contains(x.Position.String(), ":") {
			t.Errorf("%s: explained as %q at %v, %v; want %q", body, x.Collection, x.Position, err, want)
		}
	}
}
