// Command modicum is a full Caddy server with the standard modules and
// data minimization.
package main

import (
	caddycmd "github.com/caddyserver/caddy/v2/cmd"

	_ "github.com/caddyserver/caddy/v2/modules/standard"

	_ "github.com/modicum-proxy/modicum/caddymodule"
)

func main() {
	caddycmd.Main()
}
