package caddymodule

import (
	"context"
	"io"
	"net/http"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.opentelemetry.io/otel/trace"

	"github.com/modicum-proxy/modicum/internal/minimize"
)

// exchange is one request and its response as they pass through the handler. As
// the response writer of the handlers after us, it sets our headers when the
// response begins, over what the application may have set.
type exchange struct {
	caddyhttp.ResponseWriterWrapper

	r          *http.Request
	header     http.Header   // of r, as it came: the routes of errors begin with it
	body       io.ReadCloser // of r, as it came
	deadline   minimize.ReadDeadline
	span       trace.Span           // nil: nothing records one
	submission *minimize.Submission // nil: the request submits nothing, or has not been read yet
	announced  bool                 // the headers are set
	// withheld says that the response is ours to give: a form was refused while
	// it was forwarded.
	withheld bool
}

// begin begins an exchange and sets its placeholders: even if we have nothing
// to say, so that none is ever printed as it is written.
func begin(w http.ResponseWriter, r *http.Request) *exchange {
	x := &exchange{ResponseWriterWrapper: caddyhttp.ResponseWriterWrapper{ResponseWriter: w}, r: r, header: r.Header, body: r.Body}
	if r.ContentLength != 0 {
		x.deadline = minimize.NewReadDeadline(w, r)
	}
	x.setPlaceholders()
	return x
}

// process takes the request through the engine, under a span of its own.
func (x *exchange) process(e *minimize.Engine) *minimize.Submission {
	ctx := x.beginSpan(x.r.Context())
	x.submission = e.Process(ctx, x.ResponseWriter, x.r)
	if x.submission == nil || !x.submission.Streaming() {
		x.endSpan()
	}
	x.addLogFields()
	return x.submission
}

// end fulfils what the exchange owes, whatever became of it: err is what the
// handler returns.
func (x *exchange) end(err error) {
	if s := x.submission; s != nil {
		if x.announced {
			x.conceal()
		}
		if err != nil && s.Mode == minimize.Enforce {
			x.withhold()
		}
		s.Close()
	}
	x.endSpan() // an incompletely read form is recorded by Close
}

// statusClientClosed is what the proxy answers if the request's context has
// ended: also if we ended it, because the client was too slow.
const statusClientClosed = 499

// WriteHeader implements [http.ResponseWriter]. Informational responses
// have no headers of ours.
func (x *exchange) WriteHeader(status int) {
	if status == statusClientClosed && !x.announced && x.submission.StreamRefusal() != nil {
		x.withheld = true
		return
	}
	if status >= 200 || status == http.StatusSwitchingProtocols {
		x.announce()
	}
	x.ResponseWriterWrapper.WriteHeader(status)
}

// Write implements [io.Writer].
func (x *exchange) Write(p []byte) (int, error) {
	if x.withheld {
		return len(p), nil
	}
	x.announce()
	return x.ResponseWriterWrapper.Write(p)
}

// ReadFrom implements [io.ReaderFrom].
func (x *exchange) ReadFrom(r io.Reader) (int64, error) {
	if x.withheld {
		return io.Copy(io.Discard, r)
	}
	x.announce()
	return x.ResponseWriterWrapper.ReadFrom(r)
}

// FlushError implements what [http.ResponseController] looks for.
func (x *exchange) FlushError() error {
	if x.withheld {
		return nil
	}
	x.announce()
	return http.NewResponseController(x.ResponseWriter).Flush()
}

func (x *exchange) announce() {
	if !x.announced {
		x.announced = true
		x.submission.Announce(x.Header())
	}
}

// conceal keeps names that are for the sender alone out of the access log,
// which has the headers of the response. If the response has not begun yet,
// the sender does not get them either: encode keeps back the headers of a
// response without content.
func (x *exchange) conceal() {
	for w := x.ResponseWriter; w != nil; {
		if _, logged := w.(caddyhttp.ResponseRecorder); logged {
			x.submission.Conceal(x.Header())
			return
		}
		inner, ok := w.(interface{ Unwrap() http.ResponseWriter })
		if !ok {
			return
		}
		w = inner.Unwrap()
	}
}

// beginSpan begins the span `minimize` under that of the request. The tracing
// handler has a provider of its own, so it is taken from the span there is.
func (x *exchange) beginSpan(ctx context.Context) context.Context {
	if parent := trace.SpanFromContext(ctx); parent.IsRecording() {
		ctx, x.span = parent.TracerProvider().Tracer(scope).Start(ctx, "minimize") //nolint:spancheck // end ends it
	}
	return ctx
}

// endSpan ends the span; it may be called again.
func (x *exchange) endSpan() {
	if x.span != nil {
		x.span.End()
		x.span = nil
	}
}

var _ http.ResponseWriter = (*exchange)(nil)
