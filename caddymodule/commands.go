package caddymodule

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode"

	"charm.land/lipgloss/v2"
	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/charmbracelet/colorprofile"
	"github.com/spf13/cobra"

	"github.com/modicum-proxy/modicum/internal/policy"
)

func init() {
	caddycmd.RegisterCommand(checkCommand)
	caddycmd.RegisterCommand(explainCommand)
	caddycmd.RegisterCommand(initCommand)
	caddycmd.RegisterCommand(schemaCommand)
}

// Exit statuses of our commands, beside 0.
const (
	exitRefused = 1 // the policy or the submission is refused
	exitUsage   = 2 // the command cannot be carried out as it is given
)

// defaultPolicy is the policy file of commands that are given none.
const defaultPolicy = "privacy.yaml"

// command makes run the body of a command. What run returns is its exit
// status; an error is told in one line, without Caddy's log around it.
func command(cmd *cobra.Command, run func(cmd *cobra.Command, args []string) (int, error)) {
	cmd.SilenceErrors = true // told here
	cmd.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return exit(cmd, exitUsage, fmt.Errorf("%w; see %s --help", err, cmd.CommandPath()))
	})
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		status, err := run(cmd, args)
		return exit(cmd, status, err)
	}
}

// exit returns the error by which Caddy's main ends with a status. Only 2 and
// above have a type of Caddy's own; any other error ends with 1.
func exit(cmd *cobra.Command, status int, err error) error {
	if err != nil {
		_, _ = fmt.Fprintf(cmd.ErrOrStderr(), "%s: %v\n", cmd.CommandPath(), err)
	}
	switch {
	case status == 0 && err == nil:
		return nil
	case status <= exitRefused:
		return errors.New("refused")
	}
	return caddycmd.WrapCommandFuncForCobra(func(caddycmd.Flags) (int, error) { return status, nil })(cmd, nil)
}

// readPolicy reads the policy files that a command is about.
func readPolicy(files []string) ([]policy.Source, error) {
	if len(files) == 0 {
		files = []string{defaultPolicy}
	}
	return policy.ReadFiles(files...)
}

// palette holds the styles of what we print. The zero value has no colours.
type palette struct {
	good, bad, odd, faint, strong lipgloss.Style
}

// paletteFor returns colours where w is a terminal that has them, and the
// person did not forbid them (https://no-color.org/).
func paletteFor(w io.Writer) palette {
	if colorprofile.Detect(w, os.Environ()) < colorprofile.ANSI {
		return palette{}
	}
	style := lipgloss.NewStyle
	return palette{
		good: style().Foreground(lipgloss.Green), bad: style().Foreground(lipgloss.Red).Bold(true), odd: style().Foreground(lipgloss.Yellow),
		faint: style().Faint(true), strong: style().Bold(true),
	}
}

// plural writes a count with its noun.
func plural(n int, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return fmt.Sprintf("%d %s", n, noun)
}

// list joins names as a person reads them.
func list(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	return printable(strings.Join(names, ", "))
}

// printable keeps a name that somebody else made up from commanding the
// terminal that it is printed on (CWE-150).
func printable(text string) string {
	return strings.Map(func(c rune) rune {
		if !unicode.IsPrint(c) {
			return '·'
		}
		return c
	}, text)
}
