package shop

import (
	"embed"
	"encoding/json"
	"fmt"
)

//go:embed texts
var texts embed.FS

// words are the shop's texts in one language.
type words map[string]string

// readWords reads an embedded file; one that cannot be read is a fault of the
// program, which its tests find.
func readWords(lang string) words {
	data, err := texts.ReadFile("texts/" + lang + ".json")
	if err != nil {
		panic(err)
	}
	w := words{"lang": lang}
	if err := json.Unmarshal(data, &w); err != nil {
		panic(fmt.Errorf("reading the texts in %s: %w", lang, err))
	}
	return w
}
