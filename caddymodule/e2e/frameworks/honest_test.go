//go:build unix

package frameworks_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// honest is a request as an innocent client sends it, whose fields are all
// declared.
type honest struct {
	name string
	sent []byte
	// simple is the same request in a form that every upstream understands:
	// not compressed, of known length, texts without types. nil: as it is sent.
	simple []byte
	// unsized says that it streams without a length, which WSGI and FastCGI
	// do not know.
	unsized bool
	// beyond is an upstream that refuses the empty lines with which a form
	// that streams keeps its length.
	beyond string
}

// testHonest compares what an upstream receives through us with what it
// receives without us: nothing is lost, added or changed.
func testHonest(t *testing.T, ups []*upstream) {
	t.Helper()
	all := append(honestRequests(), recordedRequests(t)...)
	for _, u := range ups {
		t.Run(u.name, func(t *testing.T) {
			u.present(t)
			t.Parallel()
			for i := range all {
				if h := &all[i]; u.reads(h) {
					u.receives(t, h)
				}
			}
		})
	}
}

// reads reports whether the request is of a kind that the upstream is for.
func (u *upstream) reads(h *honest) bool {
	switch u.name {
	case h.beyond:
		return false
	case "bottle", "cherrypy", "django", "php-fastcgi":
		return !h.unsized
	case "express-any-form":
		return !h.is("json") && !h.is("multipart")
	case "express-any-json":
		return h.is("json")
	}
	return true
}

// is reports whether the head of the request speaks of a kind of content.
func (h *honest) is(kind string) bool {
	head, _, _ := bytes.Cut(h.sent, []byte("\r\n\r\n"))
	return bytes.Contains(head, []byte(kind))
}

// receives sends the request to a plain proxy and through us. A small limit
// makes a multipart form stream.
func (u *upstream) receives(t *testing.T, h *honest) {
	t.Helper()
	simple := h.simple
	if simple == nil {
		simple = h.sent
	}
	want := u.received(t, h, "plain", simple)
	through := []string{"strip"}
	if h.is("multipart") {
		through = append(through, "small")
	}
	for _, guard := range through {
		if diff := cmp.Diff(want, u.received(t, h, guard, h.sent)); diff != "" {
			t.Errorf("%s: behind %s, %s receives (-without us +with us):\n%s", h.name, guard, u.name, diff)
		}
	}
}

// received returns what the upstream believes, in an order of its own.
func (u *upstream) received(t *testing.T, h *honest, guard string, sent []byte) map[string]any {
	t.Helper()
	at := u.sites[guard]
	at.tap.take()
	answers := at.exchange(t, &attack{name: h.name, sent: sent})
	flows := at.tap.take()
	if guard != "plain" && len(sent) < 64<<10 { // of more, an upstream that reads no body receives an uncertain part
		u.record(h.name, guard, answers, flows)
	}
	if len(answers) == 1 {
		if r := parseReceived(answers[0].body); r != nil {
			sortFiles(r)
			if h.is("json") {
				// To some, any body is a form as well.
				for _, source := range []string{"cgi", "input", "forms", "params"} {
					delete(r.Believed, source)
				}
			}
			withoutCharset(r.Believed)
			return r.Believed
		}
	}
	t.Errorf("%s: behind %s, %s answers %.300q; it saw %.300q", h.name, guard, u.name, answers, flows)
	return nil
}

// sortFiles gives files an order: some upstreams have none.
func sortFiles(r *received) {
	if files, ok := r.Believed["files"].([]any); ok {
		slices.SortFunc(files, func(a, b any) int { return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
	}
}

// withoutCharset leaves out the field with which a browser names the encoding
// of a form, and we do not pass on.
func withoutCharset(believed map[string]any) {
	delete(believed, "_charset_")
	for _, below := range believed {
		if m, ok := below.(map[string]any); ok {
			withoutCharset(m)
		}
	}
}

// partType is the type of a part that is no file.
var partType = regexp.MustCompile(`(Content-Disposition: form-data; name="[^"]*"\r\n)Content-Type: [^\r]*\r\n`)

// recordedRequests are what clients really sent; each file holds a
// Content-Type, an empty line and a body.
func recordedRequests(t *testing.T) []honest {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("..", "..", "..", "internal", "submission", "testdata", "clients", "*.txt"))
	if err != nil || len(files) < 15 {
		t.Fatalf("found %d recorded requests: %v", len(files), err)
	}
	var list []honest
	for _, file := range files {
		b, err := os.ReadFile(file) //nolint:gosec // G304: of testdata
		if err != nil {
			t.Fatal(err)
		}
		header, body, _ := strings.Cut(string(b), "\r\n\r\n")
		path := "/form"
		if strings.Contains(header, "multipart") {
			path = "/upload"
		}
		name := strings.TrimSuffix(filepath.Base(file), ".txt")
		header += "\r\n"
		simple := request("POST "+path, header, partType.ReplaceAllString(body, "$1"))
		list = append(
			list,
			honest{name: name, sent: request("POST "+path, header, body), simple: simple},
			honest{name: name + ", chunked", sent: request("POST "+path, header+"Transfer-Encoding: chunked\r\n", chunked(body)), simple: simple},
			honest{name: name + ", compressed", sent: request("POST "+path, header+"Content-Encoding: gzip\r\n", gzipped(body)), simple: simple},
		)
	}
	return list
}

// honestRequests are written down by hand.
func honestRequests() []honest {
	form := func(body string) []byte { return request("POST /form", formType, body) }
	json := func(body string) []byte { return request("POST /form", "Content-Type: application/json\r\n", body) }
	coded := func(coding, body string) []byte {
		return request("POST /form", "Content-Type: application/json\r\nContent-Encoding: "+coding+"\r\n", body)
	}
	upload := func(parts ...string) []byte {
		return request("POST /upload", "Content-Type: multipart/form-data; boundary=----WebKitFormBoundary7MA4YWxkTrZu0gW\r\n",
			joined("----WebKitFormBoundary7MA4YWxkTrZu0gW", parts...))
	}
	photo := func(filename, kind, content string) string {
		return "Content-Disposition: form-data; name=\"photos[]\"; filename=\"" + filename + "\"\r\nContent-Type: " + kind + "\r\n\r\n" + content
	}
	every := make([]byte, 256)
	for i := range every {
		every[i] = byte(i)
	}
	const document = "{\n  \"user\": {\n    \"name\": \"Anna \\\"A\\\" \\ud83d\\ude00 Ж\",\n    \"email\": \"a+b@c.example\"\n  },\n" +
		"  \"tags\": [\"x & y; z\", \"\", \"\\u0026\\/\"],\n  \"items\": [\n    {\"sku\": 1.50, \"count\": -0},\n    {\"sku\": null, \"count\": 9007199254740993}\n  ],\n" +
		"  \"agree\": [true, false],\n  \"n\": 1e21,\n  \"empty\": \"\"\n}\n"
	return []honest{
		{name: "Rails, a nested form", sent: form("utf8=%E2%9C%93&_method=patch&authenticity_token=aB%2Fc%2Bd%3D%3D&user%5Bname%5D=Anna&user%5Bemail%5D=a%40b.example" +
			"&user%5Bagree%5D=0&user%5Bagree%5D=1&user%5Brole_ids%5D%5B%5D=&user%5Brole_ids%5D%5B%5D=2&user%5Baddresses_attributes%5D%5B0%5D%5Bcity%5D=Rome" +
			"&user%5Baddresses_attributes%5D%5B0%5D%5Bid%5D=7&user%5Baddresses_attributes%5D%5B1%5D%5Bcity%5D=Oslo")},
		{name: "Rails, a nested form in the order of its rows", sent: form("items[][sku]=1&items[][count]=2&items[][sku]=3&items[][count]=4")},
		{name: "Rails, a row that was added", sent: form("items[0][sku]=1&items[1612345678901][sku]=2")},
		{name: "PHP, http_build_query", sent: form("user%5Bname%5D=Anna&tags%5B0%5D=x&tags%5B1%5D=y+z&items%5B0%5D%5Bsku%5D=1&items%5B0%5D%5Bcount%5D=2&items%5B1%5D%5Bsku%5D=3&n=1.5&empty=")},
		{name: "Laravel", sent: form("_token=abc&_method=PUT&user%5Bname%5D=Anna&tags%5B%5D=x&tags%5B%5D=y")},
		{name: "Django, a formset", sent: form("csrfmiddlewaretoken=abc&form-TOTAL_FORMS=1&form-0-name=Anna")},
		{name: "ASP.NET", sent: form("__RequestVerificationToken=CfDJ8_-&Input.Email=a%40b.example")},
		{name: "Django, rows that were added", sent: request("POST /open", formType, "row-0-sku=1&row-27-sku=2&opt_colour=red&name=Ann")},
		{name: "PHP, keys of a map", sent: request("POST /open", formType, "map%5B9f8e%5D%5Bsku%5D=1&map%5Bnew_1%5D%5Bsku%5D=2&answers%5B1%5D=a&answers%5B2%5D=b")},
		{name: "a script, a map in JSON", sent: request("POST /open", "Content-Type: application/json\r\n", `{"map":{"9f8e":{"sku":1}},"opt_colour":"red","agree":true}`)},
		{name: "Yii, an empty field before a list", sent: form("user%5Bname%5D=Anna&tags=&tags%5B%5D=x&tags%5B%5D=y"), simple: form("user%5Bname%5D=Anna&tags%5B%5D=x&tags%5B%5D=y")},
		{name: "Yii, nothing chosen", sent: form("user%5Bname%5D=Anna&tags=")},
		{name: "Contact Form 7, a tick in a list", sent: form("user%5Bname%5D=Anna&agree%5B%5D=Yes")},
		{name: "a browser, the same value twice", sent: form("q=a&message=b&q=a")},
		{name: "a browser, a field in the query and in the form", sent: request("POST /form?q=a", formType, "q=b&message=c")},
		{name: "ASP.NET, a box and its hidden field", sent: request("POST /open", formType, "name=Ann&agree=true&agree=false"), simple: request("POST /open", formType, "name=Ann&agree=true")},
		{name: "a telephone, a space behind an address", sent: request("POST /open", formType, "name=Ann&mail=a%40b.example+"), simple: request("POST /open", formType, "name=Ann&mail=a%40b.example")},
		{name: "a script, JSON in a field", sent: request("POST /open", formType, "name=Ann&settings=%7B%22theme%22%3A%22dark%22%7D")},
		{name: "a merge patch", sent: json(`{"user":null,"tags":["x"],"items":null}`)},
		{name: "Spring, names with dots", sent: request("POST /dots", formType, "user.name=Ann&items%5B0%5D.sku=1&items%5B1%5D.sku=2&Scores%5Bmaths%5D=3")},
		{name: "a script, an upload of bytes", sent: request("POST /raw?name=a.bin", "Content-Type: application/octet-stream\r\n", string(every)+"&name=1")},
		{name: "a beacon, JSON as a text", sent: request("POST /raw", "Content-Type: text/plain;charset=UTF-8\r\n", `{"name":"Ann"}`)},
		{name: "a webhook, to the byte", sent: request("POST /hook", "Content-Type: application/json\r\n", "{ \"id\" : 1.50,\n\t\"text\":\"a & b; c=d\" }\n")},
		{name: "JSF", sent: form("j_idt5%3Aemail=a%40b.example")},
		{name: "WordPress, Contact Form 7", sent: form("your-name=Anna")},
		{name: "jQuery, serialize", sent: form("user%5Bname%5D=Anna&tags=x&tags=y&t=1&t=2&agree=on&empty=&message=two%0D%0Alines")},
		{name: "jQuery, param", sent: form("user%5Bname%5D=Anna&tags%5B%5D=x&tags%5B%5D=y&items%5B0%5D%5Bsku%5D=1&items%5B1%5D%5Bsku%5D=2")},
		{name: "qs, with indexes", sent: form("tags%5B0%5D=x&tags%5B1%5D=y&user%5Btags%5D%5B0%5D=z")},
		{name: "URLSearchParams", sent: request("POST /form", "Content-Type: application/x-www-form-urlencoded;charset=UTF-8\r\n", "q=a*b-c.d_e%7E+%21%27%28%29&n=%F0%9F%98%80")},
		{name: "a browser, an image button", sent: form("img.x=10&img.y=20&q=a")},
		{name: "a browser, a name with a space", sent: form("first+name=Anna+Maria")},
		{name: "a browser, a long text", sent: form("message=" + strings.Repeat("%D0%96+", 20000))},
		{name: "a browser, only a button without a name", sent: request("POST /form", formType+"Content-Length: 0\r\n", "")},
		{name: "curl -d, as it was typed", sent: form("q=a b/c?d:e@f,g!h&n=5&message=it's \"quoted\" (100$)")},
		{name: "curl --data-raw, brackets as they are", sent: form("user[name]=Anna&tags[]=x&tags[]=y")},
		{name: "a browser, a form in the query", sent: request("GET /form?q=caf%C3%A9+au+lait&tags=x&tags=y&user%5Bname%5D=A%26B&empty=", "", "")},
		{name: "axios, params", sent: request("GET /form?q=a:b$c,d+e&tags[]=x&tags[]=y", "Accept: application/json, text/plain, */*\r\n", "")},
		{name: "a query on a form", sent: request("POST /form?q=1&tags=x", formType, "user%5Bname%5D=Anna")},
		{name: "fetch, compact", sent: json(`{"user":{"name":"Anna","email":"a+b@c.example"},"tags":["x","y"],"items":[{"sku":"1","count":2},{"sku":"3","count":4}],"agree":[],"n":null}`)},
		{name: "fetch, with a charset", sent: request("PATCH /form", "Content-Type: application/json; charset=UTF-8\r\n", `{"message":"Ж é 😀 \\ \/ \b\f\n\r\t \u2028"}`)},
		{name: "JSON, pretty-printed", sent: json(document)},
		{name: "JSON, chunked", sent: request("POST /form", "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n", chunked(document)), simple: json(document)},
		{name: "JSON, an empty object", sent: json("{}")},
		{name: "JSON, an array at the top", sent: request("POST /list", "Content-Type: application/json\r\n", `[{"sku":1},{"sku":"x"}]`)},
		{name: "JSON:API", sent: request("POST /form", "Content-Type: application/vnd.api+json\r\n", `{"data":{"id":"1","attributes":{"title":"a","big":12345678901234567890,"tags":[["x"],[]]}}}`)},
		{name: "JSON:API, an extension", sent: request("POST /form", "Content-Type: application/vnd.api+json; ext=\"https://jsonapi.org/ext/atomic\"\r\n", `{"data":{"id":"1"}}`)},
		{name: "OData", sent: request("POST /form", "Content-Type: application/json;odata=verbose;charset=utf-8\r\n", `{"message":"Ж"}`)},
		{name: "JSON, a charset without its hyphen", sent: request("POST /form", "Content-Type: application/json;charset=utf8\r\n", `{"message":"Ж"}`), simple: json(`{"message":"Ж"}`)},
		{name: "JSON, gzip", sent: coded("gzip", gzipped(document)), simple: json(document)},
		{name: "JSON, deflate", sent: coded("deflate", deflated(document)), simple: json(document)},
		{name: "JSON, br", sent: coded("br", brotlied(document)), simple: json(document)},
		{name: "JSON, zstd", sent: coded("zstd", zstded(document)), simple: json(document)},
		{name: "JSON, a large list", sent: json(`{"tags":[` + strings.TrimSuffix(strings.Repeat(`"a & b; c=d",`, 990), ",") + `]}`)},
		{name: "multipart, an empty field before a list", sent: upload(part(`name="tags"`, ""), part(`name="tags[]"`, "x"), part(`name="message"`, "y")), simple: upload(part(`name="tags[]"`, "x"), part(`name="message"`, "y"))},
		{name: "multipart, an empty file input", sent: upload(part(`name="user[name]"`, "Anna"), photo("", "application/octet-stream", ""))},
		{name: "multipart, files of one name", sent: upload(photo("a.png", "image/png", "1"), photo("b.png", "image/png", "2"))},
		{name: "multipart, names of files", sent: upload(photo("Фото 😀 (1), it's [a].png", "image/png", "1"), photo("a %22b%22.png", "image/png", "2"), photo("a; b.png", "image/png", "3"), photo("a=b.png", "image/png", "4"))},
		{name: "multipart, every byte", sent: upload(photo("bytes.bin", "application/octet-stream", string(every)+"\r\n--\r\n------WebKitFormBoundary\r\n\n\r"))},
		{name: "multipart, an empty file", sent: upload(photo("empty.txt", "text/plain", ""))},
		{name: "multipart, line ends in a file", sent: upload(photo("a.txt", "text/plain", "\r\n\r\na\nb\rc\r\n"), part(`name="message"`, "\r\ntwo\r\nlines\r\n"))},
		{name: "multipart, a large file", beyond: "perl", sent: upload(part(`name="n"`, "1"), photo("big.bin", "application/octet-stream", strings.Repeat(string(every), 6000)), part(`name="message"`, "after"))},
		{name: "multipart, a large file among what is dropped", beyond: "perl", sent: upload(
			part(`name="n"`, "1"), photo("big.bin", "application/octet-stream", strings.Repeat(string(every), 6000)), part(`name="_charset_"; filename="x"`, strings.Repeat("x", 300000)),
			part(`name="message"`, "after"),
		), simple: upload(part(`name="n"`, "1"), photo("big.bin", "application/octet-stream", strings.Repeat(string(every), 6000)), part(`name="message"`, "after"))},
		{name: "multipart, a large file in chunks", sent: request("POST /upload", "Content-Type: multipart/form-data; boundary=b\r\nTransfer-Encoding: chunked\r\n",
			chunked(joined("b", part(`name="n"`, "1"), photo("big.bin", "application/octet-stream", strings.Repeat(string(every), 6000))))), unsized: true},
		{name: "multipart, text only", sent: upload(part(`name="имя"`, "Жанна"), part(`name="empty"`, ""), part(`name="tags[]"`, "x"), part(`name="tags[]"`, "y"))},
		{name: ".NET's HttpClient", sent: request("POST /upload", "Content-Type: multipart/form-data; boundary=\"0a1b-2c3d\"\r\n", joined(
			"0a1b-2c3d", "Content-Type: text/plain; charset=utf-8\r\nContent-Disposition: form-data; name=message\r\n\r\nЖ",
			"Content-Disposition: form-data; name=blob; filename=a.png; filename*=utf-8''a.png\r\n\r\npng",
		)), simple: upload(part(`name="message"`, "Ж"), part(`name="blob"; filename="a.png"`, "png"))},
		{name: "Apache HttpClient", sent: request("POST /upload", "Content-Type: multipart/form-data; boundary=AbC_d\r\n", joined(
			"AbC_d", "Content-Disposition: form-data; name=\"message\"\r\nContent-Type: text/plain; charset=US-ASCII\r\nContent-Transfer-Encoding: 8bit\r\n\r\nx",
			"Content-Disposition: form-data; name=\"photos[]\"; filename=\"a.png\"\r\nContent-Type: image/png\r\nContent-Transfer-Encoding: binary\r\n\r\npng",
		)), simple: upload(part(`name="message"`, "x"), photo("a.png", "image/png", "png"))},
		{name: "Apache HttpClient, of Latin-1", sent: request("POST /upload", "Content-Type: multipart/form-data; boundary=AbC_d; charset=ISO-8859-1\r\n", joined(
			"AbC_d", part(`name="message"`, "x"), photo("a.png", "image/png", "\xff\xfe"),
		)), simple: upload(part(`name="message"`, "x"), photo("a.png", "image/png", "\xff\xfe"))},
		{name: "a browser of Windows, with a path", sent: upload(photo(`C:\Users\Anna\a.png`, "image/png", "png")), simple: upload(photo("a.png", "image/png", "png"))},
		{name: "Go, a quote in the name of a file", sent: upload(photo(`a\"b.png`, "image/png", "png")), simple: upload(photo("a%22b.png", "image/png", "png"))},
		{name: "Node, the size of a file", sent: upload("Content-Disposition: form-data; name=\"photos[]\"; filename=\"a.png\"; size=3\r\nContent-Type: image/png\r\n\r\npng"), simple: upload(photo("a.png", "image/png", "png"))},
		{name: "multipart, a saved mail", sent: upload(photo("a.eml", "message/rfc822", "Subject: a\r\n\r\ntext")), simple: upload(photo("a.eml", "application/octet-stream", "Subject: a\r\n\r\ntext"))},
		{name: "multipart, an empty line first", sent: request("POST /upload", "Content-Type: multipart/form-data; boundary=b\r\n", "\r\n"+joined("b", part(`name="message"`, "x"))), simple: upload(part(`name="message"`, "x"))},
		{name: "OkHttp", sent: request("POST /upload", "Content-Type: multipart/form-data; boundary=5e2c\r\n", joined(
			"5e2c", "Content-Disposition: form-data; name=\"message\"\r\nContent-Length: 1\r\n\r\nx",
			"Content-Disposition: form-data; name=\"photos[]\"; filename=\"a.png\"\r\nContent-Type: image/png\r\nContent-Length: 3\r\n\r\npng",
		))},
		// Only filename*: most upstreams would take it for a field without us.
		{name: "an old urllib3", sent: upload("Content-Disposition: form-data; name=\"photos[]\"; filename*=utf-8''%D1%84.png\r\nContent-Type: image/png\r\n\r\npng"), simple: upload(photo("ф.png", "image/png", "png"))},
	}
}
