package policy

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Severity distinguishes an error, which no policy set may have, from a warning,
// and from a note about something intended.
type Severity uint8

// The severities. The zero value is the worse one.
const (
	Error Severity = iota
	Warning
	Note
)

// String returns "error", "warning" or "note".
func (s Severity) String() string {
	switch s {
	case Warning:
		return "warning"
	case Note:
		return "note"
	case Error:
	}
	return "error"
}

// MarshalText returns what String does.
func (s Severity) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Position is a place in a policy file. Line and column count from 1, columns in
// characters; both are 0 where a problem concerns the whole file.
type Position struct {
	File   string `json:"file"`
	Line   int    `json:"line"`
	Column int    `json:"column"`
}

// String returns file:line:column.
func (p Position) String() string {
	if p.Line == 0 {
		return p.File
	}
	return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Column)
}

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

// String returns the diagnostic as a compiler prints it: position, severity,
// message and hint on one line, the excerpt below.
func (d Diagnostic) String() string {
	var b strings.Builder
	if d.Position.File != "" {
		fmt.Fprintf(&b, "%v: ", d.Position)
	}
	fmt.Fprintf(&b, "%v: %s", d.Severity, d.Message)
	if d.Hint != "" {
		b.WriteString("; ")
		b.WriteString(d.Hint)
	}
	if d.Excerpt != "" {
		b.WriteByte('\n')
		b.WriteString(d.Excerpt)
	}
	return b.String()
}

// Diagnostics are problems sorted by file, line and column.
type Diagnostics []Diagnostic

// Err returns an error with every error among the diagnostics, or nil if there is
// none.
func (d Diagnostics) Err() error {
	var lines []string
	for _, one := range d {
		if one.Severity == Error {
			lines = append(lines, one.String())
		}
	}
	if lines == nil {
		return nil
	}
	return errors.New(strings.Join(lines, "\n"))
}

// maxDiagnostics is the most errors, warnings and notes that are reported, each: a
// file that is not a policy at all could have one for each line.
const maxDiagnostics = 1000

// problems collects the diagnostics of a compilation and adds the excerpts.
type problems struct {
	lines map[string][]string // by file
	list  Diagnostics
	seen  map[string]bool // a shared definition is checked wherever it is used
	count [3]int          // by severity
}

// add reports a problem, once.
func (p *problems) add(d Diagnostic) {
	key := d.Position.String() + d.Message
	if p.seen[key] || p.count[d.Severity] > maxDiagnostics {
		return
	}
	if p.count[d.Severity]++; p.count[d.Severity] > maxDiagnostics {
		d = Diagnostic{
			Severity: d.Severity, Code: "too-many-problems", Position: Position{File: d.Position.File},
			Message: fmt.Sprintf("there are more than %d problems; the others are not shown", maxDiagnostics),
		}
	}
	if p.seen == nil {
		p.seen = make(map[string]bool)
	}
	p.seen[key] = true
	d.Excerpt = p.excerpt(d.Position, d.Related)
	p.list = append(p.list, d)
}

// report adds an error at one position; hint may be empty.
func (p *problems) report(code string, at Position, message, hint string) {
	p.add(Diagnostic{Code: code, Position: at, Message: message, Hint: hint})
}

// failed reports whether there is an error.
func (p *problems) failed() bool { return p.count[Error] > 0 }

// sorted returns the diagnostics in the order of their positions.
func (p *problems) sorted() Diagnostics {
	slices.SortStableFunc(p.list, func(a, b Diagnostic) int {
		at, other := a.Position, b.Position
		return cmp.Or(cmp.Compare(at.File, other.File), cmp.Compare(at.Line, other.Line), cmp.Compare(at.Column, other.Column))
	})
	return p.list
}
