package command

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
	"github.com/modicum-proxy/modicum/internal/minimize"
	"github.com/modicum-proxy/modicum/internal/terminal"
)

var explainCommand = caddycmd.Command{
	Name:  "explain",
	Usage: `[<policy files...>] --on "POST /checkout" [--body @<file>|-|<literal>] [--type json|form|multipart|<media type>] [--host <host>] [--header "Name: value"]... [--cookie name=value]... [--consent <purpose>]... [--json]`,
	Short: "Explains what happens to one submission, field by field",
	Long: `
Processes one submission with the engine that serves requests, and prints for
each field whether it passes, for which purpose, and by which line of the policy
(default: privacy.yaml); then what the application would receive and the headers
that the sender would receive.

The body is a literal, the content of a file (@file) or standard input (-). A
query is part of --on: "GET /search?q=x". Consents that the submission does not
give itself are given with --consent; signals (Sec-GPC, cookies of consent
platforms that the policy trusts) with --header and --cookie. The consents that
are stored are printed by the command consent list.

The options of the site are the defaults: if method_override is on, name the
method that counts, as in --on "PATCH /users/7".

Exit status: 0 if the submission is forwarded; 1 if it or the policy is refused;
2 if a file cannot be read or the command is used incorrectly.`,
	CobraFunc: func(cmd *cobra.Command) {
		var f explainFlags
		flags := cmd.Flags()
		flags.StringVar(&f.on, "on", "", "The request: METHOD [HOST]/path[?query]")
		flags.StringVar(&f.host, "host", "", "The host of the request")
		flags.StringVar(&f.body, "body", "", "The body: a literal, @file, or - for standard input")
		flags.StringVar(&f.kind, "type", "json", "Its type: json, form, multipart, or a media type")
		flags.StringArrayVar(&f.headers, "header", nil, `A header of the request, "Name: value"`)
		flags.StringArrayVar(&f.cookies, "cookie", nil, `A cookie of the request, "name=value", such as that of a consent platform`)
		flags.StringArrayVar(&f.consents, "consent", nil, "A purpose that the person has consented to")
		asJSON := flags.Bool("json", false, "Print one JSON document")
		setRun(cmd, func(cmd *cobra.Command, files []string) (int, error) {
			request, err := f.request(cmd.InOrStdin())
			if err != nil {
				return exitUsage, err
			}
			explanation, status, err := explainRequest(cmd, files, request)
			if err != nil {
				return status, err
			}
			if *asJSON {
				err = printJSON(cmd.OutOrStdout(), jsonExplanation(explanation))
			} else {
				printExplanation(cmd.OutOrStdout(), explanation, request)
			}
			if explanation.Refusal != nil {
				return exitRefused, err
			}
			return 0, err
		})
	},
}

// explainRequest explains a request under the policy of files. With an error, it
// returns the exit status.
func explainRequest(cmd *cobra.Command, files []string, request explain.Request) (*explain.Explanation, int, error) {
	set, status, err := compilePolicy(files)
	if err != nil {
		return nil, status, err
	}
	explainer, err := explain.New(set)
	if err != nil {
		return nil, exitRefused, err
	}
	defer explainer.Close()
	explanation, err := explainer.Explain(cmd.Context(), request)
	return explanation, exitUsage, err
}

type explainFlags struct {
	on, host, body, kind       string
	headers, cookies, consents []string
}

func (f *explainFlags) request(stdin io.Reader) (explain.Request, error) {
	r := explain.Request{On: f.on, Header: http.Header{}, Consents: f.consents}
	if f.on == "" {
		return r, fmt.Errorf(`--on is missing: expected the request, such as --on "POST /checkout"`)
	}
	if method, target, ok := strings.Cut(f.on, " "); ok && f.host != "" {
		if !strings.HasPrefix(target, "/") {
			return r, fmt.Errorf("--host %s: --on names a host already", f.host)
		}
		r.On = method + " " + f.host + target
	}
	var err error
	switch {
	case f.body == "-":
		r.Body, err = io.ReadAll(stdin)
	case strings.HasPrefix(f.body, "@"):
		r.Body, err = os.ReadFile(f.body[1:])
	default:
		r.Body = []byte(f.body)
	}
	if err != nil {
		return r, fmt.Errorf("reading the body: %w", err)
	}
	if len(r.Body) > 0 {
		r.Header.Set("Content-Type", f.mediaType(r.Body))
	}
	for _, header := range f.headers {
		name, value, ok := strings.Cut(header, ":")
		if !ok {
			return r, fmt.Errorf(`--header %q: expected "Name: value"`, name)
		}
		r.Header.Add(strings.TrimSpace(name), strings.TrimSpace(value))
	}
	if len(f.cookies) > 0 {
		r.Header.Add("Cookie", strings.Join(f.cookies, "; "))
	}
	return r, nil
}

// mediaType returns the media type that --type means. The boundary of a multipart
// form is taken from its first line.
func (f *explainFlags) mediaType(body []byte) string {
	switch f.kind {
	case "json":
		return "application/json"
	case "form":
		return "application/x-www-form-urlencoded"
	case "multipart":
		line, _, _ := strings.Cut(string(body), "\n")
		return `multipart/form-data; boundary="` + strings.TrimPrefix(strings.TrimSuffix(line, "\r"), "--") + `"`
	}
	return f.kind
}

// jsonExplanation adds the body that the application receives, as text if it is
// text.
func jsonExplanation(e *explain.Explanation) any {
	document := struct {
		*explain.Explanation
		Body       string `json:"body,omitempty"`
		BodyBase64 string `json:"body_base64,omitempty"`
	}{Explanation: e}
	switch {
	case e.Forwarded == nil:
	case utf8.Valid(e.Forwarded.Body):
		document.Body = string(e.Forwarded.Body)
	default:
		document.BodyBase64 = base64.StdEncoding.EncodeToString(e.Forwarded.Body)
	}
	return document
}

func printExplanation(w io.Writer, e *explain.Explanation, request explain.Request) {
	p := terminal.PaletteFor(w)
	say := func(format string, args ...any) { _, _ = fmt.Fprintf(w, format+"\n", args...) }
	if e.Collection == "" {
		hint := ""
		if e.NearestPattern != "" {
			hint = fmt.Sprintf("; did you mean %q?", e.NearestPattern)
		}
		say("%s is declared by %s%s", p.Strong.Render(request.On), p.Bad.Render("no collection"), hint)
	} else {
		say("%s belongs to the collection %s (%v)", p.Strong.Render(request.On), p.Strong.Render(e.Collection), e.Position)
	}
	if e.Refusal != nil {
		say("\n%s with %d by the rule %s: %s", p.Bad.Render("Refused"), e.Refusal.Status, e.Refusal.Rule, e.Refusal.Detail)
		if shown := excerpt(e.Refusal.Offset, request); shown != "" {
			say("%s", shown)
		}
		if e.Refusal.Remedy != "" {
			say("\nRemedy: %s", e.Refusal.Remedy)
		}
		return
	}
	switch {
	case e.Verdict == minimize.Whole.String():
		say("\nIt passes whole: nothing is minimized there.")
	case e.Verdict != minimize.None.String():
	case e.Collection == "":
		say("\nIt is forwarded unchanged: unless a collection reads the query, a request without a body submits nothing.")
	default:
		say("\nIt submits nothing.")
	}
	printFields(w, p, e)
	if e.Source != "" {
		say("\nConsents and objections were decided by: %s", strings.ReplaceAll(e.Source, ",", ", "))
	}
	say("\n%s", p.Strong.Render("The application receives"))
	method, _, _ := strings.Cut(request.On, " ")
	say("  %s %s", method, e.Forwarded.Target)
	printHeader(w, e.Forwarded.Header)
	if body := e.Forwarded.Body; len(body) > 0 {
		say("\n%s", indented(body))
	}
	if len(e.Headers) > 0 {
		say("\n%s %s", p.Strong.Render("Headers removed or changed:"), terminal.Printable(strings.Join(e.Headers, ", ")))
	}
	if len(e.Answer) > 0 {
		say("\n%s", p.Strong.Render("The sender receives"))
		printHeader(w, e.Answer)
	}
}

func printFields(w io.Writer, p terminal.Palette, e *explain.Explanation) {
	rows := [][]string{{p.Strong.Render("field"), p.Strong.Render("verdict"), p.Strong.Render("purpose"), p.Strong.Render("rule")}}
	for i := range e.Fields {
		f := &e.Fields[i]
		rows = append(rows, []string{f.Name, verdict(p, f), f.Purpose, p.Faint.Render(f.Position.String())})
	}
	for _, u := range e.Undeclared {
		row := []string{terminal.Printable(u.Name), p.Bad.Render("stripped: undeclared")}
		if u.Nearest != "" {
			row[1] += fmt.Sprintf("; did you mean %q?", u.Nearest)
		}
		rows = append(rows, row)
	}
	if e.MoreUndeclared {
		rows = append(rows, []string{"and others", p.Bad.Render("stripped: undeclared")})
	}
	if len(rows) > 1 {
		_, _ = fmt.Fprintln(w)
		terminal.Columns(w, rows)
	}
}

// verdict describes what happened to a field, and why.
func verdict(p terminal.Palette, f *explain.Field) string {
	kept := "kept"
	if f.Keep != "" {
		kept += ", reduced: " + f.Keep
	}
	stripped := "stripped: " + strings.ReplaceAll(f.Reason, "_", " ")
	if f.Consent != "" && f.Reason == "no_consent" {
		stripped += "; a tick is on, true, 1, yes or the value in consents"
	}
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

// indented returns a body as indented lines that are safe to print.
func indented(body []byte) string {
	if !utf8.Valid(body) {
		return fmt.Sprintf("  (%s, not text)", terminal.Plural(len(body), "byte"))
	}
	var lines []string
	for line := range strings.Lines(string(body)) {
		lines = append(lines, "  "+terminal.Printable(strings.TrimRight(line, "\r\n")))
	}
	return strings.Join(lines, "\n")
}

// excerpt returns the part of the submission around offset, with a caret below. It
// returns "" if a query and a body were submitted, since the offset could be in
// either, or if the body is encoded.
func excerpt(offset int64, request explain.Request) string {
	_, text, _ := strings.Cut(request.On, "?")
	switch {
	case text != "" && len(request.Body) > 0 || request.Header.Get("Content-Encoding") != "":
		return ""
	case text == "":
		text = string(request.Body)
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
