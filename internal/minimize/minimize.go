// Package minimize is the engine: it takes one request through match,
// decide, rebuild and record, in that order and never back, and leaves it
// holding only what a declared purpose allows.
package minimize

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/modicum-proxy/modicum/internal/consent"
	"github.com/modicum-proxy/modicum/internal/policy"
	"github.com/modicum-proxy/modicum/internal/submission"
)

// Mode says whether the engine changes what it forwards.
type Mode uint8

const (
	// Enforce forwards only what is allowed. It is the zero value.
	Enforce Mode = iota
	// Report forwards the original bytes and records what Enforce would do.
	Report
)

func (m Mode) String() string {
	if m == Report {
		return "report"
	}
	return "enforce"
}

// Fallback says what becomes of a request that the policy does not cover.
// The zero value refuses it.
type Fallback uint8

const (
	// Reject refuses the request.
	Reject Fallback = iota
	// Strip forwards the request without any field.
	Strip
	// Pass forwards the request as it came.
	Pass
)

// Verdict is what became of a submission.
type Verdict uint8

const (
	// None says that the request submitted nothing the engine looks at.
	None Verdict = iota
	// Minimized says that what went on was rebuilt under a collection.
	Minimized
	// Refused says that nothing went on.
	Refused
	// Gap says that no collection declares the route.
	Gap
)

func (v Verdict) String() string {
	switch v {
	case Minimized:
		return "minimized"
	case Refused:
		return "refused"
	case Gap:
		return "gap"
	case None:
		return "none"
	}
	return "unknown"
}

// Consents knows what the person behind a submission chose.
type Consents interface {
	// Standing returns what stands. An error means that it is not known; the
	// answer is then what to assume.
	Standing(ctx context.Context, inq *consent.Inquiry) (consent.Answer, error)
	// Record keeps the consents that the submission itself gives, and returns
	// those that count. It may add fields to the header of the response. On an
	// error none counts.
	Record(ctx context.Context, h http.Header, inq *consent.Inquiry, ticked policy.PurposeSet) (counted policy.PurposeSet, err error)
}

// Recorder records a submission before the application sees its end. On an
// error the application does not get the submission. The entry and what it
// holds belong to the caller again when Record returns.
type Recorder interface {
	Record(ctx context.Context, e *Entry) error
}

// Entry says what became of one submission: names and counts, never values.
type Entry struct {
	Time time.Time
	// Duration is how long reading, deciding and rebuilding took, with the
	// time that the body took to arrive.
	Duration   time.Duration
	Receipt    string // a UUIDv7
	Mode       Mode
	Verdict    Verdict
	Policy     string // the version of the policy set
	Collection string // empty for a gap
	// On is the method and the pattern of the policy that led to the
	// collection, "POST /checkout". Of a gap it is the method, with the path
	// where the operator asked for names: a path can name a person.
	On       string
	Purposes []string // that let something pass, those not personal apart
	// Consent says what decided about consents and objections, as
	// [consent.Source] names it, several joined by commas; "unknown": the
	// store did not tell; empty: nothing did.
	Consent  string
	Kept     []string // fields, as the policy names them
	Stripped []StrippedField
	// Undeclared counts what no field declares; Names holds the first of
	// their names where the operator asked for them.
	Undeclared int
	Names      []string
	// Status and Rule say why a submission was refused.
	Status int
	Rule   string
}

// StrippedField is a declared field that was left out, and why.
type StrippedField struct {
	Name   string
	Reason string
}

// Engine takes requests through the steps. Its fields are set before its
// first use and not changed afterwards.
type Engine struct {
	Policies *Policies
	Consents Consents // nil: only what a submission itself carries
	// Identifying are the fields, by name, whose values tell Consents whom
	// a submission is about.
	Identifying []string
	Recorder    Recorder
	// OriginalPath returns the escaped path that a request came with, where a
	// handler before ours has rewritten it. nil: none does.
	OriginalPath func(*http.Request) string
	// Trusted reports whether a request comes from a proxy that may say where
	// the client sent it. nil: none may.
	Trusted     func(*http.Request) bool
	Mode        Mode
	Undeclared  Fallback // a submission that no collection declares
	Uninspected Fallback // a body that is neither form nor JSON, an upgrade; Strip refuses
	Limits      submission.Limits
	// BodyTimeout is how long a body held in memory, or each Limits.Body
	// bytes of a streamed one, may take to arrive. 0: as long as it wants.
	BodyTimeout time.Duration
	// ShowUndeclared puts names that no field declares into the entries.
	ShowUndeclared bool
	// Notice is the address of the site's privacy notice; empty: none.
	Notice string
	// Log is told of panics; nil: nobody is.
	Log *slog.Logger
	// Now and NewReceipt are the clock and the source of receipts.
	Now        func() time.Time
	NewReceipt func() string
}
