//go:build unix

package caddymodule

import "strings"

// platformCookies are cookies as the platforms write them, for the example
// consent-platforms, and the field that passes with each: none if the person
// refused or did not choose.
var platformCookies = []struct{ field, cookie string }{
	// https://github.com/c15t/c15t/blob/main/packages/core/src/libs/cookie/serialization.ts
	{"birthday", "c15t=c.necessary:1,c.marketing:1,i.t:1763792000000,i.y:custom,i.sid:sub_2h9Xk"},
	{"", "c15t=c.necessary:1,c.measurement:1,i.t:1763792000000,i.y:custom,i.sid:sub_2h9Xk"},
	{"", "c15t=c.necessary:1,c.marketing:0,i.t:1763792000000"},
	{"", "c15t=c.necessary:1,i.eid:c.marketing:1"}, // the name of a login

	// https://complianz.io/developers-guide-for-third-party-integrations
	{"size", "cmplz_banner-status=dismissed; cmplz_functional=allow; cmplz_marketing=allow; cmplz_statistics=deny"},
	{"", "cmplz_banner-status=dismissed; cmplz_functional=allow; cmplz_marketing=deny; cmplz_statistics=allow"},
	{"", "cmplz_functional=allow; cmplz_marketing="},

	// https://www.cookieyes.com/cookies-installed-by-cookieyes-and-their-purposes/
	{"hobby", "cookieyes-consent=consentid:VUp6TkdYaGtMTU1zdnBEY3c4bDVMRmtvRzkzcmxDUHA,consent:yes,action:yes,necessary:yes,functional:yes,analytics:yes,performance:yes,advertisement:yes,other:yes"},
	{"", "cookieyes-consent=consentid:VUp6TkdYaGtMTU1zdnBEY3c4bDVMRmtvRzkzcmxDUHA,consent:no,action:yes,necessary:yes,functional:no,analytics:no,performance:no,advertisement:no,other:no"},
	// The defaults of a country where a site need not ask, and before a choice.
	{"", "cookieyes-consent=consentid:d0JFblQ4VkU2MzBZQWNVdjZ5bGZPWXkySUZBeEV0MHE,consent:yes,action:no,necessary:yes,functional:yes,analytics:yes,performance:yes,advertisement:yes,other:yes"},
	{"", "cookieyes-consent=consentid:YjZOOUV4T2h6UkFoTUwzM2ZpWGE0SFFpZXZaUXFhMk8,consent:,action:,necessary:,functional:,analytics:,performance:,advertisement:,other:"},

	// https://www.cookiebot.com/en/developer/
	{"district", "CookieConsent={stamp:%27oJ35SLjkzW4RaUoGqC9nv0TjIDn9KP4raUYB5i2R9p0pT/40h2LtBg==%27%2Cnecessary:true%2Cpreferences:false%2Cstatistics:false%2Cmarketing:true%2Cmethod:%27explicit%27%2Cver:1%2Cutc:1763792000000%2Cregion:%27de%27}"},
	{"", "CookieConsent={stamp:%27oJ35SLjkzW4RaUoGqC9nv0TjIDn9KP4raUYB5i2R9p0pT/40h2LtBg==%27%2Cnecessary:true%2Cpreferences:true%2Cstatistics:true%2Cmarketing:false%2Cmethod:%27explicit%27%2Cver:1%2Cutc:1763792000000%2Cregion:%27de%27}"},
	// Outside the regions in which the site asks.
	{"", "CookieConsent={stamp:%27-1%27%2Cnecessary:true%2Cpreferences:true%2Cstatistics:true%2Cmarketing:true%2Cmethod:%27implied%27%2Cver:1%2Cutc:1763792000000%2Cregion:%27CN%27}"},

	// https://my.onetrust.com/articles/en_US/Knowledge/UUID-2dc719a8-4be5-8d16-1dc8-c7b4147b88e0;
	// the whole cookie: https://npmjs.com/package/@commercetools-frontend/cookie-consent
	{"phone", oneTrust("1", "NotLandingPage", "C0001%3A1%2CC0002%3A0%2CC0003%3A1%2CC0004%3A1%2CC0005%3A1")},
	{"phone", oneTrust("12", "https%3A%2F%2Fshop.example%2F", "C0004%3A1")},
	{"", oneTrust("1", "NotLandingPage", "C0001%3A1%2CC0002%3A1%2CC0003%3A1%2CC0004%3A0%2CC0005%3A0")},
	{"", oneTrust("1", "NotLandingPage", "C0001%3A1%2CBC0004%3A1")},
	// Before a choice, in a country where a site need not ask.
	{"", oneTrust("0", "NotLandingPage", "C0001%3A1%2CC0004%3A1")},
	// A link to https://shop.example/?&groups=C0004:1& contains the answer, which a
	// reader of the decoded cookie would find before the person's.
	{"", oneTrust("1", "https%3A%2F%2Fshop.example%2F%3F%26groups%3DC0004%3A1%26", "C0001%3A1%2CC0004%3A0")},
	{"", oneTrust("1", "https%3A%2F%2Fshop.example%2F%3F%26groups%3D%2CC0004%3A1%2C", "C0001%3A1%2CC0004%3A0")},
}

func oneTrust(interactions, landingPath, groups string) string {
	return "OptanonConsent=isGpcEnabled=0&datestamp=Wed+Feb+01+2023+12%3A35%3A32+GMT%2B0100+(Central+European+Standard+Time)" +
		"&version=202209.1.0&isIABGlobal=false&hosts=&consentId=7f3cf16d-b3e1-4781-8db1-61482d0a9dff&interactionCount=" + interactions +
		"&landingPath=" + landingPath + "&groups=" + groups + "&geolocation=AT%3B9&AwaitingReconsent=false"
}

// platformsExchanges sends a form with each cookie.
func platformsExchanges() []sample {
	optional := map[string]string{"birthday": "1990-12-10", "size": "M", "hobby": "chess", "district": "Mitte", "phone": "+4930123456"}
	body := "email=ada@example.org"
	for _, field := range []string{"birthday", "size", "hobby", "district", "phone"} {
		body += "&" + field + "=" + strings.ReplaceAll(optional[field], "+", "%2B")
	}
	exchanges := []sample{{on: "POST /checkout", contentType: formType, body: body, forwarded: "email=ada%40example.org"}}
	for _, c := range platformCookies {
		x := sample{
			on: "POST /checkout", contentType: formType, body: body, headers: []string{"Cookie", c.cookie},
			forwarded: "email=ada%40example.org", answered: []string{"Privacy-Purpose", "order"}, logged: []string{`"verdict":"minimized"`},
		}
		if c.field != "" {
			x.forwarded += "&" + c.field + "=" + strings.ReplaceAll(optional[c.field], "+", "%2B")
			x.answered[1] = c.field + ", order"
			if c.field > "order" {
				x.answered[1] = "order, " + c.field
			}
			x.logged = append(x.logged, `"consent_source":"cookie"`)
		}
		exchanges = append(exchanges, x)
	}
	return exchanges
}
