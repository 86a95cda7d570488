package minimize

import (
	"bytes"
	"io"
	"net/http"
	"time"
)

// settleLength finds out whether a body of unknown length is there at all.
// HTTP/3 does not tell for a GET, and some clients send an empty body in
// chunks: without this, both would be bodies of no type.
func (e *Engine) settleLength(w http.ResponseWriter, r *http.Request) {
	if !hasBody(r) || r.ContentLength > 0 || r.Header["Content-Type"] != nil && !isSafe(r.Method) && r.Method != http.MethodDelete {
		return
	}
	client := http.NewResponseController(w)
	if e.BodyTimeout > 0 {
		_ = client.SetReadDeadline(time.Now().Add(e.BodyTimeout)) // not every writer can
	}
	first := make([]byte, 1)
	n, err := io.ReadFull(r.Body, first)
	if err == io.EOF {
		r.Body, r.ContentLength, err = http.NoBody, 0, nil
	} else {
		r.Body = &original{Reader: io.MultiReader(bytes.NewReader(first[:n]), &failing{r.Body, err}), Closer: r.Body}
	}
	if e.BodyTimeout > 0 && err == nil {
		_ = client.SetReadDeadline(time.Time{})
	}
}

func hasBody(r *http.Request) bool {
	return r.ContentLength != 0 && r.Body != nil && r.Body != http.NoBody
}

// isSafe tells the methods by which nothing is submitted in general.
func isSafe(method string) bool {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace:
		return true
	}
	return false
}

// isUpgrade tells whether the connection is to become something else than
// HTTP.
func isUpgrade(r *http.Request) bool {
	return r.Method == http.MethodConnect || len(r.Header["Upgrade"]) > 0
}
