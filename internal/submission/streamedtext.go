package submission

import (
	"fmt"
	"net/http"
	"unicode/utf8"
)

// heldText is how many bytes of a text are held before it goes on while it is
// still arriving. A text that is found to be too long in them is left out; later,
// the form is refused. That does not depend on the pieces in which it arrives.
const heldText = 32 << 10

// streams reports whether a text of the field can go on before all of it has come:
// nothing depends on its end.
func (f *Field) streams() bool {
	return f.Kept && !f.File && !f.JSON && !f.Watch && !f.Compare && !f.Box && !f.Boolean && (f.Rule == nil || f.Rule.boundsOnly())
}

// boundsOnly reports whether the rule only bounds the length of a text.
func (r *Rule) boundsOnly() bool {
	return (r.Type == "" || r.Type == "text") && r.Keep == "" && r.Pattern == nil && len(r.OneOf) == 0
}

// streamedText is a text that goes on while it is still arriving.
type streamedText struct {
	begun      bool // some of it has gone on
	stripped   bool // none of it goes on
	characters int64
	// pending is the beginning of a character whose rest is still to come.
	pending [utf8.UTFMax]byte
	size    int // of pending
}

// add checks a piece of the text and counts its characters. It reports whether all
// that has come is text, as far as that is known before the last piece.
func (t *streamedText) add(piece []byte, last bool) bool {
	for t.size > 0 && len(piece) > 0 {
		t.pending[t.size], piece = piece[0], piece[1:]
		if t.size++; !utf8.FullRune(t.pending[:t.size]) {
			continue
		}
		if !utf8.Valid(t.pending[:t.size]) {
			return false
		}
		t.size = 0
		t.characters++
	}
	whole := len(piece) - unfinished(piece)
	t.size += copy(t.pending[t.size:], piece[whole:])
	for _, c := range piece[:whole] { // utf8.RuneCount would copy the piece
		if utf8.RuneStart(c) {
			t.characters++
		}
	}
	return utf8.Valid(piece[:whole]) && isText(piece[:whole]) && (!last || t.size == 0)
}

// unfinished returns how many bytes at the end of a text are the beginning of a
// character that could still become valid.
func unfinished(text []byte) int {
	for n := 1; n < utf8.UTFMax && n <= len(text); n++ {
		if end := text[len(text)-n:]; utf8.RuneStart(end[0]) {
			if utf8.FullRune(end) {
				return 0
			}
			return n
		}
	}
	return 0
}

// stream goes on with a text that need not be held whole.
func (s *parts) stream(data []byte, last bool) *Error {
	if room := heldText - len(s.value); !s.text.begun && !s.text.stripped && room > 0 && room < len(data) {
		if err := s.streamPiece(data[:room], false); err != nil {
			return err
		}
		data = data[room:]
	}
	return s.streamPiece(data, last)
}

// streamPiece goes on with a piece that is held, or one that is not.
func (s *parts) streamPiece(data []byte, last bool) *Error {
	t, limit := &s.text, int64(0)
	if rule := s.plan.fields[s.leaf].Rule; rule != nil {
		limit = rule.Max
	}
	if limit == 0 {
		if s.holding += int64(len(data)); s.holding > s.lim.Body {
			return tooLarge("body-size", "the fields of the form are larger than the limit (max_body); a text without other checks can have a max of its own")
		}
	}
	if !t.add(data, last) {
		return noText()
	}
	if last && s.single {
		if _, err := s.noteText(false); err != nil {
			return err
		}
	}
	switch held := !t.begun && len(s.value)+len(data) <= heldText; {
	case t.stripped:
	case limit > 0 && t.characters > limit && !held:
		return tooLarge("text-size", fmt.Sprintf("a text is longer than the %d characters that its field allows (max)", limit))
	case limit > 0 && t.characters > limit:
		t.stripped = true
		s.stripPart(ReasonTooLong)
	case held:
		s.value = append(s.value, data...)
		switch {
		case last && s.begins && len(s.value) == 0:
			s.holdEmpty()
		case last:
			s.write(s.name, &s.part, s.value, s.leaf)
		}
	default:
		if !t.begun {
			t.begun = true
			s.rep.countKept(s.leaf)
			s.writeHeader(s.name, &s.part)
			s.out = append(s.out, s.value...)
		}
		s.span = data
	}
	return nil
}

func noText() *Error {
	return &Error{
		Status: http.StatusBadRequest, Rule: "field-text",
		Detail: "a field of the form holds a control character, or is not valid UTF-8; send it as a file if it is not text",
	}
}
