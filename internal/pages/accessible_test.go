package pages_test

import (
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/modicum-proxy/modicum/internal/consent"
)

// state is a page as somebody meets it.
type state struct {
	name    string
	path    string   // Default: choices
	headers []string // that the visitor sends
	// before makes the site what it is when the page is opened.
	before func(s *site, v *visitor)
	// then is done on the page, after which the site may have changed.
	then   []step
	while  func(s *site)
	want   string // what the page says, in English
	cookie string // more cookies of the browser
}

func mark(purpose, answer string) step {
	return chromedp.Click("#" + answer + "-" + purpose)
}

var states = []state{
	{name: "first", want: "Nothing is chosen in advance"},
	{
		name: "chosen", want: "You said no",
		before: func(_ *site, v *visitor) {
			v.choose("newsletter", "allow", "birthday", "refuse", "statistics", "refuse")
		},
	},
	{
		name: "again", want: "the text has changed since",
		before: func(s *site, v *visitor) {
			v.choose("newsletter", "allow", "birthday", "allow")
			s.clock = s.clock.AddDate(1, 0, 1)
			s.change(strings.Replace(strings.Replace(shopPolicy, "A letter a month", "A letter a week", 1), "Раз в месяц", "Раз в неделю", 1))
		},
	},
	{
		name: "gpc", want: "Opt-out request honoured", headers: []string{"Sec-GPC", "1"},
		before: func(s *site, v *visitor) {
			s.change(strings.Replace(shopPolicy, "expires: 1y", "expires: 1y\n    objection: gpc", 1))
			v.choose("birthday", "allow")
		},
	},
	{
		name: "signal", want: "Klaro", cookie: "; klaro=" + klaro,
	},
	{
		name: "unsaved", want: "Your choices are not saved",
		before: func(_ *site, v *visitor) { v.choose("newsletter", "allow") },
		while:  func(s *site) { s.store.failKeep = consent.ErrUnavailable },
		then:   []step{mark("newsletter", "refuse"), mark("birthday", "allow"), save},
	},
	{name: "empty", want: "Nothing is chosen yet", then: []step{save}},
	{
		name: "outdated", want: "A text has changed meanwhile",
		while: func(s *site) { s.change(strings.Replace(shopPolicy, "5 %", "10 %", 2)) },
		then:  []step{mark("newsletter", "allow"), mark("birthday", "refuse"), save},
	},
	{
		name: "token", want: "This page was open for too long",
		then: []step{
			chromedp.SetValue(`input[name="token"]`, "old"), mark("newsletter", "allow"), save,
		},
	},
	{name: "unread", want: "We cannot look up your earlier choices", before: func(s *site, _ *visitor) { s.store.failRead = consent.ErrUnavailable }},
	{
		name: "unsaved-here", want: "could not keep that yet",
		before: func(s *site, v *visitor) {
			v.choose("newsletter", "allow")
			s.store.failKeep = consent.ErrUnavailable
			v.choose("newsletter", "refuse")
			s.store.failKeep = nil
		},
	},
	{
		name: "nothing", want: "There is nothing to choose",
		before: func(s *site, _ *visitor) {
			s.change("version: 1\ncontroller: {name: {en: Whittle, ru: Whittle}}\npurposes: {delivery: {basis: contract}}\n")
		},
	},
	{name: "document", path: "consents/newsletter", want: "I consent freely"},
	{name: "objection", path: "consents/statistics", want: "Our legitimate interest"},
	{name: "missing", path: "nowhere", want: "There is no such page"},
	{name: "forgotten", path: "receipt.txt", want: "Nothing is kept of you"},
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
				v := s.visitor(t)
				v.headers["Accept-Language"] = lang
				ada := s.newPerson()
				v.cookies[personCookie] = ada
				if st.before != nil {
					st.before(s, v)
				}
				b := open(browser, t)
				address := serve(t, with(s, append(st.headers, "Accept-Language", lang, "Cookie", personCookie+"="+ada+st.cookie)...))
				path := st.path
				if path == "" {
					path = "choices"
				}
				b.run(screens[0].look(), chromedp.Navigate(address+"/privacy/"+path+"?lang="+lang))
				if st.while != nil {
					st.while(s)
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
