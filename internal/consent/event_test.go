package consent

import (
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
)

func TestValidate(t *testing.T) {
	for name, spoil := range map[string]func(*Event){
		"":               func(*Event) {},
		"no id":          func(e *Event) { e.ID = uuid.Nil },
		"no subject":     func(e *Event) { e.Subject = "" },
		"no time":        func(e *Event) { e.Time = time.Time{} },
		"no purpose":     func(e *Event) { e.Purpose = "" },
		"two subjects":   func(e *Event) { e.Other = "k.b" },
		"a bad link":     func(e *Event) { e.Action = Link },
		"itself":         func(e *Event) { e.Action, e.Purpose, e.Other = Link, "", e.Subject },
		"no action":      func(e *Event) { e.Action = "" },
		"another action": func(e *Event) { e.Action = "forget" },
		"a far year":     func(e *Event) { e.Expires = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC) },
		"an old year":    func(e *Event) { e.Time = time.Date(-1, 1, 1, 0, 0, 0, 0, time.UTC) },
		"a NUL":          func(e *Event) { e.Purpose = "news\x00" },
		"not UTF-8":      func(e *Event) { e.Subject = "k.\xff" },
		"a NUL shown":    func(e *Event) { e.Shown = NewShown("en", "a\x00") },
		"not UTF-8 text": func(e *Event) { e.Shown = NewShown("en", "\xff") },
		"a long text":    func(e *Event) { e.Shown = NewShown("en", strings.Repeat("a", MaxText+1)) },
		"another digest": func(e *Event) { e.Shown.Digest = NewShown("en", "other").Digest },
		"no digest":      func(e *Event) { e.Shown.Digest = "" },
	} {
		e := Event{
			ID: uuid.Must(uuid.NewV7()), Subject: "k.a", Purpose: "news", Action: Grant, Source: FromPage,
			Time: time.Now(), Shown: NewShown("en", "Yes"),
		}
		good := e
		spoil(&e)
		if err := Validate([]Event{good, e}); (err == nil) != (name == "") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
