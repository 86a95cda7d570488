package policy

import (
	"fmt"
	"strings"
)

// maxSuggestLength bounds the words that are compared: longer ones are no typos.
const maxSuggestLength = 64

// Nearest returns the known word that was probably meant by what was written;
// empty if none is near.
func Nearest(written string, known []string) string {
	// Two words that share nothing are not near, however short they are.
	nearest, best := "", min(len(written)/3+2, len(written))
	if len(written) > maxSuggestLength {
		return ""
	}
	for _, word := range known {
		if d := distance(strings.ToLower(written), strings.ToLower(word)); d < best {
			nearest, best = word, d
		}
	}
	return nearest
}

// didYouMean returns a hint that names the known word nearest to what was
// written; or, when none is near, all of them if they are few.
func didYouMean(written string, known []string) string {
	nearest := Nearest(written, known)
	switch {
	case nearest != "":
		return fmt.Sprintf("did you mean %q?", nearest)
	case len(known) == 0:
		return "none is declared"
	case len(known) <= 12:
		return "known: " + strings.Join(known, ", ")
	default:
		return ""
	}
}

// distance is the optimal string alignment distance: how many insertions,
// deletions, replacements and swaps of neighbours lie between two words.
func distance(a, b string) int {
	s, t := []rune(a), []rune(b)
	before, last, row := make([]int, len(t)+1), make([]int, len(t)+1), make([]int, len(t)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(s); i++ {
		row[0] = i
		for j := 1; j <= len(t); j++ {
			replace := last[j-1]
			if s[i-1] != t[j-1] {
				replace++
			}
			row[j] = min(last[j]+1, row[j-1]+1, replace)
			if i > 1 && j > 1 && s[i-1] == t[j-2] && s[i-2] == t[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(t)]
}

// oneOf joins words to "a, b or c".
func oneOf(words []string) string {
	last := len(words) - 1
	if last < 1 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:last], ", ") + " or " + words[last]
}
