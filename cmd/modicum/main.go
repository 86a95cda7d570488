// Command modicum is a Caddy server with the standard modules and data
// minimization, and with commands to write, check and try a privacy policy.
package main

import (
	"os"
	"runtime/debug"

	"github.com/caddyserver/caddy/v2"
	caddycmd "github.com/caddyserver/caddy/v2/cmd"

	_ "github.com/caddyserver/caddy/v2/modules/standard"

	_ "github.com/modicum-proxy/modicum/caddymodule"
	"github.com/modicum-proxy/modicum/caddymodule/command"
)

// heapGrowth is GOGC for a proxy: much of what it allocates is garbage when the
// response is over, and its live heap is small, so that collecting at twice
// that heap, as Go does, collects every few hundred requests.
const heapGrowth = 300

func main() {
	tuneCollector()
	caddy.CustomBinaryName = "modicum"
	if build, ok := debug.ReadBuildInfo(); ok {
		caddy.CustomVersion = "Modicum " + build.Main.Version + ", Caddy" // Caddy's own version follows
	}
	caddy.CustomLongDescription = about
	command.RegisterShortNames()
	caddycmd.Main()
}

// tuneCollector sets heapGrowth unless the operator has set GOGC or a memory
// limit. Caddy sets the limit of a container afterwards, within which the
// collector stays whatever heapGrowth is.
func tuneCollector() {
	if os.Getenv("GOGC") == "" && os.Getenv("GOMEMLIMIT") == "" {
		debug.SetGCPercent(heapGrowth)
	}
}

const about = `Modicum stands in front of a web application and lets it receive only the
personal data that a declared purpose allows, and that the person has consented
to where the purpose rests on consent.

It is a Caddy server with one more directive, so all of Caddy's commands and
configuration work. To begin:

	modicum demo       # see it at work
	modicum init       # write a policy and a Caddyfile to start from
	modicum check      # check the policy and run its tests
	modicum explain    # explain what happens to one submission, field by field
	modicum run        # serve`
