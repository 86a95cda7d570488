package pages_test

import (
	"cmp"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// state is a page as somebody sees it.
type state struct {
	name    string
	path    string            // Default: choices
	headers map[string]string // that the visitor sends
	// policy makes the policy another one, by pairs of texts to replace.
	policy []string
	// chosen is what the visitor chose earlier, on the page of choices.
	chosen []step
	// before changes the site after that, before the page is opened; between
	// after the page was opened.
	before, between func(s *site)
	// then is done on the page.
	then []step
	want string // what the page says, in English
}

func mark(purpose, answer string) step {
	return chromedp.Click("#" + answer + "-" + purpose)
}

var states = []state{
	{name: "first", want: "Nothing is chosen in advance"},
	{
		name: "chosen", want: "You said no",
		chosen: []step{mark("newsletter", "allow"), mark("birthday", "refuse"), mark("statistics", "refuse"), save},
	},
	{
		name: "again", want: "the text has changed since",
		chosen: []step{mark("newsletter", "allow"), mark("birthday", "allow"), save},
		before: func(s *site) {
			s.later.Store(int64(366 * 24 * time.Hour))
			s.replace("A letter a month", "A letter a week", "Раз в месяц", "Раз в неделю")
		},
	},
	{
		name: "gpc", want: "Opt-out request honoured", headers: map[string]string{"Sec-GPC": "1"},
		policy: []string{"expires: 1y", "expires: 1y\n    objection: gpc"},
		chosen: []step{mark("birthday", "allow"), save},
	},
	{
		name: "signal", want: "Klaro", headers: map[string]string{"Cookie": `klaro={"letters":true,"presents":false}`},
		policy: []string{"retention: 2y", "retention: 2y\n    signals: {klaro: letters}", "retention: 5y", "retention: 5y\n    signals: {klaro: presents}"},
	},
	{
		name: "unsaved", want: "Your choices are not saved",
		chosen:  []step{mark("newsletter", "allow"), save},
		between: func(s *site) { s.store.failsAppend.Store(true) },
		then:    []step{mark("newsletter", "refuse"), mark("birthday", "allow"), save},
	},
	{name: "empty", want: "Nothing is chosen yet", then: []step{save}},
	{
		name: "outdated", want: "A text has changed in the meantime",
		between: func(s *site) { s.replace("5 %", "10 %") },
		then:    []step{mark("newsletter", "allow"), mark("birthday", "refuse"), save},
	},
	{
		name: "token", want: "This page was open for too long",
		then: []step{
			chromedp.SetValue(`input[name="token"]`, "old"), mark("newsletter", "allow"), save,
		},
	},
	{name: "unread", want: "We cannot look up your earlier choices", chosen: []step{mark("newsletter", "allow"), save}, before: func(s *site) {
		s.later.Store(int64(time.Hour)) // what is in memory is no longer used
		s.store.failsLoad.Store(true)
	}},
	{
		name: "unsaved-here", want: "could not save that yet",
		chosen:  []step{mark("newsletter", "allow"), save},
		between: func(s *site) { s.store.failsAppend.Store(true) },
		then:    []step{mark("newsletter", "refuse"), save, chromedp.Func(reopen)},
	},
	{name: "nothing", want: "There is nothing to choose", before: func(s *site) {
		s.change("version: 1\ncontroller: {name: {en: Whittle, ru: Whittle}}\npurposes: {delivery: {basis: contract}}\n")
	}},
	{name: "document", path: "consents/newsletter", want: "I consent freely"},
	{name: "objection", path: "consents/statistics", want: "Our legitimate interest"},
	{name: "missing", path: "nowhere", want: "There is no such page"},
	{name: "forgotten", path: "receipt.txt", want: "No choices of yours are stored"},
}

// Every page in every state, language, scheme and width has nothing that
// axe-core finds in the way of people, and does not scroll sideways.
func TestAccessible(t *testing.T) {
	t.Parallel()
	browser, axe := startBrowser(t), readAxe(t)
	for _, st := range states {
		for _, lang := range []string{"en", "ru"} {
			t.Run(st.name+"-"+lang, func(t *testing.T) {
				t.Parallel()
				s := newSite(t)
				s.replace(st.policy...)
				headers := maps.Clone(st.headers)
				if headers == nil {
					headers = map[string]string{}
				}
				headers["Accept-Language"] = lang
				b := open(browser, t)
				address := serve(t, with(s, headers)) + "/privacy/"
				b.run(screens[0].look())
				if st.chosen != nil {
					b.run(chromedp.Navigate(address + "choices?lang=" + lang))
					b.run(st.chosen...)
				}
				if st.before != nil {
					st.before(s)
				}
				b.run(chromedp.Navigate(address + cmp.Or(st.path, "choices") + "?lang=" + lang))
				if st.between != nil {
					st.between(s)
				}
				b.run(st.then...)
				b.run(chromedp.Evaluate[chromedp.Void](axe))
				if says := ask[string](b, `document.body.innerText`); lang == "en" && !strings.Contains(says, st.want) {
					t.Fatalf("the page lacks %q:\n%s", st.want, says)
				}
				for _, sc := range screens {
					b.run(sc.look())
					b.shoot(st.name + "-" + lang + "-" + sc.String())
					for _, violation := range b.audit() {
						t.Errorf("%v: %s", sc, violation)
					}
					if wide := ask[int64](b, `document.documentElement.scrollWidth`); wide > sc.width {
						t.Errorf("%v: the page is %d wide", sc, wide)
					}
				}
				if st.name == "chosen" || st.name == "unsaved" {
					forced := screen{scheme: "dark", width: 1280, forced: true}
					b.run(forced.look())
					b.shoot(st.name + "-" + lang + "-" + forced.String())
					for _, violation := range b.audit() {
						t.Errorf("%v: %s", forced, violation)
					}
				}
			})
		}
	}
}
