package freshness

import (
	"context"

	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
)

// span begins a span for a call to the store, under that of the request where
// there is one that records; end ends it.
func span(ctx context.Context, name string) (_ context.Context, end func(error)) {
	above := trace.SpanFromContext(ctx)
	if !above.IsRecording() {
		return ctx, func(error) {}
	}
	ctx, s := above.TracerProvider().Tracer("github.com/modicum-proxy/modicum").Start(ctx, name) //nolint:spancheck // end ends it
	return ctx, func(err error) {                                                                //nolint:spancheck // as above
		if err != nil {
			s.SetStatus(codes.Error, err.Error())
		}
		s.End()
	}
}
