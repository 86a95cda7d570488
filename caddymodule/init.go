package caddymodule

import (
	_ "embed" // the starter files
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"

	"github.com/modicum-proxy/modicum/internal/terminal"
)

// The starter files are valid as they stand, with these two for the site and
// its application.
const (
	starterSite     = "http://localhost:8080"
	starterUpstream = "localhost:3000"
)

var (
	//go:embed starter/privacy.yaml
	starterPolicy string
	//go:embed starter/Caddyfile
	starterCaddyfile string
)

var initCommand = caddycmd.Command{
	Name:  "init",
	Usage: "[<directory>] [--site <address>] [--upstream <address>] [--from-log <file>]",
	Short: "Writes a policy and a Caddyfile to start from",
	Long: `
Writes privacy.yaml and Caddyfile into the directory (default: this one), with
comments that explain them. What is there already stays as it is.

With --from-log it writes no file, but reads a collection log and prints the
collections and fields that arrived and no policy declares, as a policy file
to complete: a log knows names and no purposes. For the log to hold the names,
the site has show_undeclared among its options, best with mode report.

Exit status: 0 when something was written; 1 when there is nothing to write; 2
when the command is misspelled or a file cannot be read or written.`,
	CobraFunc: func(cmd *cobra.Command) {
		site := cmd.Flags().String("site", starterSite, "The address of the site, as Caddyfiles have it")
		upstream := cmd.Flags().String("upstream", starterUpstream, "The address of the application")
		log := cmd.Flags().String("from-log", "", "A collection log in JSON to propose a policy from; - is standard input")
		command(cmd, func(cmd *cobra.Command, args []string) (int, error) {
			if len(args) > 1 {
				return exitUsage, fmt.Errorf("%d directories: expected one at most", len(args))
			}
			if *log != "" {
				return proposeFrom(cmd, *log)
			}
			for _, address := range []string{*site, *upstream} {
				if address == "" || strings.ContainsAny(address, " \t\r\n{}\"`#") {
					return exitUsage, fmt.Errorf("%q is no address: expected one such as shop.example.com or localhost:3000", address)
				}
			}
			dir := "."
			if len(args) == 1 {
				dir = args[0]
			}
			caddyfile := strings.NewReplacer(starterSite, *site, starterUpstream, *upstream).Replace(starterCaddyfile)
			return writeStarter(cmd.OutOrStdout(), dir, caddyfile)
		})
	},
}

// writeStarter writes what is not there yet, and says what to do next.
func writeStarter(w io.Writer, dir, caddyfile string) (int, error) {
	p := terminal.PaletteFor(w)
	say := func(format string, args ...any) { _, _ = fmt.Fprintf(w, format+"\n", args...) }
	if err := os.MkdirAll(dir, 0o755); err != nil { //nolint:gosec // G301: configuration is no secret
		return exitUsage, fmt.Errorf("making the directory: %w", err)
	}
	written := 0
	for _, file := range []struct{ name, content, about, kept string }{
		{defaultPolicy, starterPolicy, "what may pass, and why", "it stays as it is"},
		{"Caddyfile", caddyfile, "the site, in report mode", "it stays as it is; write `minimize " + defaultPolicy + "` into a site"},
	} {
		path := filepath.Join(dir, file.name)
		err := writeNew(path, file.content)
		switch {
		case errors.Is(err, fs.ErrExist):
			say("%s %s is there already: %s", p.Odd.Render("kept "), path, file.kept)
			continue
		case err != nil:
			return exitUsage, err
		}
		written++
		say("%s %s: %s", p.Good.Render("wrote"), path, file.about)
	}
	if written == 0 {
		return exitRefused, fmt.Errorf("there is nothing to write: name another directory, or move the files away")
	}
	say("\n%s", p.Strong.Render("Next"))
	if dir != "." {
		say("  cd %s", dir)
	}
	say("  modicum check                              # the policy and its tests")
	say("  modicum run                                # the site, in front of your application")
	say("  modicum init --from-log submissions.log    # what arrives that no policy declares")
	return 0, nil
}

// writeNew writes a file that must not exist.
func writeNew(path, content string) error {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644) //nolint:gosec // G302, G304: configuration is no secret, and the path is the operator's
	if err != nil {
		return fmt.Errorf("writing a starter file: %w", err)
	}
	_, err = io.WriteString(file, content)
	return errors.Join(err, file.Close())
}
