package pages

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"html/template"
	"net/http"
	"strconv"
	"time"

	"github.com/modicum-proxy/modicum/internal/notice/words"
)

//go:embed templates
var templateFiles embed.FS

// templates are those of the pages, each with the layout around it.
var templates = func() map[string]*template.Template {
	made := map[string]*template.Template{}
	layout := template.Must(template.ParseFS(templateFiles, "templates/layout.html", "templates/problem.html"))
	for _, name := range []string{"choices", "document", "message"} {
		made[name] = template.Must(template.Must(layout.Clone()).ParseFS(templateFiles, "templates/"+name+".html"))
	}
	return made
}()

//go:embed style.css
var styleSheet []byte

// styleName contains the digest of the style sheet: browsers may keep it for ever,
// and no page gets the one of another version.
var styleName = func() string {
	digest := sha256.Sum256(styleSheet)
	return "style-" + hex.EncodeToString(digest[:8]) + ".css"
}()

func serveStyle(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	w.Header().Set("Content-Type", "text/css; charset=utf-8")
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(styleSheet))
}

// layout is what every page has.
type layout struct {
	*words.Language

	Title      string
	Problem    *problem
	Controller part
	Contact    string
	ContactURL template.URL
	Languages  []languageLink
	Choices    string // address of the page of choices
	Style      string
}

func (p *Pages) layout(v *visit, title string, problem *problem) layout {
	contact := cmp.Or(v.set.Controller.DPO.Contact, v.set.Controller.Contact)
	return layout{
		Language: v.in, Title: title, Problem: problem, Controller: v.controller(), Languages: v.languageLinks(),
		Contact: contact, ContactURL: contactURL(contact), Choices: v.url("choices"), Style: p.Prefix + styleName,
	}
}

// render writes a page whole, so that a template that fails cannot send half
// of one.
func (p *Pages) render(w http.ResponseWriter, v *visit, status int, name string, view any) {
	var page bytes.Buffer
	if err := templates[name].ExecuteTemplate(&page, "layout", view); err != nil {
		p.Logger.Error("rendering a page", "page", name, "error", err)
		http.Error(w, http.StatusText(http.StatusInternalServerError), http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Language", v.in.Tag)
	h.Set("Content-Length", strconv.Itoa(page.Len()))
	h.Add("Vary", "Accept-Language, Cookie, Sec-GPC")
	w.WriteHeader(status)
	_, _ = page.WriteTo(w) // the client may be gone
}

// message shows a page that has nothing but a problem.
func (p *Pages) message(w http.ResponseWriter, v *visit, status int, name string) {
	problem := v.problem(cmp.Or(name, "unreadable"))
	view := p.layout(v, problem.Title, problem)
	p.render(w, v, status, "message", &view)
}

func (p *Pages) missing(w http.ResponseWriter, r *http.Request) {
	p.message(w, p.visit(r), http.StatusNotFound, "missing")
}
