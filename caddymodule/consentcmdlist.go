package caddymodule

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/modicum-proxy/modicum/internal/consent"
	"github.com/modicum-proxy/modicum/internal/consent/desk"
	"github.com/modicum-proxy/modicum/internal/consent/record"
	"github.com/modicum-proxy/modicum/internal/terminal"
)

// list is `consent list`.
func (o *consentOptions) list() *cobra.Command {
	var limit *int
	var asJSON *bool
	cmd := o.subcommand("list [--subject <subject>|--email <address>|…] [--purpose <purpose>] [--limit <n>] [--json]", "Lists what people chose",
		func(cmd *cobra.Command) {
			limit = cmd.Flags().Int("limit", 1000, "The most lines; 0: all")
			asJSON = cmd.Flags().Bool("json", false, "Print one JSON document")
		},
		func(cmd *cobra.Command, c clerk, q *desk.Query) error {
			q.Limit = max(*limit, 0)
			if *asJSON {
				return c.List(cmd.Context(), cmd.OutOrStdout(), q)
			}
			if q.Limit > 0 {
				q.Limit++ // whether there are more
			}
			return printRows(cmd, c, q)
		})
	cmd.Long = `
Lists what stands of each subject and purpose, those who chose longest ago
first. Only what is granted permits: a consent is outdated when the text is
another today. A subject is a pseudonym: nobody can tell from it who it is, but
with it a person's choices are found.`
	return cmd
}

// subjectSize is the length of a subject: a key id, a dot, a SHA-256.
const subjectSize = 8 + 1 + 43

// printRows prints what stands as it comes.
func printRows(cmd *cobra.Command, c clerk, q *desk.Query) error {
	w := cmd.OutOrStdout()
	p := terminal.PaletteFor(w)
	n := 0
	err := each(cmd.Context(), func(ctx context.Context, w io.Writer) error { return c.List(ctx, w, q) }, func(r desk.Row) {
		if n++; n == q.Limit {
			return
		}
		status := terminal.Pad(r.Status, len("withdrawn"))
		switch r.Status {
		case "granted":
			status = p.Good.Render(status)
		case "outdated", "expired":
			status = p.Odd.Render(status)
		}
		line := []string{terminal.Pad(string(r.Subject), subjectSize), status, terminal.Pad(terminal.Printable(r.Purpose), 16), minute(r.Time), terminal.Pad(string(r.Source), 8)}
		if r.Expires != nil {
			line = append(line, "until "+minute(*r.Expires))
		}
		_, _ = fmt.Fprintln(w, strings.TrimRight(strings.Join(line, "  "), " "))
	})
	switch {
	case err != nil:
		return err
	case n == 0 && q.Purpose != "":
		_, _ = fmt.Fprintf(cmd.ErrOrStderr(), "Nothing is kept about the purpose %q: is it spelled as in the policy?\n", q.Purpose)
	case n == 0:
		_, _ = fmt.Fprintln(cmd.ErrOrStderr(), "Nothing is kept: nobody chose anything yet.")
	case q.Limit > 0 && n == q.Limit:
		_, _ = fmt.Fprintln(cmd.ErrOrStderr(), "There are more: --limit 0 lists all.")
	}
	return nil
}

// each reads an array of JSON while it is written.
func each[T any](ctx context.Context, write func(context.Context, io.Writer) error, do func(T)) error {
	in, out := io.Pipe()
	written := make(chan error, 1)
	go func() {
		err := write(ctx, out)
		_ = out.CloseWithError(err) // it never fails
		written <- err
	}()
	var reading error
	for element, err := range record.ReadArray[T](in) {
		if reading = err; err == nil {
			do(element)
		}
	}
	_ = in.Close() // it never fails
	if err := <-written; err != nil {
		return err
	}
	return reading
}

// minute writes a time for people.
func minute(t time.Time) string { return t.UTC().Format("2006-01-02 15:04Z") }

// show is `consent show`.
func (o *consentOptions) show() *cobra.Command {
	var asJSON *bool
	cmd := o.subcommand("show (--subject <subject>|--email <address>|…) [--purpose <purpose>] [--json]", "Shows the evidence of one person",
		func(cmd *cobra.Command) { asJSON = cmd.Flags().Bool("json", false, "Print one JSON document") },
		func(cmd *cobra.Command, c clerk, q *desk.Query) error {
			if q.Subject == "" && q.Identity == nil {
				return fmt.Errorf("%w: expected a person, such as --subject <subject> or --email <address>", desk.ErrQuery)
			}
			if *asJSON {
				return c.Export(cmd.Context(), cmd.OutOrStdout(), q)
			}
			return printPerson(cmd, c, q)
		})
	cmd.Long = `
Shows what is kept of one person, in the order in which it happened: each
choice, and each text that was kept with it. A link says that two subjects are
one person: whoever sent the form, and the address in it.`
	return cmd
}

// printPerson prints the events of a person and the texts shown.
func printPerson(cmd *cobra.Command, c clerk, q *desk.Query) error {
	w := cmd.OutOrStdout()
	p := terminal.PaletteFor(w)
	rows := [][]string{{"time", "choice", "purpose", "by", "subject", "until", "text", "policy"}}
	for i := range rows[0] {
		rows[0][i] = p.Strong.Render(rows[0][i])
	}
	var texts []consent.Shown
	err := each(cmd.Context(), func(ctx context.Context, w io.Writer) error { return c.Export(ctx, w, q) }, func(j record.Event) {
		e := j.Consent()
		row := []string{minute(e.Time), string(e.Action), terminal.Printable(e.Purpose), string(e.Source), string(e.Subject), "", "", short(e.Policy)}
		if e.Action == consent.Link {
			row[2] = "with " + string(e.Other)
		}
		if !e.Expires.IsZero() {
			row[5] = minute(e.Expires)
		}
		if e.Shown != nil {
			row[6] = short(e.Shown.Digest)
			texts = withText(texts, *e.Shown)
		}
		rows = append(rows, row)
	})
	if err != nil {
		return err
	}
	terminal.Columns(w, rows)
	for _, text := range texts {
		_, _ = fmt.Fprintf(w, "\n%s %s (%s)\n", p.Strong.Render("text"), text.Digest, terminal.Printable(text.Language))
		for line := range strings.Lines(text.Text) {
			_, _ = fmt.Fprintf(w, "  | %s\n", terminal.Printable(strings.TrimRight(line, "\r\n")))
		}
	}
	return nil
}

func withText(texts []consent.Shown, text consent.Shown) []consent.Shown {
	for i := range texts {
		if texts[i].Digest == text.Digest {
			return texts
		}
	}
	return append(texts, text)
}

// short is the beginning of a digest, enough to tell it from others.
func short(digest string) string { return digest[:min(len(digest), 12)] }
