// Package command contains the commands of the plugin, one in a file. Caddy has
// them below one command of its own, as in `caddy minimize check`. The modicum
// binary also has each by its short name, as in `modicum check`.
package command

import (
	"errors"
	"fmt"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"

	"github.com/modicum-proxy/modicum/internal/policy"
)

var commands = []caddycmd.Command{checkCommand, explainCommand, consentCommand, initCommand, schemaCommand}

func init() {
	caddycmd.RegisterCommand(caddycmd.Command{
		Name:  "minimize",
		Usage: "check|explain|consent|init|schema",
		Short: "Checks and explains privacy policies, and manages consents",
		Long: `
The commands of Modicum, the plugin for data minimization: write a policy, check
it, try it on a submission, and manage the consents that the proxy stores.`,
		CobraFunc: func(cmd *cobra.Command) {
			for _, c := range commands {
				subcommand := &cobra.Command{Use: c.Name + " " + c.Usage, Short: c.Short, Long: c.Long}
				c.CobraFunc(subcommand)
				cmd.AddCommand(subcommand)
			}
			setRun(cmd, func(cmd *cobra.Command, _ []string) (int, error) {
				return exitUsage, fmt.Errorf("expected check, explain, consent, init or schema; see %s --help", cmd.CommandPath())
			})
		},
	})
}

// RegisterShortNames registers each command under its own name as well. It is
// for a binary without other plugins: Caddy panics if two commands have the same
// name.
func RegisterShortNames() {
	for _, c := range commands {
		caddycmd.RegisterCommand(c)
	}
}

// Exit statuses of our commands, besides 0.
const (
	exitRefused = 1 // the policy or the submission is refused
	exitUsage   = 2 // the command cannot be carried out as given
)

// defaultPolicy is the policy file of commands that are given none.
const defaultPolicy = "privacy.yaml"

// setRun sets the body of a command. run returns the exit status; an error is
// printed in one line, without Caddy's log around it.
func setRun(cmd *cobra.Command, run func(cmd *cobra.Command, args []string) (int, error)) {
	cmd.SilenceErrors = true // exit prints them
	cmd.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return exit(cmd, exitUsage, fmt.Errorf("%w; see %s --help", err, cmd.CommandPath()))
	})
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		status, err := run(cmd, args)
		return exit(cmd, status, err)
	}
}

// exit returns the error with which Caddy's main exits with a status. Only for 2
// and above does Caddy have an error type; any other error results in 1.
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

func readPolicy(files []string) ([]policy.Source, error) {
	if len(files) == 0 {
		files = []string{defaultPolicy}
	}
	return policy.ReadFiles(files...)
}

// compilePolicy reads and compiles the policy files that a command is given. With
// an error, it returns the exit status.
func compilePolicy(files []string) (*policy.Set, int, error) {
	sources, err := readPolicy(files)
	if err != nil {
		return nil, exitUsage, err
	}
	set, diagnostics := policy.Compile(sources...)
	if err := diagnostics.Err(); err != nil {
		return nil, exitRefused, fmt.Errorf("the policy is not valid:\n%w", err)
	}
	return set, 0, nil
}
