package subject

import "testing"

func TestAddress(t *testing.T) {
	for address, want := range map[string][2]string{
		"192.0.2.77":        {"192.0.2.77", "192.0.2.0/24"},
		"2001:db8:1:2:3::4": {"2001:db8:1:2:3::4", "2001:db8:1::/48"},
		"::ffff:192.0.2.77": {"192.0.2.77", "192.0.2.0/24"},
		"fe80::1%eth0":      {"fe80::1", "fe80::/48"},
		"@":                 {"", ""},
		"":                  {"", ""},
	} {
		if got := [2]string{Address(address), Network(address)}; got != want {
			t.Errorf("%q: %q, want %q", address, got, want)
		}
	}
}
