package submission

import "slices"

// Yii, CakePHP and Craft write a hidden field with nothing in it before a list, so that
// a form in which nothing is chosen sends something: news= and then news[]=1
// (RULES.md, form/empty-lists). PHP reads a list of the two, qs adds "" to it, and Rack
// fails. So the hidden field goes on if no element comes, and is left out otherwise.

// noteEmpty notes that the name that was resolved last may be that of a hidden field
// before a list, and has nothing in it.
func (t *texts) noteEmpty() *answer {
	t.roles[t.here] |= asEmpty
	if t.single {
		return &t.answers[t.here] // where the value has been noted
	}
	return t.answered()
}

// dropEmpty takes back the hidden field before a list of which an element came.
func (s *formPass) dropEmpty() {
	if held := s.answers[s.emptied].held; held != 0 {
		s.takeBack(held)
	}
}

// holdEmpty holds the hidden field that was read last, until it is clear whether an
// element of the list follows.
func (s *parts) holdEmpty() {
	s.noteEmpty()
	s.holdHidden()
}

// dropEmpty drops the hidden field before a list of which an element came.
func (s *parts) dropEmpty() {
	s.held = slices.DeleteFunc(s.held, func(h heldField) bool { return h.place == s.emptied })
}
