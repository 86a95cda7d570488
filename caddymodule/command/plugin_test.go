package command_test

import (
	"fmt"
	"testing"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/rogpeppe/go-internal/testscript"
	"github.com/spf13/cobra"

	_ "github.com/modicum-proxy/modicum" // as a user's build of Caddy imports it
)

// TestMain lets the test binary be, in scripts, a Caddy with our plugin and
// another one, which has commands of the same names.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"caddy": func() {
		for _, name := range []string{"check", "explain", "init", "schema", "consent"} {
			caddycmd.RegisterCommand(caddycmd.Command{Name: name, Short: "A command of another plugin", CobraFunc: func(cmd *cobra.Command) {
				cmd.RunE = func(cmd *cobra.Command, _ []string) error {
					_, err := fmt.Fprintln(cmd.OutOrStdout(), "another plugin")
					return err
				}
			}})
		}
		caddycmd.Main()
	}})
}

// Two commands of one name make Caddy panic before it does anything.
func TestCommandsBesideAnotherPlugin(t *testing.T) {
	testscript.Run(t, testscript.Params{Dir: "testdata", RequireExplicitExec: true, RequireUniqueNames: true})
}
