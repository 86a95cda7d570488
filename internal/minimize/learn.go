package minimize

import (
	"fmt"
	"slices"

	"github.com/modicum-proxy/modicum/internal/policy"
	"github.com/modicum-proxy/modicum/internal/submission"
)

// facts are what a submission says of the person who sent it.
type facts struct {
	// identities are the values of the identifying fields, by field name.
	identities map[string]string
	// hidden reports that there is an identity which cannot be read.
	hidden bool
	ticked policy.PurposeSet
}

// learn reads the watched fields of a document: those that identify a person,
// and those that give a consent. It does nothing in collections without any.
// Nothing is written, and no value is checked.
func (e *Engine) learn(s *Submission, doc *document) (facts, error) {
	e.step("learn")
	var f facts
	w := s.work
	d := e.watching(w.to.edition)[s.Collection]
	if d == nil {
		return f, nil
	}
	w.report.Reset(d.plan)
	if err := w.writeQuery(doc, d, e.Limits); err != nil {
		return f, err
	}
	beginning := doc.arriving != nil && doc.media.Kind == submission.MediaMultipart
	if beginning {
		submission.WatchPrefix(doc.body, doc.media.Boundary, d.plan, e.Limits, &w.report)
	} else if _, err := w.writeBody(doc, d, e.Limits); err != nil {
		return f, err
	}
	f.identities, f.hidden = identities(s.Collection, d, &w.report, beginning)
	if !isSafe(s.r.Method) { // following a link is no choice
		f.ticked = ticked(d, &w.report)
	}
	return f, nil
}

// identities returns the values of the identifying fields, and whether there is
// one that cannot be read. If only the beginning of the document was read, more
// can follow.
func identities(c *policy.Collection, d *decision, report *submission.Report, beginning bool) (values map[string]string, hidden bool) {
	for _, i := range d.identifying {
		value, ok := report.Watched(i)
		open := c.Fields[i].Path.IsOpen()
		hidden = hidden || report.Unclear(i) || beginning && (!ok || open)
		if value == "" {
			continue
		}
		if values == nil {
			values = make(map[string]string, len(d.identifying))
		}
		values[c.Fields[i].Name] = value
	}
	return values, hidden
}

// ticked returns the purposes whose field gives consent.
func ticked(d *decision, report *submission.Report) (purposes policy.PurposeSet) {
	for _, t := range d.ticks {
		if value, ok := report.Watched(t.field); ok && t.consents(value) {
			purposes = purposes.With(t.purpose)
		}
	}
	return purposes
}

// watching returns the decisions by which an engine learns, of those collections
// of an edition that have fields to watch. The edition keeps them, for all
// engines that watch the same fields.
func (e *Engine) watching(ed *edition) map[*policy.Collection]*decision {
	e.watchOnce.Do(func() { e.watchKey = fmt.Sprintf("%q", e.Identifying) })
	if known, ok := ed.watchers.Load(e.watchKey); ok {
		return known.(map[*policy.Collection]*decision)
	}
	watchers := make(map[*policy.Collection]*decision)
	for _, c := range ed.Collections {
		if d := watch(ed, c, e.Identifying); len(d.identifying)+len(d.ticks) > 0 {
			watchers[c] = d
		}
	}
	ed.watchers.Store(e.watchKey, watchers)
	return watchers
}

// watch returns a decision that lets nothing pass but shows the fields that say
// something of the person.
func watch(ed *edition, c *policy.Collection, identifying []string) *decision {
	d, fields := newDecision(decisionKey{edition: ed, collection: c})
	for i := range c.Fields {
		fields[i].Watch = fields[i].Box
		if slices.Contains(identifying, c.Fields[i].Name) {
			d.identifying = append(d.identifying, i)
			fields[i].Watch = true
		}
	}
	d.plan = ed.plans[c].With(fields)
	return d
}
