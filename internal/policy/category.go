package policy

import (
	_ "embed" // the list of categories
	"slices"
	"strings"
	"sync"
)

//go:embed categories.txt
var categoryList string

// categories returns the data categories of fideslang.
var categories = sync.OnceValue(func() []string {
	var list []string
	for line := range strings.Lines(categoryList) {
		if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
			list = append(list, line)
		}
	}
	return list
})

// specialCategories are the branches of the taxonomy that GDPR Art. 9(1) is about.
var specialCategories = []string{
	"user.authorization.biometric",
	"user.authorization.biometrics",
	"user.biometric",
	"user.biometrics",
	"user.demographic.philosophical_belief",
	"user.demographic.political_opinion",
	"user.demographic.race_ethnicity",
	"user.demographic.religious_belief",
	"user.demographic.sexual_orientation",
	"user.demographic.union_membership",
	"user.health",
	"user.health_and_medical",
}

// isSpecial reports whether a category, or a branch that it is in, is special.
func isSpecial(category string) bool {
	return slices.ContainsFunc(specialCategories, func(branch string) bool {
		return category == branch || strings.HasPrefix(category, branch+".")
	})
}
