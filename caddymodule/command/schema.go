package command

import (
	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"

	"github.com/modicum-proxy/modicum/internal/policy"
)

var schemaCommand = caddycmd.Command{
	Name:  "schema",
	Short: "Prints the JSON Schema of policy files",
	Long: `
Prints the JSON Schema (2020-12) of policy files, for editors that complete and
check while you type. An editor with the YAML language server finds it through
the first line of a policy:

	# yaml-language-server: $schema=policy.v1.json`,
	CobraFunc: func(cmd *cobra.Command) {
		setRun(cmd, func(cmd *cobra.Command, args []string) (int, error) {
			if err := cobra.NoArgs(cmd, args); err != nil {
				return exitUsage, err
			}
			_, err := cmd.OutOrStdout().Write(policy.Schema())
			return 0, err
		})
	},
}
