package policy

import (
	"net/mail"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/modicum-proxy/modicum/internal/countries"
)

var (
	integerForm = regexp.MustCompile(`^-?(?:0|[1-9][0-9]*)$`)
	phoneForm   = regexp.MustCompile(`^\+?[0-9][0-9 ()./-]{2,}$`)
	uuidForm    = regexp.MustCompile(`^[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}$`)
)

// misfit returns how a constant of a type is written, empty if this one is.
func misfit(kind string, v scalar) string {
	switch kind {
	case "integer":
		if v.kind == "number" && integerForm.MatchString(v.Text) {
			return ""
		}
		return "write 42, without quotes"
	case "number":
		if v.kind == "number" {
			return ""
		}
		return "write 4.2, without quotes"
	case "boolean":
		if v.kind == "boolean" {
			return ""
		}
		return "write true or false, without quotes"
	}
	if form, ok := textForms[kind]; ok && (v.kind != "text" || !form.fits(v.Text)) {
		return form.hint
	}
	return ""
}

// textForms are the types that are written as a text. They need not be judged as
// strictly as what people submit: this is about mistakes of the operator.
var textForms = map[string]struct {
	fits func(string) bool
	hint string
}{
	"text":    {func(string) bool { return true }, "write it in quotes"},
	"email":   {isEmail, `write "name@example.org"`},
	"phone":   {phoneForm.MatchString, `write "+49 30 1234567"`},
	"date":    {isDate, `write "2026-11-22"`},
	"url":     {isURL, `write "https://example.org/"`},
	"country": {countries.IsCode[string], `write ISO 3166-1 alpha-2, such as "DE"`},
	"uuid":    {uuidForm.MatchString, `write "00000000-0000-0000-0000-000000000000"`},
}

func isEmail(s string) bool {
	address, err := mail.ParseAddress(s)
	return err == nil && address.Address == s && strings.Contains(s, "@")
}

func isDate(s string) bool {
	_, err := time.Parse(time.DateOnly, s)
	return err == nil
}

func isURL(s string) bool {
	u, err := url.Parse(s)
	return err == nil && u.Scheme != "" && u.Host != ""
}
