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
	if form, ok := constantForms[kind]; ok && (v.kind != form.kind || !form.fits(v.Text)) {
		return form.hint
	}
	return ""
}

// constantForms are how constants of a type are written. They need not be judged as
// strictly as what people submit: this is about mistakes of the operator.
var constantForms = map[string]struct {
	kind string // of the scalar
	fits func(string) bool
	hint string
}{
	"integer": {"number", integerForm.MatchString, "write 42, without quotes"},
	"number":  {"number", anyText, "write 4.2, without quotes"},
	"boolean": {"boolean", anyText, "write true or false, without quotes"},
	"text":    {"text", anyText, "write it in quotes"},
	"email":   {"text", isEmail, `write "name@example.org"`},
	"phone":   {"text", phoneForm.MatchString, `write "+49 30 1234567"`},
	"date":    {"text", isDate, `write "2026-11-22"`},
	"url":     {"text", isURL, `write "https://example.org/"`},
	"country": {"text", countries.IsCode[string], `write ISO 3166-1 alpha-2, such as "DE"`},
	"uuid":    {"text", uuidForm.MatchString, `write "00000000-0000-0000-0000-000000000000"`},
}

func anyText(string) bool { return true }

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
