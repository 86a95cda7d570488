package caddymodule

import (
	"encoding/json"
	"fmt"
	"reflect"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/fileserver"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/intercept"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/rewrite"

	"github.com/modicum-proxy/modicum/internal/bypass"
)

// loadedConfig returns the routes of an app while Caddy provisions it. Caddy
// discards the JSON of a module once it has loaded it, so some of the routes are
// still JSON, and the others are the modules themselves.
func loadedConfig(app *caddyhttp.App) *bypass.Config {
	c := &bypass.Config{Servers: map[string]*bypass.Server{}}
	for name, server := range app.Servers {
		s := &bypass.Server{Listen: server.Listen, Routes: loadedRoutes(server.Routes), Errors: loadedErrors(server.Errors)}
		if s.TrustedProxies = server.TrustedProxiesRaw; s.TrustedProxies == nil && trustsProxies(server) {
			s.TrustedProxies = json.RawMessage("{}")
		}
		s.NamedRoutes = map[string]*bypass.Route{}
		for name, route := range server.NamedRoutes {
			if route != nil {
				s.NamedRoutes[name] = &loadedRoutes(caddyhttp.RouteList{*route})[0]
			}
		}
		c.Servers[name] = s
	}
	return c
}

// trustsProxies reports whether a server that is loaded has trusted_proxies, which
// Caddy does not export. A field of another name would be taken for some.
func trustsProxies(server *caddyhttp.Server) bool {
	source := reflect.ValueOf(server).Elem().FieldByName("trustedProxies")
	return !source.IsValid() || source.Kind() != reflect.Interface || !source.IsNil()
}

func loadedErrors(config *caddyhttp.HTTPErrorConfig) *bypass.Routes {
	if config == nil {
		return nil
	}
	return &bypass.Routes{Routes: loadedRoutes(config.Routes)}
}

func loadedResponses(responses []caddyhttp.ResponseHandler) []bypass.Routes {
	var lists []bypass.Routes
	for i := range responses {
		lists = append(lists, bypass.Routes{Routes: loadedRoutes(responses[i].Routes)})
	}
	return lists
}

func loadedRoutes(routes caddyhttp.RouteList) []bypass.Route {
	list := make([]bypass.Route, len(routes))
	for i := range routes {
		r, loaded := &list[i], &routes[i]
		r.Group, r.Terminal = loaded.Group, loaded.Terminal
		for _, raw := range loaded.MatcherSetsRaw {
			r.Match = append(r.Match, raw)
		}
		if loaded.MatcherSetsRaw == nil {
			r.Match = loadedMatchers(loaded.MatcherSets)
		}
		for _, raw := range loaded.HandlersRaw {
			var h bypass.Handler
			if json.Unmarshal(raw, &h) != nil {
				h = bypass.Handler{} // Caddy will refuse it
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

func loadedMatchers(sets caddyhttp.MatcherSets) []map[string]json.RawMessage {
	var list []map[string]json.RawMessage
	for _, set := range sets {
		matchers := map[string]json.RawMessage{}
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

func loadedHandler(handler caddyhttp.MiddlewareHandler) bypass.Handler {
	switch h := handler.(type) {
	case *Handler:
		c := bypass.Handler{Handler: "minimize"}
		for i := range h.Subject {
			c.Subject = append(c.Subject, bypass.Subject{Header: h.Subject[i].Header})
		}
		return c
	case *caddyhttp.Subroute:
		return bypass.Handler{Handler: "subroute", Routes: loadedRoutes(h.Routes), Errors: loadedErrors(h.Errors)}
	case *caddyhttp.Invoke:
		return bypass.Handler{Handler: "invoke", Name: h.Name}
	case caddyhttp.StaticResponse, *caddyhttp.StaticResponse:
		return bypass.Handler{Handler: "static_response"}
	case caddyhttp.StaticError, *caddyhttp.StaticError:
		return bypass.Handler{Handler: "error"}
	case *rewrite.Rewrite:
		return bypass.Handler{Handler: "rewrite"}
	case *fileserver.FileServer:
		return bypass.Handler{Handler: "file_server", PassThru: h.PassThru}
	case *intercept.Intercept:
		return bypass.Handler{Handler: "intercept", HandleResponse: loadedResponses(h.HandleResponse)}
	case *reverseproxy.Handler:
		c := bypass.Handler{Handler: "reverse_proxy", HandleResponse: loadedResponses(h.HandleResponse)}
		for _, upstream := range h.Upstreams {
			c.Upstreams = append(c.Upstreams, bypass.Upstream{Dial: upstream.Dial})
		}
		if h.DynamicUpstreams != nil {
			c.DynamicUpstreams = caddyconfig.JSONModuleObject(h.DynamicUpstreams, "source", caddy.GetModuleName(h.DynamicUpstreams), nil)
		}
		if h.Transport != nil {
			if module, ok := h.Transport.(caddy.Module); ok {
				c.Transport.Protocol = caddy.GetModuleName(module)
			}
		}
		if h.Rewrite != nil {
			c.Rewrite = &bypass.Rewrite{Method: h.Rewrite.Method, URI: h.Rewrite.URI}
		}
		return c
	}
	return bypass.Handler{}
}
