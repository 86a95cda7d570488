package minimize

import (
	"bytes"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/modicum-proxy/modicum/internal/policy"
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

// submitsQuery tells whether a query that no collection declares is a
// submission all the same: by its method, or because applications may take
// the path for a declared one.
func submitsQuery(set *policy.Set, r *http.Request, path string) bool {
	if !isSafe(r.Method) {
		return true
	}
	host, near := hostname(r.Host), loosePath(path)
	return set.Near(r.Method, host, near) || set.Near(r.Method, host, near+"/")
}

// isUpgrade tells whether the connection is to become something else than
// HTTP.
func isUpgrade(r *http.Request) bool {
	return r.Method == http.MethodConnect || len(r.Header["Upgrade"]) > 0
}

// hostname returns a host without its port and the dot that may end a name
// (RFC 1034, section 3.1): with and without it is one host.
func hostname(host string) string {
	if strings.IndexByte(host, ':') >= 0 {
		if name, _, err := net.SplitHostPort(host); err == nil {
			host = name
		}
	}
	return strings.TrimSuffix(host, ".")
}
