package notice_test

import (
	"strings"
	"testing"

	"github.com/modicum-proxy/modicum/internal/notice"
	"github.com/modicum-proxy/modicum/internal/notice/words"
)

const labelled = `version: 1
controller: {name: Whittle}
purposes:
  letter: {title: {en: Send letters, ru: Присылать письма}, basis: consent, retention: 1y}
fields:
  slot: {for: letter, label: {en: Time of delivery, ru: Время доставки}, why: {en: so that you are at home, ru: чтобы вы были дома}}
collections:
  letter:
    on: POST /letter
    fields:
      slot_17: {use: slot}
      born: {for: letter, keep: year, label: Birthday, category: user.demographic.date_of_birth}
      email: {for: letter, category: user.contact.email, why: {en: to write to you}}
      hair: letter
    consents: {letter: subscribe}
`

// TestLabels checks that people read what an operator calls a field in place of its
// name, and why it is needed; and that both are part of the text that they consent
// to, so that a change of either asks again.
func TestLabels(t *testing.T) {
	set := compile(t, labelled)
	id := purpose(t, set, "letter")
	languages, err := words.Read(nil)
	if err != nil {
		t.Fatal(err)
	}
	for language, want := range map[string][]string{
		"en": {"Time of delivery – so that you are at home", "Birthday: ", "E-mail address – to write to you", "Field “hair”"},
		"ru": {"Время доставки — чтобы вы были дома", "Birthday: ", "— to write to you", "Поле «hair»"},
	} {
		text := notice.ForPurpose(set, id, language).Wording(languages.Named(language)).String()
		for _, said := range want {
			if !strings.Contains(text, said) {
				t.Errorf("%s: no %q in %s", language, said, text)
			}
		}
		if strings.Contains(text, "slot") || strings.Contains(text, "born") {
			t.Errorf("%s: a name in %s", language, text)
		}
	}
	before := notice.ForPurpose(set, id, "en").ID
	for _, change := range [][2]string{{"Time of delivery", "Hour of delivery"}, {"at home", "there"}, {"label: Birthday, ", ""}} {
		changed := compile(t, strings.Replace(labelled, change[0], change[1], 1))
		if notice.ForPurpose(changed, id, "en").ID == before || notice.RequestID(changed, id) == notice.RequestID(set, id) {
			t.Errorf("%q for %q leaves the text the same", change[1], change[0])
		}
		if changed.Version == set.Version {
			t.Errorf("%q for %q leaves the version the same", change[1], change[0])
		}
	}
}
