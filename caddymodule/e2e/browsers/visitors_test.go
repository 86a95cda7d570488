//go:build unix

package browsers_test

import "testing"

const (
	adaAddress = "ada@example.org"
	adaOrder   = "email=ada%40example.org&name=Ada" // what needs no consent

	loginIssuer, otherIssuer = "https://login.example", "https://other.example"

	// What the page of choices says, and the answer that is marked.
	saysUnasked   = "Not chosen yet, so it does not happen."
	saysAllowed   = "You allowed this. [allow]"
	saysWithdrawn = "You withdrew your consent. [refuse]"
	adsRunning    = "ads: This happens unless you object."
)

// Eve knows Ada's address. She submits it with the boxes ticked, refuses and
// allows everything on the page and by the API, in a browser of her own, with
// a login and without one. Ada must not have the consents that Eve gave, nor
// lose those that she gave herself.
func TestAnothersAddress(t *testing.T) {
	s := startShop(t)
	ada, eve := s.browser(t), s.browser(t)
	ada.login(loginIssuer, "ada")
	ada.press("save", "allow-poll")
	unharmed := func(when string) {
		t.Helper()
		s.want(when, ada.order(), adaOrder+"&opinion=good") // the site sees her login and her address together
		ada.wantSees(when, "newsletter: "+saysUnasked, "poll: "+saysAllowed, adsRunning)
	}
	unharmed("before Eve comes")
	for _, loggedIn := range []bool{false, true} {
		if loggedIn {
			eve.login(loginIssuer, "eve")
		}
		s.want("Eve ticks", eve.order("subscribe", "asked"), "asked=on&birthday=1980&"+adaOrder+"&opinion=good&subscribe=on")
		unharmed("when Eve ticked")
		eve.press("refuse-all")
		s.want("Eve refused", eve.order(), adaOrder)
		unharmed("when Eve refused on the page")
		eve.press("allow-all")
		unharmed("when Eve allowed on the page")
		eve.answer("refuse")
		eve.wantSees("when she refused by the API", "newsletter: "+saysWithdrawn, "poll: "+saysWithdrawn, "ads: "+saysAllowed)
		unharmed("when Eve refused by the API")
		eve.answer("allow")
		s.want("Eve allowed", eve.order(), "birthday=1980&"+adaOrder+"&opinion=good")
		unharmed("when Eve allowed by the API")
	}
	ada.shoot("ada-after-eve")
}

// Somebody who is not logged in ticks a box in a browser that several people
// use: that is no consent of whoever logs in there next. And two issuers, whose
// tokens one key signs, both have an "ada": neither has the consents of the
// other.
func TestOneNameTwoIssuers(t *testing.T) {
	s := startShop(t)
	shared, second := s.browser(t), s.browser(t)
	s.want("ticked without a login", shared.order("subscribe"), "birthday=1980&"+adaOrder+"&subscribe=on")
	nothing := []string{"newsletter: " + saysUnasked, "poll: " + saysUnasked, adsRunning}
	shared.login(loginIssuer, "ada")
	shared.wantSees("logged in at a shared browser", nothing...)
	shared.shoot("ada-at-a-shared-browser")
	s.want("logged in at a shared browser", shared.order(), adaOrder)
	shared.press("save", "allow-poll")
	second.login(otherIssuer, "ada")
	second.wantSees("as the other issuer's ada", nothing...)
	s.want("as the other issuer's ada", second.order(), adaOrder)
	second.press("save", "refuse-poll")
	shared.login(otherIssuer, "ada")
	s.want("as the other issuer's ada at the shared browser", shared.order(), adaOrder)

	// Each is known again, and has what is theirs.
	second.login(loginIssuer, "ada")
	s.want("ada at the second browser", second.order(), adaOrder+"&opinion=good")
	second.wantSees("as ada", "newsletter: "+saysUnasked, "poll: "+saysAllowed, adsRunning)
	shared.logout()
	s.want("logged out again", shared.order(), "birthday=1980&"+adaOrder)
}

// A page of a sibling origin, or of any other, makes the visitor's browser
// fetch from the shop with "ADPC: consent=…". That is no consent, although a
// fetch of the shop's own page is one. "ADPC: withdraw=*" counts wherever it
// comes from: it can only restrict.
func TestForeignADPC(t *testing.T) {
	s := startShop(t)
	ada, bob := s.browser(t), s.browser(t)
	ada.press("save", "allow-poll")
	consents := `consent="` + ada.newsletterRequest() + `"`
	n := s.storedEvents()
	for origin, site := range map[string]string{s.sibling: "same-site", s.other: "cross-site"} {
		ada.tell(origin, consents, site)
		bob.tell(origin, consents, site)
		s.want("consented "+site, ada.order(), adaOrder+"&opinion=good")
		s.want("consented "+site+", by somebody who is not known yet", bob.order(), adaOrder)
	}
	ada.wantSees("after the others' pages", "newsletter: "+saysUnasked, "poll: "+saysAllowed, adsRunning)
	if s.storedEvents() != n {
		t.Error("a consent from another origin is stored")
	}
	ada.tell(s.origin, consents, "same-origin")
	bob.tell(s.origin, consents, "same-origin")
	s.want("consented at the shop", ada.order(), "birthday=1980&"+adaOrder+"&opinion=good")
	ada.tell(s.sibling, "withdraw=*", "same-site")
	s.want("withdrawn by a sibling", ada.order(), adaOrder)
	ada.wantSees("after a sibling withdrew", "newsletter: "+saysWithdrawn, "poll: "+saysWithdrawn, adsRunning)
	s.want("Bob, who withdrew nothing", bob.order(), "birthday=1980&"+adaOrder)
}
