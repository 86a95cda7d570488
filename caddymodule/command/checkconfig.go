package command

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/caddyserver/caddy/v2/caddyconfig"

	"github.com/modicum-proxy/modicum/internal/bypass"
	"github.com/modicum-proxy/modicum/internal/terminal"
)

// defaultConfig is the configuration that `check` reads if it is given none, as
// Caddy's own commands do.
const defaultConfig = "Caddyfile"

// configReport is what `check` finds in the configuration of Caddy.
type configReport struct {
	File string `json:"file"`
	// Skipped is why the file was not checked, or empty if it was.
	Skipped  string          `json:"skipped,omitempty"`
	Bypasses []bypass.Bypass `json:"bypasses"`
	Mistakes []string        `json:"mistakes"`
}

// checkConfig checks the configuration in file, which adapter reads. Without a
// file, it checks the Caddyfile of the current directory, and returns nil if
// there is none. That this Caddyfile is not valid is not an error.
func checkConfig(file, adapter string) (*configReport, error) {
	if file != "" {
		report := &configReport{File: file}
		return report, report.read(adapter)
	}
	if adapter != "" {
		return nil, errors.New("--adapter goes with --config")
	}
	if _, err := os.Stat(defaultConfig); errors.Is(err, fs.ErrNotExist) {
		return nil, nil //nolint:nilnil // nothing to report
	}
	report := &configReport{File: defaultConfig, Bypasses: []bypass.Bypass{}, Mistakes: []string{}}
	if err := report.read(""); err != nil {
		report.Skipped = err.Error()
	}
	return report, nil
}

// read finds what is to be warned of in the file.
func (r *configReport) read(adapter string) error {
	config, err := os.ReadFile(r.File)
	if err != nil {
		return fmt.Errorf("reading the configuration: %w", err)
	}
	if adapter == "" && isCaddyfile(r.File) {
		adapter = "caddyfile"
	}
	if adapter != "" {
		a := caddyconfig.GetAdapter(adapter)
		if a == nil {
			return fmt.Errorf("unknown config adapter %q", adapter)
		}
		// Its warnings concern the style of the file only.
		if config, _, err = a.Adapt(config, map[string]any{"filename": r.File}); err != nil {
			return fmt.Errorf("adapting the configuration: %w", err)
		}
	}
	bypasses, err := bypass.Find(config)
	if err != nil {
		return err
	}
	r.Bypasses = bypasses
	r.Mistakes, err = bypass.FindMistakes(config)
	return err
}

// isCaddyfile reports whether Caddy would read a file of that name as a Caddyfile.
func isCaddyfile(file string) bool {
	base := strings.ToLower(filepath.Base(file))
	return !strings.HasSuffix(base, ".json") && (strings.HasPrefix(base, "caddyfile") || strings.HasSuffix(base, ".caddyfile"))
}

// print prints the warnings, one on a line. It prints nothing if r is nil.
func (r *configReport) print(w io.Writer, p terminal.Palette) {
	if r == nil {
		return
	}
	if r.Skipped != "" {
		_, _ = fmt.Fprintf(w, "%s: not checked: %s\n", p.Strong.Render(r.File), terminal.Printable(strings.ReplaceAll(r.Skipped, "\n", " ")))
	}
	for _, m := range r.Mistakes {
		_, _ = fmt.Fprintf(w, "%s: %s: %s\n", p.Strong.Render(r.File), p.Odd.Render("warning"), terminal.Printable(m))
	}
	for _, b := range r.Bypasses {
		_, _ = fmt.Fprintf(w, "%s: %s: %s\n", p.Strong.Render(r.File), p.Odd.Render("warning"), terminal.Printable(b.String()))
	}
}
