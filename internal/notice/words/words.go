// Package words says things to people in their language: it holds the labels
// and sentences that stand around what the policy says, in English, Russian
// and the languages of the operator's own files.
package words

import (
	"embed"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	json "github.com/go-json-experiment/json"
	"github.com/nicksnyder/go-i18n/v2/i18n"
	"golang.org/x/text/language"
)

//go:embed en.json ru.json
var ours embed.FS

// Languages are all languages that pages can be in. They are immutable.
type Languages struct {
	all []*Language // English first, ours, the operator's by tag
}

// Language says things in one language.
type Language struct {
	Tag       string // BCP 47
	Name      string // what those who speak it call it
	Direction string // "ltr" or "rtl", as HTML's dir

	localizer *i18n.Localizer
}

// Read returns our languages and those of the operator's files: <tag>.json,
// each message by its id as in en.json of this package, a text or an object
// of plural forms (go-i18n's format). A file for one of our languages replaces
// the messages that it names. What a file lacks is said in English. A nil
// file system has none.
func Read(operator fs.FS) (*Languages, error) {
	r := reader{bundle: i18n.NewBundle(language.English), names: map[string]string{}}
	for _, file := range []string{"en.json", "ru.json"} {
		if err := r.read(ours, file); err != nil {
			return nil, err
		}
	}
	if operator != nil {
		files, err := fs.Glob(operator, "*.json")
		if err != nil {
			return nil, fmt.Errorf("listing the files of languages: %w", err)
		}
		for _, file := range files {
			if err := r.read(operator, file); err != nil {
				return nil, err
			}
		}
	}
	l := &Languages{}
	for _, tag := range r.tags {
		l.all = append(l.all, &Language{
			Tag: tag.String(), Name: r.names[tag.String()], Direction: direction(tag),
			localizer: i18n.NewLocalizer(r.bundle, tag.String()),
		})
	}
	return l, nil
}

// reader gathers the messages of files.
type reader struct {
	bundle  *i18n.Bundle
	tags    []language.Tag
	names   map[string]string
	english map[string]*i18n.Message
}

func (r *reader) read(files fs.FS, file string) error {
	doing := fmt.Sprintf("reading the language file %q", file)
	tag, err := language.Parse(strings.TrimSuffix(path.Base(file), ".json"))
	if err != nil {
		return fmt.Errorf("%s: its name is no language tag: name it as de.json or pt-BR.json", doing)
	}
	content, err := fs.ReadFile(files, file)
	if err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	messages, err := i18n.ParseMessageFileBytes(content, tag.String()+".json", map[string]i18n.UnmarshalFunc{
		"json": func(data []byte, v any) error { return json.Unmarshal(data, v) },
	})
	if err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	if r.english == nil {
		r.english = map[string]*i18n.Message{}
		for _, m := range messages.Messages {
			r.english[m.ID] = m
		}
	}
	if err := r.bundle.AddMessages(tag, messages.Messages...); err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	for _, m := range messages.Messages {
		if m.ID == "language" {
			r.names[tag.String()] = m.Other
		}
	}
	if r.names[tag.String()] == "" {
		return fmt.Errorf(`%s: it does not say what the language is called: add "language": "Deutsch"`, doing)
	}
	if !slices.Contains(r.tags, tag) {
		r.tags = append(r.tags, tag)
	}
	if err := r.check(tag, messages.Messages); err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	return nil
}

// direction tells how the script of a language runs.
func direction(tag language.Tag) string {
	script, _ := tag.Script()
	if slices.Contains([]string{"Adlm", "Arab", "Hebr", "Nkoo", "Rohg", "Syrc", "Thaa"}, script.String()) {
		return "rtl"
	}
	return "ltr"
}

// All returns the languages, English first.
func (l *Languages) All() []*Language { return l.all }

// Named returns the language with a tag, nil if there is none.
func (l *Languages) Named(tag string) *Language {
	for _, known := range l.all {
		if known.Tag == tag {
			return known
		}
	}
	return nil
}

// near returns the language that is nearest to a tag: the same or one with the
// same base. It is nil if there is none.
func (l *Languages) near(tag string) *Language {
	for _, fits := range []func(string) string{exact, base} {
		for _, known := range l.all {
			if fits(known.Tag) == fits(tag) {
				return known
			}
		}
	}
	return nil
}

// Of returns the languages of a policy, by the tags that it writes them with:
// a purpose is asked for in words that its controller wrote. A language that
// we cannot speak is left out. If the policy names no other they are all.
func (l *Languages) Of(written []string) *Languages {
	of := &Languages{}
	for _, known := range l.all {
		for _, tag := range written {
			if l.near(tag) == known {
				spoken := *known
				spoken.Tag = tag
				if slices.ContainsFunc(of.all, func(other *Language) bool { return other.Name == spoken.Name }) {
					spoken.Name += " (" + tag + ")"
				}
				of.all = append(of.all, &spoken)
			}
		}
	}
	if len(of.all) == 0 {
		return l
	}
	return of
}

func exact(tag string) string { return tag }

func base(tag string) string {
	b, _, _ := strings.Cut(tag, "-")
	return b
}

// maxAccept bounds what is read of an Accept-Language: a longer one is no
// browser's (CVE-2020-28852, CVE-2022-32149).
const maxAccept = 512

// Matcher returns the function that picks a language by the header
// Accept-Language: the first one if none fits.
func (l *Languages) Matcher() func(accept string) *Language {
	tags := make([]language.Tag, len(l.all))
	for i, known := range l.all {
		tags[i] = language.Make(known.Tag)
	}
	matcher := language.NewMatcher(tags)
	return func(accept string) *Language {
		if len(accept) > maxAccept {
			return l.all[0]
		}
		_, i := language.MatchStrings(matcher, accept)
		return l.all[i]
	}
}
