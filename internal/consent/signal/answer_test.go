package signal

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/modicum-proxy/modicum/internal/policy"
)

// readerOf returns the reader of a policy with one purpose, p, that has these
// signals.
func readerOf(tb testing.TB, signals string) *Reader {
	tb.Helper()
	return readerOfAll(tb, map[string]string{"p": signals})
}

func readerOfAll(tb testing.TB, signals map[string]string) *Reader {
	tb.Helper()
	text := "version: 1\ncontroller: {name: Whittle}\npurposes:\n"
	for purpose, s := range signals {
		text += "  " + purpose + ": {basis: consent, retention: 1y, signals: " + s + "}\n"
	}
	set, problems := policy.Compile(policy.Source{Name: "p.yaml", Data: []byte(text)})
	if err := problems.Err(); err != nil {
		tb.Fatal(err)
	}
	return NewReader(set, nil)
}

// cookiesOf returns a header with cookies.
func cookiesOf(cookies ...string) http.Header { return http.Header{"Cookie": cookies} }

const (
	plain   = `{cookie: {name: cmplz_marketing, equals: allow}}`
	inJSON  = `{cookie: {name: shop, path: choices.ads, equals: granted}}`
	inList  = `{cookie: {name: shop, path: accepted.*, equals: ads}}`
	firstOf = `{cookie: {name: shop, path: accepted.0, equals: ads}}`
	flag    = `{cookie: {name: shop, path: ads, equals: true}}`
	matches = `{cookie: {name: shop, path: ads, matches: "[1-9]"}}`
	list    = `{cookie: {name: cookieyes-consent, matches: "(.*,)?advertisement:yes(,.*)?"}}`
	decoded = `{cookie: {name: c, equals: "a,b c"}}`
	host    = `{cookie: {name: __Host-consent, equals: "yes"}}`
	asSent  = `{cookie: {name: q, matches: "(.*&)?groups=([^&]*%2C)?C4%3A1(%2C[^&]*)?(&.*)?"}}`
)

// answers hold a signal, cookies, and what is heard: + a consent, - a refusal.
var answers = []struct{ what, signal, cookies, want string }{
	{"consented", plain, "cmplz_marketing=allow", "+"},
	{"refused", plain, "cmplz_marketing=deny", "-"},
	{"no such cookie", plain, "cmplz_statistics=allow", ""},
	{"an empty cookie, which is a deleted one", plain, "cmplz_marketing=", ""},
	{"more than the word", plain, "cmplz_marketing=allowed", "-"},
	{"the word in capitals", plain, "cmplz_marketing=Allow", "-"},
	{"the word in quotes", plain, `cmplz_marketing="allow"`, "-"},
	{"another name in capitals", plain, "CMPLZ_MARKETING=allow", ""},
	{"a name that ends in it", plain, "x_cmplz_marketing=allow", ""},
	{"the word encoded", plain, "cmplz_marketing=%61llow", "+"},
	{"the word encoded twice", plain, "cmplz_marketing=%2561llow", "-"},
	{"a line after the word", plain, "cmplz_marketing=allow%0A", "-"},
	{"a name with a prefix", host, "__Host-consent=yes", "+"},
	{"a prefix in another case", host, "__host-consent=yes", ""},
	{"decoded, but a plus is a plus", decoded, "c=a%2Cb%20c", "+"},
	{"a plus is no space", decoded, "c=a,b+c", "-"},

	{"JSON", inJSON, "shop=" + url.QueryEscape(`{"choices":{"ads":"granted","map":"denied"},"x":[1,{}]}`), "+"},
	{"JSON as it is", inJSON, `shop={"choices":{"ads":"granted"}}`, "+"},
	{"JSON, refused", inJSON, `shop={"choices":{"ads":"denied","map":"granted"}}`, "-"},
	{"JSON, at another path", inJSON, `shop={"ads":"granted"}`, "-"},
	{"JSON, no answer", inJSON, `shop={"choices":{}}`, "-"},
	{"JSON, null", inJSON, `shop={"choices":{"ads":null}}`, "-"},
	{"JSON, an object in its place", inJSON, `shop={"choices":{"ads":{"granted":true}}}`, "-"},
	{"JSON, the word in a list", inJSON, `shop={"choices":{"ads":["granted"]}}`, "-"},
	{"no JSON", inJSON, "shop=granted", "-"},
	{"JSON is the word", inJSON, `shop="granted"`, "-"},
	{"in a list", inList, `shop={"accepted":["map","ads"]}`, "+"},
	{"not in a list", inList, `shop={"accepted":["map"]}`, "-"},
	{"a name like a star", inList, `shop={"accepted":{"*":"ads"}}`, "-"},
	{"first in a list", firstOf, `shop={"accepted":["ads","map"]}`, "+"},
	{"second in a list", firstOf, `shop={"accepted":["map","ads"]}`, "-"},
	{"a boolean", flag, `shop={"ads":true}`, "+"},
	{"another boolean", flag, `shop={"ads":false}`, "-"},
	{"a number", matches, `shop={"ads":1}`, "+"},
	{"a number that is longer", matches, `shop={"ads":10}`, "-"},

	// Two parsers of JSON would read these in two ways.
	{"JSON, two answers", inJSON, `shop={"choices":{"ads":"denied","ads":"granted"}}`, "-"},
	{"JSON, two answers, one escaped", inJSON, `shop={"choices":{"ads":"denied","\u0061ds":"granted"}}`, "-"},
	{"JSON, more than one value", inJSON, `shop={"choices":{"ads":"granted"}}{"choices":{"ads":"denied"}}`, "-"},
	{"JSON, not the whole text", inJSON, `shop=j:{"choices":{"ads":"granted"}}`, "-"},
	{"JSON, no end", inJSON, `shop={"choices":{"ads":"granted"}`, "-"},
	{"JSON, broken after the answer", inJSON, `shop={"choices":{"ads":"granted"},}`, "-"},
	{"JSON, no UTF-8", inJSON, `shop={"choices":{"ads":"granted","%FF":1}}`, "-"},
	{"JSON, nested too deeply", inJSON, `shop={"choices":{"ads":"granted"},"x":` + deep(maxDepth+1) + "}", "-"},
	{"JSON, nested too deeply at the path", inJSON, `shop={"choices":{"ads":` + deep(maxDepth+1) + "}}", "-"},

	// A page that writes into a cookie of its own (CWE-20).
	{"a bad escape", plain, "cmplz_marketing=allow%", "-"},
	{"a bad escape beside the answer", inJSON, `shop={"choices":{"ads":"granted"},"x":"%2"}`, "-"},
	{"no UTF-8", list, "cookieyes-consent=x:%FF,advertisement:yes", "-"},
	{"a cookie that is too long", list, "cookieyes-consent=" + strings.Repeat("x", maxCookie) + ",advertisement:yes", "-"},
	{"one that is almost too long", list, "cookieyes-consent=" + strings.Repeat("x", maxCookie-20) + ",advertisement:yes", "+"},

	{"an expression", list, "cookieyes-consent=consent:yes,advertisement:yes,other:no", "+"},
	{"an expression for a part", list, "cookieyes-consent=no-advertisement:yes", "-"},
	{"an expression, and more", list, "cookieyes-consent=advertisement:yesterday", "-"},
	{"a line before the answer", list, "cookieyes-consent=x%0A,advertisement:yes", "-"},

	{"as sent", asSent, "q=landing=x&groups=C1%3A1%2CC4%3A1&more=1", "+"},
	{"as sent, refused", asSent, "q=landing=x&groups=C1%3A1%2CC4%3A0&more=1", "-"},
	{"as sent, spelled otherwise", asSent, "q=groups=C4:1", "-"},
	{"as sent, a bad escape", asSent, "q=groups=C4%3A1&x=%", "-"},
	// A link to the site, whose address the platform stores, contains the answer.
	{"as sent, in an address", asSent, "q=landing=https%3A%2F%2Fshop.example%2F%3F%26groups%3DC4%3A1%26&groups=C1%3A1%2CC4%3A0", "-"},

	// A cookie of the host beside one of the domain: applications take either.
	{"two that consent", plain, "cmplz_marketing=allow; cmplz_marketing=allow", "+"},
	{"two that disagree", plain, "cmplz_marketing=allow; cmplz_marketing=deny", "-"},
	{"two that disagree, in the other order", plain, "cmplz_marketing=deny; cmplz_marketing=allow", "-"},
	{"a second that is broken", inJSON, `shop={"choices":{"ads":"granted"}}; shop=x`, "-"},
	{"too many", plain, strings.Repeat("cmplz_marketing=allow; ", maxCopies+1), "-"},
}

// say returns what a source says about the only purpose.
func say(s *Signals, source Source) string {
	switch grants, found := s.About(source, 0); {
	case grants:
		return "+"
	case found:
		return "-"
	default:
		return ""
	}
}

func TestAnswers(t *testing.T) {
	for _, c := range answers {
		s := readerOf(t, c.signal).Read(cookiesOf(c.cookies))
		if got := say(&s, Cookie); got != c.want {
			t.Errorf("%s: %.80q says %q, not %q", c.what, c.cookies, got, c.want)
		}
	}
}

// TestExpressionsAreLinear: an expression that takes other engines exponential
// time (CWE-1333), on the longest cookie that is read.
func TestExpressionsAreLinear(t *testing.T) {
	r := readerOf(t, `{cookie: {name: c, matches: "(a+)+b(x|y|z)?"}}`)
	header := cookiesOf("c=" + strings.Repeat("a", maxCookie))
	start := time.Now()
	s := r.Read(header)
	if took := time.Since(start); took > time.Second {
		t.Errorf("took %v", took)
	}
	if say(&s, Cookie) != "-" {
		t.Error("it matches")
	}
}

// TestCookiesAreApart: what one cookie of a platform says is not said by another,
// and one that is broken denies only what it is about. There are more cookies here
// than are read without an allocation.
func TestCookiesAreApart(t *testing.T) {
	signals := map[string]string{}
	cookies := make([]string, 0, 20)
	for name := range strings.SplitSeq("abcdefghij", "") {
		signals[name] = "{cookie: {name: " + name + ", equals: y}, klaro: {service: s, cookie: k" + name + "}}"
		cookies = append(cookies, name+"=y", "k"+name+`={"s":true}`)
	}
	r := readerOfAll(t, signals)
	header := cookiesOf(strings.Join(cookies, "; "), "b=%", "c=n", "kd=x", `ke={"s":false}`)
	s := r.Read(header)
	if got, want := heard(r, &s, Cookie), "+a -b -c +d +e +f +g +h +i +j"; got != want {
		t.Errorf("%q, not %q", got, want)
	}
	if got, want := heard(r, &s, Klaro), "+a +b +c -d -e +f +g +h +i +j"; got != want {
		t.Errorf("%q, not %q", got, want)
	}
}

// TestOneCookieManyAnswers: a cookie with all categories is about several purposes.
func TestOneCookieManyAnswers(t *testing.T) {
	r := readerOfAll(t, map[string]string{
		"ads": list, "reach": strings.Replace(list, "advertisement", "analytics", 1), "too": list,
	})
	s := r.Read(cookiesOf("cookieyes-consent=analytics:no,advertisement:yes"))
	if got := heard(r, &s, Cookie); got != "+ads -reach +too" {
		t.Errorf("it says %q", got)
	}
}

// FuzzAnswer: a further cookie never grants what one denies, and no cookie grants
// anything for which its JSON, read as a whole, has another value.
func FuzzAnswer(f *testing.F) {
	readers := map[string]*Reader{}
	for _, c := range answers {
		readers[c.signal] = readerOf(f, c.signal)
		f.Add(c.cookies, "")
	}
	f.Fuzz(func(t *testing.T, cookies, further string) {
		for signal, r := range readers {
			one, two := r.Read(cookiesOf(cookies)), r.Read(cookiesOf(cookies, further))
			if say(&one, Cookie) == "-" && say(&two, Cookie) != "-" {
				t.Errorf("%s: a further cookie lifts a refusal", signal)
			}
			if say(&one, Cookie) != "+" || len(r.cookies[iabCookies].answer.path) == 0 {
				continue
			}
			if !slowAnswer(signal, cookies) {
				t.Errorf("%s: %q gives a consent", signal, cookies)
			}
		}
	})
}

// slowAnswer reports whether a cookie shop gives the consent of a signal in JSON,
// as encoding/json reads it.
func slowAnswer(signal, cookies string) bool {
	for pair := range strings.SplitSeq(cookies, ";") {
		name, value, _ := strings.Cut(strings.Trim(pair, " \t"), "=")
		text, err := url.PathUnescape(value)
		var v map[string]any
		if name != "shop" || err != nil || json.Unmarshal([]byte(text), &v) != nil {
			continue
		}
		switch signal {
		case inJSON:
			choices, _ := v["choices"].(map[string]any)
			if choices["ads"] == "granted" {
				return true
			}
		case inList, firstOf:
			accepted, _ := v["accepted"].([]any)
			if slices.Contains(accepted, any("ads")) {
				return true
			}
		case flag:
			if v["ads"] == true || v["ads"] == "true" {
				return true
			}
		case matches:
			if text := fmt.Sprint(v["ads"]); len(text) == 1 && text != "0" {
				return true
			}
		}
	}
	return false
}
