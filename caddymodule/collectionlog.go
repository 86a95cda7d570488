package caddymodule

import (
	"errors"

	"github.com/caddyserver/caddy/v2"
	"go.opentelemetry.io/otel/trace"
	"go.uber.org/zap/zapcore"

	"github.com/modicum-proxy/modicum/internal/minimize"
)

// collectionLog names the logger of submissions, so that a log of Caddy's
// configuration can include or exclude it: http.log.minimize.
type collectionLog struct{}

// CaddyModule returns the Caddy module information. It is not registered:
// loggers go by it.
func (collectionLog) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.log.minimize", New: func() caddy.Module { return collectionLog{} }}
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
	if len(e.Headers) > 0 {
		err = errors.Join(err, enc.AddArray("headers", names(e.Headers)))
	}
	if e.Rule != "" {
		enc.AddInt("status", e.Status)
		enc.AddString("rule", e.Rule)
		if e.Field != "" {
			enc.AddString("field", e.Field)
		}
	}
	if e.Remedy != "" {
		enc.AddString("remedy", e.Remedy)
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
