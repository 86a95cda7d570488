package caddymodule

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/modicum-proxy/modicum/internal/minimize"
)

func newLogFormat(t *testing.T) *LogFormat {
	t.Helper()
	f := new(LogFormat)
	if err := f.Provision(caddy.Context{}); err != nil {
		t.Fatal(err)
	}
	return f
}

// TestLogFormat writes entries through the recorder, so that a field it
// renames is missed here.
func TestLogFormat(t *testing.T) {
	stripped := func(pairs ...string) (fields []minimize.StrippedField) {
		for pair := range slices.Chunk(pairs, 2) {
			fields = append(fields, minimize.StrippedField{Name: pair[0], Reason: pair[1]})
		}
		return fields
	}
	for _, c := range []struct {
		entry minimize.Entry
		want  string
	}{
		{
			minimize.Entry{
				On: "POST /checkout", Collection: "checkout", Verdict: minimize.Minimized, Kept: []string{"name", "items.*.sku"},
				Stripped: stripped("birthday", "no_consent", "phone", "wrong_type"), Undeclared: 2, Names: []string{"shoe_size", "x"}, Duration: 312456 * time.Nanosecond,
			},
			"POST /checkout        kept name, items.*.sku · stripped birthday (no consent), phone (wrong type) · undeclared shoe_size, x · 312µs",
		},
		{minimize.Entry{On: "GET /search", Verdict: minimize.Minimized, Duration: 3456 * time.Microsecond}, "GET /search           nothing to keep · 3.5ms"},
		{minimize.Entry{On: "POST", Verdict: minimize.Gap, Undeclared: 1, Duration: 1234 * time.Millisecond}, "POST                  no collection declares it · undeclared 1 field · 1.23s"},
		{minimize.Entry{On: "POST /a", Verdict: minimize.Refused, Status: 400, Rule: "duplicate-name"}, "POST /a               refused 400 by the rule duplicate-name · 0s"},
		{
			minimize.Entry{On: "POST /a", Verdict: minimize.Minimized, Mode: minimize.Report, Kept: []string{"a"}, Undeclared: 3},
			"POST /a               kept a · undeclared 3 fields · reported only: forwarded as it came · 0s",
		},
		// A field can have a name that clears the screen, or that forges a line
		// (CWE-117, CWE-150).
		{
			minimize.Entry{On: "POST /%1b[2J", Verdict: minimize.Gap, Undeclared: 2, Names: []string{"\x1b[2J\x1b]0;x\x07", "a\n12:00:00  POST /b  kept all"}},
			"POST /%1b[2J          no collection declares it · undeclared ·[2J·]0;x·, a·12:00:00  POST /b  kept all · 0s",
		},
	} {
		var line string
		core := recordingCore{format: newLogFormat(t), line: &line}
		metrics, err := newMetrics(prometheus.NewRegistry())
		if err != nil {
			t.Fatal(err)
		}
		log := &recorder{log: zap.New(core).Named(loggerName), metrics: metrics}
		if err := log.Record(t.Context(), &c.entry); err != nil {
			t.Fatal(err)
		}
		clock, rest, _ := strings.Cut(line, "  ")
		if _, err := time.Parse(time.TimeOnly, clock); err != nil {
			t.Errorf("the line begins with %q", clock)
		}
		if rest != c.want+"\n" {
			t.Errorf("writes\n%s not\n%s", rest, c.want)
		}
	}
}

// recordingCore keeps the last line.
type recordingCore struct {
	zapcore.LevelEnabler
	format zapcore.Encoder
	line   *string
}

func (c recordingCore) Enabled(zapcore.Level) bool { return true }
func (c recordingCore) Sync() error                { return nil }

func (c recordingCore) With(fields []zapcore.Field) zapcore.Core {
	c.format = c.format.Clone()
	for _, f := range fields {
		f.AddTo(c.format)
	}
	return c
}

func (c recordingCore) Check(e zapcore.Entry, ce *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	return ce.AddCore(e, c)
}

func (c recordingCore) Write(e zapcore.Entry, fields []zapcore.Field) error {
	b, err := c.format.EncodeEntry(e, fields)
	if err == nil {
		*c.line = b.String()
	}
	return err
}

// TestLogFormatOfOthers: what other loggers say stays readable, errors of
// several lines included.
func TestLogFormatOfOthers(t *testing.T) {
	var line string
	log := zap.New(recordingCore{format: newLogFormat(t), line: &line}).Named("minimize").With(zap.String("a", "b"))
	log.Error("refused", zap.String("version", strings.Repeat("0123456789abcdef", 4)), zap.Error(errors.New("p.yaml:1:2: error\n    1 | x\n      | ^\x1b[2J")))
	_, rest, _ := strings.Cut(line, "  ")
	want := "error  refused  a=b  version=0123456789ab…\n          p.yaml:1:2: error\n              1 | x\n                | ^·[2J\n"
	if rest != want {
		t.Errorf("writes %q, not %q", rest, want)
	}
	log.Info("one\ntwo")
	if _, rest, _ = strings.Cut(line, "  "); rest != "info  one·two  a=b\n" {
		t.Errorf("writes %q", rest)
	}
}

func TestLogFormatHasNoOptions(t *testing.T) {
	for text, fine := range map[string]bool{"minimize": true, "minimize colours": false, "minimize {\n colours\n}": false} {
		if err := newLogFormat(t).UnmarshalCaddyfile(caddyfile.NewTestDispenser(text)); (err == nil) != fine {
			t.Errorf("%q: %v", text, err)
		}
	}
}
