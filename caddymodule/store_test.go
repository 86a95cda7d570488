//go:build unix

package caddymodule

import (
	"testing"

	"github.com/caddyserver/caddy/v2"
)

// activeApp returns the app of the configuration in force.
func activeApp(t *testing.T) *App {
	t.Helper()
	app, err := caddy.ActiveContext().AppIfConfigured("minimize")
	if err != nil {
		t.Fatal(err)
	}
	return app.(*App)
}
