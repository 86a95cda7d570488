package sqlite

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/modicum-proxy/modicum/internal/consent"
)

// check refuses what is no event, before it joins a transaction with the
// events of others.
func check(events []consent.Event) error {
	for i := range events {
		if err := checkEvent(&events[i]); err != nil {
			return fmt.Errorf("checking event %d of %d: %w", i+1, len(events), err)
		}
	}
	return nil
}

func checkEvent(e *consent.Event) error {
	switch {
	case e.ID == uuid.Nil:
		return errors.New("it has no id")
	case e.Subject == "":
		return errors.New("it has no subject")
	case e.Time.IsZero():
		return errors.New("it has no time")
	case e.Action == consent.Link && (e.Purpose != "" || e.Other == "" || e.Other == e.Subject):
		return errors.New("a link has two subjects and no purpose")
	case e.Action != consent.Link && (e.Purpose == "" || e.Other != ""):
		return errors.New("a choice has one purpose and one subject")
	case !slices.Contains(actions, e.Action):
		return errors.New("its action is unknown")
	case e.Shown != nil:
		return checkShown(e.Shown)
	}
	return nil
}

var actions = []consent.Action{consent.Grant, consent.Refuse, consent.Withdraw, consent.Object, consent.Expire, consent.Link}

// checkShown holds a text to its digest: under a wrong one it would stand as
// the evidence of other events too.
func checkShown(s *consent.Shown) error {
	if len(s.Text) > consent.MaxText {
		return fmt.Errorf("the text shown has %d bytes, at most %d are kept", len(s.Text), consent.MaxText)
	}
	if !utf8.ValidString(s.Text) {
		return errors.New("the text shown is not UTF-8")
	}
	if sum := sha256.Sum256([]byte(s.Text)); s.Digest != hex.EncodeToString(sum[:]) {
		return errors.New("the digest is not that of the text shown")
	}
	return nil
}
