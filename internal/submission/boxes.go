package submission

// Some frameworks write a hidden field of the same name beside a check box, so
// that a box which is not checked sends something: Rails, CakePHP and Yii "0"
// before it, ASP.NET "false" after it. The two are one answer (RULES.md,
// form/check-boxes): the box's value goes on if it came, and the hidden one
// otherwise. Any other value beside that of the box is a second answer.

// box is what came of one check box.
type box struct {
	leaf    int32
	checked bool   // the box came
	hidden  bool   // the hidden field came
	name    []byte // of the hidden field, as it goes on
	text    []byte // of the hidden field
}

// noteBox notes a value of a field that may be a check box. It reports whether
// the value goes on now: that of a hidden field waits for the end of the form.
func (t *texts) noteBox(text []byte, leaf int32) (now bool, f fault) {
	if !t.plan.fields[leaf].Box {
		return true, faultNone
	}
	b := t.box(leaf)
	if !isUnchecked(text) {
		if b.checked {
			return false, faultRepeated
		}
		b.checked = true
		return true, faultNone
	}
	if b.hidden {
		return false, faultRepeated
	}
	b.hidden, b.text = true, append(b.text[:0], text...)
	return false, faultNone
}

// box returns what came of a box so far.
func (t *texts) box(leaf int32) *box {
	for i := range t.boxes {
		if t.boxes[i].leaf == leaf {
			return &t.boxes[i]
		}
	}
	if n := len(t.boxes); n < cap(t.boxes) {
		t.boxes = t.boxes[:n+1] // with the memory of an earlier one
	} else {
		t.boxes = append(t.boxes, box{})
	}
	b := &t.boxes[len(t.boxes)-1]
	*b = box{leaf: leaf, name: b.name[:0], text: b.text[:0]}
	return b
}

// isUnchecked reports whether a text is what hidden fields say.
func isUnchecked(text []byte) bool {
	return string(text) == "0" || string(text) == "false"
}
