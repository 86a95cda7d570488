package bypass

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// place says where a route is, in words by which the operator finds it.
type place struct {
	server string
	listen []string
	hosts  []string // of the innermost matcher
	index  int      // of the server's route, from 0 as in Caddy's own messages
	inside bool     // in a route of the server; false: the server itself
	parts  []string // what else identifies it, from the outside in
}

// with returns a place inside p.
func (p place) with(part string) place {
	p.parts = append(slices.Clip(p.parts), part)
	return p
}

// in returns the place of route r, which has index i in a list at p.
func (p place) in(r *Route, i int) place {
	if !p.inside {
		p.inside, p.index = true, i
	}
	values := map[string][]string{}
	for _, set := range r.Match {
		for name, matcher := range set {
			var texts []string
			if json.Unmarshal(matcher, &texts) != nil || name != "host" && name != "path" && name != "method" {
				texts = nil // not worth showing
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
