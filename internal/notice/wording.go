package notice

import (
	"cmp"
	"slices"
	"strings"

	"github.com/modicum-proxy/modicum/internal/notice/words"
	"github.com/modicum-proxy/modicum/internal/policy"
)

// Wording is a notice as a person reads it: what the policy says and the
// labels around it, in one language. The pages show nothing else about a
// purpose, and [Wording.String] of it is the copy that is kept as evidence, so
// the two cannot differ.
type Wording struct {
	Title       string
	Description string
	// Declaration is the sentence that the person makes their own; empty if
	// the purpose does not rest on consent.
	Declaration string
	Rows        []Row
}

// Row is one thing that a notice tells.
type Row struct {
	// Name says which: benefit, basis, data, retention, recipients, expires,
	// controller, dpo, actions, withdraw, object, separate.
	Name   string   `json:"name"`
	Label  string   `json:"label"`
	Values []string `json:"values"`
}

// Wording says the notice in a language, which should be the one that
// [ForPurpose] was asked for. It tells what a document of consent has to (GDPR
// Art. 13, 152-FZ Art. 9(4)).
func (n *Consent) Wording(in *words.Language) Wording {
	w := Wording{Title: n.Title, Description: n.Description}
	add := func(name string, values ...string) {
		values = slices.DeleteFunc(values, func(v string) bool { return v == "" })
		if len(values) > 0 {
			w.Rows = append(w.Rows, Row{Name: name, Label: in.Say("label." + name), Values: values})
		}
	}
	objection := n.Basis != ""
	if !objection {
		w.Declaration = in.Say("document.declaration")
	}
	add("controller", n.Controller.Name, n.Controller.Address, in.Country(n.Controller.Country), n.Controller.Contact)
	add("benefit", n.Benefit)
	if objection {
		add("basis", in.Say("basis."+string(n.Basis)))
	}
	add("data", n.dataIn(in)...)
	add("retention", cmp.Or(in.Duration(n.Retention), in.Say("value.unsaid")))
	actions := "value.actions"
	if len(n.Recipients) == 0 {
		add("recipients", in.Say("value.nobody"))
	} else {
		add("recipients", n.Recipients...)
		actions = "value.actions.recipients"
	}
	add("actions", in.Say(actions))
	if objection {
		add("object", in.Say("value.object"))
	} else {
		add("expires", n.term(in))
		add("withdraw", n.withdrawal(in))
		add("separate", in.Say("document.separate"))
	}
	add("dpo", n.DPO.Name, n.DPO.Address, n.DPO.Contact)
	return w
}

// term says how long a consent counts, as [policy.Purpose.Term] reckons it.
func (n *Consent) term(in *words.Language) string {
	if period := cmp.Or(n.Expires, n.Retention); period != "" {
		return in.Say("value.expires.term", "Term", in.Duration(period))
	}
	return in.Say("value.expires")
}

func (n *Consent) withdrawal(in *words.Language) string {
	if n.Controller.Contact != "" {
		return in.Say("value.withdraw.contact", "Contact", n.Controller.Contact)
	}
	return in.Say("value.withdraw")
}

// dataIn says what data it is, each kind once: first what has a name that
// people know, then what has only that of a field.
func (n *Consent) dataIn(in *words.Language) []string {
	var known, fields []string
	for _, d := range n.Data {
		kinds, kind := &known, cmp.Or(d.Label, in.Category(d.Category))
		switch {
		case d.Whole != "":
			kinds, kind = &fields, in.Say("datum.whole", "Route", d.Whole)
		case kind == "":
			kinds, kind = &fields, in.Say("datum.field", "Field", fieldName(d.Field))
		}
		if d.Keep != "" {
			kind = in.Say("datum.kept", "Datum", kind, "Keep", in.Say("keep."+d.Keep))
		}
		if d.Why != "" {
			kind = in.Say("datum.why", "Datum", kind, "Why", d.Why)
		}
		if !slices.Contains(*kinds, kind) {
			*kinds = append(*kinds, kind)
		}
	}
	if len(n.Data) == 0 {
		return []string{in.Say("value.nodata")}
	}
	return append(known, fields...)
}

// wildcardName writes a wildcard for people: "form-{n:[0-9]+}-name" is "form-…-name".
func wildcardName(s policy.Segment) string {
	var b strings.Builder
	for _, p := range s.Parts {
		if p.Expression != "" {
			b.WriteString("…")
		}
		b.WriteString(p.Literal)
	}
	return b.String()
}

// fieldName writes a path for people: "items.*.first_name" is "items › first name".
func fieldName(name string) string {
	path, err := policy.ParsePath(name)
	if err != nil {
		return name
	}
	var names []string
	for _, s := range path {
		switch s.Kind {
		case policy.Literal:
			names = append(names, s.Text)
		case policy.Wildcard:
			if text := wildcardName(s); text != "…" {
				names = append(names, text)
			}
		case policy.Element, policy.Subtree:
		}
	}
	if len(names) == 0 {
		return name
	}
	return strings.NewReplacer("_", " ", "-", " ").Replace(strings.Join(names, " › "))
}

// Summary returns the rows that tell a person what to choose; the others
// stand in the document.
func (w Wording) Summary() []Row {
	return slices.DeleteFunc(slices.Clone(w.Rows), func(r Row) bool {
		return !slices.Contains([]string{"benefit", "basis", "data", "retention", "recipients"}, r.Name)
	})
}

// String is the wording as plain text.
func (w Wording) String() string {
	var b strings.Builder
	for _, paragraph := range []string{w.Title, w.Description, w.Declaration} {
		if paragraph != "" {
			b.WriteString(paragraph + "\n\n")
		}
	}
	for _, r := range w.Rows {
		b.WriteString(r.Label + ": " + strings.Join(r.Values, "; ") + "\n")
	}
	return b.String()
}
