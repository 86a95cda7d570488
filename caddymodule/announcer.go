package caddymodule

import (
	"io"
	"net/http"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/modicum-proxy/modicum/internal/minimize"
)

// announcer sets our headers when the response begins, over what the
// application may have set.
type announcer struct {
	*caddyhttp.ResponseWriterWrapper
	s         *minimize.Submission
	announced bool
	// withheld says that the response is ours to give: a form was refused while
	// it was forwarded.
	withheld bool
}

// statusClientClosed is what the proxy answers when the request's context has
// ended: also where we ended it, since the client was too slow.
const statusClientClosed = 499

// WriteHeader implements [http.ResponseWriter]. Informational responses
// have no headers of ours.
func (a *announcer) WriteHeader(status int) {
	if status == statusClientClosed && !a.announced && a.s.StreamRefusal() != nil {
		a.withheld = true
		return
	}
	if status >= 200 || status == http.StatusSwitchingProtocols {
		a.announce()
	}
	a.ResponseWriterWrapper.WriteHeader(status)
}

// Write implements [io.Writer].
func (a *announcer) Write(p []byte) (int, error) {
	if a.withheld {
		return len(p), nil
	}
	a.announce()
	return a.ResponseWriterWrapper.Write(p)
}

// ReadFrom implements [io.ReaderFrom].
func (a *announcer) ReadFrom(r io.Reader) (int64, error) {
	if a.withheld {
		return io.Copy(io.Discard, r)
	}
	a.announce()
	return a.ResponseWriterWrapper.ReadFrom(r)
}

// FlushError implements what [http.ResponseController] looks for.
func (a *announcer) FlushError() error {
	if a.withheld {
		return nil
	}
	a.announce()
	return http.NewResponseController(a.ResponseWriter).Flush()
}

func (a *announcer) announce() {
	if !a.announced {
		a.announced = true
		a.s.Announce(a.Header())
	}
}

// conceal keeps names that only the sender may be told out of the access
// log, which holds the headers of the response. Where the response has not
// begun yet, the sender is not told either: encode keeps back the headers of
// one without content.
func (a *announcer) conceal() {
	for w := a.ResponseWriter; w != nil; {
		if _, logged := w.(caddyhttp.ResponseRecorder); logged {
			a.s.Conceal(a.Header())
			return
		}
		inner, ok := w.(interface{ Unwrap() http.ResponseWriter })
		if !ok {
			return
		}
		w = inner.Unwrap()
	}
}

var _ http.ResponseWriter = (*announcer)(nil)
