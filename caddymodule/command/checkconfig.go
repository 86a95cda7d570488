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
}

// checkConfig checks the configuration in file, which adapter reads. Without a
// file, it checks the Caddyfile of the current directory, and returns nil if
// there is none. That this Caddyfile is not valid is not an error.
func checkConfig(file, adapter string) (*configReport, error) {
	if file != "" {
		bypasses, err := readBypasses(file, adapter)
		return &configReport{File: file, Bypasses: bypasses}, err
	}
	if adapter != "" {
		return nil, errors.New("--adapter goes with --config")
	}
	if _, err := os.Stat(defaultConfig); errors.Is(err, fs.ErrNotExist) {
		return nil, nil //nolint:nilnil // nothing to report
	}
	report := &configReport{File: defaultConfig, Bypasses: []bypass.Bypass{}}
	bypasses, err := readBypasses(defaultConfig, "")
	if err != nil {
		report.Skipped = err.Error()
	} else {
		report.Bypasses = bypasses
	}
	return report, nil
}

func readBypasses(file, adapter string) ([]bypass.Bypass, error) {
	config, err := os.ReadFile(file) //nolint:gosec // G304: the operator names it
	if err != nil {
		return nil, fmt.Errorf("reading the configuration: %w", err)
	}
	if adapter == "" && isCaddyfile(file) {
		adapter = "caddyfile"
	}
	if adapter != "" {
		a := caddyconfig.GetAdapter(adapter)
		if a == nil {
			return nil, fmt.Errorf("unknown config adapter %q", adapter)
		}
		// Its warnings concern the style of the file only.
		if config, _, err = a.Adapt(config, map[string]any{"filename": file}); err != nil {
			return nil, fmt.Errorf("adapting the configuration: %w", err)
		}
	}
	return bypass.Find(config)
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
	for _, b := range r.Bypasses {
		_, _ = fmt.Fprintf(w, "%s: %s: %s\n", p.Strong.Render(r.File), p.Odd.Render("warning"), terminal.Printable(b.String()))
	}
}
