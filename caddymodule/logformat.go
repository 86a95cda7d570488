package caddymodule

import (
	"fmt"
	"io"
	"maps"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"go.uber.org/zap/buffer"
	"go.uber.org/zap/zapcore"

	"github.com/modicum-proxy/modicum/internal/terminal"
)

func init() {
	caddy.RegisterModule(new(LogFormat))
}

// LogFormat writes the collection log for a person to read, one line for each
// submission:
//
//	12:04:31  POST /checkout  kept name, email · stripped birthday (no consent) · undeclared shoe_size · 0.3ms
//
// Other entries are written with their message and fields. On a terminal the
// lines have colours. Programs are better served by the format `json`.
type LogFormat struct {
	// zapcore's own encoder keeps what a logger adds to all its entries.
	*zapcore.MapObjectEncoder `json:"-"`
	palette                   terminal.Palette
}

// CaddyModule returns the Caddy module information.
func (*LogFormat) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "caddy.logging.encoders.minimize", New: func() caddy.Module { return new(LogFormat) }}
}

// Provision implements [caddy.Provisioner].
func (f *LogFormat) Provision(caddy.Context) error {
	f.MapObjectEncoder = zapcore.NewMapObjectEncoder()
	return nil
}

// UnmarshalCaddyfile sets up the format. Syntax:
//
//	format minimize
func (*LogFormat) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next()
	if d.NextArg() || d.NextBlock(d.Nesting()) {
		return d.Err("the format minimize has no options")
	}
	return nil
}

// ConfigureDefaultFormat takes colours where the log goes to a terminal.
func (f *LogFormat) ConfigureDefaultFormat(wo caddy.WriterOpener) error {
	switch wo.(type) {
	case caddy.StdoutWriter, *caddy.StdoutWriter:
		f.palette = terminal.PaletteFor(os.Stdout)
	case caddy.StderrWriter, *caddy.StderrWriter:
		f.palette = terminal.PaletteFor(os.Stderr)
	}
	return nil
}

// Clone implements [zapcore.Encoder].
func (f *LogFormat) Clone() zapcore.Encoder {
	clone := &LogFormat{MapObjectEncoder: zapcore.NewMapObjectEncoder(), palette: f.palette}
	maps.Copy(clone.Fields, f.Fields)
	return clone
}

// usualRoute is the width that most routes fit into, so that what follows
// them stands in a column.
const usualRoute = 20

// loggerName is the logger of the collection log.
var loggerName = string(collectionLog{}.CaddyModule().ID)

var buffers = buffer.NewPool()

// EncodeEntry implements [zapcore.Encoder].
func (f *LogFormat) EncodeEntry(entry zapcore.Entry, fields []zapcore.Field) (*buffer.Buffer, error) {
	all := f.Clone().(*LogFormat)
	for i := range fields {
		fields[i].AddTo(all)
	}
	line := buffers.Get()
	line.AppendString(f.palette.Faint.Render(entry.Time.Format(time.TimeOnly)) + "  ")
	if entry.LoggerName == loggerName {
		f.submission(line, all.Fields)
	} else {
		f.other(line, entry, all.Fields)
	}
	line.AppendByte('\n')
	return line, nil
}

func (f *LogFormat) submission(w io.Writer, entry map[string]any) {
	p := f.palette
	says := []string{}
	names, stripped := strings.Join(texts(entry["kept"]), ", "), strippedTexts(entry["stripped"])
	undeclared := texts(entry["undeclared_names"])
	count, _ := strconv.Atoi(fmt.Sprint(entry["undeclared"])) // encoders widen integers, or do not
	if entry["verdict"] == "gap" {
		says = append(says, p.Bad.Render("no collection declares it"))
	}
	if status, refused := entry["status"]; refused {
		refusal := p.Bad.Render(fmt.Sprintf("refused %v", status)) + fmt.Sprintf(" by the rule %v", entry["rule"])
		if remedy, ok := entry["remedy"]; ok {
			refusal += fmt.Sprintf(" (%v)", remedy)
		}
		says = append(says, refusal)
	}
	if names != "" {
		says = append(says, p.Good.Render("kept")+" "+terminal.Printable(names))
	}
	if len(stripped) > 0 {
		says = append(says, p.Odd.Render("stripped")+" "+terminal.Printable(strings.Join(stripped, ", ")))
	}
	switch {
	case len(undeclared) > 0:
		says = append(says, p.Bad.Render("undeclared")+" "+terminal.Printable(strings.Join(undeclared, ", ")))
	case count > 0:
		says = append(says, p.Bad.Render("undeclared")+" "+terminal.Plural(count, "field"))
	}
	if headers := texts(entry["headers"]); len(headers) > 0 {
		says = append(says, p.Odd.Render("headers removed or changed")+" "+terminal.Printable(strings.Join(headers, ", ")))
	}
	if len(says) == 0 {
		says = append(says, "nothing to keep")
	}
	if entry["mode"] == "report" {
		says = append(says, p.Odd.Render("reported only: forwarded as it came"))
	}
	if took, ok := entry["duration"].(time.Duration); ok {
		says = append(says, p.Faint.Render(shortDuration(took)))
	}
	on := terminal.Printable(fmt.Sprint(entry["on"]))
	_, _ = fmt.Fprintf(w, "%s  %s", terminal.Pad(p.Strong.Render(on), usualRoute), strings.Join(says, p.Faint.Render(" · ")))
}

// digest is a SHA-256 in hex, of which the beginning is enough for a person.
var digest = regexp.MustCompile(`\b([0-9a-f]{12})[0-9a-f]{52}\b`)

func (f *LogFormat) other(w io.Writer, entry zapcore.Entry, fields map[string]any) {
	level, style := entry.Level.String(), f.palette.Faint
	switch {
	case entry.Level >= zapcore.ErrorLevel:
		style = f.palette.Bad
	case entry.Level == zapcore.WarnLevel:
		style = f.palette.Odd
	}
	_, _ = fmt.Fprintf(w, "%s  %s", style.Render(level), terminal.Printable(entry.Message))
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		if name != "error" {
			value := digest.ReplaceAllString(fmt.Sprint(fields[name]), "$1…")
			_, _ = fmt.Fprintf(w, "  %s", f.palette.Faint.Render(terminal.Printable(name+"="+value)))
		}
	}
	if problem, ok := fields["error"]; ok {
		// Diagnostics of a policy take lines of their own, with carets.
		for line := range strings.Lines(fmt.Sprint(problem)) {
			_, _ = fmt.Fprintf(w, "\n          %s", terminal.Printable(strings.TrimRight(line, "\n")))
		}
	}
}

func texts(value any) []string {
	list, _ := value.([]any)
	var all []string
	for _, text := range list {
		all = append(all, fmt.Sprint(text))
	}
	return all
}

// strippedTexts returns the logged fields that were left out, with the reason.
func strippedTexts(value any) []string {
	list, _ := value.([]any)
	var all []string
	for _, item := range list {
		if field, ok := item.(map[string]any); ok {
			all = append(all, fmt.Sprintf("%v (%s)", field["field"], strings.ReplaceAll(fmt.Sprint(field["reason"]), "_", " ")))
		}
	}
	return all
}

// shortDuration rounds to what a person reads.
func shortDuration(d time.Duration) string {
	switch {
	case d < time.Millisecond:
		return d.Round(time.Microsecond).String()
	case d < time.Second:
		return d.Round(100 * time.Microsecond).String()
	}
	return d.Round(10 * time.Millisecond).String()
}

// Interface guards.
var (
	_ zapcore.Encoder                  = (*LogFormat)(nil)
	_ caddy.Provisioner                = (*LogFormat)(nil)
	_ caddyfile.Unmarshaler            = (*LogFormat)(nil)
	_ caddy.ConfiguresFormatterDefault = (*LogFormat)(nil)
)
