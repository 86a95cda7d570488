package words

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nicksnyder/go-i18n/v2/i18n"
	"golang.org/x/text/language"
	"golang.org/x/text/language/display"

	"github.com/modicum-proxy/modicum/internal/policy"
)

// Say returns a message. What its text names as {{.Name}} is given as pairs
// of name and value. A message that nobody wrote is its id: the page that
// people withdraw on must not fail for the lack of a word.
func (l *Language) Say(id string, pairs ...any) string {
	return l.say(&i18n.LocalizeConfig{MessageID: id, TemplateData: data(pairs)})
}

// Count returns a message in the plural form of n, which it names {{.Count}}.
func (l *Language) Count(id string, n int, pairs ...any) string {
	return l.say(&i18n.LocalizeConfig{MessageID: id, PluralCount: n, TemplateData: data(append(pairs, "Count", n))})
}

// Has reports whether there is a message, in this language or in English.
func (l *Language) Has(id string) bool {
	text, _ := l.localizer.Localize(&i18n.LocalizeConfig{MessageID: id})
	return text != ""
}

func (l *Language) say(c *i18n.LocalizeConfig) string {
	// An error may come with the text in English, or in another plural form.
	text, _ := l.localizer.Localize(c)
	if text == "" {
		return c.MessageID
	}
	return text
}

func data(pairs []any) map[string]any {
	named := make(map[string]any, len(pairs)/2)
	for i := 0; i+1 < len(pairs); i += 2 {
		if name, ok := pairs[i].(string); ok {
			named[name] = pairs[i+1]
		}
	}
	return named
}

// Duration says a period of the policy language, "3y"; as it is written if it
// is none.
func (l *Language) Duration(period string) string {
	p, ok := policy.ParsePeriod(period)
	if !ok {
		return period
	}
	return l.Count("duration."+p.Unit, p.Count)
}

// Date says a day, in UTC.
func (l *Language) Date(t time.Time) string {
	t = t.UTC()
	return l.Say("date", "Day", t.Day(), "Month", l.Say("month."+strconv.Itoa(int(t.Month()))), "Year", t.Year())
}

// Time says a day and the minute, in UTC.
func (l *Language) Time(t time.Time) string {
	return l.Say("time", "Date", l.Date(t), "Clock", t.UTC().Format("15:04"))
}

// Country says the name of a country, ISO 3166-1 alpha-2; its code if the name
// is not known.
func (l *Language) Country(code string) string {
	region, err := language.ParseRegion(code)
	names := display.Regions(language.Make(l.Tag))
	if err != nil || names == nil || names.Name(region) == "" {
		return code
	}
	return names.Name(region)
}

// Category says what a data category of the fideslang taxonomy is, or the
// nearest one above it; empty if nothing is known of it.
func (l *Language) Category(category string) string {
	for category != "" && category != "user" && category != "system" {
		if id := "category." + category; l.Has(id) {
			return l.Say(id)
		}
		category = category[:max(strings.LastIndexByte(category, '.'), 0)]
	}
	return ""
}

// check says each message that a file brings as the pages will, so that a
// slip shows when the file is read and not to a visitor.
func (r *reader) check(tag language.Tag, messages []*i18n.Message) error {
	spoken := i18n.NewLocalizer(r.bundle, tag.String())
	var problems []error
	for _, m := range messages {
		english := r.english[m.ID]
		if english == nil {
			problems = append(problems, fmt.Errorf("there is no message %q: see en.json for those that there are", m.ID))
			continue
		}
		samples := map[string]any{} // values for what the message names
		for _, name := range names(english) {
			samples[name] = "x"
		}
		c := &i18n.LocalizeConfig{MessageID: m.ID, TemplateData: samples}
		for n := range 120 {
			if english.One != "" {
				c.PluralCount = n
			}
			text, err := spoken.Localize(c)
			if err != nil || text == "" {
				problems = append(problems, fmt.Errorf("saying %q with %d: %w", m.ID, n, err))
				break
			}
			if strings.Contains(text, "<no value>") {
				problems = append(problems, fmt.Errorf("the message %q names what there is not: it may name %s", m.ID, strings.Join(names(english), ", ")))
				break
			}
			if c.PluralCount == nil {
				break
			}
		}
	}
	return errors.Join(problems...)
}

// names returns what a message names as {{.Name}}.
func names(m *i18n.Message) []string {
	found := map[string]bool{}
	for _, text := range []string{m.One, m.Other} {
		for _, part := range strings.Split(text, "{{.")[1:] {
			name, _, _ := strings.Cut(part, "}}")
			found[name] = true
		}
	}
	return slices.Sorted(maps.Keys(found))
}
