// Package modicum is data minimization for Caddy. Importing it adds the directive
// `minimize` to Caddy, and the commands below `caddy minimize`.
package modicum

import (
	_ "embed" // the Caddyfile

	// They register themselves.
	_ "github.com/modicum-proxy/modicum/caddymodule"
	_ "github.com/modicum-proxy/modicum/caddymodule/command"
)

// Caddyfile is the configuration of the demonstration. It is embedded so that
// the binary can show it from any directory.
//
//go:embed Caddyfile
var Caddyfile []byte
