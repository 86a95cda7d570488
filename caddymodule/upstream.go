package caddymodule

import (
	"cmp"
	"encoding/json"
	"net"
	"net/http"
	"net/netip"
	"path"
	"strings"

	"github.com/caddyserver/caddy/v2"
)

// asksOnly reports whether a reverse_proxy asks one fixed address by GET, as
// forward_auth does. Caddy sends no body then. It sends the query, which a
// service that authenticates requests may need.
func (h *handlerConfig) asksOnly() bool {
	return h.Rewrite != nil && h.Rewrite.Method == http.MethodGet && h.Rewrite.URI != "" && !strings.Contains(h.Rewrite.URI, "{")
}

// addresses returns the upstreams of a reverse_proxy: what it dials, or the
// name that Caddy looks up for each request.
func (h *handlerConfig) addresses() []string {
	var addresses []string
	for _, upstream := range h.Upstreams {
		if upstream.Dial != "" {
			addresses = append(addresses, upstream.Dial)
		}
	}
	var lookup struct {
		Source  string `json:"source"`
		Service string `json:"service"`
		Proto   string `json:"proto"`
		Name    string `json:"name"`
		Port    string `json:"port"`
	}
	if json.Unmarshal(h.DynamicUpstreams, &lookup) != nil {
		return addresses
	}
	switch lookup.Source {
	case "a":
		addresses = append(addresses, "a "+net.JoinHostPort(lookup.Name, cmp.Or(lookup.Port, "80")))
	case "srv":
		name := lookup.Name
		if lookup.Service != "" || lookup.Proto != "" {
			name = "_" + lookup.Service + "._" + lookup.Proto + "." + name // RFC 2782
		}
		addresses = append(addresses, "srv "+name)
	default: // of other sources it is not known what makes two the same
	}
	return addresses
}

// upstreamKey returns the same text for all spellings of an address. What
// holds a placeholder is compared as it is written.
func upstreamKey(address string) string {
	network, host, port, err := caddy.SplitNetworkAddress(address)
	switch {
	case err != nil || strings.Contains(address, "{"):
		return address
	case caddy.IsUnixNetwork(network):
		return "unix/" + path.Clean(host)
	}
	host = strings.TrimSuffix(strings.ToLower(host), ".")
	switch ip, err := netip.ParseAddr(host); {
	case host == "" || host == "localhost":
		host = "localhost"
	case err != nil:
	case ip.Unmap().IsLoopback() || ip.Unmap().IsUnspecified():
		host = "localhost" // dialling 0.0.0.0 or :: reaches this machine as well
	default:
		host = ip.Unmap().String()
	}
	if network = strings.TrimRight(network, "46"); network == "tcp" {
		network = ""
	}
	return caddy.JoinNetworkAddress(network, host, port)
}
