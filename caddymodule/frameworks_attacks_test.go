//go:build unix

package caddymodule_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"slices"
	"strings"
)

// allAttacks is the corpus. The comment before each attack, or a group of
// them, tells CANONICAL's rule.
func allAttacks() []attack {
	return slices.Concat(jsonAttacks(), formAttacks(), queryAttacks(), multipartAttacks())
}

// many repeats a format with the numbers from 0.
func many(format string, n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, format, i)
	}
	return b.String()
}

// gzipped codes a text.
func gzipped(text string) string {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = w.Write([]byte(text))
	_ = w.Close()
	return b.String()
}
