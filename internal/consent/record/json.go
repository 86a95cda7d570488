package record

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"

	"github.com/modicum-proxy/modicum/internal/consent"
)

// WriteJSON writes events as one JSON array, a [consent.Event] on each line, with
// times in UTC. The result is a JSON document, and can also be read line by line.
// If it was cut short, the closing bracket is missing.
func WriteJSON(w io.Writer, events iter.Seq2[consent.Event, error]) error {
	return WriteArray(w, func(yield func(*consent.Event, error) bool) {
		for e, err := range events {
			e.Time, e.Expires = e.Time.UTC(), e.Expires.UTC()
			if !yield(&e, err) {
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
