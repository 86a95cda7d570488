// Package bypass finds routes of a Caddy configuration that forward to an
// upstream without minimize, although another route has minimize before the
// same upstream. A submission sent to the first one arrives unchanged
// (CWE-424, improper protection of an alternate path). It also finds mistakes that
// leave minimize without effect.
package bypass

import (
	"fmt"
	"maps"
	"slices"
)

// Bypass is one route that forwards to a protected upstream without minimize.
type Bypass struct {
	// Upstream is the address that the route without minimize dials.
	Upstream string `json:"upstream"`
	// Route is the route without minimize: its hosts, or its server and its
	// index there, and its other matchers.
	Route string `json:"route"`
	// Protected is the first route that has minimize before the upstream.
	Protected string `json:"protected"`
}

// String describes the bypass in one line.
func (b Bypass) String() string {
	return fmt.Sprintf("%s reaches %s without minimize; %s has minimize before it", b.Route, b.Upstream, b.Protected)
}

// Find returns the bypasses of a configuration in Caddy's JSON, which is either
// the complete one or only its http app. Handlers that it does not know are
// assumed to forward nothing. It returns an error only if Caddy could not load
// the JSON either.
func Find(config []byte) ([]Bypass, error) {
	c, err := read(config)
	if err != nil {
		return nil, err
	}
	return c.Bypasses(), nil
}

// Bypasses returns each bypass once, in the order of the servers' names and of
// their routes.
func (c *Config) Bypasses() []Bypass {
	var found []forwarding
	for _, name := range slices.Sorted(maps.Keys(c.Servers)) {
		if s := c.Servers[name]; s != nil {
			found = append(found, s.forwardings(name)...)
		}
	}
	protected := map[string]string{}
	for _, f := range found {
		if _, known := protected[f.key]; f.minimized && !known {
			protected[f.key] = f.route
		}
	}
	bypasses := []Bypass{}
	seen := map[[2]string]bool{}
	for _, f := range found {
		protectedBy, ok := protected[f.key]
		if id := [2]string{f.key, f.route}; ok && !f.minimized && !seen[id] {
			seen[id] = true
			bypasses = append(bypasses, Bypass{Upstream: f.upstream, Route: f.route, Protected: protectedBy})
		}
	}
	return bypasses
}

// forwarding is one place where a route forwards to an upstream.
type forwarding struct {
	upstream  string // its address as configured
	key       string // the same for all spellings of the address
	route     string
	minimized bool
}

// forwardings returns the places where the server with this name forwards.
func (s *Server) forwardings(name string) []forwarding {
	w := &walk{named: s.NamedRoutes}
	at := place{server: name, listen: s.Listen}
	w.routes(s.Routes, at, false)
	if s.Errors != nil {
		// Caddy runs these with the original request.
		w.routes(s.Errors.Routes, at.with("error routes"), false)
	}
	return w.found
}

// walk follows requests through the routes of a server, in Caddy's order.
type walk struct {
	named   map[string]*Route
	invoked []string // the named routes being followed: they can invoke each other
	found   []forwarding
}

// routes follows a list of routes. minimized reports whether minimize ran before
// the list; the result reports whether it ran before whatever follows the list.
func (w *walk) routes(list []Route, at place, minimized bool) bool {
	under := map[string]bool{} // matchers whose requests went through minimize
	leaks := map[string]bool{} // groups with an earlier route that does not minimize
	for i := range list {
		r := &list[i]
		condition := r.condition()
		after := w.handlers(r.Handle, at.in(r, i), minimized || under[condition])
		switch {
		case !after:
			leaks[r.Group] = leaks[r.Group] || !r.Terminal
		case r.Group != "" && leaks[r.Group]:
			// Requests that took the earlier route skip this one.
		case condition == "":
			minimized = true
		default:
			under[condition] = true
		}
	}
	return minimized
}

// handlers follows the handlers of one route; minimized and the result are as in
// routes.
func (w *walk) handlers(list []Handler, at place, minimized bool) bool {
	for i := range list {
		h := &list[i]
		switch h.Handler {
		case "minimize":
			minimized = true
		case "subroute":
			before := minimized
			minimized = w.routes(h.Routes, at, before)
			if h.Errors != nil {
				w.routes(h.Errors.Routes, at.with("error routes"), before)
			}
		case "invoke":
			minimized = w.invoke(h.Name, at, minimized)
		case "reverse_proxy":
			if !h.sendsNoSubmission() {
				w.forward(h, at, minimized)
			}
		}
		for _, response := range h.HandleResponse {
			w.routes(response.Routes, at.with("handle_response"), minimized)
		}
	}
	return minimized
}

// invoke follows the named route that a handler invokes.
func (w *walk) invoke(name string, at place, minimized bool) bool {
	r := w.named[name]
	if r == nil || slices.Contains(w.invoked, name) {
		return minimized
	}
	w.invoked = append(w.invoked, name)
	minimized = w.routes([]Route{*r}, at.with("named route "+name), minimized)
	w.invoked = w.invoked[:len(w.invoked)-1]
	return minimized
}

// forward records the upstreams of a reverse_proxy.
func (w *walk) forward(h *Handler, at place, minimized bool) {
	for _, upstream := range h.addresses() {
		w.found = append(w.found, forwarding{upstream: upstream, key: upstreamKey(upstream), route: at.String(), minimized: minimized})
	}
}
