package bypass

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
)

// FindMistakes returns, each in one line, what else in a configuration keeps minimize
// from doing what it seems to do. As [Find], it takes Caddy's JSON.
func FindMistakes(config []byte) ([]string, error) {
	c, err := read(config)
	if err != nil {
		return nil, err
	}
	return c.Mistakes(), nil
}

// Mistakes returns each mistake once, in the order of the servers' names and of
// their routes: a minimize that no request reaches, since a handler before it
// answers all of them (a `route` block keeps the order in which it is written),
// and a header that no request is believed to have.
func (c *Config) Mistakes() []string {
	found := []string{}
	for _, name := range slices.Sorted(maps.Keys(c.Servers)) {
		if s := c.Servers[name]; s != nil {
			w := &reach{named: s.NamedRoutes, trusts: s.TrustedProxies != nil}
			w.routes(s.Routes, place{server: name, listen: s.Listen}, "")
			found = append(found, w.found...)
		}
	}
	return slices.Compact(found)
}

// reach follows requests through the routes of a server until they are answered.
type reach struct {
	named   map[string]*Route
	invoked []string // the named routes being followed: they can invoke each other
	trusts  bool     // the server has trusted_proxies
	found   []string
}

// routes follows a list of routes. behind is the directive that has answered all
// requests before the list, and the result the one that has after it; empty if
// some requests go on.
func (w *reach) routes(list []Route, at place, behind string) string {
	under := map[string]string{} // matchers whose requests were answered
	passes := map[string]bool{}  // groups with an earlier route that lets requests go on
	rewritten := false
	for i := range list {
		r := &list[i]
		condition := r.condition()
		answered := w.handlers(r.Handle, at.in(r, i), cmp.Or(behind, under[condition]))
		switch {
		case answered == "":
			passes[r.Group] = true
		case r.Group != "" && passes[r.Group]:
			// Requests that took the earlier route skip this one.
		case condition == "", rewritten && answered == "php_fastcgi":
			// php_fastcgi matches *.php alone, but has rewritten all that is no file.
			behind = answered
		default:
			under[condition] = answered
		}
		rewritten = rewritten || slices.ContainsFunc(r.Handle, func(h Handler) bool { return h.Handler == "rewrite" })
	}
	return behind
}

// handlers follows the handlers of one route; behind and the result are as in
// routes.
func (w *reach) handlers(list []Handler, at place, behind string) string {
	for i := range list {
		h := &list[i]
		switch h.Handler {
		case "minimize":
			w.minimize(h, at, behind)
		case "subroute":
			behind = w.routes(h.Routes, at, behind)
		case "invoke":
			if r := w.named[h.Name]; r != nil && !slices.Contains(w.invoked, h.Name) {
				w.invoked = append(w.invoked, h.Name)
				behind = w.routes([]Route{*r}, at.with("named route "+h.Name), behind)
				w.invoked = w.invoked[:len(w.invoked)-1]
			}
		default:
			behind = cmp.Or(behind, h.answers())
		}
	}
	return behind
}

// minimize notes what is wrong with a minimize.
func (w *reach) minimize(h *Handler, at place, behind string) {
	if behind != "" {
		w.found = append(w.found, fmt.Sprintf("minimize never runs in %v: %s stands before it and answers every request; write minimize before %s", at, behind, behind))
	}
	for _, s := range h.Subject {
		if s.Header != "" && !w.trusts {
			w.found = append(w.found, fmt.Sprintf("the header %s identifies no one in %v: it counts only in requests of trusted proxies, and the server has none; "+
				"write servers { trusted_proxies static <ranges> } in the global options", s.Header, at))
		}
	}
}

// answers returns the directive of a handler that answers all requests itself;
// empty: some go on to what follows.
func (h *Handler) answers() string {
	switch h.Handler {
	case "reverse_proxy":
		switch {
		case len(h.HandleResponse) > 0: // as in forward_auth, requests can go on
			return ""
		case h.Transport.Protocol == "fastcgi":
			return "php_fastcgi"
		}
		return "reverse_proxy"
	case "static_response":
		return "respond"
	case "error":
		return "error"
	case "file_server":
		if !h.PassThru {
			return "file_server"
		}
	}
	return ""
}

// read reads Caddy's JSON, the complete one or only its http app.
func read(config []byte) (*Config, error) {
	var c struct {
		Config
		Apps struct {
			HTTP *Config `json:"http"`
		} `json:"apps"`
	}
	if err := json.Unmarshal(config, &c); err != nil {
		return nil, fmt.Errorf("reading Caddy's JSON: %w", err)
	}
	if c.Apps.HTTP != nil {
		return c.Apps.HTTP, nil
	}
	return &c.Config, nil
}
