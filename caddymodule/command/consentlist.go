package command

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/modicum-proxy/modicum/internal/consent/operator"
	"github.com/modicum-proxy/modicum/internal/consent/record"
	"github.com/modicum-proxy/modicum/internal/terminal"
)

func (o *consentOptions) list() *cobra.Command {
	var limit *int
	var asJSON *bool
	cmd := o.subcommand("list [--subject <subject>|--email <address>|…] [--purpose <purpose>] [--limit <n>] [--json]", "Lists the choices of people",
		func(cmd *cobra.Command) {
			limit = cmd.Flags().Int("limit", 1000, "The maximum number of lines; 0: all")
			asJSON = cmd.Flags().Bool("json", false, "Print one JSON document")
		},
		func(cmd *cobra.Command, b consentBackend, q *operator.Query) error {
			q.Limit = max(*limit, 0)
			if *asJSON {
				return b.List(cmd.Context(), cmd.OutOrStdout(), q)
			}
			if q.Limit > 0 {
				q.Limit++ // to see whether there are more
			}
			return printRows(cmd, b, q)
		})
	cmd.Long = `
Lists the state of each subject and purpose, the oldest choices first. Only a
state of granted permits anything: a consent is outdated if the text that is shown
today is a different one. A subject is a pseudonym: it does not reveal who the
person is, but it identifies their choices.`
	return cmd
}

// subjectSize is the length of a subject: a key id, a dot, a SHA-256.
const subjectSize = 8 + 1 + 43

// printRows prints the states as they arrive.
func printRows(cmd *cobra.Command, b consentBackend, q *operator.Query) error {
	w := cmd.OutOrStdout()
	p := terminal.PaletteFor(w)
	n := 0
	err := forEach(cmd.Context(), func(ctx context.Context, w io.Writer) error { return b.List(ctx, w, q) }, func(r operator.Row) {
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
		if !r.Expires.IsZero() {
			line = append(line, "until "+minute(r.Expires))
		}
		_, _ = fmt.Fprintln(w, strings.TrimRight(strings.Join(line, "  "), " "))
	})
	switch {
	case err != nil:
		return err
	case n == 0 && q.Purpose != "":
		_, _ = fmt.Fprintf(cmd.ErrOrStderr(), "Nothing is stored for the purpose %q: is it spelled as in the policy?\n", q.Purpose)
	case n == 0:
		_, _ = fmt.Fprintln(cmd.ErrOrStderr(), "Nothing is stored: nobody has chosen anything yet.")
	case q.Limit > 0 && n == q.Limit:
		_, _ = fmt.Fprintln(cmd.ErrOrStderr(), "There are more: --limit 0 lists all.")
	}
	return nil
}

// forEach reads a JSON array while it is written, and calls do for each element.
func forEach[T any](ctx context.Context, write func(context.Context, io.Writer) error, do func(T)) error {
	in, out := io.Pipe()
	written := make(chan error, 1)
	go func() {
		err := write(ctx, out)
		_ = out.CloseWithError(err) // never fails
		written <- err
	}()
	var reading error
	for element, err := range record.ReadArray[T](in) {
		if reading = err; err == nil {
			do(element)
		}
	}
	_ = in.Close() // never fails
	if err := <-written; err != nil {
		return err
	}
	return reading
}

func minute(t time.Time) string { return t.UTC().Format("2006-01-02 15:04Z") }
