// Package modicum is data minimization for Caddy: importing it adds the
// directive `minimize` and the commands to a Caddy that is built with it.
package modicum

import (
	_ "embed" // the Caddyfile

	_ "github.com/modicum-proxy/modicum/caddymodule" // it registers itself
)

// Caddyfile is the configuration of the demonstration. It is embedded so that
// the binary can show it from any directory.
//
//go:embed Caddyfile
var Caddyfile []byte
