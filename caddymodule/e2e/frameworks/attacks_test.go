//go:build unix

package frameworks_test

import (
	"fmt"
	"slices"
	"strings"
)

// allAttacks is the corpus. The comment before each attack, or a group of
// them, is the rule of internal/submission/RULES.md that they are against.
func allAttacks() []attack {
	return slices.Concat(
		typeAttacks(), codingAttacks(), framingAttacks(), streamAttacks(), methodAttacks(), pathAttacks(),
		jsonAttacks(), formAttacks(), queryAttacks(), multipartAttacks(),
		openAttacks(), dotsAttacks(), readAttacks(),
	)
}

// many repeats a format with the numbers from 0.
func many(format string, n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, format, i)
	}
	return b.String()
}
