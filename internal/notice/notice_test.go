package notice_test

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/modicum-proxy/modicum/internal/notice"
	"github.com/modicum-proxy/modicum/internal/notice/words"
	"github.com/modicum-proxy/modicum/internal/policy"
)

func compile(t *testing.T, text string) *policy.Set {
	t.Helper()
	set, problems := policy.Compile(policy.Source{Name: "privacy.yaml", Data: []byte(text)})
	if err := problems.Err(); err != nil {
		t.Fatal(err)
	}
	return set
}

func purpose(t *testing.T, set *policy.Set, name string) policy.PurposeID {
	t.Helper()
	id, ok := set.PurposeID(name)
	if !ok {
		t.Fatalf("there is no purpose %s", name)
	}
	return id
}

const letters = `version: 1
controller: {name: {en: Whittle, ru: Уиттл}, contact: privacy@whittle.example, country: DE}
purposes:
  letter:
    title: {en: Send letters, ru: Присылать письма}
    description: {en: Once a month., ru: Раз в месяц.}
    benefit: A voucher
    basis: consent
    retention: 2y
    expires: 6mo
    recipients: [{en: The post, ru: Почта}]
  count:
    title: {en: Count visits}
    basis: legitimate_interests
    objection: gpc
  order: {basis: contract}
collections:
  letter:
    on: POST /letter
    fields:
      email: {for: [letter, order], category: user.contact.email}
      other_email: {for: letter, category: user.contact.email}
      birthday: {for: letter, keep: year, category: user.demographic.date_of_birth}
      items.*.colour_of_hair: letter
      ip: {for: count, keep: network}
    consents: {letter: subscribe}
`

func TestText(t *testing.T) {
	t.Parallel()
	languages, err := words.Read(nil)
	if err != nil {
		t.Fatal(err)
	}
	set := compile(t, letters)
	for _, c := range []struct{ name, language, golden string }{
		{"letter", "en", "letter.en.txt"}, {"letter", "ru", "letter.ru.txt"}, {"count", "en", "count.en.txt"},
	} {
		got := notice.ForPurpose(set, purpose(t, set, c.name), c.language).Wording(languages.Matcher()(c.language)).String()
		want, err := os.ReadFile("testdata/" + c.golden)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.golden, diff)
		}
	}
}

// The id of a notice is about what is said, not about what else the policy
// holds; the id of a request is about all languages.
func TestIdentity(t *testing.T) {
	t.Parallel()
	before := compile(t, letters)
	for _, c := range []struct {
		name, old, text    string
		english, requested bool // change
	}{
		{"a comment", "version: 1", "# hello\nversion: 1", false, false},
		{"another purpose", "order: {basis: contract}", "order: {basis: contract, retention: 1y}", false, false},
		{"a field of another purpose", "ip: {for: count", "phone: order\n      ip: {for: count", false, false},
		{"the English text", "Once a month.", "Once a week.", true, true},
		{"the Russian text", "Раз в месяц.", "Раз в неделю.", false, true},
		{"the term", "retention: 2y", "retention: 3y", true, true},
		{"a field", "birthday: {for: letter, keep: year", "birthday: {for: letter, keep: month", true, true},
		{"a recipient", "The post", "A parcel service", true, true},
		{"the controller", "privacy@whittle.example", "post@whittle.example", true, true},
	} {
		after := compile(t, strings.Replace(letters, c.old, c.text, 1))
		id := purpose(t, before, "letter")
		if got := notice.ForPurpose(before, id, "en").ID != notice.ForPurpose(after, purpose(t, after, "letter"), "en").ID; got != c.english {
			t.Errorf("%s changes the notice: %t", c.name, got)
		}
		if got := notice.RequestID(before, id) != notice.RequestID(after, purpose(t, after, "letter")); got != c.requested {
			t.Errorf("%s changes the request: %t", c.name, got)
		}
	}
	ids := notice.RequestIDs(before)
	if len(ids) != 1 || ids[notice.RequestID(before, purpose(t, before, "letter"))] != purpose(t, before, "letter") {
		t.Errorf("the requests are %v", ids)
	}
	if got := notice.Languages(before); !cmp.Equal(got, []string{"en", "ru"}) {
		t.Errorf("the languages are %v", got)
	}
}

// Where anything passes, the notice says so: it can be objected to, but not read.
func TestWhole(t *testing.T) {
	set := compile(t, letters+"  beacon:\n    on: [POST /beacon, PUT /beacon]\n    whole: count\n  hook:\n    on: POST /hook\n    whole: order\n"+
		"  upload:\n    on: POST /upload\n    read: {text/csv: pass}\n    fields: {ip: count}\n")
	languages, err := words.Read(nil)
	if err != nil {
		t.Fatal(err)
	}
	for tag, want := range map[string]string{
		"en": "Anything sent here: POST /beacon; Anything sent here: POST /upload; Anything sent here: PUT /beacon",
		"ru": "Всё, что сюда отправлено: POST /beacon; Всё, что сюда отправлено: POST /upload; Всё, что сюда отправлено: PUT /beacon",
	} {
		n := notice.ForPurpose(set, purpose(t, set, "count"), tag)
		if text := n.Wording(languages.Matcher()(tag)).String(); !strings.Contains(text, want) || strings.Contains(text, "/hook") {
			t.Errorf("%s: the notice says\n%s", tag, text)
		}
	}
	without := notice.ForPurpose(compile(t, letters), purpose(t, set, "count"), "en")
	if notice.ForPurpose(set, purpose(t, set, "count"), "en").ID == without.ID {
		t.Error("a notice that says more has the same identity")
	}
}
