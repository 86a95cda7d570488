package proposal

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/modicum-proxy/modicum/internal/policy"
)

// Names of a log are of a visitor's choosing: none may become another key of the
// file, or declare more than itself.
func TestHostileNames(t *testing.T) {
	const log = `{"logger":"http.log.minimize","on":"POST /a: b # c\nevil:\n  on: POST /evil","undeclared_names":["a: b","x\nevil: answer # ","**","yes","*"]}
{"logger":"http.log.minimize","on":"POST /cart/17","collection":"a\n  b","undeclared_names":["c\nd"]}
{"logger":"http.log.minimized","on":7}
{"logger":"http.log.access","on":"GET /other","undeclared_names":["other"]}
no JSON
`
	p, err := FromLog(strings.NewReader(log))
	if err != nil || p.Submissions != 2 || p.IsEmpty() {
		t.Fatalf("%+v, %v", p, err)
	}
	var draft strings.Builder
	if err := p.Print(&draft); err != nil {
		t.Fatal(err)
	}
	const rest = "\ncontroller: {name: Shop, contact: privacy@shop.example}\npurposes:\n  fill_me: {title: Answer, basis: contract, retention: 1y}\n"
	set, diagnostics := policy.Compile(policy.Source{Name: "draft.yaml", Data: []byte(draft.String() + rest)})
	if err := diagnostics.Err(); err != nil {
		t.Fatalf("%v\n%s", err, draft.String())
	}
	if len(set.Collections) != 1 || set.Collections[0].Name != "a_b_c_evil_on_post_evil" {
		t.Errorf("collections %+v", set.Collections)
	}
	var names []string
	for _, f := range set.Collections[0].Fields {
		names = append(names, f.Name)
	}
	if got := strings.Join(names, "|"); got != "*|a: b|yes" {
		t.Errorf("fields %q", got)
	}
}

// Names that count rows are one field, in the notation of the framework that sends
// them. A single one may be a name, as in form-2024-name.
func TestRows(t *testing.T) {
	for _, tt := range []struct{ names, want string }{
		{`form-0-name form-1-name form-TOTAL_FORMS`, `form-TOTAL_FORMS form-{n:[0-9]+}-name`},
		{`a-0-b-0-c a-0-b-1-c`, `a-{n:[0-9]+}-b-{n_:[0-9]+}-c`},
		{`form-2024-name`, `form-2024-name`},
		{`Items\[0\]\.Sku Items\[1\]\.Sku Ship\.City Agree`, `dots Agree Items.*.Sku Ship.City`},
		{`\[0\]\.Sku`, `dots *.Sku`},
		{`first\.name`, `first\.name`},
		// What nests already did not come with dots.
		{`Items\[0\]\.Sku user.email`, `Items\[0\]\.Sku user.email`},
	} {
		a := arrivals{}
		a.add(strings.Fields(tt.names))
		got := slices.Sorted(maps.Keys(a.fields()))
		if a.haveDots() {
			got = append([]string{"dots"}, got...)
		}
		if s := strings.Join(got, " "); s != tt.want {
			t.Errorf("%s: %s, want %s", tt.names, s, tt.want)
		}
		for path, n := range a.fields() {
			if _, err := policy.ParsePath(path); err != nil || n != 1 {
				t.Errorf("%s: %s in %d submissions, %v", tt.names, path, n, err)
			}
		}
	}
}

func TestCollectionName(t *testing.T) {
	taken := map[string]bool{}
	for _, tt := range []struct{ on, pattern, name string }{
		{"POST /api/order", "POST /api/order", "api_order"},
		{"PUT /api/order", "PUT /api/order", "api_order_put"},
		{"PUT /api//order", "PUT /api//order", "api_order_put_2"},
		{"POST /", "POST /{$}", "home"},
		{"POST /authors/", "POST /authors/{$}", "authors"},
		{"POST /2fa", "POST /2fa", "page_2fa"},
		{"POST /order/17/item/4711", "POST /order/{id}/item/{id_}", "order_id_item_id"},
		{"POST /u/3f2a8c1e-5b7d-4e2f-9a6c-0d1e2f3a4b5c", "POST /u/{id}", "u_id"},
	} {
		pattern := likelyPattern(tt.on)
		if name := collectionName(pattern, taken); pattern != tt.pattern || name != tt.name {
			t.Errorf("%s: pattern %q, name %q", tt.on, pattern, name)
		}
	}
}
