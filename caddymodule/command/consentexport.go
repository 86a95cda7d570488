package command

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"
	"unicode"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"
	"golang.org/x/term"
	"golang.org/x/text/runes"
	"golang.org/x/text/transform"

	"github.com/modicum-proxy/modicum/internal/consent/operator"
)

func (o *consentOptions) export() *cobra.Command {
	var format, output, choices *string
	cmd := o.subcommand("export [--format json|csv|dpv] [--output <file>] [--subject <subject>|--email <address>|…] [--purpose <purpose>]", "Exports the evidence of consents",
		func(cmd *cobra.Command) {
			format = cmd.Flags().String("format", "json", "json, csv, or dpv: consent records of ISO/IEC TS 27560")
			output = cmd.Flags().String("output", "-", "The file to write; - is standard output")
			choices = cmd.Flags().String("choices", "", "For dpv, the address of the page of choices")
		},
		func(cmd *cobra.Command, b consentBackend, q *operator.Query) error {
			q.Format, q.Choices = operator.Format(*format), *choices
			write := func(w io.Writer) error {
				w, done := withProgress(w, cmd.ErrOrStderr())
				defer done()
				return b.Export(cmd.Context(), w, q)
			}
			if *output != "-" {
				return writeFile(*output, write)
			}
			return write(cmd.OutOrStdout())
		})
	cmd.Long = `
Exports the stored evidence of consents, of everybody or of one person: who (a
pseudonym), for which purpose, when, by which means, and the text as it was shown.

json is one array with an event on each line; csv has a header, and an apostrophe
before values that a spreadsheet would interpret as formulas; dpv is JSON-LD, a
consent record of ISO/IEC TS 27560 for each subject and purpose. The export is
personal data. An output file is created only if the export is complete.`
	return cmd
}

// writeFile writes a file that only its owner can read. It exists under its name
// only if it was written completely.
func writeFile(name string, write func(io.Writer) error) (err error) {
	file, err := os.CreateTemp(filepath.Dir(name), ".modicum-export-*")
	if err != nil {
		return fmt.Errorf("creating a file: %w", err)
	}
	defer func() {
		if err != nil {
			_ = os.Remove(file.Name()) // the first error is the one to report
		}
	}()
	if err = write(file); err == nil {
		err = file.Sync()
	}
	if err = errors.Join(err, file.Close()); err != nil {
		return err
	}
	return os.Rename(file.Name(), name)
}

// withProgress shows on a terminal how much was written to w. If w itself is a
// terminal it shows nothing, but replaces control characters: a text in an export
// must not control the terminal (CWE-150).
func withProgress(w, messages io.Writer) (io.Writer, func()) {
	switch {
	case isTerminal(w):
		printable := transform.NewWriter(w, transform.Chain(
			runes.Remove(runes.Predicate(func(c rune) bool { return c == '\r' })), // of the line ends of CSV
			runes.Map(func(c rune) rune {
				if c == '\n' || unicode.IsPrint(c) {
					return c
				}
				return '·'
			}),
		))
		return printable, func() { _ = printable.Close() }
	case !isTerminal(messages):
		return w, func() {}
	}
	bar := progressbar.NewOptions64(-1, progressbar.OptionSetWriter(messages), progressbar.OptionSetDescription("exporting"),
		progressbar.OptionShowBytes(true), progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionClearOnFinish())
	return io.MultiWriter(w, bar), func() { _ = bar.Finish() }
}

func isTerminal(w io.Writer) bool {
	file, ok := w.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}
