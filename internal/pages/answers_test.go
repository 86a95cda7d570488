package pages_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/modicum-proxy/modicum/internal/consent"
	"github.com/modicum-proxy/modicum/internal/notice"
	"github.com/modicum-proxy/modicum/internal/pages"
)

func TestReceipts(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	v := s.visitor(t)
	v.choose("newsletter", "allow")
	v.choose("newsletter", "refuse")
	for target, want := range map[string][]string{
		"receipt.txt": {
			"Receipt of your choices\nWhittle Woodware · privacy@whittle.example\n", "22 November 2026, 10:04 UTC: allowed\n", ": withdrawn\n",
			"Valid until: 22 November 2028\n", "    | Send you news and offers by e-mail\n", "    | Your data: E-mail address; First name; Field “items › favourite wood”\n",
		},
		"receipt.txt?lang=ru": {"Подтверждение вашего выбора\n", "22 ноября 2026\u00a0г., 10:04 UTC: отозвано\n", "    | Send you news and offers by e-mail\n"},
		"receipt.json":        {`"action":"withdraw"`, `"language":"en"`},
		"receipt.jsonld":      {`"dpv:ConsentReceipt"`, `"https://shop.example/privacy/choices"`, `"dpv:ConsentWithdrawn"`},
	} {
		answer := v.get("/privacy/" + target)
		name, _, _ := strings.Cut(strings.TrimPrefix(target, "receipt"), "?")
		if got := answer.Header().Get("Content-Disposition"); answer.Code != http.StatusOK || got != `attachment; filename="consent-receipt-2026-11-22`+name+`"` {
			t.Errorf("%s: status %d, %s", target, answer.Code, got)
		}
		for _, part := range want {
			if !strings.Contains(answer.Body.String(), part) {
				t.Errorf("%s lacks %q:\n%s", target, part, answer.Body)
			}
		}
	}
	for _, link := range elements(byID(parse(t, v.get("/privacy/choices")), "now"), "a") {
		if answer := v.get(attribute(link, "href")); answer.Code != http.StatusOK {
			t.Errorf("%s: status %d", attribute(link, "href"), answer.Code)
		}
	}
	s.store.failRead = consent.ErrUnavailable
	if answer := v.get("/privacy/receipt.txt"); answer.Code != http.StatusServiceUnavailable {
		t.Errorf("without a store: status %d", answer.Code)
	}
}

// Behind a proxy that terminates TLS, the links in a receipt lead where the
// person was.
func TestReceiptBehindTLSTerminator(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	v := s.visitor(t)
	v.choose("newsletter", "allow")
	v.origin = "http://shop.example"
	for proto, want := range map[string]string{
		"https": "https://", "https, http": "https://", "http": "http://", "": "http://",
	} {
		if answer := v.get("/privacy/receipt.jsonld", "X-Forwarded-Proto", proto); !strings.Contains(answer.Body.String(), `"`+want+`shop.example/privacy/choices"`) {
			t.Errorf("%q: want a link to %s in %s", proto, want, answer.Body)
		}
	}
}

// The document of a consent says what 152-FZ Art. 9(4) asks for, apart from
// all others.
func TestDocument(t *testing.T) {
	t.Parallel()
	v := newSite(t).visitor(t)
	got := text(byID(parse(t, v.get("/privacy/consents/newsletter?lang=ru")), "main"))
	for _, want := range []string{
		"Согласие: Присылать новости и предложения по почте", // the purpose
		"свободно, своей волей и в своём интересе",
		"Мастерская «Whittle» Линденштрассе 12, Берлин Германия privacy@whittle.example", // who
		"Адрес электронной почты Имя Поле «items › favourite wood»",                      // which data
		"сбор, запись, хранение", "Служба рассылок Post & Co",                            // which actions, by whom
		"2 года или до отзыва",                   // how long
		"В любой момент на странице «Ваш выбор»", // how to withdraw
		"не входит ни в договор",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("the document lacks %q:\n%s", want, got)
		}
	}
	if strings.Contains(got, "день рождения") {
		t.Error("the document speaks of another consent")
	}
}

// A text of the policy in another language than its page is marked as such
// (WCAG 3.1.2).
func TestLanguageOfParts(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.change(strings.Replace(shopPolicy, `, ru: Скидка 5 % в первом письме`, "", 1))
	root := parse(t, s.visitor(t).get("/privacy/choices?lang=ru"))
	for _, span := range elements(byID(root, "purpose-newsletter"), "span") {
		if text(span) == "A 5 % voucher with the first letter" && attribute(span, "lang") == "en" {
			return
		}
	}
	t.Error("the English benefit on the Russian page has no lang")
}

// The language of the address stays on all ways from a page.
func TestLanguageIsKept(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	v := s.visitor(t)
	root := parse(t, v.get("/privacy/choices?lang=ru"))
	for _, name := range []string{"a", "form"} {
		for _, e := range elements(byID(root, "main"), name) {
			target := attribute(e, "href") + attribute(e, "action")
			if !strings.HasPrefix(target, "#") && !strings.HasSuffix(target, "?lang=ru") {
				t.Errorf("%s leads to %s", name, target)
			}
		}
	}
	form := v.form("/privacy/choices?lang=ru")
	form.Set("do", "allow-all")
	answer := v.do(http.MethodPost, "/privacy/choices?lang=ru", form.Encode(), "Content-Type", "application/x-www-form-urlencoded")
	if got := answer.Header().Get("Location"); got != "/privacy/choices?lang=ru#now" {
		t.Errorf("after saving the way leads to %s", got)
	}
	if got := s.store.events()[0].Shown.Language; got != "ru" {
		t.Errorf("the text shown was in %s", got)
	}
}

func TestAPI(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	v := s.visitor(t)
	state := func() (got struct {
		Language string
		GPC      bool
		Choices  []struct{ Purpose, Basis, Title, Notice, Document, Status, Source string }
	},
	) {
		t.Helper()
		answer := v.get("/privacy/api/choices?lang=ru")
		if answer.Code != http.StatusOK || answer.Header().Get("Content-Type") != "application/json" {
			t.Fatalf("status %d: %s", answer.Code, answer.Body)
		}
		if err := json.Unmarshal(answer.Body.Bytes(), &got); err != nil {
			t.Fatal(err)
		}
		return got
	}
	post := func(body string) *httptest.ResponseRecorder {
		return v.do(http.MethodPost, "/privacy/api/choices", body, "Content-Type", "application/json; charset=utf-8", "Sec-Fetch-Site", "same-origin")
	}
	first := state()
	if first.Language != "ru" || first.GPC || len(first.Choices) != 3 || first.Choices[0].Status != "unasked" || first.Choices[2].Basis != "legitimate_interests" {
		t.Errorf("at first: %+v", first)
	}
	shown := first.Choices[0].Notice
	body := `{"language": "ru", "choices": [{"purpose": "newsletter", "choice": "allow", "notice": "` + shown + `"}, {"purpose": "statistics", "choice": "refuse"}]}`
	if answer := post(body); answer.Code != http.StatusNoContent || answer.Body.Len() > 0 {
		t.Fatalf("status %d: %s", answer.Code, answer.Body)
	}
	if got := state().Choices; got[0].Status != "granted" || got[0].Source != "api" || got[2].Status != "denied" {
		t.Errorf("then: %+v", got)
	}
	if e := s.store.events()[0]; e.Shown == nil || e.Shown.Language != "ru" || e.Notice != shown {
		t.Errorf("stored is %+v", e)
	}

	// The texts change while the front end shows the old ones.
	s.change(strings.Replace(shopPolicy, "Раз в месяц", "Раз в неделю", 1))
	before := len(s.store.events())
	answer := post(`{"language": "ru", "choices": [{"purpose": "newsletter", "choice": "allow", "notice": "` + shown + `"}, {"purpose": "birthday", "choice": "refuse"}]}`)
	if answer.Code != http.StatusConflict || answer.Header().Get("Content-Type") != "application/problem+json" || !strings.Contains(answer.Body.String(), `"outdated":["newsletter"]`) ||
		len(s.store.events()) != before {
		t.Errorf("status %d: %s", answer.Code, answer.Body)
	}
	s.store.failKeep = consent.ErrUnavailable
	if answer := post(`{"language": "ru", "choices": [{"purpose": "newsletter", "choice": "refuse"}]}`); answer.Code != http.StatusServiceUnavailable ||
		answer.Header().Get("Retry-After") == "" || !strings.Contains(answer.Body.String(), "not saved") {
		t.Errorf("status %d: %s", answer.Code, answer.Body)
	}
	s.store.failKeep = consent.ErrPending
	if answer := post(`{"language": "ru", "choices": [{"purpose": "newsletter", "choice": "refuse"}]}`); answer.Code != http.StatusServiceUnavailable ||
		!strings.Contains(answer.Body.String(), "may be saved") {
		t.Errorf("stored, but not in force everywhere: status %d: %s", answer.Code, answer.Body)
	}
	s.store.failRead = consent.ErrUnavailable
	if answer := v.get("/privacy/api/choices"); answer.Code != http.StatusServiceUnavailable {
		t.Errorf("status %d", answer.Code)
	}
}

func TestAPIRefuses(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	v := s.visitor(t)
	for body, want := range map[string]int{
		``:                                  400,
		`[]`:                                400,
		`{"language":"en"`:                  400,
		`{"language":"en","choices":[]} {}`: 400,
		`{"language":"en","language":"ru","choices":[]}`:                                                                     400, // two readings
		`{"language":"en","choices":[],"source":"form"}`:                                                                     400,
		`{"language":"de","choices":[]}`:                                                                                     422,
		`{"choices":[]}`:                                                                                                     422,
		`{"language":"en","choices":[{"purpose":"delivery","choice":"refuse"}]}`:                                             422,
		`{"language":"en","choices":[{"purpose":"newsletter","choice":"withdraw"}]}`:                                         422,
		`{"language":"en","choices":[{"purpose":"newsletter","choice":"allow"}]}`:                                            409, // nothing was shown
		`{"language":"en","choices":[{"purpose":"newsletter","choice":"refuse"},{"purpose":"newsletter","choice":"allow"}]}`: 422,
	} {
		answer := v.do(http.MethodPost, "/privacy/api/choices", body, "Content-Type", "application/json")
		if answer.Code != want || answer.Header().Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s: status %d, want %d: %s", body, answer.Code, want, answer.Body)
		}
	}
	if len(s.store.stored()) > 0 {
		t.Errorf("stored %v", s.store.stored())
	}
}

func TestConsentRequests(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	v := s.visitor(t)
	if got, want := s.Link(), `</privacy/consent-requests.json>; rel="consent-requests"; hreflang="en ru"`; got != want {
		t.Errorf("Link is %s", got)
	}
	read := func(lang string) (ids, texts []string, etag string) {
		answer := v.get("/privacy/consent-requests.json", "Accept-Language", lang)
		if answer.Header().Get("Content-Language") != lang || answer.Header().Get("Vary") != "Accept-Language" {
			t.Errorf("in %s: %v", lang, answer.Header())
		}
		var got struct {
			ConsentRequests []struct{ ID, Text string }
		}
		if err := json.Unmarshal(answer.Body.Bytes(), &got); err != nil {
			t.Fatal(err)
		}
		for _, request := range got.ConsentRequests {
			ids, texts = append(ids, request.ID), append(texts, request.Text)
		}
		return ids, texts, answer.Header().Get("ETag")
	}
	en, english, etag := read("en")
	ru, russian, etagRu := read("ru")
	if !slices.Equal(en, ru) || len(en) != 2 || slices.Equal(english, russian) || etag == etagRu || etag == "" {
		t.Errorf("en %v %v %s, ru %v %v %s", en, english, etag, ru, russian, etagRu)
	}
	known := notice.RequestIDs(s.set.Load())
	for _, id := range en {
		if _, ok := known[id]; !ok || !regexp.MustCompile(`^[A-Za-z0-9\-._~]+$`).MatchString(id) {
			t.Errorf("the id %s is none", id)
		}
	}
	if answer := v.get("/privacy/consent-requests.json", "If-None-Match", etag); answer.Code != http.StatusNotModified {
		t.Errorf("with the ETag: status %d", answer.Code)
	}
	if answer := v.do(http.MethodHead, "/privacy/consent-requests.json", ""); answer.Code != http.StatusOK {
		t.Errorf("HEAD: status %d", answer.Code)
	}
	// "A changed text needs a new id": in whichever language it changed.
	s.change(strings.Replace(shopPolicy, "Раз в месяц", "Раз в неделю", 1))
	changed, _, again := read("en")
	if changed[0] == en[0] || changed[1] != en[1] || again == etag {
		t.Errorf("before %v, after %v", en, changed)
	}
	s.change("version: 1\npurposes: {delivery: {basis: contract}}\n")
	if got := s.Link(); got != `<about:blank>; rel="consent-requests"` {
		t.Errorf("with nothing to ask for Link is %s", got)
	}
}

func TestGPCResource(t *testing.T) {
	t.Parallel()
	h := pages.GPC(time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC))
	for method, want := range map[string]string{http.MethodGet: `{"gpc":true,"lastUpdate":"2026-11-22"}`, http.MethodHead: ""} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), method, pages.GPCPath, nil))
		if w.Code != http.StatusOK || w.Header().Get("Content-Type") != "application/json" || w.Body.String() != want {
			t.Errorf("%s: status %d, %v, %s", method, w.Code, w.Header(), w.Body)
		}
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodPost, pages.GPCPath, nil))
	if w.Code != http.StatusMethodNotAllowed {
		t.Errorf("POST: status %d", w.Code)
	}
}

func TestOptions(t *testing.T) {
	t.Parallel()
	good := newSite(t).Options
	good.Rate, good.Burst, good.Now = 0, 0, nil
	for name, spoil := range map[string]func(*pages.Options){
		"no policy":   func(o *pages.Options) { o.Policy = nil },
		"no consents": func(o *pages.Options) { o.Consents = nil },
		"short key":   func(o *pages.Options) { o.Key = o.Key[:31] },
		"no slash":    func(o *pages.Options) { o.Prefix = "/privacy" },
		"whole site":  func(o *pages.Options) { o.Prefix = "/" },
		"two slashes": func(o *pages.Options) { o.Prefix = "//evil.example/" },
		"pattern":     func(o *pages.Options) { o.Prefix = "/{x}/" },
	} {
		o := good
		spoil(&o)
		if _, err := pages.New(o); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
	p, err := pages.New(good)
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	p.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/privacy/choices", nil))
	if w.Code != http.StatusOK {
		t.Errorf("status %d", w.Code)
	}
}

// Each message that the pages say exists, and each that exists is said.
func TestMessages(t *testing.T) {
	t.Parallel()
	content, err := os.ReadFile("../notice/words/en.json")
	if err != nil {
		t.Fatal(err)
	}
	var messages map[string]any
	if err := json.Unmarshal(content, &messages); err != nil {
		t.Fatal(err)
	}
	said := map[string]bool{"language": true}
	var sources []string
	for _, pattern := range []string{"*.go", "templates/*.html", "../notice/*.go", "../notice/words/*.go", "../../caddymodule/refusal.go"} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		sources = append(sources, found...)
	}
	literal := regexp.MustCompile(`"([a-z][a-z.]*[a-z])"`)
	for _, file := range sources {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		source, err := os.ReadFile(file) //nolint:gosec // G304: a source of ours
		if err != nil {
			t.Fatal(err)
		}
		for _, match := range literal.FindAllStringSubmatch(string(source), -1) {
			word := match[1]
			for _, id := range []string{word, "state." + word, "problem." + word, "problem." + word + ".title", "label." + word} {
				if messages[id] != nil {
					said[id] = true
				}
			}
		}
		for _, match := range regexp.MustCompile(`Say "([^"]+)"|\.(?:Say|Count)\("([^"+]+)"[,)]`).FindAllStringSubmatch(string(source), -1) {
			if id := match[1] + match[2]; messages[id] == nil {
				t.Errorf("%s says %q, which is not there", file, id)
			}
		}
	}
	named := func(prefix string, words ...string) {
		for _, word := range words {
			if messages[prefix+word] == nil {
				t.Errorf("there is no message %q", prefix+word)
			}
			said[prefix+word] = true
		}
	}
	for _, rank := range consent.Precedence() {
		named("source.", string(rank.Source))
	}
	named("action.", "grant", "refuse", "withdraw", "object", "expire")
	named("state.", "refuse", "withdraw", "object")
	named("basis.", "contract", "legal_obligation", "vital_interests", "public_task", "legitimate_interests", "not_personal")
	named("keep.", "year", "month", "first", "last", "domain", "network", "round", "pseudonym")
	named("duration.", "h", "d", "w", "mo", "y")
	named("month.", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12")
	var unsaid []string
	for id := range messages {
		if !said[id] && !strings.HasPrefix(id, "category.") {
			unsaid = append(unsaid, id)
		}
	}
	slices.Sort(unsaid)
	if diff := cmp.Diff([]string(nil), unsaid); diff != "" {
		t.Errorf("nobody says:\n%s", diff)
	}
}
