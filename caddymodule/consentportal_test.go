//go:build unix

package caddymodule

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/modicum-proxy/modicum/internal/subject"
)

// A page of another site submits a form with the box ticked from the browser
// of a victim, or asks for an image that is a search: nothing of that is the
// victim's consent, and no cookie is set that somebody consented with.
func TestConsentAcrossSites(t *testing.T) {
	s := startSite(t, withStore)
	victim := s.guest()
	victim.choose("poll", "allow")
	cookie, stranger := victim.cookies[subject.CookieName], s.guest()
	for _, from := range [][]string{
		{"Sec-Fetch-Site", "cross-site"},
		{"Sec-Fetch-Site", "same-site"},
		{"Origin", "https://evil.example"},
		{"Origin", "null"},
		{"Sec-Fetch-Site", "cross-site", "Origin", "http://shop.test"},
	} {
		for _, g := range []*guest{victim, stranger} {
			res := g.send("POST /checkout", formType, "subscribe=on&birthday=1980", from...)
			s.upstream.next()
			image := g.send("GET /search?subscribe=on&q=x", "", "", from...)
			s.upstream.next()
			if res.Header.Get("Set-Cookie")+image.Header.Get("Set-Cookie") != "" {
				t.Errorf("%q: a cookie is set", from)
			}
		}
		want(t, from[1], victim.checkout(), withOpinion)
	}
	if victim.cookies[subject.CookieName] != cookie || stranger.cookies[subject.CookieName] != "" {
		t.Error("a cookie has changed")
	}
	for _, status := range []string{victim.api()["newsletter"].Status, stranger.api()["newsletter"].Status} {
		if status != "unasked" {
			t.Errorf("the newsletter is %s", status)
		}
	}
}

// The form of the page is taken from the page alone, for the person that it
// was made for.
func TestConsentFormForged(t *testing.T) {
	s := startSite(t, withStore)
	g, mallory := s.guest(), s.guest()
	g.choose("poll", "allow")
	mallory.choose("poll", "refuse")
	action, values := g.page("newsletter", "allow")
	_, others := mallory.page("newsletter", "allow")
	without := func(values url.Values, name string) url.Values {
		values, _ = url.ParseQuery(values.Encode())
		values.Del(name)
		return values
	}
	n := storedEvents(t)
	for _, test := range []struct {
		name, contentType string
		values            url.Values
		header            []string
		status            int
	}{
		{"from another site", formType, values, []string{"Sec-Fetch-Site", "cross-site"}, 403},
		{"from another origin", formType, values, []string{"Origin", "https://evil.example"}, 403},
		{"from a neighbour", formType, values, []string{"Sec-Fetch-Site", "same-site"}, 403},
		{"without a token", formType, without(values, "token"), nil, 403},
		{"with another's token", formType, others, nil, 403},
		{"as text", "text/plain", values, nil, 415},
		{"as parts", formData, values, nil, 415},
		{"of another text", formType, func() url.Values {
			v := without(values, "notice.newsletter")
			v.Set("notice.newsletter", "x")
			return v
		}(), nil, 409},
	} {
		if res := g.send("POST "+action, test.contentType, test.values.Encode(), test.header...); res.StatusCode != test.status {
			t.Errorf("%s: answered %s, want %d", test.name, res.Status, test.status)
		}
	}
	// An old form of a page, or a link, is no POST.
	if res := g.send("GET "+action+"?"+values.Encode(), "", ""); res.StatusCode != http.StatusOK {
		t.Errorf("as an address: answered %s", res.Status)
	}
	// The interface for front ends takes what no form of another site can send.
	body := fmt.Sprintf(`{"language":"en","choices":[{"purpose":"newsletter","choice":"allow","notice":%q}]}`, values.Get("notice.newsletter"))
	for _, test := range []struct {
		contentType string
		header      []string
		status      int
	}{
		{formType, nil, 415}, {"text/plain", nil, 415}, {"", nil, 415}, {jsonType, []string{"Sec-Fetch-Site", "cross-site"}, 403}, {jsonType, []string{"Origin", "https://evil.example"}, 403},
	} {
		res := g.send("POST /privacy/api/choices", test.contentType, body, test.header...)
		if res.StatusCode != test.status || res.Header.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%s %q: answered %s", test.contentType, test.header, res.Status)
		}
	}
	if storedEvents(t) != n {
		t.Error("a choice is stored")
	}
	s.upstream.none()
}

// No path leads past the pages to the application with what it must not get,
// and none of the application's is taken for a page.
func TestConsentPaths(t *testing.T) {
	s := startSite(t, withStore)
	raw := func(method, target string) (status int, got string) {
		t.Helper()
		c := s.dial()
		const body = `{"name":"Ada","shoe":"canary"}`
		_, _ = fmt.Fprintf(c, "%s %s HTTP/1.1\r\nHost: shop.test\r\nContent-Type: application/json\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s", method, target, len(body), body)
		res, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			t.Fatalf("%s %s: %v", method, target, err)
		}
		_, _ = io.Copy(io.Discard, res.Body)
		_ = res.Body.Close()
		select {
		case r := <-s.upstream.requests:
			return res.StatusCode, r.raw
		default:
			return res.StatusCode, ""
		}
	}
	for _, target := range []string{
		"/privacy/../checkout", "/privacy/%2e%2e/checkout", "/privacy/..%2fcheckout", "/privacy/./../checkout", "/privacy//../../checkout", `/privacy/..\checkout`,
		"/privacy/..;/checkout", "/privacy/choices/../../checkout", "//privacy/../checkout", "/./privacy/../checkout", "/x/../privacy/choices", "//privacy/choices", "/%2fprivacy/choices",
		"/privacy%2fchoices", "/PRIVACY/choices", "/Privacy/../checkout", "/privacy;/../checkout", "/privacy", "/privacy.", "http://shop.test/privacy/../checkout", "/privacy/%00", "/privacy/consents/..%2f..%2f..%2fetc%2fpasswd",
		"/%70rivacy/choices", "/privacy/\xff",
	} {
		for _, method := range []string{"POST", "PUT", "DELETE", "OPTIONS"} {
			status, got := raw(method, target)
			if strings.Contains(got, "canary") {
				t.Errorf("%s %s: answered %d, the application got %q", method, target, status, got)
			}
			if strings.HasPrefix(target, "/privacy/") && got != "" {
				t.Errorf("%s %s: answered %d, what is under the pages reached the application: %q", method, target, status, got)
			}
			if status >= 500 {
				t.Errorf("%s %s: answered %d", method, target, status)
			}
		}
	}
	// A page is the same for everyone; a name in the address is not part of it.
	for _, target := range []string{"/privacy/choices?lang=<canary>", "/privacy/<canary>", "/privacy/consents/<canary>", "/privacy/choices?token=canary"} {
		if res := s.guest().send("GET "+strings.NewReplacer("<", "%3Ccanary", ">", "%3E").Replace(target), "", ""); strings.Contains(res.body, "canary") {
			t.Errorf("%s: answered %s", target, res.body)
		}
	}
	s.upstream.none()
}

// A body without end is not read, nor forwarded.
func TestConsentHugeBody(t *testing.T) {
	s := startSite(t, withStore)
	for _, path := range []string{"/privacy/choices", "/privacy/api/choices"} {
		for _, body := range []io.Reader{bytes.NewReader(make([]byte, 1<<20)), unsized(strings.Repeat("a", 1<<20)), unsized(`{"language":"` + strings.Repeat("a", 1<<20))} {
			contentType := map[bool]string{true: jsonType, false: formType}[strings.Contains(path, "api")]
			res := s.do(s.request("POST "+path, contentType, body))
			if res.StatusCode != http.StatusRequestEntityTooLarge {
				t.Errorf("%s: answered %s", path, res.Status)
			}
		}
	}
	s.upstream.none()
}

// Many people choose at once, behind a proxy that tells them apart: all of it
// is kept. Nobody makes the others wait: who sends too much is told so.
func TestConsentByMany(t *testing.T) {
	o := withStore
	o.global = behindProxy + o.global
	s := startSite(t, o)
	const people = 40
	guests := make([]*guest, people)
	var wg sync.WaitGroup
	for i := range guests {
		guests[i] = s.guest("X-Forwarded-For", fmt.Sprintf("192.0.2.%d", i))
		wg.Go(func() {
			action, values := guests[i].page("newsletter", "allow")
			for range 2 { // and clicks twice
				if res := guests[i].send("POST "+action, formType, values.Encode()); res.StatusCode != http.StatusSeeOther {
					t.Errorf("answered %s", res.Status)
				}
			}
		})
	}
	wg.Wait()
	if n := storedEvents(t); n < people {
		t.Errorf("%d choices are stored", n)
	}
	for _, g := range guests[:3] {
		want(t, "one of many", g.checkout(), withBirth)
	}
	often := 0
	flood := s.guest("X-Forwarded-For", "198.51.100.1")
	for range 100 {
		if res := flood.send("GET /privacy/choices", "", ""); res.StatusCode == http.StatusTooManyRequests {
			often++
		}
	}
	if often == 0 {
		t.Error("the page does not say that it is too much")
	}
	want(t, "the others meanwhile", guests[0].checkout(), withBirth)
	if res := guests[0].send("GET /privacy/choices", "", ""); res.StatusCode != http.StatusOK {
		t.Errorf("another person: answered %s", res.Status)
	}
}
