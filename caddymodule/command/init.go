package command

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

	"github.com/modicum-proxy/modicum/internal/proposal"
	"github.com/modicum-proxy/modicum/internal/terminal"
)

// The starter files are valid as they are. They use these two addresses, of the
// site and its application.
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
Writes privacy.yaml and Caddyfile into the directory (default: the current one),
with comments that explain them. It does not change files that exist.

With --from-log it writes no file. It reads a collection log and prints the
collections and fields that arrived and that no policy declares, as a policy file
to complete: a log knows names, not purposes. For the log to contain the names,
the site needs the option show_undeclared, preferably with mode report.

Exit status: 0 if something was written; 1 if there is nothing to write; 2 if a
file cannot be read or written or the command is used incorrectly.`,
	CobraFunc: func(cmd *cobra.Command) {
		site := cmd.Flags().String("site", starterSite, "The address of the site, as in a Caddyfile")
		upstream := cmd.Flags().String("upstream", starterUpstream, "The address of the application")
		log := cmd.Flags().String("from-log", "", "A collection log in JSON to draft a policy from; - is standard input")
		setRun(cmd, func(cmd *cobra.Command, args []string) (int, error) {
			if len(args) > 1 {
				return exitUsage, fmt.Errorf("%d directories: expected one at most", len(args))
			}
			if *log != "" {
				return printProposal(cmd, *log)
			}
			for _, address := range []string{*site, *upstream} {
				if address == "" || strings.ContainsAny(address, " \t\r\n{}\"`#") {
					return exitUsage, fmt.Errorf("%q is not an address: expected one such as shop.example.com or localhost:3000", address)
				}
			}
			dir := "."
			if len(args) == 1 {
				dir = args[0]
			}
			caddyfile := strings.NewReplacer(starterSite, *site, starterUpstream, *upstream).Replace(starterCaddyfile)
			return writeStarter(cmd, dir, caddyfile)
		})
	},
}

// writeStarter writes the files that do not exist, and says what to do next.
func writeStarter(cmd *cobra.Command, dir, caddyfile string) (int, error) {
	w := cmd.OutOrStdout()
	p := terminal.PaletteFor(w)
	say := func(format string, args ...any) { _, _ = fmt.Fprintf(w, format+"\n", args...) }
	if err := os.MkdirAll(dir, 0o755); err != nil { //nolint:gosec // G301: configuration is not secret
		return exitUsage, fmt.Errorf("making the directory: %w", err)
	}
	written := 0
	for _, file := range []struct{ name, content, about, kept string }{
		{defaultPolicy, starterPolicy, "what may pass, and why", "it is not changed"},
		{"Caddyfile", caddyfile, "the site, in report mode", "it is not changed; write `minimize " + defaultPolicy + "` into a site"},
	} {
		path := filepath.Join(dir, file.name)
		err := writeNew(path, file.content)
		switch {
		case errors.Is(err, fs.ErrExist):
			say("%s %s exists already: %s", p.Odd.Render("kept "), path, file.kept)
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
	ours, caddy := cmd.Parent().CommandPath(), cmd.Root().CommandPath()
	for _, next := range []struct{ command, about string }{
		{ours + " check", "the policy and its tests"},
		{caddy + " run", "the site, in front of your application"},
		{ours + " init --from-log submissions.log", "what arrives that no policy declares"},
	} {
		say("  %s    # %s", terminal.Pad(next.command, len(ours+" init --from-log submissions.log")), next.about)
	}
	return 0, nil
}

// writeNew writes a file that must not exist yet.
func writeNew(path, content string) error {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644) //nolint:gosec // G302, G304: configuration is not secret, and the path is the operator's
	if err != nil {
		return fmt.Errorf("writing a starter file: %w", err)
	}
	_, err = io.WriteString(file, content)
	return errors.Join(err, file.Close())
}

// printProposal prints a policy to complete, drafted from a collection log.
func printProposal(cmd *cobra.Command, path string) (int, error) {
	log := cmd.InOrStdin()
	if path != "-" {
		file, err := os.Open(path) //nolint:gosec // G304: the operator names it
		if err != nil {
			return exitUsage, fmt.Errorf("reading the log: %w", err)
		}
		defer file.Close() //nolint:errcheck // it was only read
		log = file
	}
	draft, err := proposal.FromLog(log)
	if err != nil {
		return exitUsage, fmt.Errorf("reading the log: %w", err)
	}
	if draft.Submissions == 0 {
		return exitUsage, fmt.Errorf("%s contains no line of the collection log: expected JSON of the logger %s", path, proposal.Logger)
	}
	if draft.IsEmpty() {
		return exitRefused, fmt.Errorf("%s in %s, and no undeclared name: all are declared, or the site lacks the option show_undeclared", terminal.Plural(draft.Submissions, "submission"), path)
	}
	return 0, draft.Print(cmd.OutOrStdout())
}
