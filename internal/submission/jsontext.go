package submission

import (
	"bytes"
	"slices"
)

// A field of [Field.JSON] holds a JSON text, as Spring's parts, Slack's payload and
// the operations of GraphQL do. The text is read by the same pass as a body of JSON,
// and only what is declared below the field passes (RULES.md, value/json).

// jsonTexts reads the JSON texts in the fields of one submission.
type jsonTexts struct {
	trial   Report // of a text that is read for its faults alone
	members int    // of all texts so far: they share the limit of the submission
	fault   *Error // why the submission is refused
}

func (j *jsonTexts) begin() { j.members, j.fault = 0, nil }

// read appends to dst what the plan keeps of the text in the field at leaf, at a
// depth, beside so many other members. A reason other than "" strips the field.
//
// The text is read twice, so that nothing is counted and nobody has ticked anything in
// one that turns out to be no JSON.
func (j *jsonTexts) read(p *Plan, leaf int32, dst, text []byte, lim Limits, rep *Report) (out []byte, reason string) {
	field, below := &p.fields[leaf], p.texts[leaf]
	if field.Kept && field.Rule != nil {
		if _, _, reason = field.Rule.apply(nil, text, kindText); reason != "" {
			return dst, reason
		}
	}
	if text = bytes.TrimSpace(text); len(text) == 0 {
		return dst, "" // which holds no data
	}
	lim.Depth -= len(field.Path)
	lim.Fields -= j.members
	text = slices.Clip(text) // what is behind it belongs to others
	if j.exceeded(rep) != nil {
		return dst, ReasonWrongType
	}
	j.trial.Reset(below)
	j.trial.work = rep.work // all texts share it, also those that are no JSON
	start := len(dst)
	out, members, err := below.rebuildJSON(dst, text, lim, &j.trial)
	rep.work = j.trial.work
	if err != nil {
		if err.Status != 400 {
			j.fault = err
		}
		return dst, ReasonWrongType
	}
	j.members += members
	out, _, _ = below.rebuildJSON(out[:start], text, lim, rep) // as before
	return out, ""
}

// exceeded returns why the texts, or the checks of values, refuse the submission.
func (j *jsonTexts) exceeded(rep *Report) *Error {
	if j.fault != nil {
		return j.fault
	}
	return rep.workExceeded()
}
