package submission

import (
	"net/mail"
	"net/netip"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"
)

// apply runs a rule over a text and returns what goes on, or the reason.
func apply(r Rule, value string) string { return applyKind(r, value, kindText) }

func applyKind(r Rule, value string, k kind) string {
	out, _, reason := r.apply(nil, []byte(value), k)
	if reason != "" {
		return "!" + reason
	}
	return string(out)
}

// typeCases are values that are of a type, and values that are not.
var typeCases = []struct {
	name     string
	yes, not []string
}{
	{
		"email",
		[]string{"a@b.example", "first.last+tag@sub.shop.example", "o'neil@b.ie", "a@localhost", "жанна@почта.example", "a@xn--e1afmkfd.example"},
		[]string{
			"Ann <a@b.example>", "a@b.example (Ann)", "a b@c.example", `"a b"@c.example`, "a@[192.0.2.1]", "a@192.0.2.1", "a..b@c.example",
			".a@b.example", "a.@b.example", "a@b..example", "a@-b.example", "a@b.\nexample", "@b.example", "a@", "a", "a@b@c.example",
			strings.Repeat("a", 65) + "@b.example", "a@" + strings.Repeat("b.", 130) + "example", "a\u2028@b.example", "a@b.example,c@d.example",
		},
	},
	{
		"phone",
		[]string{"+49 30 123456", "+1 (202) 555-0123", "+44.20.7946.0958", "+49/30/123456", "+7\u00a0912\u00a0345-67-89"},
		[]string{"030 123456", "+49", "+999 12345678", "call me", "+1-800-FLOWERS", "+49 30 123456 ext. 5", "+49 30 123456;phone-context=x", strings.Repeat("1", 50)},
	},
	{
		"date",
		[]string{
			"1990-05-04", "2024-02-29", "2000-02-29", "1990-05-04T23:59", "1990-05-04 23:59:01", "1990-05-04T23:59:60Z",
			"2020-01-01T00:00:00.000Z", "1990-05-04t10:00:00z", "1990-05-04T10:00:00.123456789+14:00",
		},
		[]string{
			"1990-5-4", "2023-02-29", "1900-02-29", "1990-04-31", "1990-13-01", "1990-00-10", "04.05.1990", "1990", "1990-05", "1990-W12", "19900504",
			"1990-05-04T24:00", "1990-05-04T10:60", "1990-05-04T", "1990-05-04T10:00:00.Z", "1990-05-04x", "1990-05-04T10:00:00+2:00", "1990-05-04T10:00Zx",
		},
	},
	{
		"integer",
		[]string{"0", "7", "-7", "9007199254740991", "-9007199254740991"},
		[]string{"-0", "007", "+7", "7.0", "7e3", "9007199254740992", "10000000000000000", "-", "0x7", "1 000", "٧"},
	},
	{
		"number",
		[]string{"0", "-0", "1.10", "1e400", "9007199254740993", ".5", "-.5e-7", "007", "1E+2"},
		[]string{"+1", "1.", "1e", "e1", "0x1", "NaN", "Infinity", "1,5", "-", ".", "1_000", "٧"},
	},
	{
		"boolean",
		[]string{"true", "false", "1", "0", "on", "off", "yes", "no", "True", "ON"},
		[]string{"y", "t", "2", "truefalse", "01", "nope!"},
	},
	{
		"url",
		[]string{"https://shop.example/path?q=1#x", "http://localhost:8080", "HTTPS://b.example", "https://[2001:db8::1]/", "https://пример.example/ф"},
		[]string{
			"//b.example", "b.example", "ftp://b.example", "javascript:alert(1)", "https:///x", "https://", "https://a:b@c.example", "https://a@c.example",
			"https://b.example/a b", `https://b.example\@c.example`, "https:b.example", "https://b.example:x/", "https://:80/",
		},
	},
	{"country", []string{"DE", "de", "RU", "US", "AX"}, []string{"D", "DEU", "UK", "XX", "EU", "ZZ", "49", "D\x05", "ıt"}},
	{"uuid", []string{"f81d4fae-7dec-11d0-a765-00a0c91e6bf6", "F81D4FAE-7DEC-11D0-A765-00A0C91E6BF6"}, []string{"f81d4fae7dec11d0a76500a0c91e6bf6", "{f81d4fae-7dec-11d0-a765-00a0c91e6bf6}", "g81d4fae-7dec-11d0-a765-00a0c91e6bf6", "f81d4fae-7dec-11d0-a765-00a0c91e6bf", "f81d4fae_7dec-11d0-a765-00a0c91e6bf6"}},
	{"text", []string{"anything", " ", " \tanything\n"}, nil},
	{"", []string{"anything", " anything "}, nil},
	// A rule that nobody knows lets nothing pass.
	{"Email", nil, []string{"a@b.example"}},
	{"file", nil, []string{"x"}},
}

// spaces are white space that a form or a JSON string can hold: Unicode's.
var spaces = []string{" ", "\t", "\r\n", "\v", "\f", "\u0085", "\u00a0", "\u1680", "\u2003", "\u2028", "\u2029", "\u202f", "\u205f", "\u3000", " \t\u00a0\n"}

func TestRuleTypes(t *testing.T) {
	for _, tt := range typeCases {
		r := Rule{Type: tt.name}
		for _, value := range tt.yes {
			got := apply(r, value)
			if got != value && tt.name != "phone" || strings.HasPrefix(got, "!") {
				t.Errorf("%s: %q: got %q", tt.name, value, got)
			}
		}
		for _, value := range tt.not {
			if got := apply(r, value); got != "!"+ReasonWrongType {
				t.Errorf("%s: %q passes as %q", tt.name, value, got)
			}
		}
		if tt.name != "" && tt.name != "text" {
			for _, value := range append(tt.yes, "") {
				want := apply(r, value)
				for _, space := range spaces {
					for _, around := range []string{space + value, value + space, space + space + value + space} {
						if got := apply(r, around); got != want {
							t.Errorf("%s: %q: got %q, want %q", tt.name, around, got, want)
						}
					}
				}
			}
		}
		// A browser sends the inputs that were left empty.
		if got := apply(r, ""); got != "" {
			t.Errorf("%s: empty: %q", tt.name, got)
		}
		if got := applyKind(r, "null", kindNull); got != "null" {
			t.Errorf("%s: null: %q", tt.name, got)
		}
	}
}

// TestRuleKinds: a JSON number is no phone, and "1e3" no integer to those
// who read digits.
func TestRuleKinds(t *testing.T) {
	for _, tt := range []struct {
		rule  string
		value string
		k     kind
		pass  bool
	}{
		{"integer", "12", kindNumber, true},
		{"integer", "1e3", kindNumber, false},
		{"integer", "1.0", kindNumber, false},
		{"integer", "-0", kindNumber, false},
		{"integer", "9007199254740993", kindNumber, false},
		{"integer", "true", kindBoolean, false},
		{"number", "1e400", kindNumber, true},
		{"number", "true", kindBoolean, false},
		{"boolean", "true", kindBoolean, true},
		{"boolean", "1", kindNumber, true},
		{"boolean", "2", kindNumber, false},
		{"text", "1", kindNumber, true},
		{"text", "false", kindBoolean, true},
		{"phone", "493012345", kindNumber, false},
		{"email", "1", kindNumber, false},
		{"date", "1990", kindNumber, false},
		{"country", "true", kindBoolean, false},
	} {
		_, as, reason := (&Rule{Type: tt.rule}).apply(nil, []byte(tt.value), tt.k)
		if (reason == "") != tt.pass || as != tt.k {
			t.Errorf("%s of %q: %q, kind %d", tt.rule, tt.value, reason, as)
		}
	}
}

func TestRulePhone(t *testing.T) {
	for _, tt := range []struct{ region, in, want string }{
		{"", "+49 (30) 123-456", "+4930123456"},
		{"DE", "030 123456", "+4930123456"},
		{"DE", "+1 202 555 0123", "+12025550123"},
		{"US", "(202) 555-0123", "+12025550123"},
		{"US", "555-0123", "!wrong_type"}, // local only: nobody can tell where
		{"DE", "0049 30 123456", "+4930123456"},
		// A tax number is no phone number.
		{"US", "078-05-1120", "!wrong_type"},
	} {
		got := apply(Rule{Type: "phone", Region: tt.region}, tt.in)
		if got != tt.want {
			t.Errorf("%q in %q: got %q, want %q", tt.in, tt.region, got, tt.want)
		}
		if again := apply(Rule{Type: "phone", Region: tt.region}, got); !strings.HasPrefix(got, "!") && again != got {
			t.Errorf("%q again: %q", got, again)
		}
	}
}

func TestRuleBounds(t *testing.T) {
	digits := regexp.MustCompile(`^(?:\d+)$`)
	for _, tt := range []struct {
		rule     Rule
		in, want string
	}{
		{Rule{Max: 5}, "Жанна", "Жанна"}, // characters, not bytes
		{Rule{Max: 4}, "Жанна", "!too_long"},
		{Rule{Max: 4, Type: "email"}, "a@b.example", "!too_long"},
		{Rule{Pattern: digits}, "123", "123"},
		{Rule{Pattern: digits}, "12a", "!wrong_type"},
		{Rule{Pattern: digits}, "", ""},
		{Rule{OneOf: []string{"S", "M"}}, "M", "M"},
		{Rule{OneOf: []string{"S", "M"}}, "XL", "!wrong_type"},
		{Rule{OneOf: []string{"S", "M"}}, "", ""},
		{Rule{OneOf: []string{"S", "M"}}, " M\t", "M"},
		{Rule{OneOf: []string{"S", "M"}}, "\u00a0", ""},
		{Rule{OneOf: []string{"S", "M"}}, "S M", "!wrong_type"},
		{Rule{OneOf: []string{" S", "S"}}, " S", " S"},
		{Rule{OneOf: []string{" S", "S"}}, "S ", "S"},
		{Rule{OneOf: []string{" S"}}, "  S", "!wrong_type"},
		{Rule{OneOf: []string{"S"}, Type: "text"}, "S ", "S"},
		{Rule{OneOf: []string{"", "M"}}, "", ""},
		{Rule{Max: 11, Type: "email"}, " a@b.example ", "a@b.example"},
		{Rule{Pattern: digits, Type: "number"}, "123 ", "123"},
		{Rule{Pattern: digits}, "123 ", "!wrong_type"}, // an untyped value is a text
		{Rule{Max: 3}, "abc ", "!too_long"},
		{Rule{Type: "email"}, "ada lovelace@shop.example", "!wrong_type"},
		{Rule{Type: "email"}, "a@b.example\u200b", "!wrong_type"}, // which is no white space
		{Rule{Type: "phone", Region: "DE"}, "\t030\u00a0123456 ", "+4930123456"},
		{Rule{OneOf: []string{"S"}, Max: 1}, "S", "S"},
	} {
		if got := apply(tt.rule, tt.in); got != tt.want {
			t.Errorf("%+v of %q: got %q, want %q", tt.rule, tt.in, got, tt.want)
		}
	}
}

// reductionCases are values and what a reduction leaves of them.
var reductionCases = []struct {
	keep     string
	n        int
	in, want string
}{
	{"year", 0, "1990-05-04", "1990"},
	{"year", 0, "1990-05-04T10:00:00Z", "1990"},
	{"year", 0, "1990-05", "1990"},
	{"year", 0, "1990", "1990"},
	{"year", 0, "1990-99", "!wrong_type"},
	{"year", 0, "19", "!wrong_type"},
	{"year", 0, "1990 and my number is 078", "!wrong_type"},
	{"month", 0, "1990-05-04", "1990-05"},
	{"month", 0, "1990-05", "1990-05"},
	{"month", 0, "1990", "!wrong_type"},
	{"first", 2, "Жанна", "Жа"},
	{"first", 9, "Жанна", "Жанна"},
	{"first", 0, "Жанна", "!wrong_type"},
	{"last", 4, "4111111111111234", "1234"},
	{"last", 2, "Жанна", "на"},
	{"domain", 0, "a@b.example", "b.example"},
	{"domain", 0, "b.example", "b.example"},
	{"domain", 0, "a@localhost", "!wrong_type"},
	{"domain", 0, "078051120", "!wrong_type"},
	{"domain", 0, "a b", "!wrong_type"},
	{"network", 0, "192.0.2.77", "192.0.2.0"},
	{"network", 0, "2001:db8:1:2::3", "2001:db8:1::"},
	{"network", 0, "::ffff:192.0.2.77", "192.0.2.0"}, // /48 of it would be ::, /24 is meant
	{"network", 0, "64:ff9b::192.0.2.77", "64:ff9b::"},
	{"network", 0, "fe80::1%eth0", "!wrong_type"}, // a zone can hold any text
	{"network", 0, "192.0.2.77:80", "!wrong_type"},
	{"network", 0, "192.0.2.0/24", "!wrong_type"},
	{"network", 0, "localhost", "!wrong_type"},
	{"round", 0, "2.5", "3"},
	{"round", 0, "-2.5", "-3"},
	{"round", 0, "2.4999999999999999999999", "2"},
	{"round", 0, "-0.4", "0"},
	{"round", 0, "0.5", "1"},
	{"round", 0, "9.99", "10"},
	{"round", 1, "2.25", "2.3"},
	{"round", 2, "1.005", "1.01"}, // a float has 1.00
	{"round", 2, "-1.005", "-1.01"},
	{"round", 2, "52.5", "52.5"},
	{"round", 2, "0.001", "0.00"},
	{"round", 2, "0.009", "0.01"},
	{"round", 2, "99.999", "100.00"},
	{"round", 3, ".12345", "0.123"},
	{"round", 2, "1.23456e2", "123.46"},
	{"round", 2, "123456e-4", "12.35"},
	{"round", 2, "1e400", "1e400"}, // nothing to round
	{"round", 2, "1e-400", "0.00"},
	{"round", 2, "1e-99999999999999999999", "0.00"},
	{"round", 2, "1e99999999999999999999", "1e99999999999999999999"},
	{"round", -2, "1234", "1200"},
	{"round", -2, "1250", "1300"},
	{"round", -2, "1200", "1200"},
	{"round", -2, "49", "0"},
	{"round", -2, "50", "100"},
	{"round", -3, "50", "0"},
	{"round", -3, "499", "0"},
	{"round", -3, "500", "1000"},
	{"round", -3, "9999.5", "10000"},
	{"round", 2, "007.126", "7.13"},
	{"round", 2, "abc", "!wrong_type"},
	{"round", 2, "1,5", "!wrong_type"},
	{"round", 101, "1.5", "!wrong_type"},
	{"year", 0, " 1990-05-04 ", "1990"},
	{"month", 0, "1990-05\n", "1990-05"},
	{"domain", 0, "a@b.example ", "b.example"},
	{"network", 0, "\u00a0192.0.2.77", "192.0.2.0"},
	{"round", 0, " 2.5", "3"},
	{"first", 2, " Жанна", " Ж"}, // of a text, all is part
	{"last", 2, "Жанна ", "а "},
	{"", 0, "as it is", "as it is"},
	{"", 0, " as it is ", " as it is "},
	{"Year", 0, "1990", "!wrong_type"}, // nobody knows it
}

func TestRuleReductions(t *testing.T) {
	for _, tt := range reductionCases {
		r := Rule{Keep: tt.keep, N: tt.n}
		got := apply(r, tt.in)
		if got != tt.want {
			t.Errorf("%s(%d) of %q: got %q, want %q", tt.keep, tt.n, tt.in, got, tt.want)
		}
		if again := apply(r, got); !strings.HasPrefix(got, "!") && again != got {
			t.Errorf("%s(%d) of %q, its own: got %q", tt.keep, tt.n, got, again)
		}
		if got := apply(r, ""); got != "" {
			t.Errorf("%s(%d) of nothing: %q", tt.keep, tt.n, got)
		}
	}
}

// TestRuleReducesItsType: what one proxy reduced is not of the type any
// more, and has to pass the next one.
func TestRuleReducesItsType(t *testing.T) {
	for _, tt := range []struct {
		rule     Rule
		in, want string
	}{
		{Rule{Type: "date", Keep: "year"}, "1990-05-04", "1990"},
		{Rule{Type: "date", Keep: "year"}, "1990", "1990"},
		{Rule{Type: "date", Keep: "month"}, "1990-05-04T10:00", "1990-05"},
		{Rule{Type: "date", Keep: "month"}, "1990-05", "1990-05"},
		{Rule{Type: "date", Keep: "month"}, "1990", "!wrong_type"},
		{Rule{Type: "email", Keep: "domain"}, "a@b.example", "b.example"},
		{Rule{Type: "email", Keep: "domain"}, "b.example", "b.example"},
		{Rule{Type: "email", Keep: "domain"}, "not an address", "!wrong_type"},
		{Rule{Type: "integer", Keep: "round", N: -3}, "2500", "3000"},
		{Rule{Type: "phone", Keep: "last", N: 4}, "+49 30 123456", "3456"},
		// The type is asked of the whole value, or first(100) would let pass
		// a text of any kind.
		{Rule{Type: "phone", Keep: "first", N: 100}, "my number is 078", "!wrong_type"},
	} {
		if got := apply(tt.rule, tt.in); got != tt.want {
			t.Errorf("%+v of %q: got %q, want %q", tt.rule, tt.in, got, tt.want)
		}
	}
}

func TestRuleReducesKinds(t *testing.T) {
	for _, tt := range []struct {
		rule Rule
		in   string
		k    kind
		want string
		as   kind
	}{
		{Rule{Keep: "round", N: 1}, "2.25", kindNumber, "2.3", kindNumber},
		{Rule{Keep: "round", N: 0}, "-0.25", kindNumber, "0", kindNumber},
		{Rule{Keep: "year"}, "1990", kindNumber, "1990", kindNumber},
		{Rule{Keep: "last", N: 4}, "4111111111110034", kindNumber, "0034", kindText}, // 0034 is no number
		{Rule{Keep: "first", N: 1}, "-12", kindNumber, "-", kindText},
		{Rule{Keep: "first", N: 1}, "true", kindBoolean, "!wrong_type", kindBoolean},
		{Rule{Keep: "round"}, "true", kindBoolean, "!wrong_type", kindBoolean},
	} {
		out, as, reason := tt.rule.apply(nil, []byte(tt.in), tt.k)
		got := string(out)
		if reason != "" {
			got = "!" + reason
		}
		if got != tt.want || as != tt.as {
			t.Errorf("%+v of %s: got %q, kind %d", tt.rule, tt.in, got, as)
		}
	}
}

func TestRulePseudonym(t *testing.T) {
	r := Rule{Keep: "pseudonym", Key: []byte("a key of the operator's")}
	a, b := apply(r, "a@b.example"), apply(r, "c@d.example")
	if a == b || a != apply(r, "a@b.example") || !regexp.MustCompile(`^p_[A-Za-z0-9_-]{22}$`).MatchString(a) {
		t.Errorf("%q, %q", a, b)
	}
	if a == apply(Rule{Keep: "pseudonym", Key: []byte("another")}, "a@b.example") {
		t.Error("the key does not matter")
	}
	// Without a key anyone could try out all phone numbers.
	if got := apply(Rule{Keep: "pseudonym"}, "a@b.example"); got != "!wrong_type" {
		t.Errorf("without a key: %q", got)
	}
}

// TestRuleAllocates: a check costs no allocation where nothing is parsed by
// a library.
func TestRuleAllocates(t *testing.T) {
	dst := make([]byte, 0, 256)
	for _, tt := range []struct {
		rule  Rule
		value string
	}{
		{Rule{Type: "email", Max: 100}, "first.last@shop.example"},
		{Rule{Type: "email", Keep: "domain"}, "first.last@shop.example"},
		{Rule{Type: "date", Keep: "year"}, "1990-05-04"},
		{Rule{Type: "integer"}, "12345"},
		{Rule{Type: "number", Keep: "round", N: 1}, "123.45"},
		{Rule{Type: "boolean"}, "yes"},
		{Rule{Type: "country"}, "ZW"},
		{Rule{Type: "uuid"}, "f81d4fae-7dec-11d0-a765-00a0c91e6bf6"},
		{Rule{OneOf: []string{"S", "M"}}, "M"},
		{Rule{Keep: "last", N: 4}, "4111111111111234"},
	} {
		value := []byte(tt.value)
		if n := testing.AllocsPerRun(100, func() { dst, _, _ = tt.rule.apply(dst[:0], value, kindText) }); n != 0 {
			t.Errorf("%+v: %v allocations", tt.rule, n)
		}
	}
}

// FuzzRule: a value that passes is of its type to an independent reader, and
// a reduction leaves alone what it made.
func FuzzRule(f *testing.F) {
	for _, tt := range typeCases {
		for _, value := range append(tt.yes, tt.not...) {
			f.Add(tt.name, "", 0, value)
		}
	}
	for _, tt := range reductionCases {
		f.Add("", tt.keep, tt.n, tt.in)
	}
	f.Fuzz(func(t *testing.T, typ, keep string, n int, value string) {
		if !utf8.ValidString(value) {
			return // the gate lets no such value through
		}
		r := Rule{Type: typ, Keep: keep, N: n, Key: []byte("key")}
		got := apply(r, value)
		if strings.HasPrefix(got, "!") || value == "" {
			return
		}
		switch {
		case keep != "":
			r.Type = ""
			if again := apply(r, got); keep != "pseudonym" && again != got {
				t.Errorf("%s(%d): %q, then %q", keep, n, got, again)
			}
		case typ == "email":
			if a, err := mail.ParseAddress(got); err != nil || a.Address != got || a.Name != "" {
				t.Errorf("email %q: %v, %v", got, a, err)
			}
		case typ == "url":
			if u, err := url.Parse(got); err != nil || u.Host == "" || u.User != nil {
				t.Errorf("url %q: %v", got, err)
			}
		case typ == "phone":
			if !regexp.MustCompile(`^\+[0-9]{3,17}$`).MatchString(got) {
				t.Errorf("phone %q", got)
			}
		}
		if keep == "network" {
			if addr, err := netip.ParseAddr(got); err != nil || addr.Zone() != "" {
				t.Errorf("network %q", got)
			}
		}
	})
}
