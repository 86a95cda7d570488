package minimize

import (
	"github.com/modicum-proxy/modicum/internal/policy"
	"github.com/modicum-proxy/modicum/internal/submission"
)

// selector reads the few values of a document that decide where a request leads.
type selector struct {
	paths [][]submission.Segment
	texts [][]int // parallel to paths: how long those of the JSON texts are that hold the value
	// decision lets nothing pass. Its fields are two for each path: the scalar
	// there, and whatever stands below.
	decision *decision
}

// selected is one of the values, in the query and in the body.
type selected struct{ query, body selectedValue }

// selectedValue is one value in one place.
type selectedValue struct {
	text  string
	given bool // something is there; not set for what may still arrive
	odd   bool // it is no scalar, comes with two values, or has more than 320 bytes
}

// newSelector returns a selector of the scalars at paths of literal names. names are
// those of the fields there, for refusals. Above them, the values at the paths in texts
// are JSON texts.
func newSelector(paths []policy.Path, names []string, nesting submission.Nesting, texts ...policy.Path) (*selector, error) {
	s := &selector{texts: make([][]int, len(paths))}
	var fields []submission.Field
	for i, path := range paths {
		at := pathOf(path)
		below := append(pathOf(path), submission.Segment{Kind: submission.Subtree, Text: "**"})
		s.paths = append(s.paths, at)
		fields = append(fields, submission.Field{Path: at, Name: names[i], Watch: true}, submission.Field{Path: below, Name: names[i]})
	}
	for _, text := range texts {
		field := submission.Field{Path: pathOf(text), JSON: true}
		for i, path := range paths {
			if len(text) < len(path) && text.Equal(path[:len(text)]) {
				s.texts[i] = append(s.texts[i], len(text))
				field.Name = names[i]
			}
		}
		fields = append(fields, field)
	}
	plan, err := submission.NewPlan(fields, nesting)
	if err != nil {
		return nil, err
	}
	plan.Selects()
	s.decision = &decision{plan: plan, open: make([]bool, len(fields))}
	return s, nil
}

// read returns the values in a document, parallel to the paths. Of a form that is
// still arriving it reads the beginning.
func (s *selector) read(w *work, doc *document, limits submission.Limits) ([]selected, error) {
	found := make([]selected, len(s.paths))
	w.report.Reset(s.decision.plan)
	if err := w.writeQuery(doc, s.decision, limits); err != nil {
		return nil, err
	}
	for i := range found {
		found[i].query = s.value(&w.report, i)
	}
	w.report.Reset(s.decision.plan)
	if doc.arriving != nil && doc.media.Kind == submission.MediaMultipart {
		submission.WatchPrefix(doc.body, doc.media.Boundary, s.decision.plan, limits, &w.report)
	} else if _, err := w.writeBody(doc, s.decision, limits); err != nil {
		return nil, err
	}
	for i := range found {
		found[i].body = s.value(&w.report, i)
		if doc.media.Kind == submission.MediaJSON {
			v := &found[i].body
			v.text, v.given, v.odd = submission.ScalarAt(doc.body, s.paths[i], s.texts[i])
		}
	}
	return found, nil
}

// value returns what a report says about a path.
func (s *selector) value(report *submission.Report, i int) selectedValue {
	scalar, below := 2*i, 2*i+1
	text, ok := report.Watched(scalar)
	odd := report.Unclear(scalar) || report.Outcomes[below].Stripped > 0 || !ok && report.Outcomes[scalar].Stripped > 0
	return selectedValue{text: text, given: ok || odd, odd: odd}
}
