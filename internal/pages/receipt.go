package pages

import (
	"bytes"
	"net/http"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/modicum-proxy/modicum/internal/consent"
	"github.com/modicum-proxy/modicum/internal/consent/record"
	"github.com/modicum-proxy/modicum/internal/notice"
)

// receiptFormat is one way to write a receipt.
type receiptFormat struct {
	extension, kind, label string
	write                  func(p *Pages, v *visit, events []consent.Event) ([]byte, error)
}

var receiptFormats = []receiptFormat{
	{".txt", "text/plain; charset=utf-8", "receipt.text", (*Pages).textReceipt},
	{".json", "application/json", "receipt.json", (*Pages).jsonReceipt},
	{".jsonld", "application/ld+json", "receipt.jsonld", (*Pages).jsonldReceipt},
}

type receiptLink struct{ URL, Label string }

func (v *visit) receiptLinks() []receiptLink {
	links := make([]receiptLink, len(receiptFormats))
	for i, f := range receiptFormats {
		links[i] = receiptLink{v.url("receipt" + f.extension), v.in.Say(f.label)}
	}
	return links
}

// receipt writes the stored choices of the person, to download. The person is
// the one that the request's cookie or login identifies: there is no address to
// guess.
func (p *Pages) receipt(w http.ResponseWriter, r *http.Request) {
	v := p.visit(r)
	i := slices.IndexFunc(receiptFormats, func(f receiptFormat) bool { return strings.HasSuffix(r.URL.Path, "receipt"+f.extension) })
	format := receiptFormats[i]
	events, err := p.Consents.Evidence(r)
	if err != nil {
		p.Logger.ErrorContext(r.Context(), "reading the evidence for a receipt", "error", err)
		w.Header().Set("Retry-After", "5")
		p.message(w, v, http.StatusServiceUnavailable, "receipt")
		return
	}
	// A link says who the person is; it is not a choice.
	events = slices.DeleteFunc(slices.Clone(events), func(e consent.Event) bool { return e.Action == consent.Link })
	if len(events) == 0 {
		p.message(w, v, http.StatusNotFound, "forgotten")
		return
	}
	body, err := format.write(p, v, events)
	if err != nil {
		p.Logger.ErrorContext(r.Context(), "writing a receipt", "error", err)
		p.message(w, v, http.StatusInternalServerError, "receipt")
		return
	}
	h := w.Header()
	h.Set("Content-Type", format.kind)
	h.Set("Content-Language", v.in.Tag)
	h.Set("Content-Disposition", `attachment; filename="consent-receipt-`+p.Now().UTC().Format("2006-01-02")+format.extension+`"`)
	_, _ = w.Write(body) // the client may be gone
}

func (p *Pages) jsonReceipt(_ *visit, events []consent.Event) ([]byte, error) {
	var b bytes.Buffer
	err := record.WriteJSON(&b, record.Each(events))
	return b.Bytes(), err
}

// jsonldReceipt is the receipt of ISO/IEC TS 27560.
func (p *Pages) jsonldReceipt(v *visit, events []consent.Event) ([]byte, error) {
	controller := &v.set.Controller
	receipt := record.Receipt{ID: uuid.New(), Created: p.Now(), Person: events, Site: &record.Site{
		Controller: notice.Party{
			Name: controller.Name.In(v.in.Tag), Contact: controller.Contact, Address: controller.Address.In(v.in.Tag), Country: controller.Country,
		},
		Choices: v.origin + v.prefix + "choices",
		Notice: func(e consent.Event) *notice.Consent {
			id, ok := v.set.PurposeID(e.Purpose)
			if !ok {
				return nil
			}
			tag := v.in.Tag
			if e.Shown != nil {
				tag = e.Shown.Language
			}
			return notice.ForPurpose(v.set, id, tag)
		},
	}}
	return receipt.JSONLD()
}

// textReceipt is the receipt for people, in their language.
func (p *Pages) textReceipt(v *visit, events []consent.Event) ([]byte, error) {
	var b strings.Builder
	line := func(texts ...string) { b.WriteString(strings.Join(texts, "") + "\n") }
	field := func(label, value string) {
		if value != "" {
			line("  ", v.in.Say(label), ": ", value)
		}
	}
	line(v.in.Say("receipt.title"))
	if c := &v.set.Controller; c.Name != nil {
		line(c.Name.In(v.in.Tag), " · ", c.Contact)
	}
	line(v.in.Say("receipt.made", "Time", v.in.Time(p.Now())))
	for i := range events {
		e := &events[i]
		line()
		line(v.in.Time(e.Time), ": ", v.in.Say("action."+string(e.Action)))
		field("label.purpose", v.titleOf(e.Purpose))
		if id := "source." + string(e.Source); v.in.Has(id) {
			field("receipt.by", v.in.Say(id))
		}
		if !e.Expires.IsZero() {
			field("receipt.until", v.in.Date(e.Expires))
		}
		field("receipt.version", e.Notice)
		field("receipt.policy", e.Policy)
		field("receipt.submission", e.Receipt)
		if e.Shown != nil && e.Shown.Text != "" {
			line("  ", v.in.Say("receipt.shown"), " (", e.Shown.Language, ", SHA-256 ", e.Shown.Digest, "):")
			for text := range strings.Lines(strings.TrimRight(e.Shown.Text, "\n")) {
				line(strings.TrimRight("    | "+strings.TrimRight(text, "\r\n"), " "))
			}
		}
	}
	return []byte(b.String()), nil
}

// titleOf returns the title of a purpose, or its name if the policy no longer has
// it.
func (v *visit) titleOf(purpose string) string {
	if id, ok := v.set.PurposeID(purpose); ok {
		return notice.ForPurpose(v.set, id, v.in.Tag).Title
	}
	return purpose
}
