package caddymodule

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/intercept"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy"
)

// httpConfig is as much of Caddy's http app as says which requests go where.
type httpConfig struct {
	Servers map[string]*serverConfig `json:"servers"`
}

type serverConfig struct {
	Listen      []string                `json:"listen"`
	Routes      []routeConfig           `json:"routes"`
	Errors      *listConfig             `json:"errors"`
	NamedRoutes map[string]*routeConfig `json:"named_routes"`
}

// listConfig is an object that holds a list of routes.
type listConfig struct {
	Routes []routeConfig `json:"routes"`
}

type routeConfig struct {
	Group    string            `json:"group"`
	Match    []caddy.ModuleMap `json:"match"`
	Handle   []handlerConfig   `json:"handle"`
	Terminal bool              `json:"terminal"`
}

// handlerConfig is a handler that minimizes, forwards, or holds routes; the
// zero value is any other.
type handlerConfig struct {
	Handler string `json:"handler"`

	Routes []routeConfig `json:"routes"` // of subroute
	Errors *listConfig   `json:"errors"` // of subroute

	Name string `json:"name"` // of invoke

	HandleResponse []listConfig `json:"handle_response"` // of reverse_proxy and intercept

	// Of reverse_proxy.
	Upstreams        []upstreamConfig `json:"upstreams"`
	DynamicUpstreams json.RawMessage  `json:"dynamic_upstreams"`
	Rewrite          *rewriteConfig   `json:"rewrite"`
}

type upstreamConfig struct {
	Dial string `json:"dial"`
}

type rewriteConfig struct {
	Method string `json:"method"`
	URI    string `json:"uri"`
}

// UnmarshalJSON leaves the zero value of a handler that is not known here:
// what its members mean is its own affair.
func (h *handlerConfig) UnmarshalJSON(data []byte) error {
	var head struct {
		Handler string `json:"handler"`
	}
	known := []string{"minimize", "subroute", "invoke", "reverse_proxy", "intercept"}
	if err := json.Unmarshal(data, &head); err != nil {
		head.Handler = ""
	}
	if !slices.Contains(known, head.Handler) {
		return nil
	}
	if head.Handler == "minimize" {
		h.Handler = head.Handler
		return nil
	}
	type members handlerConfig // without this method
	return json.Unmarshal(data, (*members)(h))
}

// condition is the same for routes that match the same requests; it is empty
// for a route that matches all.
func (r *routeConfig) condition() string {
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

// loadedConfig returns the configuration of an app while Caddy provisions it.
// Caddy drops the JSON of a module when it has loaded it, so a part of the
// routes is still JSON, and of the others there are the modules themselves.
func loadedConfig(app *caddyhttp.App) *httpConfig {
	c := &httpConfig{Servers: map[string]*serverConfig{}}
	for name, server := range app.Servers {
		s := &serverConfig{Listen: server.Listen, Routes: loadedRoutes(server.Routes), Errors: loadedErrors(server.Errors)}
		s.NamedRoutes = map[string]*routeConfig{}
		for name, route := range server.NamedRoutes {
			if route != nil {
				s.NamedRoutes[name] = &loadedRoutes(caddyhttp.RouteList{*route})[0]
			}
		}
		c.Servers[name] = s
	}
	return c
}

func loadedErrors(config *caddyhttp.HTTPErrorConfig) *listConfig {
	if config == nil {
		return nil
	}
	return &listConfig{Routes: loadedRoutes(config.Routes)}
}

func loadedResponses(responses []caddyhttp.ResponseHandler) []listConfig {
	var lists []listConfig
	for i := range responses {
		lists = append(lists, listConfig{Routes: loadedRoutes(responses[i].Routes)})
	}
	return lists
}

func loadedRoutes(routes caddyhttp.RouteList) []routeConfig {
	list := make([]routeConfig, len(routes))
	for i := range routes {
		r, loaded := &list[i], &routes[i]
		r.Group, r.Terminal, r.Match = loaded.Group, loaded.Terminal, loaded.MatcherSetsRaw
		if r.Match == nil {
			r.Match = loadedMatchers(loaded.MatcherSets)
		}
		for _, raw := range loaded.HandlersRaw {
			var h handlerConfig
			if json.Unmarshal(raw, &h) != nil {
				h = handlerConfig{} // Caddy will refuse it
			}
			r.Handle = append(r.Handle, h)
		}
		if loaded.HandlersRaw == nil {
			for _, handler := range loaded.Handlers {
				r.Handle = append(r.Handle, loadedHandler(handler))
			}
		}
	}
	return list
}

func loadedMatchers(sets caddyhttp.MatcherSets) []caddy.ModuleMap {
	var list []caddy.ModuleMap
	for _, set := range sets {
		matchers := caddy.ModuleMap{}
		for i, matcher := range set {
			data, err := json.Marshal(matcher)
			if err != nil {
				data = fmt.Appendf(nil, `"%p"`, &set[i]) // equals no other
			}
			matchers[caddy.GetModuleName(matcher)] = data
		}
		list = append(list, matchers)
	}
	return list
}

func loadedHandler(handler caddyhttp.MiddlewareHandler) handlerConfig {
	switch h := handler.(type) {
	case *Handler:
		return handlerConfig{Handler: "minimize"}
	case *caddyhttp.Subroute:
		return handlerConfig{Handler: "subroute", Routes: loadedRoutes(h.Routes), Errors: loadedErrors(h.Errors)}
	case *caddyhttp.Invoke:
		return handlerConfig{Handler: "invoke", Name: h.Name}
	case *intercept.Intercept:
		return handlerConfig{Handler: "intercept", HandleResponse: loadedResponses(h.HandleResponse)}
	case *reverseproxy.Handler:
		c := handlerConfig{Handler: "reverse_proxy", HandleResponse: loadedResponses(h.HandleResponse)}
		for _, upstream := range h.Upstreams {
			c.Upstreams = append(c.Upstreams, upstreamConfig{Dial: upstream.Dial})
		}
		if h.DynamicUpstreams != nil {
			c.DynamicUpstreams = caddyconfig.JSONModuleObject(h.DynamicUpstreams, "source", caddy.GetModuleName(h.DynamicUpstreams), nil)
		}
		if h.Rewrite != nil {
			c.Rewrite = &rewriteConfig{Method: h.Rewrite.Method, URI: h.Rewrite.URI}
		}
		return c
	}
	return handlerConfig{}
}
