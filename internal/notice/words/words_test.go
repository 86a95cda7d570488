package words_test

import (
	"encoding/json"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/modicum-proxy/modicum/internal/notice/words"
)

func read(t *testing.T, operator fs.FS) *words.Languages {
	t.Helper()
	languages, err := words.Read(operator)
	if err != nil {
		t.Fatal(err)
	}
	return languages
}

func files(names ...string) fs.FS {
	f := fstest.MapFS{}
	for i := 0; i+1 < len(names); i += 2 {
		f[names[i]] = &fstest.MapFile{Data: []byte(names[i+1])}
	}
	return f
}

func TestPlurals(t *testing.T) {
	t.Parallel()
	languages := read(t, nil)
	for period, want := range map[string][2]string{
		"1y": {"1 year", "1 год"}, "2y": {"2 years", "2 года"}, "5y": {"5 years", "5 лет"}, "11y": {"11 years", "11 лет"}, "21y": {"21 years", "21 год"},
		"1mo": {"1 month", "1 месяц"}, "18mo": {"18 months", "18 месяцев"}, "3w": {"3 weeks", "3 недели"}, "30d": {"30 days", "30 дней"},
		"24h": {"24 hours", "24 часа"}, "": {"", ""}, "soon": {"soon", "soon"}, "3m": {"3m", "3m"},
	} {
		if got := [2]string{languages.Named("en").Duration(period), languages.Named("ru").Duration(period)}; got != want {
			t.Errorf("%q is %q, want %q", period, got, want)
		}
	}
}

func TestDates(t *testing.T) {
	t.Parallel()
	languages := read(t, nil)
	at := time.Date(2026, 2, 3, 23, 4, 0, 0, time.FixedZone("", -3600)) // in UTC it is the next day
	if got := languages.Named("en").Time(at); got != "4 February 2026, 00:04 UTC" {
		t.Errorf("in English it is %q", got)
	}
	if got := languages.Named("ru").Date(at); got != "4 февраля 2026\u00a0г." {
		t.Errorf("in Russian it is %q", got)
	}
	if en, ru := languages.Named("en").Country("DE"), languages.Named("ru").Country("DE"); en != "Germany" || ru != "Германия" {
		t.Errorf("DE is %q and %q", en, ru)
	}
}

// Russian says everything that English does, with all its plural forms; and
// there is nothing that nobody says.
func TestComplete(t *testing.T) {
	t.Parallel()
	messages := map[string]map[string]any{}
	for _, tag := range []string{"en", "ru"} {
		content, err := os.ReadFile(tag + ".json") //nolint:gosec // G304: a file of ours
		if err != nil {
			t.Fatal(err)
		}
		var m map[string]any
		if err := json.Unmarshal(content, &m); err != nil {
			t.Fatal(err)
		}
		messages[tag] = m
	}
	if diff := cmp.Diff(slices.Sorted(maps.Keys(messages["en"])), slices.Sorted(maps.Keys(messages["ru"]))); diff != "" {
		t.Errorf("messages in English and Russian (-en +ru):\n%s", diff)
	}
	placeholder := regexp.MustCompile(`{{\.\w+}}`)
	for id, english := range messages["en"] {
		text, isText := english.(string)
		if !isText {
			forms, _ := messages["ru"][id].(map[string]any)
			if got := slices.Sorted(maps.Keys(forms)); !slices.Equal(got, []string{"few", "many", "one", "other"}) {
				t.Errorf("%s: Russian has the forms %v", id, got)
			}
			continue
		}
		russian, _ := messages["ru"][id].(string)
		en, ru := placeholder.FindAllString(text, -1), placeholder.FindAllString(russian, -1)
		slices.Sort(en)
		slices.Sort(ru)
		if russian == "" || !slices.Equal(en, ru) {
			t.Errorf("%s: %q and %q", id, text, russian)
		}
	}
}

// Each data category of the policy language, but the roots, has a name.
func TestCategories(t *testing.T) {
	t.Parallel()
	list, err := os.ReadFile(filepath.FromSlash("../../policy/categories.txt"))
	if err != nil {
		t.Fatal(err)
	}
	languages := read(t, nil)
	for line := range strings.Lines(string(list)) {
		if line = strings.TrimSpace(line); line == "" || line[0] == '#' || line == "user" || line == "system" {
			continue
		}
		for _, l := range languages.All() {
			if !l.Has("category."+line) || l.Category(line) == "" {
				t.Errorf("%s has no name in %s", line, l.Tag)
			}
		}
	}
	en := languages.Named("en")
	if got := en.Category("user.contact.email.work"); got != "E-mail address" {
		t.Errorf("below a known category it is %q", got)
	}
	if got := en.Category("user") + en.Category("other.thing") + en.Category(""); got != "" {
		t.Errorf("an unknown category is %q", got)
	}
}

func TestOperatorsFiles(t *testing.T) {
	t.Parallel()
	languages := read(t, files(
		"de.json", `{"language": "Deutsch", "skip": "Zum Inhalt", "duration.y": {"one": "{{.Count}} Jahr", "other": "{{.Count}} Jahre"}}`,
		"en.json", `{"skip": "Skip it"}`,
		"ar.json", `{"language": "العربية"}`,
		"README.txt", "no language",
	))
	var tags []string
	for _, l := range languages.All() {
		tags = append(tags, l.Tag+" "+l.Name+" "+l.Direction)
	}
	if diff := cmp.Diff([]string{"en English ltr", "ru Русский ltr", "ar العربية rtl", "de Deutsch ltr"}, tags); diff != "" {
		t.Errorf("languages (-want +got):\n%s", diff)
	}
	de := languages.Named("de")
	if got := de.Say("skip") + ", " + de.Duration("2y") + ", " + de.Say("back") + ", " + de.Duration("2mo"); got != "Zum Inhalt, 2 Jahre, Back to the site, 2 months" {
		t.Errorf("in German: %s", got)
	}
	if got := languages.Named("en").Say("skip") + ", " + languages.Named("ru").Say("skip"); got != "Skip it, Перейти к содержанию" {
		t.Errorf("ours: %s", got)
	}
}

// A slip in an operator's file is told when it is read.
func TestOperatorsMistakes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ file, content, want string }{
		{"german.json", `{}`, "its name is no language tag"},
		{"de.json", `{"skip": "Zum Inhalt"}`, "does not say what the language is called"},
		{"de.json", `{"language": "Deutsch", "skipp": "Zum Inhalt"}`, `there is no message "skipp"`},
		{"de.json", `{"language": "Deutsch", "date": "{{.Tag}}. {{.Month}}"}`, "it may name Day, Month, Year"},
		{"de.json", `{"language": "Deutsch", "skip": "{{.Broken"}`, `saying "skip"`},
		{"de.json", `{"language": "Deutsch", "skip": ""}`, `"skip"`},
		{"pl.json", `{"language": "Polski", "duration.y": {"one": "{{.Count}} rok", "other": "{{.Count}} roku"}}`, `saying "duration.y" with 0`},
		{"de.json", `{"language": "Deutsch", "skip": "a", "skip": "b"}`, "duplicate"},
		{"de.json", `{`, "de.json"},
	} {
		_, err := words.Read(files(c.file, c.content))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s %s: %v, want %s", c.file, c.content, err, c.want)
		}
	}
}

func TestMatch(t *testing.T) {
	t.Parallel()
	languages := read(t, files("pt-BR.json", `{"language": "Português"}`))
	match := languages.Matcher()
	for accept, want := range map[string]string{
		"": "en", "ru": "ru", "ru-RU,ru;q=0.9,en;q=0.1": "ru", "en-GB": "en", "de": "en", "pt": "pt-BR", ";;;": "en",
		"ru\r\nX: y": "en", strings.Repeat("ru,", 1000): "en",
	} {
		if got := match(accept); got.Tag != want {
			t.Errorf("%.40q: %s, want %s", accept, got.Tag, want)
		}
	}
}

// A page is in the languages that the policy is written in.
func TestOf(t *testing.T) {
	t.Parallel()
	languages := read(t, files("pt-BR.json", `{"language": "Português"}`))
	for _, c := range []struct{ written, want []string }{
		{nil, []string{"en English", "ru Русский", "pt-BR Português"}},
		{[]string{"ru"}, []string{"ru Русский"}},
		{[]string{"de", "ru"}, []string{"ru Русский"}}, // nobody speaks German here
		{[]string{"de"}, []string{"en English", "ru Русский", "pt-BR Português"}},
		{[]string{"en-GB", "en-US"}, []string{"en-GB English", "en-US English (en-US)"}},
		{[]string{"pt"}, []string{"pt Português"}},
	} {
		var got []string
		for _, l := range languages.Of(c.written).All() {
			got = append(got, l.Tag+" "+l.Name)
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%v (-want +got):\n%s", c.written, diff)
		}
	}
}
