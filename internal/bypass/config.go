package bypass

import (
	"encoding/json"
	"fmt"
	"slices"
)

// Config is the part of Caddy's http app that decides which requests are
// forwarded to which upstream.
type Config struct {
	Servers map[string]*Server `json:"servers"`
}

// Server is an HTTP server of Caddy.
type Server struct {
	Listen      []string          `json:"listen"`
	Routes      []Route           `json:"routes"`
	Errors      *Routes           `json:"errors"`
	NamedRoutes map[string]*Route `json:"named_routes"`
	// TrustedProxies is nil if the server has none.
	TrustedProxies json.RawMessage `json:"trusted_proxies"`
}

// Routes is an object that holds a list of routes.
type Routes struct {
	Routes []Route `json:"routes"`
}

// Route is a route of a server or of a handler.
type Route struct {
	Group    string                       `json:"group"`
	Match    []map[string]json.RawMessage `json:"match"`
	Handle   []Handler                    `json:"handle"`
	Terminal bool                         `json:"terminal"`
}

// Handler is a handler that minimizes, answers, or contains routes. The zero value
// stands for any other handler.
type Handler struct {
	Handler string `json:"handler"`

	Routes []Route `json:"routes"` // of subroute
	Errors *Routes `json:"errors"` // of subroute

	Name string `json:"name"` // of invoke

	HandleResponse []Routes `json:"handle_response"` // of reverse_proxy and intercept

	// Of reverse_proxy.
	Upstreams        []Upstream      `json:"upstreams"`
	DynamicUpstreams json.RawMessage `json:"dynamic_upstreams"`
	Rewrite          *Rewrite        `json:"rewrite"`
	Transport        Transport       `json:"transport"`

	PassThru bool `json:"pass_thru"` // of file_server

	Subject []Subject `json:"subject"` // of minimize
}

// Subject is a way to know people, as the header that a trusted proxy sets.
type Subject struct {
	Header string `json:"header"`
}

// Transport is how a reverse_proxy talks to its upstreams.
type Transport struct {
	Protocol string `json:"protocol"`
}

// Upstream is a fixed upstream of a reverse_proxy.
type Upstream struct {
	Dial string `json:"dial"`
}

// Rewrite is how a reverse_proxy changes requests before it forwards them.
type Rewrite struct {
	Method string `json:"method"`
	URI    string `json:"uri"`
}

// UnmarshalJSON leaves h unchanged if the handler is not one of those above,
// whose members could have the same names and other types.
func (h *Handler) UnmarshalJSON(data []byte) error {
	var head struct {
		Handler string `json:"handler"`
	}
	if err := json.Unmarshal(data, &head); err != nil {
		head.Handler = ""
	}
	switch {
	case slices.Contains([]string{"static_response", "error", "rewrite"}, head.Handler):
		h.Handler = head.Handler
		return nil
	case !slices.Contains([]string{"subroute", "invoke", "reverse_proxy", "intercept", "file_server", "minimize"}, head.Handler):
		return nil
	}
	type members Handler // without this method
	return json.Unmarshal(data, (*members)(h))
}

// condition returns a text that is equal for routes with equal matchers, and
// empty for a route that matches every request.
func (r *Route) condition() string {
	for _, set := range r.Match {
		if len(set) == 0 {
			return ""
		}
	}
	if len(r.Match) == 0 {
		return ""
	}
	data, err := json.Marshal(r.Match) // sorts the names and leaves out white space
	if err != nil {
		return fmt.Sprintf("%p", r)
	}
	return string(data)
}
