package shop

import (
	"bytes"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"log/slog"
	"net/http"
	"strings"

	"golang.org/x/text/language"
)

//go:embed templates
var templates embed.FS

// pages renders the shop. It is immutable.
type pages struct {
	templates map[string]*template.Template
	languages language.Matcher
	words     []words // parallel to the matcher's languages
}

// view is what a template sees. Each page uses some of it.
type view struct {
	Lang     string
	Page     string
	Query    string
	Products []product
	Product  product
	Heading  string
	Received received
	words    words
}

// T returns a text in the visitor's language. A missing one is an error, so
// that a test that renders each page finds it.
func (v view) T(keys ...string) (string, error) {
	key := strings.Join(keys, ".")
	text, ok := v.words[key]
	if !ok {
		return "", fmt.Errorf("no text %q in %s", key, v.Lang)
	}
	return text, nil
}

// Price writes cents as the visitor's language does.
func (v view) Price(cents int) string {
	return fmt.Sprintf(v.words["price"], cents/100, cents%100)
}

func newPages() *pages {
	p := &pages{templates: map[string]*template.Template{}}
	base := template.Must(template.ParseFS(templates, "templates/layout.html", "templates/received.html"))
	for _, name := range []string{"home", "search", "checkout", "answer", "message"} {
		page := template.Must(base.Clone())
		p.templates[name] = template.Must(page.ParseFS(templates, "templates/"+name+".html"))
	}
	var tags []language.Tag
	for _, tag := range []language.Tag{language.English, language.Russian} {
		tags = append(tags, tag)
		p.words = append(p.words, readWords(tag.String()))
	}
	p.languages = language.NewMatcher(tags)
	return p
}

// show renders a page whole before the first byte leaves, so that a failing
// template cannot send half of one.
func (p *pages) show(w http.ResponseWriter, status int, name string, v view) {
	var page bytes.Buffer
	if err := p.templates[name].ExecuteTemplate(&page, "layout", v); err != nil {
		slog.Error("rendering a page of the shop", "page", name, "error", err)
		http.Error(w, http.StatusText(http.StatusInternalServerError), http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Language", v.Lang)
	h.Add("Vary", "Accept-Language")
	w.WriteHeader(status)
	_, _ = page.WriteTo(w)
}

func (p *pages) view(r *http.Request, page string) view {
	_, i := language.MatchStrings(p.languages, r.Header.Get("Accept-Language"))
	return view{Lang: p.words[i]["lang"], Page: page, words: p.words[i], Products: products, Product: products[0]}
}

func (p *pages) home(w http.ResponseWriter, r *http.Request) {
	p.show(w, http.StatusOK, "home", p.view(r, "home"))
}

func (p *pages) search(w http.ResponseWriter, r *http.Request) {
	v := p.view(r, "search")
	got, err := read(r, searchForm)
	if err != nil {
		p.unreadable(w, r, err)
		return
	}
	for _, field := range got.Values {
		if field.Name == "q" {
			v.Query = field.Value
		}
	}
	v.Received, v.Products = got, find(v.Query, v.words)
	p.show(w, http.StatusOK, "search", v)
}

func (p *pages) checkout(w http.ResponseWriter, r *http.Request) {
	v := p.view(r, "checkout")
	if chosen, ok := productBySKU(r.URL.Query().Get("sku")); ok {
		v.Product = chosen
	}
	p.show(w, http.StatusOK, "checkout", v)
}

func (p *pages) order(w http.ResponseWriter, r *http.Request) {
	p.answer(w, r, "order", checkoutForm)
}

func (p *pages) subscribe(w http.ResponseWriter, r *http.Request) {
	p.answer(w, r, "newsletter", newsletterForm)
}

// answer shows what arrived of a form.
func (p *pages) answer(w http.ResponseWriter, r *http.Request, page string, f form) {
	got, err := read(r, f)
	if err != nil {
		p.unreadable(w, r, err)
		return
	}
	v := p.view(r, page)
	v.Received = got
	p.show(w, http.StatusOK, "answer", v)
}

// api answers programs with what arrived of a form.
func (p *pages) api(f form) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		got, err := read(r, f)
		if err != nil {
			writeJSON(w, statusOf(err), map[string]string{"error": err.Error()})
			return
		}
		writeJSON(w, http.StatusOK, got)
	}
}

func writeJSON(w http.ResponseWriter, status int, answer any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	out := json.NewEncoder(w)
	out.SetIndent("", "  ")
	_ = out.Encode(answer)
}

// privacy is where the proxy's Link header points.
func (p *pages) privacy(w http.ResponseWriter, r *http.Request) {
	p.show(w, http.StatusOK, "message", p.view(r, "privacy"))
}

func (p *pages) notFound(w http.ResponseWriter, r *http.Request) {
	p.show(w, http.StatusNotFound, "message", p.view(r, "missing"))
}

func (p *pages) unreadable(w http.ResponseWriter, r *http.Request, err error) {
	p.show(w, statusOf(err), "message", p.view(r, "unreadable"))
}

// statusOf tells a body that is too large from one that cannot be read.
func statusOf(err error) int {
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) || errors.Is(err, errTooMuch) {
		return http.StatusRequestEntityTooLarge
	}
	return http.StatusBadRequest
}
