// Package minimize is the engine: it takes one request through the steps
// route, read, learn, ask, decide, write, record and forward, in that order and
// never back, and leaves it with only what a declared purpose allows.
package minimize

import (
	"context"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/modicum-proxy/modicum/internal/consent"
	"github.com/modicum-proxy/modicum/internal/policy"
	"github.com/modicum-proxy/modicum/internal/submission"
)

// Mode is whether the engine changes what it forwards.
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

// Fallback is what becomes of a request that the policy does not cover.
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
	// Whole says that it went on byte for byte, because its collection says so.
	Whole
	// Refused says that nothing went on.
	Refused
	// Gap says that no collection declares the route.
	Gap
)

func (v Verdict) String() string {
	switch v {
	case Minimized:
		return "minimized"
	case Whole:
		return "whole"
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

// Engine takes requests through the steps. Its fields are set before its
// first use and not changed afterwards.
type Engine struct {
	Policies *Policies
	Consents Consents // nil: only what a submission itself carries
	// Identifying are the names of the fields by whose values Consents
	// identifies the person behind a submission.
	Identifying []string
	Recorder    Recorder
	// OriginalPath returns the escaped path that a request came with, where a
	// handler before ours has rewritten it. nil: none does.
	OriginalPath func(*http.Request) string
	// Trusted reports whether a request comes from a proxy that may say where
	// the client sent it. nil: none may.
	Trusted func(*http.Request) bool
	Mode    Mode
	// Undeclared is what becomes of a submission that no collection declares.
	// Reject refuses a body; without one, the query is stripped.
	Undeclared Fallback
	// Uninspected is what becomes of a body that is neither form nor JSON, and of
	// an upgrade, where no collection is declared. Pass forwards the query as it
	// came too; Strip refuses.
	Uninspected Fallback
	// MethodOverride says that the application takes a POST for a PUT, PATCH or
	// DELETE where a header or a field says so.
	MethodOverride bool
	// OddPaths are the paths that the application reads in one way although others
	// read them in several.
	OddPaths OddPaths
	Limits   submission.Limits
	// BodyTimeout is how long a body held in memory, or each Limits.Body
	// bytes of a streamed one, may take to arrive. 0: as long as it wants.
	BodyTimeout time.Duration
	// ShowUndeclared puts names that no field declares into the entries.
	ShowUndeclared bool
	// Notice is the address of the site's privacy notice; empty: there is none.
	Notice string
	// Log receives panics and failures of the consent store. nil: nothing does.
	Log *slog.Logger
	// Now and NewReceipt are the clock and the source of receipts.
	Now        func() time.Time
	NewReceipt func() string

	// onStep receives the name of each step as it begins. nil, but in tests.
	onStep    func(step string)
	watchOnce sync.Once
	watchKey  string    // Identifying, as one text
	works     sync.Pool // of [*work]
	texts     texts     // of response headers
}
