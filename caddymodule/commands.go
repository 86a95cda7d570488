package caddymodule

import (
	"errors"
	"fmt"
	"strings"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"

	"github.com/modicum-proxy/modicum/internal/policy"
	"github.com/modicum-proxy/modicum/internal/terminal"
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
	return terminal.Printable(strings.Join(names, ", "))
}
