package consent

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
)

// MaxText is the most bytes of a text that was shown.
const MaxText = 1 << 16

// Event is one choice of one person about one purpose, as evidence of it
// (GDPR Art. 7(1)). Events are appended and never changed. Exports hold them as
// JSON.
type Event struct {
	// ID is a UUIDv7. Storing an event with the same ID again has no effect.
	ID uuid.UUID `json:"id"`
	// Revision is set by the store.
	Revision Revision `json:"revision"`
	// Time is when the choice was made, in UTC, to the microsecond.
	Time    time.Time `json:"time"`
	Subject Subject   `json:"subject"`
	// Other is the second subject of a [Link]; empty in all other events.
	Other   Subject `json:"other,omitempty"`
	Purpose string  `json:"purpose,omitempty"`
	Action  Action  `json:"action"`
	Source  Source  `json:"source,omitempty"`
	// Expires is when a grant ends by itself; if zero, never.
	Expires time.Time `json:"expires,omitzero"`
	// Notice identifies the content of the text that the person saw, whatever
	// its wording: a consent applies only while the content is the same today.
	Notice string `json:"notice,omitempty"`
	// Shown is the text that the person saw. Events that a store returns for a
	// decision do not have it.
	Shown *Shown `json:"shown,omitempty"`
	// Policy is the version of the policy set.
	Policy string `json:"policy,omitempty"`
	// Receipt is the receipt of the submission that contained the
	// choice; empty if none did.
	Receipt string `json:"receipt,omitempty"`
	// Address is the client's address, or its network, if the operator keeps
	// it; usually empty.
	Address string `json:"address,omitempty"`
}

// Shown is a text as it was shown: proof needs a copy of it, not a pointer to
// a configuration (EDPB Guidelines 05/2020, 108).
type Shown struct {
	Digest   string `json:"sha256"`   // hex, of Text
	Language string `json:"language"` // BCP 47
	Text     string `json:"text"`
}

// NewShown returns a text as it was shown, with its digest.
func NewShown(language, text string) *Shown {
	return &Shown{Digest: digestOf(text), Language: language, Text: text}
}

func digestOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// Validate returns an error if one of the events is malformed. Events are
// validated before a store gets them: stores commit the events of several
// callers together, and one that a database rejects would fail the others.
func Validate(events []Event) error {
	for i := range events {
		if err := events[i].validate(); err != nil {
			return fmt.Errorf("event %d of %d: %w", i+1, len(events), err)
		}
	}
	return nil
}

var actions = []Action{Grant, Refuse, Withdraw, Object, Expire, Link}

func (e *Event) validate() error {
	switch {
	case e.ID == uuid.Nil:
		return errors.New("it has no id")
	case e.Subject == "":
		return errors.New("it has no subject")
	case e.Time.IsZero():
		return errors.New("it has no time")
	case e.Action == Link && (e.Purpose != "" || e.Other == "" || e.Other == e.Subject):
		return errors.New("a link has two subjects and no purpose")
	case e.Action != Link && (e.Purpose == "" || e.Other != ""):
		return errors.New("a choice has one purpose and one subject")
	case !slices.Contains(actions, e.Action):
		return errors.New("its action is unknown")
	}
	for _, t := range []time.Time{e.Time, e.Expires} {
		if y := t.UTC().Year(); y < 1 || y > 9999 {
			return errors.New("a time is outside the years 1 to 9999")
		}
	}
	texts := []string{
		string(e.Subject), string(e.Other), e.Purpose, string(e.Source), e.Notice, e.Policy, e.Receipt, e.Address,
	}
	if s := e.Shown; s != nil {
		switch {
		case len(s.Text) > MaxText:
			return fmt.Errorf("the text shown has %d bytes, at most %d are kept", len(s.Text), MaxText)
		case s.Digest != digestOf(s.Text): // it would be evidence of other events too
			return errors.New("the digest is not that of the text shown")
		}
		texts = append(texts, s.Language, s.Text)
	}
	for _, text := range texts {
		if !utf8.ValidString(text) || strings.Contains(text, "\x00") {
			return errors.New("a text is not UTF-8, or contains a NUL, which PostgreSQL cannot store")
		}
	}
	return nil
}
