package shop

import (
	"slices"
	"strings"
)

// form names what one of the shop's forms sends. What of it does not arrive,
// something between the visitor and the shop has taken away.
type form []string

var (
	searchForm   = form{"q", "visitor"}
	checkoutForm = form{
		"csrf_token",
		"items[0][sku]", "items[0][quantity]", "items[0][engraving]",
		"salutation", "name", "email", "phone",
		"address[street]", "address[postcode]", "address[city]", "address[country]",
		"birthday", "shoe_size", "mothers_name", "device_fingerprint",
		"photo",
	}
	newsletterForm = form{"csrf_token", "email", "first_name", "device_fingerprint"}
	wishlistForm   = form{"sku", "note", "device.screen", "device.timezone", "device.languages"}
	profileForm    = form{
		"name", "email", "birthday", "address.street", "address.postcode", "address.city",
		"interests.*", "shoe_size", "last_ip",
	}
)

// A checkbox that was not ticked is not sent, so its absence says nothing:
// the forms above leave "subscribe" and "agree" out.

// missing returns the names of the form that are not among the values.
func (f form) missing(values []value) []string {
	missing := []string{}
	for _, name := range f {
		path := dotted(name)
		if !slices.ContainsFunc(values, func(v value) bool { return covers(path, dotted(v.Name)) }) {
			missing = append(missing, name)
		}
	}
	return missing
}

// dotted brings the two spellings of a path to one: "items[0][sku]" as forms
// write it, "items.0.sku" as the shop writes members of JSON.
func dotted(name string) []string {
	name = strings.ReplaceAll(name, "]", "")
	return strings.FieldsFunc(name, func(c rune) bool { return c == '[' || c == '.' })
}

// covers reports whether path, in which "*" is any segment, is the name.
func covers(path, name []string) bool {
	return slices.EqualFunc(path, name, func(want, got string) bool { return want == "*" || want == got })
}
