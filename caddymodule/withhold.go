package caddymodule

import (
	"net/http"
	"time"
)

// drainTime is how long withhold waits for what is left of a body.
const drainTime = time.Second

// withhold empties a request that ended in an error, before the handlers of
// errors get it: one of them may forward it to the application. Handlers before
// us may have made copies of the request, of which the server goes on with the
// first: so the body that came is closed.
func (x *exchange) withhold() {
	r := x.r
	r.URL.RawQuery = ""
	hideQuery(r, "")
	if r.ContentLength == 0 || x.body == nil {
		return
	}
	x.deadline.Set(time.Now().Add(drainTime))
	_ = x.body.Close()
	x.deadline.Reset()
	r.Body, r.ContentLength, r.TransferEncoding, r.Trailer = http.NoBody, 0, nil, nil
	for _, name := range []string{"Content-Type", "Content-Length", "Content-Encoding", "Transfer-Encoding", "Trailer", "Expect"} {
		r.Header.Del(name)
		x.header.Del(name)
	}
}
