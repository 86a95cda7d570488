package caddymodule

import (
	"encoding/base64"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"
	"unicode/utf8"

	"charm.land/lipgloss/v2"
	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"

	"github.com/modicum-proxy/modicum/internal/explain"
	"github.com/modicum-proxy/modicum/internal/policy"
	"github.com/modicum-proxy/modicum/internal/terminal"
)

var explainCommand = caddycmd.Command{
	Name:  "explain",
	Usage: `[<policy files...>] --on "POST /checkout" [--body @<file>|-|<literal>] [--type json|form|multipart|<media type>] [--host <host>] [--header "Name: value"]... [--cookie name=value]... [--consent <purpose>]... [--json]`,
	Short: "Tells what becomes of one submission, field by field",
	Long: `
Takes one submission through the same engine that serves requests, and tells
for each field whether it passes, for which purpose, and by which line of the
policy (default: privacy.yaml); then what the application would receive and
what the sender would be told.

The body is a literal, the content of a file (@file) or standard input (-). A
query stands in --on: "GET /search?q=x". A consent that the submission does
not carry itself is given with --consent; signals (Sec-GPC, cookies of consent
platforms that the policy trusts) with --header and --cookie. What is stored of
a person is shown by modicum consent list.

Exit status: 0 when the submission goes on; 1 when it or the policy is refused;
2 when a file cannot be read or the command is misspelled.`,
	CobraFunc: func(cmd *cobra.Command) {
		var q question
		flags := cmd.Flags()
		flags.StringVar(&q.on, "on", "", "The request: METHOD [HOST]/path[?query]")
		flags.StringVar(&q.host, "host", "", "The host that the request asks")
		flags.StringVar(&q.body, "body", "", "The body: a literal, @file, or - for standard input")
		flags.StringVar(&q.kind, "type", "json", "Its type: json, form, multipart, or a media type")
		flags.StringArrayVar(&q.headers, "header", nil, `A header of the request, "Name: value"`)
		flags.StringArrayVar(&q.cookies, "cookie", nil, `A cookie of the request, "name=value", as a consent platform writes it`)
		flags.StringArrayVar(&q.consents, "consent", nil, "A purpose that the person has consented to")
		asJSON := flags.Bool("json", false, "Print one JSON document")
		command(cmd, func(cmd *cobra.Command, files []string) (int, error) {
			ask, err := q.request(cmd.InOrStdin())
			if err != nil {
				return exitUsage, err
			}
			told, status, err := explanation(cmd, files, ask)
			if err != nil {
				return status, err
			}
			if *asJSON {
				err = printJSON(cmd.OutOrStdout(), jsonExplanation(told))
			} else {
				printExplanation(cmd.OutOrStdout(), told, ask)
			}
			if told.Refusal != nil {
				return exitRefused, err
			}
			return 0, err
		})
	},
}

func explanation(cmd *cobra.Command, files []string, ask explain.Request) (*explain.Explanation, int, error) {
	sources, err := readPolicy(files)
	if err != nil {
		return nil, exitUsage, err
	}
	set, diagnostics := policy.Compile(sources...)
	if err := diagnostics.Err(); err != nil {
		return nil, exitRefused, fmt.Errorf("the policy is not valid:\n%w", err)
	}
	explainer, err := explain.New(set)
	if err != nil {
		return nil, exitRefused, err
	}
	defer explainer.Close()
	told, err := explainer.Explain(cmd.Context(), ask)
	return told, exitUsage, err
}

// question is what the flags of `explain` say.
type question struct {
	on, host, body, kind string
	headers, consents    []string
	cookies              []string
}

// request puts the question as a submission.
func (q *question) request(stdin io.Reader) (explain.Request, error) {
	ask := explain.Request{On: q.on, Header: http.Header{}, Consents: q.consents}
	if q.on == "" {
		return ask, fmt.Errorf(`--on is missing: expected the request, such as --on "POST /checkout"`)
	}
	if method, target, ok := strings.Cut(q.on, " "); ok && q.host != "" {
		if !strings.HasPrefix(target, "/") {
			return ask, fmt.Errorf("--host %s: --on names a host already", q.host)
		}
		ask.On = method + " " + q.host + target
	}
	var err error
	switch {
	case q.body == "-":
		ask.Body, err = io.ReadAll(stdin)
	case strings.HasPrefix(q.body, "@"):
		ask.Body, err = os.ReadFile(q.body[1:])
	default:
		ask.Body = []byte(q.body)
	}
	if err != nil {
		return ask, fmt.Errorf("reading the body: %w", err)
	}
	if len(ask.Body) > 0 {
		ask.Header.Set("Content-Type", q.mediaType(ask.Body))
	}
	for _, header := range q.headers {
		name, value, ok := strings.Cut(header, ":")
		if !ok {
			return ask, fmt.Errorf(`--header %q: expected "Name: value"`, name)
		}
		ask.Header.Add(strings.TrimSpace(name), strings.TrimSpace(value))
	}
	if len(q.cookies) > 0 {
		ask.Header.Add("Cookie", strings.Join(q.cookies, "; "))
	}
	return ask, nil
}

// mediaType writes the short words for a type out. The boundary of a form is
// read from its first line, which is what a sender would have declared.
func (q *question) mediaType(body []byte) string {
	switch q.kind {
	case "json":
		return "application/json"
	case "form":
		return "application/x-www-form-urlencoded"
	case "multipart":
		line, _, _ := strings.Cut(string(body), "\n")
		return `multipart/form-data; boundary="` + strings.TrimPrefix(strings.TrimSuffix(line, "\r"), "--") + `"`
	}
	return q.kind
}

// jsonExplanation adds the body that the application receives, as text where
// it is text.
func jsonExplanation(told *explain.Explanation) any {
	document := struct {
		*explain.Explanation
		Body       string `json:"body,omitempty"`
		BodyBase64 string `json:"body_base64,omitempty"`
	}{Explanation: told}
	switch {
	case told.Forwarded == nil:
	case utf8.Valid(told.Forwarded.Body):
		document.Body = string(told.Forwarded.Body)
	default:
		document.BodyBase64 = base64.StdEncoding.EncodeToString(told.Forwarded.Body)
	}
	return document
}

func printExplanation(w io.Writer, told *explain.Explanation, ask explain.Request) {
	p := terminal.PaletteFor(w)
	say := func(format string, args ...any) { _, _ = fmt.Fprintf(w, format+"\n", args...) }
	if told.Collection == "" {
		hint := ""
		if told.NearestPattern != "" {
			hint = fmt.Sprintf("; did you mean %q?", told.NearestPattern)
		}
		say("%s is declared by %s%s", p.Strong.Render(ask.On), p.Bad.Render("no collection"), hint)
	} else {
		say("%s belongs to the collection %s (%v)", p.Strong.Render(ask.On), p.Strong.Render(told.Collection), told.Position)
	}
	if told.Refusal != nil {
		say("\n%s with %d by the rule %s: %s", p.Bad.Render("Refused"), told.Refusal.Status, told.Refusal.Rule, told.Refusal.Detail)
		if shown := excerpt(told.Refusal.Offset, ask); shown != "" {
			say("%s", shown)
		}
		return
	}
	switch {
	case told.Verdict != "none":
	case told.Collection == "":
		say("\nIt passes as it came: where no collection reads the query, a request without a body submits nothing.")
	default:
		say("\nIt submits nothing.")
	}
	printFields(w, p, told)
	if told.Source != "" {
		say("\nWhat counts as consented or objected to was decided by: %s", strings.ReplaceAll(told.Source, ",", ", "))
	}
	say("\n%s", p.Strong.Render("The application receives"))
	method, _, _ := strings.Cut(ask.On, " ")
	say("  %s %s", method, told.Forwarded.Target)
	printHeader(w, told.Forwarded.Header)
	if body := told.Forwarded.Body; len(body) > 0 {
		say("\n%s", indented(body))
	}
	if len(told.Answer) > 0 {
		say("\n%s", p.Strong.Render("The sender is told"))
		printHeader(w, told.Answer)
	}
}

// printFields prints the verdict on each field.
func printFields(w io.Writer, p terminal.Palette, told *explain.Explanation) {
	rows := [][]string{{p.Strong.Render("field"), p.Strong.Render("verdict"), p.Strong.Render("purpose"), p.Strong.Render("rule")}}
	for i := range told.Fields {
		f := &told.Fields[i]
		rows = append(rows, []string{f.Name, verdict(p, f), f.Purpose, p.Faint.Render(f.Position.String())})
	}
	for _, u := range told.Undeclared {
		row := []string{terminal.Printable(u.Name), p.Bad.Render("stripped: undeclared")}
		if u.Nearest != "" {
			row[1] += fmt.Sprintf("; did you mean %q?", u.Nearest)
		}
		rows = append(rows, row)
	}
	if told.MoreUndeclared {
		rows = append(rows, []string{"and others", p.Bad.Render("stripped: undeclared")})
	}
	if len(rows) > 1 {
		_, _ = fmt.Fprintln(w)
		terminal.Columns(w, rows)
	}
}

// verdict says what became of a field, and why.
func verdict(p terminal.Palette, f *explain.Field) string {
	kept := "kept"
	if f.Keep != "" {
		kept += ", reduced: " + f.Keep
	}
	stripped := "stripped: " + reason(f.Reason)
	if f.Replaced {
		stripped += ", its constant passes"
	}
	switch {
	case f.Kept > 0 && f.Stripped > 0:
		return p.Good.Render(kept) + ", " + p.Odd.Render("some "+stripped)
	case f.Kept > 0:
		return p.Good.Render(kept)
	case f.Stripped > 0:
		return p.Odd.Render(stripped)
	case f.Consent != "":
		return p.Faint.Render("absent; its tick is the consent to " + f.Consent)
	case f.Reason != "":
		return p.Faint.Render("absent; would be " + stripped)
	}
	return p.Faint.Render("absent")
}

func printHeader(w io.Writer, h http.Header) {
	for _, name := range slices.Sorted(maps.Keys(h)) {
		for _, value := range h[name] {
			_, _ = fmt.Fprintf(w, "  %s: %s\n", name, terminal.Printable(value))
		}
	}
}

// reason writes a reason of the engine's as words.
func reason(code string) string { return strings.ReplaceAll(code, "_", " ") }

// indented prepares a body for a screen.
func indented(body []byte) string {
	if !utf8.Valid(body) {
		return fmt.Sprintf("  (%s, not text)", plural(len(body), "byte"))
	}
	var lines []string
	for line := range strings.Lines(string(body)) {
		lines = append(lines, "  "+terminal.Printable(strings.TrimRight(line, "\r\n")))
	}
	return strings.Join(lines, "\n")
}

// excerpt shows the place of a refusal in what was submitted. A request with
// both a query and a body, or a coded body, does not tell which is meant.
func excerpt(offset int64, ask explain.Request) string {
	_, text, _ := strings.Cut(ask.On, "?")
	switch {
	case text != "" && len(ask.Body) > 0 || ask.Header.Get("Content-Encoding") != "":
		return ""
	case text == "":
		text = string(ask.Body)
	}
	if offset < 0 || offset > int64(len(text)) {
		return ""
	}
	const around = 40
	before, after := []rune(text[:offset]), []rune(text[offset:])
	before = before[max(0, len(before)-around):]
	after = after[:min(len(after), around)]
	shown := terminal.Printable(string(before))
	return "      | " + shown + terminal.Printable(string(after)) + "\n      | " + strings.Repeat(" ", lipgloss.Width(shown)) + "^"
}
