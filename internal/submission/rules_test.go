package submission

import (
	"bytes"
	"cmp"
	"maps"
	"net/http"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// refused is the result of a text that breaks a rule which refuses.
const refused = "refused"

// many is a text with a repeated part.
func many(head, body string, n int, tail string) string { return head + strings.Repeat(body, n) + tail }

// ruleExamples are examples of the rules in RULES.md, under the rules' names. The
// fields "a", "b.c", "l.*", "items.*.sku" and the file "f" are declared.
var ruleExamples = map[string][]struct{ in, want string }{
	"type/content-type-repeated":  {{"application/json\napplication/json", refused}, {"multipart/form-data; boundary=a; boundary=b", refused}},
	"type/content-type-syntax":    {{"application/json, text/plain", refused}, {`multipart/form-data; boundary="a\b"`, refused}},
	"type/content-type-parameter": {{"multipart/form-data; boundary*0=a; boundary=b", refused}, {"application/json; profile=\"a;charset=utf-7\"", refused}, {"application/json; ODATA=\"verbose\"", "application/json; odata=verbose"}},
	"type/charset":                {{"application/json; charset=utf-16", refused}, {"application/json; charset=us-ascii", "application/json"}, {"application/json; charset=utf8", "application/json; charset=utf-8"}, {"multipart/form-data; boundary=x; charset=iso-2022-jp", refused}, {"multipart/form-data; boundary=x; charset=latin1", "multipart/form-data; boundary=b"}},
	"type/boundary":               {{"multipart/form-data; boundary=" + strings.Repeat("b", 71), refused}},
	"type/written-anew":           {{`Application/JSON ;CHARSET="UTF-8"`, "application/json; charset=utf-8"}},

	"coding/content-coding":   {{"foo\n{}", refused}, {"identity\n{}", "{}"}},
	"coding/coding-syntax":    {{"gzip\nno gzip, and longer than a header", refused}},
	"coding/coding-truncated": {{"gzip\n\x1f\x8b", refused}},
	"coding/trailing-data":    {{"gzip gzip gzip\n{}", refused}},
	"coding/inflated-size":    {{many("zstd zstd\n", "x", 9<<20, ""), refused}},
	"coding/inflated-ratio":   {{many("zstd zstd\n", "x", 1<<20, ""), refused}},
	"coding/inflated-window":  {{"br\n\x0f\x00\x00\x00", refused}},

	"json/json-syntax":       {{`{"a":1,}`, refused}, {`{"a":NaN}`, refused}, {"\ufeff{}", refused}, {`{'a':1}`, refused}},
	"json/trailing-data":     {{`{"a":1}{"ssn":2}`, refused}},
	"json/utf-8":             {{"{\"x\":\"\xff\"}", refused}},
	"json/lone-surrogate":    {{`{"x":"\ud800"}`, refused}},
	"json/duplicate-name":    {{`{"a":1,"\u0061":2}`, refused}, {`{"x":{"y":1,"y":2}}`, refused}},
	"json/number-length":     {{many(`{"a":`, "1", 129, "}"), refused}, {many(`{"a":`, "1", 128, "}"), many(`{"a":`, "1", 128, "}")}},
	"json/depth":             {{many("", "[", 33, ""), refused}},
	"json/fields":            {{many("[0", ",0", 1000, "]"), refused}},
	"json/name-length":       {{many(`{"`, "n", 257, `":1}`), refused}},
	"json/names":             {{`{"\u0061" : 1}`, `{"a":1}`}},
	"json/whole-names":       {{`{"b.c":1,"items.0.sku":2,"items":[]}`, `{"items":[]}`}},
	"json/scalars":           {{`{"a":{"ssn":1}}`, `{}`}, {`{"a":[1]}`, `{}`}},
	"json/elements":          {{`{"items":{"0":{"sku":1}}}`, `{}`}, {`{"items":[{"sku":1}]}`, `{"items":[{"sku":1}]}`}},
	"json/similar-names":     {{`{"o":{"SSN":1,"s_sn":2,"__proto__":{"x":3},"y":4}}`, `{"o":{"y":4}}`}},
	"json/wildcards":         {{`{"w":{"opt_x":1,"opt_mail_x":2,"opt_MAIL_x":3,"opt_mail-x":4,"opt_mailx":5,"opt_x.y":6}}`, `{"w":{"opt_x":1}}`}},
	"json/numbered-elements": {{`{"n":[1,2,{"x":3}]}`, `{"n":[null,2,null]}`}},
	"json/separators":        {{`{"a":"&ssn=1;"}`, `{"a":"\u0026ssn\u003d1\u003b"}`}},
	"json/numbers":           {{`{"a":1.10e400}`, `{"a":1.10e400}`}},

	"raw/disguised-body": {
		{`{"ssn":1}`, refused},
		{"\ufeff \r\n[1]", refused},
		{"/* a */ // b\n{}", refused},
		{"--b\r\n", refused},
		{"ssn=1&%61=2", refused},
		{"\x00 a text&box=1", refused},
		{"\x00 a text&a=1", "\x00 a text&a=1"},
		{"QUJD==", "QUJD=="},
	},

	"form/ampersand":        {{"a=1;ssn=2", "a=1%3Bssn%3D2"}},
	"form/percent-encoding": {{"a=100%", refused}, {"ssn=%zz", refused}},
	"form/utf-8":            {{"a=%ff", refused}, {"x=%c0%af", refused}},
	"form/control":          {{"a=%00", refused}, {"a=%0D%0A%09", "a=%0D%0A%09"}},
	"form/names":            {{"a.x=1&a+x=2&b[c=3&b[c]=4", "b%5Bc%5D=4"}},
	"form/indexes":          {{"l[9999]=1&l[00]=2&l[10000]=3&l[1234567890123456789]=4", "l%5B9999%5D=1&l%5B10000%5D=3"}},
	"form/numbers":          {{"n[7]=1&n[]=2&n[1]=3", "n%5B1%5D=3"}},
	"form/dotted-names":     {{"b.c=1&b[c]=2&items[0].sku=3&items[10000].sku=4&items['0'].sku=5", "b.c=1&items%5B0%5D.sku=3"}},
	"form/duplicate-name":   {{"a=1&a=2", refused}, {"a=+&a=%20", "a=%20&a=%20"}, {"l=1&l=2", "l=1&l=2"}},
	"form/name-conflict":    {{"b=1&b[c]=2", refused}, {"l[]=1&l[0]=2", refused}, {"l=1&l[]=1", refused}, {"l[]=1&l=", refused}},
	"form/empty-lists":      {{"l=&l[]=1", "l%5B%5D=1"}, {"l=", "l="}},
	"form/depth":            {{many("x", "[y]", 33, "=1"), refused}},
	"form/fields":           {{many("", "x=1&", 1001, ""), refused}},
	"form/name-length":      {{many("", "n", 257, "=1"), refused}},
	"form/check-boxes":      {{"box=0&box=1", "box=1"}, {"box=false", "box=false"}, {"bool=Yes&bool=No", "bool=Yes"}, {"box=0&box=1&box=2", refused}},
	"form/ticks":            {{"box[]=Yes", "box%5B%5D=Yes"}, {"box=0&box[]=1", refused}},
	"form/charset-field":    {{"_charset_=utf-7&a=1", "a=1"}},
	"form/written-anew":     {{"%61=+%7e/", "a=%20~%2F"}},

	"multipart/multipart-start":      {{"x\r\n" + form("name=\"a\"\n\n1"), refused}, {"\r\n" + form("name=\"a\"\n\n1"), form("name=\"a\"\n\n1")}},
	"multipart/multipart-delimiter":  {{"--B\nContent-Disposition: form-data; name=a\n\n1\n--B--\n", refused}},
	"multipart/multipart-truncated":  {{strings.TrimSuffix(form("name=\"a\"\n\n1"), "--\r\n"), refused}},
	"multipart/trailing-data":        {{form("name=\"a\"\n\n1") + "x", refused}},
	"multipart/part-header":          {{"--B\r\nX: y\r\n\r\n1\r\n--B--\r\n", refused}, {form("name=\"a\"\n x\n\n1"), refused}},
	"multipart/part-header-repeated": {{form("name=\"a\"\nContent-Disposition: form-data; name=ssn\n\n1"), refused}},
	"multipart/part-header-size":     {{form("name=\"a\"\nX: " + many("", "x", 4096, "") + "\n\n1"), refused}},
	"multipart/control":              {{form("name=\"a\x00\"\n\n1"), refused}},
	"multipart/content-disposition":  {{form("name=\"a\"; name=\"ssn\"\n\n1"), refused}, {form("name*=utf-8''a\n\n1"), refused}, {form("name=\"a\\\"\"\n\n1"), refused}, {form("filename=\"x\\\"y\"; name=\"a\"\n\n1"), refused}, {form("name=\"a\"; size=1\n\n1"), form("name=\"a\"\n\n1")}},
	"multipart/file-names":           {{form("name=\"f\"; filename=\"C:\\d\\a\\\"b\"\n\n1"), form("name=\"f\"; filename=\"a%22b\"\n\n1")}},
	"multipart/utf-8":                {{form("name=\"\xff\"\n\n1"), refused}},
	"multipart/part-type":            {{form("name=\"a\"\nContent-Type: multipart/mixed\n\n1"), refused}, {form("name=\"f\"; filename=\"x\"\nContent-Type: message/rfc822\n\n1"), form("name=\"f\"; filename=\"x\"\nContent-Type: application/octet-stream\n\n1")}},
	"multipart/transfer-encoding":    {{form("name=\"a\"\nContent-Transfer-Encoding: base64\n\nMQ=="), refused}},
	"multipart/field-text":           {{form("name=\"a\"\n\n\x00"), refused}},
	"multipart/files":                {{form("name=\"f\"\n\n1", "name=\"a\"; filename=\"x\"\n\n1"), form()}},
	"multipart/duplicate-name":       {{form("name=\"a\"\n\n1", "name=\"a\"\n\n2"), refused}, {form("name=\"f\"; filename=\"x\"\n\n1", "name=\"f\"; filename=\"x\"\n\n1"), refused}, {form("name=\"f\"\n\n", "name=\"f\"; filename=\"x\"\n\n1"), form("name=\"f\"; filename=\"x\"\n\n1")}},
	"multipart/name-conflict":        {{form("name=\"b\"\n\n1", "name=\"b[c]\"\n\n2"), refused}},
	"multipart/depth":                {{form(many("name=\"x", "[y]", 33, "\"\n\n1")), refused}},
	"multipart/fields":               {{form(slices.Repeat([]string{"name=x\n\n1"}, 1001)...), refused}},
	"multipart/name-length":          {{form(many("name=", "n", 257, "\n\n1")), refused}},
	"multipart/file-size":            {{form(many("name=\"f\"; filename=\"x\"\n\n", "x", 101, "")), refused}},
	"multipart/body-size":            {{form(many("name=\"a\"\n\n", "x", 1<<20+1, "")), refused}},
	"multipart/text-size":            {{form(many("name=\"text\"\n\n", "x", 40_001, "")), refused}, {form(many("name=\"text\"\n\n", "x", 40_000, "")), form(many("name=\"text\"\n\n", "x", 40_000, ""))}},
	"multipart/form-growth":          {{form("name=\"long\"\n\n1"), refused}},
	"multipart/written-anew":         {{form("NAME=f; filename*=utf-8''x.png\nContent-Type: Image/PNG; x=y\nX: y\n\n1"), form("name=\"f\"; filename=\"x.png\"\nContent-Type: image/png\n\n1")}},

	"json/null-branches": {{`{"b":null,"items":[null],"x":null}`, `{"b":null,"items":[null]}`}},

	"value/white-space": {{`{"mail":" a@b.example\n","a":" x "}`, `{"mail":"a@b.example","a":" x "}`}, {`{"mail":"a @b.example"}`, `{}`}},
	"value/empty":       {{`{"mail":"","size":" "}`, `{"mail":"","size":""}`}, {`{"mail":null,"size":null}`, `{"mail":null,"size":null}`}},
	"value/json": {
		{`{"json":"{\"a\":\"&\",\"ssn\":1}"}`, `{"json":"{\"a\":\"\\u0026\"}"}`},
		{`{"json":"{\"a\":1,\"a\":2}"}`, `{}`},
		{`{"json":{"a":1}}`, `{}`},
	},
	"value/work": {{many(`{"phone":["+493012345678"`, `,"+493012345678"`, 4000, "]}"), refused}},
}

func TestRules(t *testing.T) {
	fields := []Field{
		{Path: segments("a"), Kept: true},
		{Path: segments("n", "1"), Kept: true},
		{Path: segments("w", "opt_{any}"), Kept: true},
		{Path: segments("w", "opt_mail_{any}")},
		{Path: segments("b", "c"), Kept: true},
		{Path: segments("l", "*"), Kept: true},
		{Path: segments("items", "*", "sku"), Kept: true},
		{Path: segments("o", "**"), Kept: true},
		{Path: segments("o", "ssn")},
		{Path: segments("_charset_"), Kept: true},
		{Path: segments("f"), Kept: true, File: true, MaxFile: 100},
		{Path: segments("box"), Kept: true, Box: true},
		{Path: segments("text"), Kept: true, Rule: NewRule(Rule{Max: 40_000})},
		{Path: segments("long"), Otherwise: &Constant{Text: strings.Repeat("c", 60_000)}},
		{Path: segments("phone", "*"), Kept: true, Rule: NewRule(Rule{Type: "phone"})},
		{Path: segments("json"), Kept: true, JSON: true},
		{Path: segments("json", "a"), Kept: true},
		{Path: segments("mail"), Kept: true, Rule: NewRule(Rule{Type: "email"})},
		{Path: segments("bool"), Kept: true, Boolean: true, Rule: NewRule(Rule{Type: "boolean"})},
		{Path: segments("size"), Kept: true, Rule: NewRule(Rule{OneOf: []string{"S", "M"}})},
	}
	brackets, err := NewPlan(fields, Brackets)
	if err != nil {
		t.Fatal(err)
	}
	dots, err := NewPlan(fields, Dots)
	if err != nil {
		t.Fatal(err)
	}
	for rule, examples := range ruleExamples {
		t.Run(rule, func(t *testing.T) {
			for _, example := range examples {
				p := brackets
				if rule == "form/dotted-names" {
					p = dots
				}
				got, err := readExample(t, p, rule, example.in)
				switch {
				case example.want == refused:
					if e := refusal(t, err); e.Rule != path.Base(rule) && rule != "form/check-boxes" && rule != "form/ticks" {
						t.Errorf("%.80q is refused by %s", example.in, e.Rule)
					}
				case err != nil || got != example.want:
					t.Errorf("%.80q: got %q, %v, want %q", example.in, got, err, example.want)
				}
			}
		})
	}
	text, err := os.ReadFile("RULES.md")
	if err != nil {
		t.Fatal(err)
	}
	var documented []string
	for _, heading := range regexp.MustCompile(`(?m)^### (.*)$`).FindAllStringSubmatch(string(text), -1) {
		documented = append(documented, heading[1])
	}
	slices.Sort(documented)
	if tested := slices.Sorted(maps.Keys(ruleExamples)); !slices.Equal(tested, documented) {
		t.Errorf("RULES.md has the rules\n%q\nand there are examples of\n%q", documented, tested)
	}
}

// readExample reads an example of a rule as the first part of its name says.
func readExample(t *testing.T, p *Plan, rule, in string) (out string, err error) {
	t.Helper()
	lim := DefaultLimits()
	switch rule { // where a limit is reached before
	case "coding/inflated-size":
		lim.Ratio = 1 << 30
	case "value/work":
		lim.Fields = 1 << 20
	}
	switch format, _, _ := strings.Cut(rule, "/"); format {
	case "type":
		m, err := ParseMedia(http.Header{"Content-Type": strings.Split(in, "\n")})
		return m.ContentType("b"), err
	case "coding": // the header, and the codings of each copy of the text
		head, text, _ := strings.Cut(in, "\n")
		words := strings.Fields(head)
		var body []byte
		for _, coding := range words[1:] {
			body = append(body, encode(t, coding, text)...)
		}
		if body == nil {
			body = []byte(text)
		}
		return decodeAll(words[0], bytes.NewReader(body), lim)
	case "raw":
		w := p.NewRawWatch()
		if fault := cmp.Or(w.Begin([]byte(in), true), w.Next([]byte(in))); fault != nil {
			return "", fault
		}
		return in, nil
	case "form":
		out, _, err = rebuildForm(p, in, lim)
		return out, err
	case "multipart":
		rep := new(Report)
		rep.Reset(p)
		if rule == "multipart/text-size" {
			return streamForm(p, strings.NewReader(in), lim, rep)
		}
		if rule != "multipart/form-growth" {
			return readForm(p, strings.NewReader(in), lim, rep)
		}
		m := NewMultipart(strings.NewReader(in), "B", p, lim, rep)
		m.KeepLength(int64(len(in)))
		return readBy(m, 1000)
	}
	out, _, err = rebuild(p, in, lim)
	return out, err
}
