package policy

import (
	"strings"
	"testing"
)

func TestRespellPattern(t *testing.T) {
	for written, want := range map[string]string{
		"POST /c/*":                          "POST /c/{rest...}",
		"POST /c/**":                         "POST /c/{rest...}",
		"POST /*/c":                          "POST /{name}/c",
		"POST /*":                            "POST /{rest...}",
		"POST /c*":                           "POST /c|POST /c/{more...}",
		"POST /img/*.png":                    "POST /img/{name}",
		"POST /files/*path":                  "POST /files/{path...}",
		"POST /c/:id":                        "POST /c/{id}",
		"POST /c/:id?":                       "POST /c|POST /c/{id}",
		`POST /c/:id(\d+)`:                   "POST /c/{id}",
		"POST /c/:id(.:format)":              "POST /c/{id}",
		"POST /:lang/c/:id/edit":             "POST /{lang}/c/{id}/edit",
		"POST /flights/:from-:to":            "POST /flights/{from}",
		"POST /c/<int:id>":                   "POST /c/{id}",
		"POST /c/<id>/edit":                  "POST /c/{id}/edit",
		"POST /c/<path:rest>":                "POST /c/{rest...}",
		"POST /c/<rest..>":                   "POST /c/{rest...}",
		"POST /[lang]/c":                     "POST /{lang}/c",
		"POST /[product-id]":                 "POST /{product_id}",
		"POST /c/[...slug]":                  "POST /c/{slug...}",
		"POST /c/[[...slug]]":                "POST /c/{slug...}",
		"POST /[[lang]]":                     "",
		"POST /c/{id:int}":                   "POST /c/{id}",
		"POST /c/{id:[0-9]+}":                "POST /c/{id}",
		"POST /c/{id:[0-9]{2,4}}":            "POST /c/{id}",
		`POST /c/{id<\d+>}`:                  "POST /c/{id}",
		"POST /c/{id?}":                      "POST /c|POST /c/{id}",
		"POST /c/{id:int?}":                  "POST /c|POST /c/{id}",
		"POST /c/{*rest}":                    "POST /c/{rest...}",
		"POST /c/{**rest}":                   "POST /c/{rest...}",
		"POST /c/{rest:path}":                "POST /c/{rest...}",
		"POST /c/{tail:.*}":                  "POST /c/{tail...}",
		"POST /c/{{id}}":                     "POST /c/{id}",
		"POST /c/{id}.json":                  "POST /c/{id}",
		"POST /{a}-{b}/c":                    "POST /{a}/c",
		"POST /{id}/c/{id}":                  "POST /{id}/c/{id2}",
		"POST /c/{product-id}":               "POST /c/{product_id}",
		"POST /c/%7Bid%7D":                   "POST /c/{id}",
		`POST /c/(\d+)`:                      "POST /c/{name}",
		`POST /c/([^/]+)/edit`:               "POST /c/{name}/edit",
		`POST /c/(?P<id>[0-9]+)/`:            "POST /c/{id}/",
		`POST ^/c`:                           "POST /c",
		`^/c`:                                "/c",
		`POST ^c/$`:                          "POST /c/{$}",
		"POST /c$":                           "POST /c",
		"POST /c/?":                          "POST /c|POST /c/{$}",
		"POST /(en|ru)/c":                    "POST /{name}/c",
		`POST /c\.php`:                       "POST /c.php",
		"POST /c?x=1":                        "POST /c",
		"POST /index.php?route=checkout/pay": "POST /index.php",
		"POST /c?":                           "POST /c",
		"POST /c#x":                          "POST /c",
		"POST /#/c":                          "",
		"ANY /c":                             "/c",
		"ALL /c":                             "/c",
		"any /c":                             "/c",
		"* /c":                               "/c",
		"~ /c":                               "/c",
		"~* ^/c/":                            "/c/",
		"= /c":                               "/c",
		"POST|PUT /c":                        "POST /c|PUT /c",
		"POST,PUT /c":                        "POST /c|PUT /c",
		"POST, PUT /c":                       "POST /c|PUT /c",
		"[POST, PUT] /c":                     "POST /c|PUT /c",
		"post /c":                            "POST /c",
		"POST: /c":                           "POST /c",
		"[POST] /c":                          "POST /c",
		"PSOT /c":                            "POST /c",
		"POST/c":                             "POST /c",
		"/c POST":                            "POST /c",
		"POST /c HTTP/1.1":                   "POST /c",
		"POST /c ":                           "POST /c",
		"https://shop.example/c":             "shop.example/c",
		"POST https://shop.example/c":        "POST shop.example/c",
		"POST //shop.example/c":              "POST shop.example/c",
		"POST http://localhost:3000/c/:id":   "POST localhost/c/{id}",
		"shop.example:8443/c":                "shop.example/c",
		"*.shop.example/c":                   "/c",
		"POST c":                             "POST /c",
		"checkout":                           "/checkout",
		"POST c.php":                         "POST /c.php",
		"POST shop.example":                  "POST shop.example/",
		"POST ./c":                           "POST /c",
		"GET /a//b":                          "GET /a/b",
		"/a/../b":                            "/b",
		"POST":                               "",
		"/a/{b":                              "",
		"":                                   "",
	} {
		if right, why := respellPattern(written); want != "" && strings.Join(right, "|") != want || (right == nil) != (why == "") {
			t.Errorf("%q became %q, since %s; want %s", written, right, why, want)
		}
	}
}

// TestRespellPatternAcceptsOurs checks that odd patterns which requests do match
// are not taken for the notation of another tool.
func TestRespellPatternAcceptsOurs(t *testing.T) {
	for _, written := range []string{
		"/", "POST /", "POST /c/", "POST /c", "/c/{$}", "POST /{a}/{b}/{rest...}", "shop.example/c", "Shop.Example/", "localhost/c", "search/c",
		"POST /v1/things:batch", "POST /v1/{name}/things:batch", "PROPFIND /dav/{file}", "M-SEARCH /x", "BREW /pot", "POST /c.php", "POST /@ada/a~b",
		"POST /a-b/{id}/{$}", "GET /$metadata", "POST /$batch", "POST /odata/Products(1)/$value", "POST /(shop)/c", "POST /C++", "POST /a;b=1,c", "POST /!x/~y",
		"POST /price_$5", "POST /a=b&c=d", "POST /a+b", "POST /a b", "POST /%2A", "POST /caf%C3%A9", "POST /кафе", "POST /c%3Fx", "POST /.well-known/x",
		"POST /c/'x'", "POST /_next/data/x.json", "POST /a|b", "POST /a.b.c", "POST /c/:", "POST /a:b:c", "POST /list[", "POST /[", "POST /x[1]", "MKCOL /x", "UNLOCK /x",
	} {
		if right, why := respellPattern(written); right != nil {
			t.Errorf("%q became %q, since %s", written, right, why)
		}
		method, host, path := splitPattern(written)
		if complaint := patternComplaint(method, host, path); complaint != "" {
			t.Errorf("%q is not a pattern: %s", written, complaint)
		}
	}
}

// TestTieOfFinalSlashes has the pair of Django's admin: both mean everything below
// them, and tie; the hint resolves it.
func TestTieOfFinalSlashes(t *testing.T) {
	const head = "version: 1\npurposes:\n  p: {basis: contract, retention: 1y}\ncollections:\n"
	_, problems := Compile(Source{"policy.yaml", []byte(head + "  add:\n    on: POST /author/add/\n    fields: {name: p}\n" +
		"  change:\n    on: POST /author/{id}/change/\n    fields: {name: p}\n")})
	if len(problems) != 1 || !strings.Contains(problems[0].Hint, `write "POST /author/add/{$}" and "POST /author/{id}/change/{$}"`) {
		t.Fatalf("got %v", problems)
	}
	set, problems := Compile(Source{"policy.yaml", []byte(head + "  add:\n    on: POST /author/add/{$}\n    fields: {name: p}\n" +
		"  change:\n    on: POST /author/{id}/change/{$}\n    fields: {name: p}\n")})
	if len(problems) > 0 {
		t.Fatalf("the remedy is not accepted: %v", problems)
	}
	for path, want := range map[string]string{"/author/add/": "add", "/author/7/change/": "change"} {
		if route := set.Route("POST", "", path); route.Collection == nil || route.Collection.Name != want || route.Ambiguous {
			t.Errorf("%s leads to %+v", path, route)
		}
	}
	if route := set.Route("POST", "", "/author/7/"); route.Collection != nil {
		t.Errorf("/author/7/ leads to %s", route.Collection.Name)
	}
}

func FuzzRespellPattern(f *testing.F) {
	f.Add("POST /c/:id")
	f.Fuzz(func(t *testing.T, written string) {
		right, _ := respellPattern(written)
		for _, r := range right {
			method, host, path := splitPattern(r)
			if complaint := patternComplaint(method, host, path); complaint != "" {
				t.Errorf("%q became %q, which is not a pattern: %s", written, r, complaint)
			}
		}
	})
}
