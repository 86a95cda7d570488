package caddymodule

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/modicum-proxy/modicum/internal/minimize"
)

// scope is the name of our instrumentation.
const scope = "github.com/modicum-proxy/modicum"

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

var _ minimize.Recorder = (*recorder)(nil)
