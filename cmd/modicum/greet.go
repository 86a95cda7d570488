package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/modicum-proxy/modicum/internal/terminal"
)

// attempts are the commands that the demo suggests, with SHOP for the address of
// the shop. The demo's test runs them.
var attempts = []struct{ about, command string }{
	{
		"a profile with more than the shop needs: it answers with what it received",
		`curl -X PUT SHOP/api/profile -H 'Content-Type: application/json' \
    -d '{"email": "ada@example.org", "birthday": "1990-12-10", "last_ip": "203.0.113.77", "shoe_size": 38}'`,
	},
	{
		"an order without the newsletter, for which the birthday is",
		`curl -si SHOP/checkout -d name=Ada -d email=ada@example.org -d birthday=1990-12-10 | grep ^Privacy`,
	},
	{
		"the same with the box ticked: now the shop receives the year, and the consent is stored",
		`curl -si -c /tmp/jar SHOP/checkout -d name=Ada -d email=ada@example.org -d birthday=1990-12-10 -d subscribe=on | grep ^Privacy`,
	},
	{
		"without the box, in the same browser: the consent is still in force",
		`curl -si -b /tmp/jar SHOP/checkout -d name=Ada -d email=ada@example.org -d birthday=1990-12-10 | grep ^Privacy`,
	},
	{
		"withdrawn: here, or in a browser on SHOP/privacy/choices",
		`curl -b /tmp/jar SHOP/privacy/api/choices -H 'Content-Type: application/json' \
    -d '{"language": "en", "choices": [{"purpose": "newsletter", "choice": "refuse"}]}'`,
	},
	{
		"from now on the birthday does not pass",
		`curl -si -b /tmp/jar SHOP/checkout -d name=Ada -d email=ada@example.org -d birthday=1990-12-10 | grep ^Privacy`,
	},
	{
		"a form that can be read in two ways, which is refused",
		`curl SHOP/newsletter -d agree=on -d email=ada@example.org -d email=eve@example.org`,
	},
	{
		"a request that no policy declares, which is refused",
		`curl SHOP/api/visits -H 'Content-Type: application/json' -d '{"visitor": "v-5e11ed0"}' -so /dev/null`,
	},
}

// greet prints what to look at and what to try.
func (d *demo) greet(policy string) {
	p := terminal.PaletteFor(d.out)
	var b strings.Builder
	fmt.Fprintf(&b, "\n%s A shop that asks for more than it needs, behind a proxy that forwards only what has a purpose.\n\n", p.Strong.Render("Modicum."))
	fmt.Fprintf(&b, "  shop     %s\n  choices  %s\n  policy   %s %s\n\n", p.Link.Render(d.url()), p.Link.Render(d.url()+"/privacy/choices"), shortPath(policy), p.Faint.Render("(edit it: a change takes effect at once)"))
	fmt.Fprintf(&b, "%s order something there, or, in another terminal:\n", p.Strong.Render("Try it:"))
	for _, a := range attempts {
		fmt.Fprintf(&b, "\n  %s\n  %s\n", p.Faint.Render("# "+strings.ReplaceAll(a.about, "SHOP", d.url())), strings.ReplaceAll(a.command, "SHOP", d.url()))
	}
	fmt.Fprintf(&b, "\n%s names, never values. Ctrl-C ends the demo.\n\n", p.Strong.Render("What arrives now, line by line:"))
	_, _ = io.WriteString(d.out, b.String())
}

// shortPath returns a path relative to the current directory if that is shorter.
func shortPath(path string) string {
	here, err := os.Getwd()
	if err != nil {
		return path
	}
	if short, err := filepath.Rel(here, path); err == nil && len(short) < len(path) {
		return short
	}
	return path
}
