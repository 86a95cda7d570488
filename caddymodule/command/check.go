package command

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"

	"github.com/modicum-proxy/modicum/internal/explain"
	"github.com/modicum-proxy/modicum/internal/policy"
	"github.com/modicum-proxy/modicum/internal/terminal"
)

var checkCommand = caddycmd.Command{
	Name:  "check",
	Usage: "[<files...>] [--config <file> [--adapter <name>]] [--strict] [--json]",
	Short: "Checks a privacy policy and runs its tests",
	Long: `
Reads the policy files (default: privacy.yaml; globs are allowed), reports every
problem with its position, and runs the tests of the policy through the engine
that serves requests.

Then reads the configuration of Caddy (default: the Caddyfile in the current
directory, if there is one), and warns where a route reaches an upstream without
minimize, although another route has minimize before the same upstream.

Exit status: 0 if there are only warnings or none; 1 if the policy has an error
or a test fails, with --strict also for a warning; 2 if a file cannot be read or
the command is used incorrectly.`,
	CobraFunc: func(cmd *cobra.Command) {
		strict := cmd.Flags().Bool("strict", false, "Treat warnings as errors")
		asJSON := cmd.Flags().Bool("json", false, "Print one JSON document")
		config := cmd.Flags().StringP("config", "c", "", "Configuration file (default: Caddyfile if there is one)")
		adapter := cmd.Flags().StringP("adapter", "a", "", "Name of the config adapter for --config")
		setRun(cmd, func(cmd *cobra.Command, files []string) (int, error) {
			report, status, err := check(cmd, files)
			if err != nil {
				return status, err
			}
			if report.Config, err = checkConfig(*config, *adapter); err != nil {
				return exitUsage, err
			}
			if *asJSON {
				err = printJSON(cmd.OutOrStdout(), report)
			} else {
				report.print(cmd.OutOrStdout())
			}
			if !report.passes(*strict) {
				return exitRefused, err
			}
			return 0, err
		})
	},
}

type checkReport struct {
	Files []string `json:"files"`
	// Version is the version of the policy set, or empty if it has errors.
	Version     string               `json:"version"`
	Collections int                  `json:"collections"`
	Fields      int                  `json:"fields"`
	Diagnostics policy.Diagnostics   `json:"diagnostics"`
	Tests       []explain.TestResult `json:"tests"`
	// Config is nil if no configuration was checked.
	Config *configReport `json:"config,omitempty"`
}

// check returns the report or, with an error, the exit status.
func check(cmd *cobra.Command, files []string) (*checkReport, int, error) {
	sources, err := readPolicy(files)
	if err != nil {
		return nil, exitUsage, err
	}
	set, diagnostics := policy.Compile(sources...)
	report := &checkReport{Diagnostics: append(policy.Diagnostics{}, diagnostics...), Tests: []explain.TestResult{}}
	for _, source := range sources {
		report.Files = append(report.Files, source.Name)
	}
	if set == nil {
		return report, 0, nil
	}
	report.Version, report.Collections = set.Version, len(set.Collections)
	for _, c := range set.Collections {
		report.Fields += len(c.Fields)
	}
	report.Tests, err = explain.RunTests(cmd.Context(), set)
	return report, exitRefused, err
}

// passes reports whether the policy can be used and, if strict, whether there are
// no warnings either.
func (r *checkReport) passes(strict bool) bool {
	return r.count(policy.Error) == 0 && r.failed() == 0 && (!strict || r.warnings() == 0)
}

func (r *checkReport) count(severity policy.Severity) int {
	n := 0
	for _, d := range r.Diagnostics {
		if d.Severity == severity {
			n++
		}
	}
	return n
}

// warnings counts the warnings about the policy and the configuration.
func (r *checkReport) warnings() int {
	n := r.count(policy.Warning)
	if r.Config != nil {
		n += len(r.Config.Bypasses) + len(r.Config.Mistakes)
	}
	return n
}

func (r *checkReport) failed() int {
	n := 0
	for i := range r.Tests {
		if !r.Tests[i].Passed {
			n++
		}
	}
	return n
}

func (r *checkReport) print(w io.Writer) {
	p := terminal.PaletteFor(w)
	for _, d := range r.Diagnostics {
		printDiagnostic(w, p, d)
	}
	for i := range r.Tests {
		if !r.Tests[i].Passed {
			printFailure(w, p, &r.Tests[i])
		}
	}
	r.Config.print(w, p)
	errors, warnings, failed := r.count(policy.Error), r.warnings(), r.failed()
	var summary []string
	if errors > 0 {
		summary = append(summary, p.Bad.Render(terminal.Plural(errors, "error")))
	} else {
		summary = append(summary, terminal.Plural(r.Collections, "collection"), terminal.Plural(r.Fields, "field"), p.Good.Render(terminal.Plural(len(r.Tests)-failed, "test")+" passed"))
	}
	if failed > 0 {
		summary = append(summary, p.Bad.Render(terminal.Plural(failed, "test")+" failed"))
	}
	if warnings > 0 {
		summary = append(summary, p.Odd.Render(terminal.Plural(warnings, "warning")))
	}
	_, _ = fmt.Fprintf(w, "%s: %s\n", p.Strong.Render(strings.Join(r.Files, ", ")), strings.Join(summary, ", "))
}

// printDiagnostic prints [policy.Diagnostic.String] in colors.
func printDiagnostic(w io.Writer, p terminal.Palette, d policy.Diagnostic) {
	severity := p.Bad
	switch d.Severity {
	case policy.Warning:
		severity = p.Odd
	case policy.Note:
		severity = p.Faint
	case policy.Error:
	}
	message := d.Message
	if d.Hint != "" {
		message += "; " + d.Hint
	}
	_, _ = fmt.Fprintf(w, "%s: %s: %s\n", p.Strong.Render(d.Position.String()), severity.Render(d.Severity.String()), message)
	for line := range strings.Lines(d.Excerpt) {
		line = strings.TrimSuffix(line, "\n")
		if before, ok := strings.CutSuffix(line, "^"); ok {
			line = before + severity.Render("^")
		}
		_, _ = fmt.Fprintln(w, line)
	}
}

// printFailure prints what a test expected and what happened, as names only.
func printFailure(w io.Writer, p terminal.Palette, t *explain.TestResult) {
	_, _ = fmt.Fprintf(w, "%s: %s: %s\n", p.Strong.Render(t.Position.String()), p.Bad.Render("test failed"), t.On)
	if t.Hint != "" {
		_, _ = fmt.Fprintf(w, "      %s\n", t.Hint)
	}
	expected, came := &t.Expected, &t.Came
	if expected.Refused != came.Refused {
		_, _ = fmt.Fprintf(w, "      expected %s\n          came %s\n", outcome(expected), outcome(came))
		return
	}
	differ := func(what string, expected, came []string) {
		if expected != nil && !slices.Equal(expected, came) {
			_, _ = fmt.Fprintf(w, "      %-8s expected %s\n                   came %s\n", what, nameList(expected), nameList(came))
		}
	}
	differ("kept", expected.Kept, came.Kept)
	differ("stripped", expected.Stripped, came.Stripped)
}

// outcome describes what happened to a submission as a whole.
func outcome(o *explain.Outcome) string {
	switch {
	case o.Why != "":
		return "a refusal: " + o.Why
	case o.Refused:
		return "a refusal"
	}
	return "a submission that goes on"
}

func nameList(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	return terminal.Printable(strings.Join(names, ", "))
}

func printJSON(w io.Writer, document any) error {
	out := json.NewEncoder(w)
	out.SetIndent("", "  ")
	out.SetEscapeHTML(false)
	if err := out.Encode(document); err != nil {
		return fmt.Errorf("writing JSON: %w", err)
	}
	return nil
}
