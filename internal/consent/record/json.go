package record

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"time"

	"github.com/google/uuid"

	"github.com/modicum-proxy/modicum/internal/consent"
)

// Event is an event as JSON holds it. Times are RFC 3339 in UTC.
type Event struct {
	ID       uuid.UUID        `json:"id"`
	Revision consent.Revision `json:"revision"`
	Time     time.Time        `json:"time"`
	Subject  consent.Subject  `json:"subject"`
	// Other is set in links only.
	Other   consent.Subject `json:"other,omitempty"`
	Purpose string          `json:"purpose,omitempty"`
	Action  consent.Action  `json:"action"`
	Source  consent.Source  `json:"source,omitempty"`
	Expires *time.Time      `json:"expires,omitempty"`
	// Notice identifies what was told, Shown is the text as it was shown.
	Notice  string `json:"notice,omitempty"`
	Shown   *Shown `json:"shown,omitempty"`
	Policy  string `json:"policy,omitempty"`
	Receipt string `json:"receipt,omitempty"`
	Address string `json:"address,omitempty"`
}

// Shown is a text as it was shown.
type Shown struct {
	Digest   string `json:"sha256"`
	Language string `json:"language"`
	Text     string `json:"text"`
}

// eventJSON returns an event as JSON holds it.
func eventJSON(e *consent.Event) Event {
	j := Event{
		ID: e.ID, Revision: e.Revision, Time: e.Time.UTC(), Subject: e.Subject, Other: e.Other, Purpose: e.Purpose, Action: e.Action,
		Source: e.Source, Notice: e.Notice, Policy: e.Policy, Receipt: e.Receipt, Address: e.Address,
	}
	if !e.Expires.IsZero() {
		expires := e.Expires.UTC()
		j.Expires = &expires
	}
	if e.Shown != nil {
		shown := Shown(*e.Shown)
		j.Shown = &shown
	}
	return j
}

// Consent returns the event that JSON held.
func (j *Event) Consent() consent.Event {
	e := consent.Event{
		ID: j.ID, Revision: j.Revision, Time: j.Time, Subject: j.Subject, Other: j.Other, Purpose: j.Purpose, Action: j.Action,
		Source: j.Source, Notice: j.Notice, Policy: j.Policy, Receipt: j.Receipt, Address: j.Address,
	}
	if j.Expires != nil {
		e.Expires = *j.Expires
	}
	if j.Shown != nil {
		shown := consent.Shown(*j.Shown)
		e.Shown = &shown
	}
	return e
}

// WriteJSON writes events as one JSON array, an [Event] on each line: a
// document for what reads JSON whole, lines for what does not, and one that
// was cut short shows it by the bracket that it lacks.
func WriteJSON(w io.Writer, events iter.Seq2[consent.Event, error]) error {
	return WriteArray(w, func(yield func(Event, error) bool) {
		for e, err := range events {
			if !yield(eventJSON(&e), err) {
				return
			}
		}
	})
}

// WriteArray writes a JSON array, an element on each line, and nothing of an
// element that comes with an error.
func WriteArray[T any](w io.Writer, elements iter.Seq2[T, error]) error {
	return writeLines(w, "[", "]\n", elements)
}

// ReadArray reads a JSON array element by element, and says when it was cut
// short. After an error it ends.
func ReadArray[T any](r io.Reader) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		in := json.NewDecoder(r)
		_, err := in.Token()
		for err == nil && in.More() {
			var element T
			if err = in.Decode(&element); err == nil && !yield(element, nil) {
				return
			}
		}
		if err == nil {
			_, err = in.Token()
		}
		if err != nil {
			if errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			var none T
			yield(none, fmt.Errorf("reading a list: %w", err))
		}
	}
}

// writeLines writes documents, one a line, between an opening and a closing.
// An error leaves it open, so that nobody takes it for whole.
func writeLines[T any](w io.Writer, opening, closing string, documents iter.Seq2[T, error]) error {
	var line bytes.Buffer
	line.WriteString(opening)
	out := json.NewEncoder(&line)
	out.SetEscapeHTML(false)
	separator := "\n"
	for document, err := range documents {
		if err != nil {
			_, _ = w.Write(line.Bytes()) // what there is; the first error counts
			return err
		}
		line.WriteString(separator)
		separator = ",\n"
		if err := out.Encode(document); err != nil {
			return err
		}
		line.Truncate(line.Len() - 1) // the line end is the separator's
		if _, err := w.Write(line.Bytes()); err != nil {
			return err
		}
		line.Reset()
	}
	if separator != "\n" {
		line.WriteString("\n")
	}
	line.WriteString(closing)
	_, err := w.Write(line.Bytes())
	return err
}
