package record

import (
	"slices"
	"strings"

	"github.com/modicum-proxy/modicum/internal/consent"
	"github.com/modicum-proxy/modicum/internal/notice/words"
)

// Text returns the receipt as plain text in a language.
func (r *Receipt) Text(l *words.Language) string {
	t := textReceipt{l: l}
	t.line(l.Say("receipt.title"))
	t.line(l.Say("receipt.made", "Time", l.Time(r.Created)))
	c := r.Site.Controller
	t.line(c.Name, c.Contact, c.Address)
	t.line(r.ID.String())
	var purposes []string
	for i := range r.Person {
		if e := &r.Person[i]; e.Action != consent.Link && !slices.Contains(purposes, e.Purpose) {
			purposes = append(purposes, e.Purpose)
		}
	}
	for _, purpose := range purposes {
		t.line()
		t.purpose(r.Site, r.Person.About(purpose))
	}
	if r.Site.Choices != "" {
		t.line()
		t.line(l.Say("label.withdraw") + ": " + r.Site.Choices)
	}
	return t.text.String()
}

// textReceipt is a receipt that is being written.
type textReceipt struct {
	l    *words.Language
	text strings.Builder
}

// line writes a line of the parts that there are.
func (t *textReceipt) line(parts ...string) {
	parts = slices.DeleteFunc(parts, func(part string) bool { return part == "" })
	t.text.WriteString(strings.Join(parts, ", ") + "\n")
}

// purpose writes what a person chose about one purpose, whichever of the
// person's subjects it was.
func (t *textReceipt) purpose(site *Site, events Person) {
	events = slices.DeleteFunc(events, func(e consent.Event) bool { return e.Action == consent.Link })
	t.line(t.title(site, events[len(events)-1]))
	for i := range events {
		t.event(&events[i])
	}
	t.shown(events)
}

// title says what a purpose is called today, in the language of the receipt.
func (t *textReceipt) title(site *Site, latest consent.Event) string {
	if site.Notice != nil {
		latest.Shown = &consent.Shown{Language: t.l.Tag}
		if told := site.Notice(latest); told != nil && told.Title != "" {
			return told.Title
		}
	}
	return latest.Purpose
}

func (t *textReceipt) event(e *consent.Event) {
	t.line("  " + t.l.Say("receipt.event", "Time", t.l.Time(e.Time), "What", t.l.Say("action."+string(e.Action))))
	if e.Source != consent.FromNobody {
		t.line("    " + t.l.Say("receipt.by") + ": " + t.l.Say("source."+string(e.Source)))
	}
	if !e.Expires.IsZero() {
		t.line("    " + t.l.Say("state.until", "Date", t.l.Date(e.Expires)))
	}
}

// shown writes each text that was shown once. Each of its lines is marked, so
// that it cannot pass for a part of the receipt.
func (t *textReceipt) shown(events Person) {
	written := map[string]bool{}
	for i := range events {
		s := events[i].Shown
		if s == nil || written[s.Digest] {
			continue
		}
		written[s.Digest] = true
		t.line("  " + t.l.Say("receipt.shown") + " (SHA-256 " + s.Digest + "):")
		for line := range strings.Lines(s.Text) {
			t.line("    | " + strings.TrimRight(line, "\r\n"))
		}
	}
}
