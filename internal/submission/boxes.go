package submission

// Some frameworks write a hidden field beside a check box, of the same name,
// so that an empty box sends something: Rails, CakePHP and Yii "0" before it,
// ASP.NET "false" behind it. The two are one answer. The box goes on without
// its shadow, and the shadow alone where the box did not come, as one value
// either way. Any other value that comes beside a box is a second answer.

// box is what came of one check box.
type box struct {
	leaf    int32
	yes, no bool
	name    []byte // of the shadow, as it goes on
	text    []byte
}

// boxed notes a value of a check box. It is false when the value does not go
// on now: it is the shadow, or stands in the shadow's place.
func (t *texts) boxed(text []byte, leaf int32) (now bool, f fault) {
	if !t.plan.fields[leaf].Box {
		return true, faultNone
	}
	b := t.box(leaf)
	if !saysNo(text) {
		if b.yes {
			return false, faultRepeated
		}
		b.yes = true
		return true, faultNone
	}
	if b.no {
		return false, faultRepeated
	}
	b.no, b.text = true, append(b.text[:0], text...)
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

// saysNo tells a shadow.
func saysNo(text []byte) bool {
	return string(text) == "0" || string(text) == "false"
}
