package shop

import (
	"encoding/json"
	"io"
	"maps"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"
)

// ask sends one request to the shop and returns its answer.
func ask(t *testing.T, method, target, contentType, body string, header ...string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, target, strings.NewReader(body))
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	New().ServeHTTP(w, r)
	return w
}

// page parses an HTML answer.
func page(t *testing.T, answer *httptest.ResponseRecorder) *html.Node {
	t.Helper()
	if got := answer.Header().Get("Content-Type"); got != "text/html; charset=utf-8" {
		t.Fatalf("Content-Type is %q", got)
	}
	root, err := html.Parse(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return root
}

func elements(root *html.Node, name string) []*html.Node {
	var found []*html.Node
	for n := range root.Descendants() {
		if n.Type == html.ElementNode && n.Data == name {
			found = append(found, n)
		}
	}
	return found
}

func text(n *html.Node) string {
	var b strings.Builder
	for d := range n.Descendants() {
		if d.Type == html.TextNode {
			b.WriteString(d.Data)
		}
	}
	return strings.TrimSpace(b.String())
}

func attribute(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

// rows returns the table of what the shop received.
func rows(root *html.Node) map[string]string {
	received := map[string]string{}
	for _, row := range elements(root, "tr") {
		if cells := elements(row, "td"); len(cells) == 1 {
			received[text(elements(row, "th")[0])] = text(cells[0])
		}
	}
	return received
}

// missing returns the names in the panel of what did not arrive.
func missing(root *html.Node) []string {
	names := []string{}
	for _, list := range elements(root, "ul") {
		if attribute(list, "class") == "names" {
			for _, item := range elements(list, "li") {
				names = append(names, text(item))
			}
		}
	}
	return names
}

func TestPagesInBothLanguages(t *testing.T) {
	t.Parallel()
	for _, lang := range []struct{ accept, want string }{
		{"", "en"}, {"de", "en"}, {"ru", "ru"}, {"ru-RU,ru;q=0.9,en;q=0.1", "ru"}, {"en-GB", "en"}, {";;;", "en"},
	} {
		for target, status := range map[string]int{
			"/": 200, "/search": 200, "/search?q=oak": 200, "/search?q=zzz": 200, "/checkout": 200,
			"/checkout?sku=bird": 200, "/privacy": 200, "/nowhere": 404, "/search?q=%zz": 400,
		} {
			answer := ask(t, http.MethodGet, target, "", "", "Accept-Language", lang.accept)
			if answer.Code != status {
				t.Errorf("%s in %q: status %d, want %d", target, lang.accept, answer.Code, status)
			}
			root := page(t, answer)
			if got := attribute(elements(root, "html")[0], "lang"); got != lang.want {
				t.Errorf("%s in %q is in %q, want %q", target, lang.accept, got, lang.want)
			}
			if len(elements(root, "h1")) != 1 {
				t.Errorf("%s has no single h1", target)
			}
		}
	}
	en, ru := readWords("en"), readWords("ru")
	if e, r := slices.Sorted(maps.Keys(en)), slices.Sorted(maps.Keys(ru)); !slices.Equal(e, r) {
		t.Errorf("the languages have other texts: %v and %v", e, r)
	}
}

// The panel of what is missing compares with lists; they have to be what the
// forms send.
func TestFormsAskForWhatIsListed(t *testing.T) {
	t.Parallel()
	root := page(t, ask(t, http.MethodGet, "/checkout", "", ""))
	optional := []string{"subscribe", "agree"} // checkboxes
	for _, f := range elements(root, "form") {
		var names form
		for _, kind := range []string{"input", "select", "textarea"} {
			for _, field := range elements(f, kind) {
				name := attribute(field, "name")
				if name == "" {
					t.Errorf("a field of %s has no name", attribute(f, "action"))
				}
				if attribute(field, "type") != "hidden" && labels(root, attribute(field, "id")) != 1 {
					t.Errorf("the field %s has no single label", name)
				}
				if !slices.Contains(optional, name) {
					names = append(names, name)
				}
			}
		}
		want := map[string]form{"/checkout": checkoutForm, "/newsletter": newsletterForm, "/search": searchForm}[attribute(f, "action")]
		if got, want := slices.Sorted(slices.Values(names)), slices.Sorted(slices.Values(want)); !slices.Equal(got, want) {
			t.Errorf("the form %s asks for %v, listed are %v", attribute(f, "action"), got, want)
		}
	}
}

func labels(root *html.Node, id string) int {
	count := 0
	for _, label := range elements(root, "label") {
		if attribute(label, "for") == id {
			count++
		}
	}
	return count
}

func TestOrderShowsWhatArrived(t *testing.T) {
	t.Parallel()
	var body strings.Builder
	parts := multipart.NewWriter(&body)
	for _, name := range checkoutForm {
		if name == "photo" || name == "shoe_size" || name == "device_fingerprint" {
			continue
		}
		if err := parts.WriteField(name, "value of "+name); err != nil {
			t.Fatal(err)
		}
	}
	photo, err := parts.CreateFormFile("photo", "bird.png")
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.WriteString(photo, strings.Repeat("x", 3<<20))
	if err := parts.Close(); err != nil {
		t.Fatal(err)
	}
	root := page(t, ask(t, http.MethodPost, "/checkout", parts.FormDataContentType(), body.String(),
		"Privacy-Purpose", "delivery, technical", "Privacy-Receipt", `"0190"`))
	received := rows(root)
	if got := received["items[0][sku]"]; got != "value of items[0][sku]" {
		t.Errorf("the page shows %q as the item", got)
	}
	if got := received["photo"]; got != "bird.png (application/octet-stream) 3.0 MiB" {
		t.Errorf("the page shows %q as the photo", got)
	}
	if got, want := missing(root), []string{"shoe_size", "device_fingerprint"}; !slices.Equal(got, want) {
		t.Errorf("the page misses %v, want %v", got, want)
	}
	said := []string{}
	for _, d := range elements(root, "dd") {
		said = append(said, text(d))
	}
	if want := []string{"delivery, technical", `"0190"`}; !slices.Equal(said, want) {
		t.Errorf("the proxy said %v, want %v", said, want)
	}
}

func TestFormsAndQueries(t *testing.T) {
	t.Parallel()
	root := page(t, ask(t, http.MethodPost, "/newsletter", "application/x-www-form-urlencoded", "csrf_token=b1&first_name=Ada+L"))
	if got, want := rows(root), map[string]string{"csrf_token": "b1", "first_name": "Ada L"}; !maps.Equal(got, want) {
		t.Errorf("received %v, want %v", got, want)
	}
	if got, want := missing(root), []string{"email", "device_fingerprint"}; !slices.Equal(got, want) {
		t.Errorf("missing %v, want %v", got, want)
	}
	root = page(t, ask(t, http.MethodGet, "/search?q=wren", "", ""))
	if got, want := missing(root), []string{"visitor"}; !slices.Equal(got, want) {
		t.Errorf("missing %v, want %v", got, want)
	}
}

func TestAPI(t *testing.T) {
	t.Parallel()
	answer := ask(t, http.MethodPut, "/api/profile", "application/json; charset=utf-8",
		`{"email":"a@b.example","address":{"city":"Berlin","empty":{}},"interests":["birds",2,true,null,[]]}`)
	var got received
	if err := json.NewDecoder(answer.Body).Decode(&got); err != nil {
		t.Fatal(err)
	}
	want := []value{
		{Name: "email", Value: "a@b.example"},
		{Name: "address.city", Value: "Berlin"},
		{Name: "address.empty", Value: "{}"},
		{Name: "interests.0", Value: "birds"},
		{Name: "interests.1", Value: "2"},
		{Name: "interests.2", Value: "true"},
		{Name: "interests.3", Value: "null"},
		{Name: "interests.4", Value: "[]"},
	}
	if !slices.Equal(got.Values, want) {
		t.Errorf("received %v, want %v", got.Values, want)
	}
	if want := []string{"name", "birthday", "address.street", "address.postcode", "shoe_size", "last_ip"}; !slices.Equal(got.Missing, want) {
		t.Errorf("missing %v, want %v", got.Missing, want)
	}
}

// Reflected cross-site scripting: whatever arrives is shown as text, in every
// place that shows what arrived (CWE-79).
func TestWhatArrivedIsOnlyText(t *testing.T) {
	t.Parallel()
	const attack = `"'></textarea></script><script>alert(1)</script><img src=x onerror=alert(1)>`
	var form strings.Builder
	parts := multipart.NewWriter(&form)
	_ = parts.WriteField(attack, attack)
	_ = parts.WriteField("name", attack)
	_, _ = parts.CreateFormFile("photo", attack)
	_ = parts.Close()
	escaped := strings.NewReplacer(`"`, "%22", "'", "%27", "<", "%3C", ">", "%3E", " ", "+", "=", "%3D").Replace(attack)
	for name, answer := range map[string]*httptest.ResponseRecorder{
		"search":     ask(t, http.MethodGet, "/search?q="+escaped+"&"+escaped+"=1", "", "", "Privacy-Purpose", attack, "Privacy-Receipt", attack),
		"checkout":   ask(t, http.MethodGet, "/checkout?sku="+escaped, "", ""),
		"order":      ask(t, http.MethodPost, "/checkout", parts.FormDataContentType(), form.String(), "Privacy-Receipt", attack),
		"newsletter": ask(t, http.MethodPost, "/newsletter", "application/x-www-form-urlencoded", "email="+escaped),
		"media type": ask(t, http.MethodPost, "/newsletter", "text/x-"+`"><script>`, "x"),
		"not found":  ask(t, http.MethodGet, "/%3Cscript%3E", "", "", "Accept-Language", attack),
	} {
		root := page(t, answer)
		for _, script := range elements(root, "script") {
			if attribute(script, "src") != "/static/wishlist.js" || text(script) != "" {
				t.Errorf("%s: a script came in", name)
			}
		}
		for n := range root.Descendants() {
			for _, a := range n.Attr {
				if strings.HasPrefix(a.Key, "on") || a.Val == "x" {
					t.Errorf("%s: the attribute %s came in", name, a.Key)
				}
			}
		}
		if policy := answer.Header().Get("Content-Security-Policy"); !strings.HasPrefix(policy, "default-src 'none';") {
			t.Errorf("%s: Content-Security-Policy is %q", name, policy)
		}
	}
}

// A client that sends much must not make the shop hold much.
func TestLimits(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		contentType, body string
		status            int
	}{
		"too many pairs":   {"application/x-www-form-urlencoded", strings.Repeat("a=1&", maxValues+1), http.StatusRequestEntityTooLarge},
		"long form":        {"application/x-www-form-urlencoded", "a=" + strings.Repeat("x", maxForm), http.StatusRequestEntityTooLarge},
		"long JSON":        {"application/json", `"` + strings.Repeat("x", maxJSON) + `"`, http.StatusRequestEntityTooLarge},
		"too many members": {"application/json", "[" + strings.Repeat("1,", maxValues) + "1]", http.StatusRequestEntityTooLarge},
		"deep JSON":        {"application/json", strings.Repeat("[", 5000) + strings.Repeat("]", 5000), http.StatusBadRequest},
		"trailing JSON":    {"application/json", `{} {}`, http.StatusBadRequest},
		"open JSON":        {"application/json", `{"a":`, http.StatusBadRequest},
		"no boundary":      {"multipart/form-data", "", http.StatusBadRequest},
		"unknown type":     {"text/plain", "a", http.StatusBadRequest},
	} {
		answer := ask(t, http.MethodPost, "/api/wishlist", c.contentType, c.body)
		if answer.Code != c.status {
			t.Errorf("%s: status %d, want %d", name, answer.Code, c.status)
		}
	}
}

func TestLongValuesAreCut(t *testing.T) {
	t.Parallel()
	root := page(t, ask(t, http.MethodPost, "/newsletter", "application/x-www-form-urlencoded", "email="+strings.Repeat("ж", 10000)))
	if got := len(rows(root)["email"]); got > maxShown+len("…") {
		t.Errorf("the page shows %d bytes of a value", got)
	}
}

// Cross-site request forgery: another site's page cannot order in the name of
// a visitor (CWE-352).
func TestForeignPagesCannotOrder(t *testing.T) {
	t.Parallel()
	answer := ask(t, http.MethodPost, "/checkout", "application/x-www-form-urlencoded", "name=Ada", "Sec-Fetch-Site", "cross-site")
	if answer.Code != http.StatusForbidden {
		t.Errorf("status %d, want 403", answer.Code)
	}
}

func TestFiles(t *testing.T) {
	t.Parallel()
	root := page(t, ask(t, http.MethodGet, "/", "", ""))
	var files []string
	for _, n := range append(elements(root, "img"), elements(root, "script")...) {
		files = append(files, attribute(n, "src"))
	}
	for _, n := range elements(root, "link") {
		files = append(files, attribute(n, "href"))
	}
	if len(files) < 9 {
		t.Fatalf("the home page uses %d files", len(files))
	}
	for _, name := range files {
		answer := ask(t, http.MethodGet, name, "", "")
		if answer.Code != http.StatusOK {
			t.Errorf("%s: status %d", name, answer.Code)
		}
	}
	answer := ask(t, http.MethodGet, "/static/..%2fprivacy.yaml", "", "")
	if answer.Code == http.StatusOK {
		t.Error("a file outside of static is served")
	}
}
