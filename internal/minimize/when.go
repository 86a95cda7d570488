package minimize

import (
	"errors"
	"io"
	"net/http"
	"strings"

	"github.com/modicum-proxy/modicum/internal/policy"
	"github.com/modicum-proxy/modicum/internal/submission"
)

// choose finds the collection of a submission to a pattern that several share, by
// values of the document (`when`).
func (e *Engine) choose(s *Submission, doc *document) error {
	to := &s.work.to
	if to.division == nil {
		return nil
	}
	s.Collection, to.collection = nil, nil // if it is refused, it belongs to none
	found, err := to.edition.selectors[to.division].read(s.work, doc, e.Limits)
	if err != nil {
		return err
	}
	s.work.chosenBy = found
	chosen, refusal := chooseBy(to.division, found)
	switch {
	case refusal != nil:
		return refusal
	case chosen != nil:
	case e.Undeclared == Strip:
		s.Verdict = Gap
	default:
		// What was read can no longer go on as it came (`undeclared pass`).
		return refused(http.StatusForbidden, "undeclared", "no collection of the policy declares this route for the value that was sent")
	}
	s.Collection, to.collection = chosen, chosen
	return nil
}

// chooseBy returns the collection of a request with these values; nil if none has
// them. It refuses what applications can read in two ways.
func chooseBy(d *policy.Division, found []selected) (*policy.Collection, *submission.Error) {
	values := make([]*string, len(found))
	for i := range found {
		query, body := &found[i].query, &found[i].body
		switch {
		case query.odd || body.odd:
			return nil, undecided(d.Names[i], "is no scalar, is too long, or comes with two values")
		case query.given && body.given && query.text != body.text:
			return nil, undecided(d.Names[i], "has one value in the query and another in the body")
		case body.given:
			values[i] = &body.text
		case query.given:
			values[i] = &query.text
		}
	}
	chosen, ok := d.Choose(values)
	if !ok {
		return nil, undecided(strings.Join(d.Names, " or "), "is spelled almost as a value that the policy names: some applications take it for that")
	}
	return chosen, nil
}

func undecided(name, why string) *submission.Error {
	return refused(http.StatusBadRequest, "undecided", "the field "+name+" decides what the request is about, and "+why)
}

// checkChosen refuses a submission from which a value was stripped that decided:
// without it, the application would take another action with these fields.
func checkChosen(s *Submission) error {
	if s.Collection == nil {
		return nil
	}
	for i := range s.Collection.When {
		condition := &s.Collection.When[i]
		if o := &s.work.report.Outcomes[condition.Field]; o.Kept == 0 || o.Stripped > 0 {
			return undecided(condition.Name, "does not pass: its value does not fit its own rules")
		}
	}
	return nil
}

// divisionWatch reads a streamed form beside the one that writes it, for the values
// that chose its collection: what is behind the beginning must not change the choice.
type divisionWatch struct {
	form     *submission.Multipart
	report   *submission.Report
	selector *selector
	division *policy.Division
	found    []selected
	chosen   *policy.Collection
}

// watchDivision puts a watch between the form that arrives and its reader; nil: the
// pattern is not divided.
func watchDivision(s *Submission, doc *document) *divisionWatch {
	to := &s.work.to
	if to.division == nil {
		return nil
	}
	w := &divisionWatch{report: new(submission.Report), selector: to.edition.selectors[to.division], division: to.division, chosen: s.Collection}
	w.found = make([]selected, len(w.selector.paths))
	for i := range w.found {
		w.found[i].query = s.work.chosenBy[i].query
	}
	w.report.Reset(w.selector.decision.plan)
	w.form = submission.NewMultipart(doc.arriving, doc.media.Boundary, w.selector.decision.plan, s.engine.Limits, w.report)
	w.form.Observe = true
	doc.arriving, doc.decoder = w.form, closers{w.form, doc.decoder}
	return w
}

// check refuses a form that has been read, and whose values choose another
// collection than its beginning did.
func (w *divisionWatch) check() error {
	if w == nil {
		return nil
	}
	if err := w.form.Err(); err != nil {
		return err // behind it, no value was looked for
	}
	for i := range w.found {
		w.found[i].body = w.selector.value(w.report, i)
	}
	chosen, refusal := chooseBy(w.division, w.found)
	switch {
	case refusal != nil:
		return refusal
	case chosen != w.chosen:
		return refused(http.StatusBadRequest, "undecided", "a field that decides what the request is about comes behind the beginning of the form; send it first")
	}
	return nil
}

// closers closes what is not nil.
type closers []io.Closer

// Close implements [io.Closer].
func (c closers) Close() error {
	var errs []error
	for _, one := range c {
		if one != nil {
			errs = append(errs, one.Close())
		}
	}
	return errors.Join(errs...)
}
