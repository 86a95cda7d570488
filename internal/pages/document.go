package pages

import (
	"html/template"
	"net/http"
	"net/mail"
	"net/url"
)

// documentView is the whole text of one consent, on a page of its own: a
// consent is a document apart from all others (152-FZ Art. 9, GDPR Art. 7(2)).
type documentView struct {
	layout

	Heading     part
	Description part
	Declaration string
	Rows        []row
	Version     string
	Back        string
}

func (p *Pages) document(w http.ResponseWriter, r *http.Request) {
	v := p.visit(r)
	q := v.named(r.PathValue("purpose"))
	if q == nil {
		p.message(w, v, http.StatusNotFound, "missing")
		return
	}
	v.path = "consents/" + q.purpose.Name
	c := v.card(q)
	title := q.wording.Title
	if !q.objection {
		title = v.in.Say("document.title", "Title", title)
	}
	p.render(w, v, http.StatusOK, "document", &documentView{
		layout: p.layout(v, title, nil), Heading: c.Title, Description: c.Description, Declaration: q.wording.Declaration,
		Rows: v.rows(q, q.wording.Rows), Version: q.notice.ID, Back: v.url("choices") + "#purpose-" + q.purpose.Name,
	})
}

// contactURL returns where a contact of the policy leads; empty if it is
// neither an e-mail address nor a web page, as a telephone number may be.
func contactURL(contact string) template.URL {
	if u, err := url.Parse(contact); err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Host != "" {
		return template.URL(u.String()) //nolint:gosec // G203: its scheme was checked
	}
	if a, err := mail.ParseAddress(contact); err == nil && a.Address == contact {
		return template.URL("mailto:" + url.PathEscape(contact)) //nolint:gosec // G203: it is escaped
	}
	return ""
}
