package caddymodule

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/modicum-proxy/modicum/internal/minimize"
)

// scope is the name of our instrumentation.
const scope = "github.com/modicum-proxy/modicum"

// telemetry follows one request: its span, its placeholders, its line in the
// access log.
type telemetry struct {
	r      *http.Request   // as the engine gets it
	parent context.Context //nolint:containedctx // the request's own, to go on with
	span   trace.Span      // nil: nobody records
	s      *minimize.Submission
}

// follow sets the placeholders of a request: even where we have nothing to
// tell, so that none is ever printed as it is written.
func follow(r *http.Request) *telemetry {
	t := &telemetry{r: r, parent: r.Context()}
	if repl, ok := t.parent.Value(caddy.ReplacerCtxKey).(*caddy.Replacer); ok {
		repl.Map(t.placeholder)
	}
	return t
}

// begin starts the span `minimize` under that of the request. The tracing
// handler keeps a provider of its own, so it is taken from the span there is.
func (t *telemetry) begin() {
	if above := trace.SpanFromContext(t.parent); above.IsRecording() {
		ctx, span := above.TracerProvider().Tracer(scope).Start(t.parent, "minimize")
		t.span, t.r = span, t.r.WithContext(ctx)
	}
}

// decided notes what the engine made of the request.
func (t *telemetry) decided(s *minimize.Submission) {
	t.s = s
	if s == nil || !s.Streaming() {
		t.end()
	}
	if s == nil || s.Receipt == "" {
		return
	}
	if extra, ok := t.parent.Value(caddyhttp.ExtraLogFieldsCtxKey).(*caddyhttp.ExtraLogFields); ok {
		extra.Add(zap.Inline(logged{s}))
	}
}

// forward returns the request as it goes on, under the span it came with.
func (t *telemetry) forward() *http.Request {
	if t.r.Context() == t.parent {
		return t.r
	}
	return t.r.WithContext(t.parent)
}

// end ends the span; it may be called again.
func (t *telemetry) end() {
	if t.span != nil {
		t.span.End()
		t.span = nil
	}
}

// placeholder gives the values of {http.minimize.*}: names and counts. They
// are empty, not literal, where nothing was submitted.
func (t *telemetry) placeholder(key string) (any, bool) {
	const prefix = "http.minimize."
	if len(key) <= len(prefix) || key[:len(prefix)] != prefix {
		return nil, false
	}
	if t.s == nil {
		return "", true
	}
	summary := t.s.Summary()
	switch key[len(prefix):] {
	case "collection":
		return summary.Collection, true
	case "verdict":
		return summary.Verdict.String(), true
	case "mode":
		return t.s.Mode.String(), true
	case "policy":
		return t.s.Set.Version, true
	case "receipt":
		return t.s.Receipt, true
	case "purposes":
		return strings.Join(summary.Purposes, ","), true
	case "kept":
		return strconv.Itoa(summary.Kept), true
	case "stripped":
		return strconv.Itoa(summary.Stripped), true
	case "undeclared":
		return strconv.Itoa(summary.Undeclared), true
	case "rule":
		return summary.Rule, true
	}
	return "", true
}

// logged is what the access log says of a submission.
type logged struct{ s *minimize.Submission }

// MarshalLogObject implements [zapcore.ObjectMarshaler].
func (l logged) MarshalLogObject(enc zapcore.ObjectEncoder) error {
	summary := l.s.Summary()
	enc.AddString("minimize_collection", summary.Collection)
	enc.AddString("minimize_verdict", summary.Verdict.String())
	enc.AddString("minimize_receipt", l.s.Receipt)
	return nil
}

// collectionLog names the logger of submissions, so that a log of Caddy's
// configuration can include or exclude it: http.log.minimize.
type collectionLog struct{}

// CaddyModule returns the Caddy module information. It is not registered:
// loggers go by it.
func (collectionLog) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.log.minimize", New: func() caddy.Module { return collectionLog{} }}
}

// recorder writes the collection log, the metrics and the span's attributes.
type recorder struct {
	log     *zap.Logger
	metrics *metrics
}

// Record implements [minimize.Recorder].
func (rec *recorder) Record(ctx context.Context, e *minimize.Entry) error {
	rec.metrics.record(e)
	span := trace.SpanFromContext(ctx)
	if span.IsRecording() {
		span.SetAttributes(
			attribute.String("privacy.collection", e.Collection),
			attribute.String("privacy.policy.version", e.Policy),
			attribute.StringSlice("privacy.purposes", e.Purposes),
			attribute.Int("privacy.fields.kept", len(e.Kept)),
			attribute.Int("privacy.fields.stripped", len(e.Stripped)+e.Undeclared),
			attribute.String("privacy.verdict", e.Verdict.String()),
			attribute.String("privacy.mode", e.Mode.String()),
			attribute.String("privacy.receipt", e.Receipt),
		)
		if e.Consent != "" {
			span.SetAttributes(attribute.String("privacy.consent.source", e.Consent))
		}
		if e.Rule != "" {
			span.SetAttributes(attribute.String("privacy.rule", e.Rule))
		}
	}
	line := rec.log.Check(zapcore.InfoLevel, "submission")
	if line == nil {
		return nil
	}
	line.Write(zap.Inline(&logLine{e: e, trace: span.SpanContext()}))
	return nil
}

// logLine is an entry as the collection log shows it. It is one field, so
// that a line costs no list of them.
type logLine struct {
	e     *minimize.Entry
	trace trace.SpanContext
}

// MarshalLogObject implements [zapcore.ObjectMarshaler].
func (l *logLine) MarshalLogObject(enc zapcore.ObjectEncoder) error {
	e := l.e
	enc.AddString("on", e.On)
	enc.AddString("collection", e.Collection)
	enc.AddString("verdict", e.Verdict.String())
	enc.AddString("mode", e.Mode.String())
	err := errors.Join(
		enc.AddArray("purposes", names(e.Purposes)),
		enc.AddArray("kept", names(e.Kept)),
		enc.AddArray("stripped", strippedFields(e.Stripped)),
	)
	enc.AddInt("undeclared", e.Undeclared)
	if e.Consent != "" {
		enc.AddString("consent_source", e.Consent)
	}
	enc.AddString("policy", e.Policy)
	enc.AddString("receipt", e.Receipt)
	enc.AddDuration("duration", e.Duration)
	if len(e.Names) > 0 {
		err = errors.Join(err, enc.AddArray("undeclared_names", names(e.Names)))
	}
	if e.Rule != "" {
		enc.AddInt("status", e.Status)
		enc.AddString("rule", e.Rule)
	}
	if l.trace.HasTraceID() {
		enc.AddString("trace_id", l.trace.TraceID().String())
	}
	return err
}

// names writes names of fields and purposes.
type names []string

// MarshalLogArray implements [zapcore.ArrayMarshaler].
func (list names) MarshalLogArray(enc zapcore.ArrayEncoder) error {
	for _, name := range list {
		enc.AppendString(name)
	}
	return nil
}

// strippedFields writes declared fields with the reason they were left out.
type strippedFields []minimize.StrippedField

// MarshalLogArray implements [zapcore.ArrayMarshaler].
func (fields strippedFields) MarshalLogArray(enc zapcore.ArrayEncoder) error {
	for _, f := range fields {
		if err := enc.AppendObject(strippedField(f)); err != nil {
			return err
		}
	}
	return nil
}

type strippedField minimize.StrippedField

// MarshalLogObject implements [zapcore.ObjectMarshaler].
func (f strippedField) MarshalLogObject(enc zapcore.ObjectEncoder) error {
	enc.AddString("field", f.Name)
	enc.AddString("reason", f.Reason)
	return nil
}

var _ minimize.Recorder = (*recorder)(nil)
