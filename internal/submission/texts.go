package submission

import "bytes"

// texts decides about the fields of a form, whose values all are text.
type texts struct {
	names
	answers []answer // by place; those of places that have no value are old
	scratch []byte   // what a rule made of a value, or a path for the report
	lim     Limits
	inner   jsonTexts // in values
}

func (t *texts) begin(p *Plan, lim Limits, rep *Report) {
	t.names.begin(p, rep)
	t.lim, t.answers = lim, t.answers[:0]
	t.inner.begin()
}

func (t *texts) end() { t.plan, t.rep = nil, nil }

// decide applies the field at leaf to a text. It returns the text that goes on,
// which is valid until the next call, or false if there is none.
func (t *texts) decide(text []byte, leaf int32) (out []byte, ok bool) {
	field := &t.plan.fields[leaf]
	if field.Watch {
		t.rep.watch(leaf, text, field.Box && !t.single)
	}
	if field.Compare {
		t.rep.compare(leaf, text, false)
	}
	if field.JSON {
		return t.decideText(text, leaf)
	}
	if !field.Kept {
		return t.strip(leaf, field.Reason)
	}
	if field.File {
		return t.strip(leaf, ReasonWrongType)
	}
	if field.Rule != nil {
		if !t.rep.spend(field.Rule, len(text)) {
			return nil, false // the form is refused
		}
		var reason string
		t.scratch, _, reason = field.Rule.apply(t.scratch[:0], text, kindText)
		if reason != "" {
			return t.strip(leaf, reason)
		}
		text = t.scratch
	}
	t.rep.countKept(leaf)
	return text, true
}

// decideText is decide for a field that holds a JSON text. One that is denied is read
// all the same: it can hold a tick.
func (t *texts) decideText(text []byte, leaf int32) (out []byte, ok bool) {
	field := &t.plan.fields[leaf]
	var reason string
	t.scratch, reason = t.inner.read(t.plan, leaf, t.scratch[:0], text, t.lim, t.rep)
	switch {
	case !field.Kept:
		return t.strip(leaf, field.Reason)
	case reason != "":
		return t.strip(leaf, reason)
	}
	t.rep.countKept(leaf)
	return t.scratch, true
}

// strip reports that a value is left out, and returns the constant that
// stands in for it, if there is one.
func (t *texts) strip(leaf int32, reason string) (out []byte, ok bool) {
	t.rep.countStripped(leaf, reason)
	constant := t.plan.fields[leaf].Otherwise
	if constant == nil {
		return nil, false
	}
	t.scratch = append(t.scratch[:0], constant.Text...)
	return t.scratch, true
}

// undeclared reports a name that no field declares.
func (t *texts) undeclared(name []byte) {
	if t.rep.full() {
		t.rep.Undeclared++
		return
	}
	t.scratch = t.appendPath(t.scratch[:0], name)
	t.rep.undeclared(t.scratch)
}

// isCharset reports whether a field is the one in which a browser names the
// encoding of a form, by which some frameworks decode the others (RULES.md,
// form/charset-field). Ours is UTF-8.
func isCharset(name []byte) bool {
	return len(name) == len("_charset_") && bytes.EqualFold(name, []byte("_charset_"))
}
