package caddymodule

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// bypass is a route that forwards to an upstream without minimize, although
// another route has minimize before the same upstream. What the first route
// forwards arrives whole (CWE-424, improper protection of an alternate path).
type bypass struct {
	// Upstream is the address that the route without minimize dials.
	Upstream string `json:"upstream"`
	// Route is the route without minimize: its hosts, or its server and its
	// index there, and its other matchers.
	Route string `json:"route"`
	// Protected is the first route that has minimize before the upstream.
	Protected string `json:"protected"`
}

// String describes the bypass in one line.
func (b bypass) String() string {
	return fmt.Sprintf("%s reaches %s without minimize; %s has minimize before it", b.Route, b.Upstream, b.Protected)
}

// findBypasses returns the bypasses of a configuration in Caddy's JSON, which
// is either the whole one or only its http app. Handlers that it does not know
// are taken for ones that forward nothing. It fails only if the JSON is none
// that Caddy would load.
func findBypasses(config []byte) ([]bypass, error) {
	var c struct {
		httpConfig
		Apps struct {
			HTTP *httpConfig `json:"http"`
		} `json:"apps"`
	}
	if err := json.Unmarshal(config, &c); err != nil {
		return nil, fmt.Errorf("reading Caddy's JSON: %w", err)
	}
	if c.Apps.HTTP != nil {
		return c.Apps.HTTP.bypasses(), nil
	}
	return c.bypasses(), nil
}

// bypasses returns each bypass once, in the order of the servers' names and
// of the routes.
func (c *httpConfig) bypasses() []bypass {
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
	bypasses := []bypass{}
	seen := map[[2]string]bool{}
	for _, f := range found {
		by, ok := protected[f.key]
		if once := [2]string{f.key, f.route}; ok && !f.minimized && !seen[once] {
			seen[once] = true
			bypasses = append(bypasses, bypass{Upstream: f.upstream, Route: f.route, Protected: by})
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

// forwardings returns the places where the server called name forwards.
func (s *serverConfig) forwardings(name string) []forwarding {
	w := &walk{named: s.NamedRoutes}
	at := place{server: name, listen: s.Listen}
	w.list(s.Routes, at, false)
	if s.Errors != nil {
		// Caddy starts these with the request as it came.
		w.list(s.Errors.Routes, at.with("error routes"), false)
	}
	return w.found
}

// walk follows requests through the routes of a server, in Caddy's order.
type walk struct {
	named   map[string]*routeConfig
	invoked []string // named routes that are being followed: they may invoke each other
	found   []forwarding
}

// list follows a list of routes. minimized says whether minimize precedes the
// list; the result, whether it precedes what follows the list.
func (w *walk) list(routes []routeConfig, at place, minimized bool) bool {
	under := map[string]bool{} // matchers whose requests went through minimize
	leaks := map[string]bool{} // groups of which an earlier route lets requests by
	for i := range routes {
		r := &routes[i]
		condition := r.condition()
		after := w.chain(r.Handle, at.in(r, i), minimized || under[condition])
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

// chain follows the handlers of one route; minimized and the result are as in
// list.
func (w *walk) chain(handlers []handlerConfig, at place, minimized bool) bool {
	for i := range handlers {
		h := &handlers[i]
		switch h.Handler {
		case "minimize":
			minimized = true
		case "subroute":
			before := minimized
			minimized = w.list(h.Routes, at, before)
			if h.Errors != nil {
				w.list(h.Errors.Routes, at.with("error routes"), before)
			}
		case "invoke":
			minimized = w.invoke(h.Name, at, minimized)
		case "reverse_proxy":
			if !h.asksOnly() {
				w.forward(h, at, minimized)
			}
		}
		for _, response := range h.HandleResponse {
			w.list(response.Routes, at.with("handle_response"), minimized)
		}
	}
	return minimized
}

// invoke follows a named route.
func (w *walk) invoke(name string, at place, minimized bool) bool {
	r := w.named[name]
	if r == nil || slices.Contains(w.invoked, name) {
		return minimized
	}
	w.invoked = append(w.invoked, name)
	minimized = w.list([]routeConfig{*r}, at.with("named route "+name), minimized)
	w.invoked = w.invoked[:len(w.invoked)-1]
	return minimized
}

// forward notes the upstreams of a reverse_proxy.
func (w *walk) forward(h *handlerConfig, at place, minimized bool) {
	for _, upstream := range h.addresses() {
		w.found = append(w.found, forwarding{upstream: upstream, key: upstreamKey(upstream), route: at.String(), minimized: minimized})
	}
}

// place is where a route is, in words by which the operator finds it.
type place struct {
	server string
	listen []string
	hosts  []string // of the innermost matcher
	index  int      // of the server's route, from 0 as in Caddy's own messages
	inside bool     // a route of the server, or deeper
	parts  []string // what else narrows it down, from the outside in
}

// with returns the place deeper inside.
func (p place) with(part string) place {
	p.parts = append(slices.Clip(p.parts), part)
	return p
}

// in returns the place of route r, which is in a list at index i.
func (p place) in(r *routeConfig, i int) place {
	if !p.inside {
		p.inside, p.index = true, i
	}
	values := map[string][]string{}
	for _, set := range r.Match {
		for name, matcher := range set {
			var texts []string
			if json.Unmarshal(matcher, &texts) != nil || name != "host" && name != "path" && name != "method" {
				texts = nil // not one that is worth showing
			}
			values[name] = append(values[name], texts...)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		switch texts := values[name]; {
		case len(texts) == 0:
			p = p.with("matcher " + name)
		case name == "host":
			p.hosts = texts
		default:
			p = p.with(name + " " + strings.Join(texts, " "))
		}
	}
	return p
}

// String describes the place.
func (p place) String() string {
	var parts []string
	if len(p.hosts) > 0 {
		parts = []string{"the route of " + strings.Join(p.hosts, " ")}
	} else {
		server := "server " + p.server
		if len(p.listen) > 0 {
			server += " (" + strings.Join(p.listen, " ") + ")"
		}
		parts = []string{server, fmt.Sprintf("route %d", p.index)}
	}
	return strings.Join(append(parts, p.parts...), ", ")
}
