package bypass

import (
	"cmp"
	"encoding/json"
	"net"
	"net/http"
	"net/netip"
	"path"
	"strings"
)

// sendsNoSubmission reports whether a reverse_proxy requests one fixed address by
// GET, as forward_auth does. Caddy then sends no body. It does send the query,
// which a service that authenticates requests may need.
func (h *Handler) sendsNoSubmission() bool {
	return h.Rewrite != nil && h.Rewrite.Method == http.MethodGet && h.Rewrite.URI != "" && !strings.Contains(h.Rewrite.URI, "{")
}

// addresses returns the upstreams of a reverse_proxy: the addresses that it
// dials, or the name that Caddy looks up for each request.
func (h *Handler) addresses() []string {
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
	default: // two other sources cannot be compared
	}
	return addresses
}

// upstreamKey returns the same text for all spellings of an address. An address
// with a placeholder is compared as it is written.
func upstreamKey(address string) string {
	network, rest, found := strings.Cut(address, "/")
	if !found {
		network, rest = "tcp", address
	}
	network = strings.ToLower(strings.TrimSpace(network))
	host, port, err := splitHostPort(rest)
	switch {
	case strings.Contains(address, "{"):
		return address
	case strings.HasPrefix(network, "unix"):
		return "unix/" + path.Clean(rest)
	case err != nil:
		return address
	}
	host = strings.TrimSuffix(strings.ToLower(host), ".")
	switch ip, err := netip.ParseAddr(host); {
	case host == "" || host == "localhost":
		host = "localhost"
	case err != nil:
	case ip.Unmap().IsLoopback() || ip.Unmap().IsUnspecified():
		host = "localhost" // dialing 0.0.0.0 or :: reaches this machine as well
	default:
		host = ip.Unmap().String()
	}
	return strings.TrimRight(network, "46") + "/" + net.JoinHostPort(host, port)
}

// splitHostPort splits an address, whose port may be missing.
func splitHostPort(address string) (host, port string, err error) {
	if host, port, err = net.SplitHostPort(address); err != nil {
		host, port, err = net.SplitHostPort(net.JoinHostPort(strings.Trim(address, "[]"), ""))
	}
	return host, port, err
}
