package record

import (
	"io"
	"iter"
	"strconv"
	"strings"
	"time"

	"github.com/modicum-proxy/modicum/internal/consent"
)

// columns are the fields of a line, as the header names them.
var columns = []string{
	"revision", "id", "time", "subject", "other", "purpose", "action", "source", "expires",
	"notice", "text_sha256", "language", "text", "policy", "receipt", "address",
}

// WriteCSV writes events as CSV (RFC 4180) with a header.
//
// A value that a spreadsheet would take for a formula has an apostrophe before
// it (CWE-1236), and so has one that begins with an apostrophe: reading it
// back is taking one apostrophe from the front of each value that has one.
func WriteCSV(w io.Writer, events iter.Seq2[consent.Event, error]) error {
	if _, err := io.WriteString(w, csvLine(columns)); err != nil {
		return err
	}
	for e, err := range events {
		if err != nil {
			return err
		}
		var shown consent.Shown
		if e.Shown != nil {
			shown = *e.Shown
		}
		if _, err := io.WriteString(w, csvLine([]string{
			strconv.FormatInt(int64(e.Revision), 10), e.ID.String(), stamp(e.Time), string(e.Subject), string(e.Other), e.Purpose,
			string(e.Action), string(e.Source), csvTime(e.Expires), e.Notice, shown.Digest, shown.Language, shown.Text, e.Policy, e.Receipt, e.Address,
		})); err != nil {
			return err
		}
	}
	return nil
}

func csvTime(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return stamp(t)
}

// csvLine writes one line. Every value is quoted: a spreadsheet that splits at
// semicolons, as many locales have it, would otherwise find a new cell, and a
// formula at its beginning, in the midst of a text.
func csvLine(values []string) string {
	var line strings.Builder
	for i, value := range values {
		if i > 0 {
			line.WriteByte(',')
		}
		line.WriteByte('"')
		if dangerous(value) {
			line.WriteByte('\'')
		}
		line.WriteString(strings.ReplaceAll(value, `"`, `""`))
		line.WriteByte('"')
	}
	line.WriteString("\r\n")
	return line.String()
}

// dangerous reports whether a spreadsheet may evaluate a value: the characters
// are OWASP's, the wide ones among them, which some programs fold into ASCII.
// Spaces before them do not help.
func dangerous(value string) bool {
	if strings.HasPrefix(value, "'") || strings.IndexAny(value, "\t\r\n") == 0 {
		return true
	}
	value = strings.TrimSpace(value)
	for _, sign := range []string{"=", "+", "-", "@", "＝", "＋", "－", "＠"} {
		if strings.HasPrefix(value, sign) {
			return true
		}
	}
	return false
}
