package consent

import (
	"net/http"
	"time"

	"github.com/modicum-proxy/modicum/internal/policy"
)

// Inquiry asks about the person behind a submission.
type Inquiry struct {
	Request *http.Request
	Set     *policy.Set
	// Purposes are those that the answer is needed for.
	Purposes policy.PurposeSet
	// Fields are the values of those fields of the submission that identify a
	// person, by name.
	Fields map[string]string
	// Hidden reports that the submission holds a field that identifies a
	// person, but that its value could not be read.
	Hidden bool
	// Receipt is the receipt of the submission.
	Receipt string
	// Began is when the submission began to arrive.
	Began time.Time
}

// Answer says what a person consents and objects to.
type Answer struct {
	policy.Standing

	// Source is what decided about the purposes that are granted or objected to:
	// sources joined by commas, empty if none did, "unknown" if that cannot be
	// known.
	Source string
}
