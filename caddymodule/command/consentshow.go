package command

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/modicum-proxy/modicum/internal/consent"
	"github.com/modicum-proxy/modicum/internal/consent/operator"
	"github.com/modicum-proxy/modicum/internal/terminal"
)

func (o *consentOptions) show() *cobra.Command {
	var asJSON *bool
	cmd := o.subcommand("show (--subject <subject>|--email <address>|…) [--purpose <purpose>] [--json]", "Shows the evidence of one person",
		func(cmd *cobra.Command) { asJSON = cmd.Flags().Bool("json", false, "Print one JSON document") },
		func(cmd *cobra.Command, b consentBackend, q *operator.Query) error {
			if q.Subject == "" && q.Identity == nil {
				return fmt.Errorf("%w: expected a person, such as --subject <subject> or --email <address>", operator.ErrQuery)
			}
			if *asJSON {
				return b.Export(cmd.Context(), cmd.OutOrStdout(), q)
			}
			return printPerson(cmd, b, q)
		})
	cmd.Long = `
Shows the stored evidence of one person, in the order of events: each choice, and
each text that was stored with it. A link, which earlier versions stored, records that
two subjects are one person: the visitor who sent a form, and the address in the form.`
	return cmd
}

func printPerson(cmd *cobra.Command, b consentBackend, q *operator.Query) error {
	w := cmd.OutOrStdout()
	p := terminal.PaletteFor(w)
	rows := [][]string{{"time", "choice", "purpose", "by", "subject", "until", "text", "policy"}}
	for i := range rows[0] {
		rows[0][i] = p.Strong.Render(rows[0][i])
	}
	var texts []consent.Shown
	err := forEach(cmd.Context(), func(ctx context.Context, w io.Writer) error { return b.Export(ctx, w, q) }, func(e consent.Event) {
		row := []string{minute(e.Time), string(e.Action), terminal.Printable(e.Purpose), string(e.Source), string(e.Subject), "", "", short(e.Policy)}
		if e.Action == consent.Link {
			row[2] = "with " + string(e.Other)
		}
		if !e.Expires.IsZero() {
			row[5] = minute(e.Expires)
		}
		if e.Shown != nil {
			row[6] = short(e.Shown.Digest)
			if !slices.ContainsFunc(texts, func(t consent.Shown) bool { return t.Digest == e.Shown.Digest }) {
				texts = append(texts, *e.Shown)
			}
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

// short returns the beginning of a digest, which is enough to distinguish it.
func short(digest string) string { return digest[:min(len(digest), 12)] }
