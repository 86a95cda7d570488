// Package submission reads one submission in one way only and writes anew
// what a plan keeps of it: query strings, urlencoded forms, multipart forms
// and JSON. It is a pure library: bytes and a plan go in, bytes of our own
// writing and a report come out. What could be read in two ways is refused.
package submission

import "fmt"

// Limits bound what one submission may cost. The zero value of a limit
// refuses everything it bounds; start from [DefaultLimits].
type Limits struct {
	// Body is the most bytes of a body that are held in memory.
	Body int64
	// Depth is how deep JSON containers and bracketed names may nest.
	Depth int
	// Fields is the most members and elements, pairs or parts, over all levels.
	Fields int
	// Name is the most bytes of one name, after decoding.
	Name int
	// Inflated is the most bytes that a coded body may decode to, and with
	// 8 MiB bounds the window of its decoder. Ratio is the most bytes out for
	// one byte in (checked past the first 64 KiB).
	Inflated int64
	Ratio    int64
}

// DefaultLimits returns the limits that apply if the operator sets none.
func DefaultLimits() Limits {
	return Limits{
		Body:     1 << 20,
		Depth:    32,
		Fields:   1000,
		Name:     256,
		Inflated: 8 << 20,
		Ratio:    20,
	}
}

// Error is the refusal of a submission: by which rule, and where. It never
// holds a value or a name that the client sent.
type Error struct {
	// Status is the HTTP status of the response: 400, 408, 413, 415 or 422.
	Status int
	// Rule is the name of the rule that is broken: "duplicate-name". RULES.md
	// explains those of this package.
	Rule string
	// Detail says what is wrong and what to change, without any value.
	Detail string
	// Remedy says what whoever runs the site can do if the submission was an honest
	// one; empty: nothing. It is for the log and for programs, not for visitors.
	Remedy string
	// Final says that the refusal holds where refusals are only reported.
	Final bool
	// Offset is the position in the decoded body or query, in bytes from 0;
	// −1 where a position has no meaning.
	Offset int64
	// Field is the field of the policy that the refusal is about, by its name
	// there; empty if it is about none.
	Field string
}

func (e *Error) Error() string {
	if e.Offset < 0 {
		return e.Detail
	}
	return fmt.Sprintf("%s at byte %d", e.Detail, e.Offset)
}
