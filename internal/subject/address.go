package subject

import "net/netip"

// Network returns the network of a client's address, /24 or /48, as evidence
// holds it: enough to support a record, too little to identify a household.
// It is empty if the address is not valid.
func Network(address string) string {
	ip, err := netip.ParseAddr(address)
	if err != nil {
		return ""
	}
	ip = ip.Unmap().WithZone("")
	bits := 48
	if ip.Is4() {
		bits = 24
	}
	prefix, _ := ip.Prefix(bits) // the bits are within the address's
	return prefix.String()
}

// Address returns a client's address in its canonical form. It is empty if
// the address is not valid.
func Address(address string) string {
	ip, err := netip.ParseAddr(address)
	if err != nil {
		return ""
	}
	return ip.Unmap().WithZone("").String()
}
