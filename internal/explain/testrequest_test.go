package explain

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/modicum-proxy/modicum/internal/policy"
)

func compile(t *testing.T, text string) *policy.Set {
	t.Helper()
	set, diagnostics := policy.Compile(policy.Source{Name: "p.yaml", Data: []byte(text)})
	if err := diagnostics.Err(); err != nil {
		t.Fatal(err)
	}
	return set
}

const shop = `
version: 1
controller: {name: Shop, contact: privacy@shop.example}
purposes:
  delivery: {title: Deliver, basis: contract, retention: 1y}
  newsletter: {title: News, basis: consent, retention: 1y}
collections:
  order:
    on: [POST /order, "PUT /order/{id}", GET shop.example/order]
    fields:
      name: delivery
      address.city: delivery
      items.*.sku: delivery
      tags.*: delivery
      birthday: {for: newsletter, type: date, keep: year}
      initial: {for: delivery, keep: first(1)}
      rating: {for: newsletter, otherwise: 0}
      photos.*: {for: delivery, type: file, max: 10}
    consents: {newsletter: subscribe}
`

func TestRequestOfATest(t *testing.T) {
	set := compile(t, shop)
	const form, parts = "application/x-www-form-urlencoded", "multipart/form-data"
	for _, c := range []struct{ name, on, kind, given, wantOn, wantBody, wantErr string }{
		{name: "JSON as it is", given: `{"b":1.50,"a":{"x":[null]}}`, wantBody: `{"b":1.50,"a":{"x":[null]}}`},
		{name: "JSON of another type", kind: "application/ld+json", given: `[1,"a"]`, wantBody: `[1,"a"]`},
		{name: "a text is JSON too", given: `"a.b"`, wantBody: `"a.b"`},
		{name: "paths", given: `{"address.city":"B","address.zip":1,"items.0.sku":"s","items.1.sku":"t","n":2}`, wantBody: `{"address":{"city":"B","zip":1},"items":[{"sku":"s"},{"sku":"t"}],"n":2}`},
		{name: "literal dots", given: `{"a\\.b":1,"c.d\\.e":2}`, wantBody: `{"a.b":1,"c":{"d.e":2}}`},
		{name: "names that sjson has meanings for", given: `{"a.b":1,"@this":2,"#":3,"x|y":4,"*?":5,"ключ":6,":1":7,"{x}":8}`, wantBody: `{"a":{"b":1},"@this":2,"#":3,"x|y":4,"*?":5,"ключ":6,":1":7,"{x}":8}`},
		{name: "two names of one place", given: `{"a.b":1,"a":2}`, wantErr: "lead to one place"},
		{name: "two names, the other way", given: `{"a":{"b":1},"a.b":2}`, wantErr: "lead to one place"},
		{name: "no path", given: `{"a..b":1}`, wantErr: "empty"},
		{name: "a form", kind: form, given: `{"name":"a b&c=d","n":1.50,"ok":true,"none":null}`, wantBody: "name=a+b%26c%3Dd&n=1.50&ok=true&none="},
		{name: "a form in brackets", kind: form, given: `{"address.city":"B","items":[{"sku":"s"}],"tags":["x","y"],"raw[0]":"z"}`, wantBody: "address%5Bcity%5D=B&items%5B0%5D%5Bsku%5D=s&tags%5B0%5D=x&tags%5B1%5D=y&raw%5B0%5D=z"},
		{name: "a form as it is", kind: form, given: `"a=1&a=2"`, wantBody: "a=1&a=2"},
		{name: "a type with parameters", kind: form + "; charset=latin1", given: `{"a":1}`, wantBody: "a=1"},
		{name: "parts", kind: parts, given: `{"name":"x"}`, wantBody: "form-data; name=\"name\"\r\n\r\nx\r\n--"},
		{name: "a file", kind: parts, given: `{"photos":["bytes"]}`, wantBody: "name=\"photos[0]\"; filename=\"given\"\r\nContent-Type: application/octet-stream\r\n\r\nbytes\r\n--"},
		{name: "a query", on: "GET shop.example/order", given: `{"name":"a b","tags":[1]}`, wantOn: "GET shop.example/order?name=a+b&tags%5B0%5D=1"},
		{name: "any other type", kind: "text/csv", given: `"a;b"`, wantBody: "a;b"},
		{name: "an object of any other type", kind: "text/csv", given: `{"a":1}`, wantErr: "expected a text"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.on == "" {
				c.on = "POST /order"
			}
			if c.wantOn == "" {
				c.wantOn = c.on
			}
			if c.kind == "" {
				c.kind = "application/json"
			}
			r, err := testRequest(set, &policy.Test{On: c.on, Type: c.kind, Given: json.RawMessage(c.given)})
			if c.wantErr != "" {
				if err == nil || !strings.Contains(err.Error(), c.wantErr) {
					t.Fatalf("the error is %v, not %q", err, c.wantErr)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if r.On != c.wantOn {
				t.Errorf("on %q, not %q", r.On, c.wantOn)
			}
			switch body := string(r.Body); {
			case c.kind == parts && !strings.Contains(body, c.wantBody), c.kind != parts && body != c.wantBody:
				t.Errorf("the body is %q, not %q", body, c.wantBody)
			}
			if got := r.Header.Get("Content-Type"); got != "" && !strings.HasPrefix(got, c.kind) {
				t.Errorf("the type is %q, not %q", got, c.kind)
			}
		})
	}
}
