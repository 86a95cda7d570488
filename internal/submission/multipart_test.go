package submission

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
)

// form writes a multipart form with the boundary "B". Line ends are CRLF.
func form(parts ...string) string {
	var b strings.Builder
	for _, part := range parts {
		b.WriteString("--B\r\nContent-Disposition: form-data; " + strings.ReplaceAll(part, "\n", "\r\n") + "\r\n")
	}
	return b.String() + "--B--\r\n"
}

// rebuildParts runs the multipart pass over body, whose boundary is "B", and
// returns what it wrote with that boundary in place of ours.
func rebuildParts(p *Plan, body string, lim Limits) (string, *Report, error) {
	rep := new(Report)
	rep.Reset(p)
	out, err := readForm(p, strings.NewReader(body), lim, rep)
	return out, rep, err
}

func readForm(p *Plan, src io.Reader, lim Limits, rep *Report) (string, error) {
	m := NewMultipart(src, "B", p, lim, rep)
	out, err := io.ReadAll(m)
	_ = m.Close()
	return strings.ReplaceAll(string(out), m.Boundary(), "B"), err
}

// filePlan keeps texts as formPlan does, and files where a path begins with
// "file:".
func filePlan(tb testing.TB, paths ...string) *Plan {
	tb.Helper()
	var fields []Field
	for _, path := range paths {
		path, file := strings.CutPrefix(path, "file:")
		path, denied := strings.CutPrefix(path, "!")
		fields = append(fields, Field{Path: segments(strings.Split(path, ".")...), Kept: !denied, File: file, Reason: "no_consent"})
	}
	p, err := NewPlan(fields, Brackets)
	if err != nil {
		tb.Fatal(err)
	}
	return p
}

// multipartCases feed the unit tests and the fuzz seeds.
var multipartCases = []struct {
	name  string
	paths []string
	in    string
	want  string
}{
	{"kept and stripped", []string{"a", "c"}, form("name=\"a\"\n\n1", "name=\"b\"\n\n2", "name=\"c\"\n\n3"), form("name=\"a\"\n\n1", "name=\"c\"\n\n3")},
	{"no part", []string{"a"}, form(), form()},
	{"nothing kept", nil, form("name=\"a\"\n\n1"), form()},
	{"an empty value", []string{"a"}, form("name=\"a\"\n\n"), form("name=\"a\"\n\n")},
	{"a file", []string{"file:f"}, form("name=\"f\"; filename=\"x.png\"\nContent-Type: image/png\n\n\x00\xff"), form("name=\"f\"; filename=\"x.png\"\nContent-Type: image/png\n\n\x00\xff")},
	{"an empty file", []string{"file:f"}, form("name=\"f\"; filename=\"\"\nContent-Type: application/octet-stream\n\n"), form("name=\"f\"; filename=\"\"\nContent-Type: application/octet-stream\n\n")},
	{"a file without a type", []string{"file:f"}, form("name=\"f\"; filename=\"x\"\n\nx"), form("name=\"f\"; filename=\"x\"\n\nx")},
	{"files by a repeated name", []string{"file:f.*"}, form("name=\"f\"; filename=\"x\"\n\nx", "name=\"f\"; filename=\"y\"\n\ny"), form("name=\"f\"; filename=\"x\"\n\nx", "name=\"f\"; filename=\"y\"\n\ny")},
	{"elements", []string{"items.*.sku"}, form("name=\"items[0][sku]\"\n\na", "name=\"items[0][x]\"\n\nb"), form("name=\"items[0][sku]\"\n\na")},
	{"an unquoted name", []string{"a"}, form("name=a\n\n1"), form("name=\"a\"\n\n1")},
	{"upper case", []string{"a"}, "--B\r\nCONTENT-DISPOSITION:FORM-DATA;NAME=\"a\"\r\n\r\n1\r\n--B--", form("name=\"a\"\n\n1")},
	// Readers that take LF for a line's end see a part named ssn here.
	{"an LF delimiter is data", []string{"a", "ssn"}, "--B\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nx\n--B\nContent-Disposition: form-data; name=\"ssn\"\n\n1\n--B--\n\r\n--B--\r\n", "--B\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nx\n--B\nContent-Disposition: form-data; name=\"ssn\"\n\n1\n--B--\n\r\n--B--\r\n"},
	{"almost a delimiter", []string{"a"}, form("name=\"a\"\n\n\r\n\r\r\n-\n--\n--b\n-- B\n--\nB"), form("name=\"a\"\n\n\r\n\r\r\n-\n--\n--b\n-- B\n--\nB")},
	// A part's type can declare UTF-16, or make a file of a field.
	{"the type of a field goes", []string{"a", "b"}, form("name=\"a\"\nContent-Type: text/plain; charset=utf-16\n\n1", "name=\"b\"\nContent-Type: application/octet-stream\n\n2"), form("name=\"a\"\n\n1", "name=\"b\"\n\n2")},
	{"parameters of a file's type go", []string{"file:f"}, form("name=\"f\"; filename=\"x\"\nContent-Type: Text/HTML; charset=utf-7\n\n1"), form("name=\"f\"; filename=\"x\"\nContent-Type: text/html\n\n1")},
	{"a malformed type goes", []string{"file:f"}, form("name=\"f\"; filename=\"x\"\nContent-Type: image\n\n1"), form("name=\"f\"; filename=\"x\"\n\n1")},
	{"other headers go", []string{"a"}, form("name=\"a\"\nContent-Length: 99\nX-Part: y\nContent-Transfer-Encoding: 8BIT\n\n1"), form("name=\"a\"\n\n1")},
	// A name in filename* alone is a file to some, a field to others.
	{"filename* alone", []string{"file:f"}, form("name=\"f\"; filename*=UTF-8'en'%D1%84%22.png\n\n1"), form("name=\"f\"; filename=\"ф%22.png\"\n\n1")},
	{"filename* beside filename", []string{"file:f"}, form("name=\"f\"; filename=\"a.png\"; filename*=UTF-8''b.exe\n\n1"), form("name=\"f\"; filename=\"a.png\"\n\n1")},
	{"a file name with a semicolon", []string{"file:f"}, form("name=\"f\"; filename=\"x; y.png\"\n\n1"), form("name=\"f\"; filename=\"x; y.png\"\n\n1")},
	{"a header in a file name", []string{"file:f"}, form("name=\"f\"; filename=\"x; name=ssn; y\"\n\n1"), form("name=\"f\"; filename=\"x%3B name%3Dssn%3B y\"\n\n1")},
	// /Content-Disposition:.*\s+name="?([^\";]*)"?/ of older versions of Rack takes the last.
	{"a name without a semicolon in a file name", []string{"file:f"}, form("name=\"f\"; filename=\"x Name=ssn; y=1 surname=a\"\n\n1"), form("name=\"f\"; filename=\"x Name%3Dssn%3B y=1 surname=a\"\n\n1")},
	// Tomcat decodes the words of RFC 2047 in a name.
	{"what a wildcard matches in a name", []string{"{x:[ -~]+}", "a=b"}, form("name=\"x; name=ssn\"\n\n1", "name=\"x name=ssn\"\n\n1", "name=\"=?utf-8?B?c3Nu?=\"\n\n1", "name=\"a=b\"\n\n2", "name=\"x; y\"\n\n3"), form("name=\"a=b\"\n\n2", "name=\"x; y\"\n\n3")},
	{"a file where a field is declared", []string{"a"}, form("name=\"a\"; filename=\"x\"\n\n1"), form()},
	{"a field where a file is declared", []string{"file:f"}, form("name=\"f\"\n\n1"), form()},
	{"a denied file", []string{"file:!f", "a"}, form("name=\"f\"; filename=\"x\"\n\n1", "name=\"a\"\n\n1"), form("name=\"a\"\n\n1")},
	{"the charset field", []string{"_charset_", "a"}, form("name=\"_charset_\"\n\nutf-16", "name=\"a\"\n\n1"), form("name=\"a\"\n\n1")},
	{"undeclared bytes need not be text", []string{"a"}, form("name=\"x\"\n\n\x00\xff", "name=\"a\"\n\n1"), form("name=\"a\"\n\n1")},
	{"UTF-8", []string{"имя", "file:f"}, form("name=\"имя\"\n\nЖ", "name=\"f\"; filename=\"ф.png\"\n\n1"), form("name=\"имя\"\n\nЖ", "name=\"f\"; filename=\"ф.png\"\n\n1")},
	{"an escaped quote is three characters", []string{"a%22b"}, form("name=\"a%22b\"\n\n1"), form("name=\"a%22b\"\n\n1")},
	{"names that PHP rewrites", []string{"s_sn", "s.sn"}, form("name=\"s.sn\"\n\n1", "name=\"s sn\"\n\n1", "name=\"s[sn\"\n\n1"), form()},
	{"an empty line first", []string{"a"}, "\r\n" + form("name=\"a\"\n\n1"), form("name=\"a\"\n\n1")},
	{"other parameters go", []string{"a", "file:f"}, form("name=\"f\"; size=3; filename=\"x\"; creation-date=\"x; name=ssn\"\n\n123", "name=\"a\"; size=1\n\n1"), form("name=\"f\"; filename=\"x\"\n\n123", "name=\"a\"\n\n1")},
	// A framework that descends into parts of such types must not be told.
	{"a message as a file", []string{"file:f"}, form("name=\"f\"; filename=\"x.eml\"\nContent-Type: Message/RFC822\n\nA: b"), form("name=\"f\"; filename=\"x.eml\"\nContent-Type: application/octet-stream\n\nA: b")},
	{"parts as a file", []string{"file:f"}, form("name=\"f\"; filename=\"x.mht\"\nContent-Type: multipart/related; boundary=C\n\n--C--"), form("name=\"f\"; filename=\"x.mht\"\nContent-Type: application/octet-stream\n\n--C--")},
	{"parts as a denied file", []string{"file:!f"}, form("name=\"f\"; filename=\"x.mht\"\nContent-Type: multipart/related; boundary=C\n\n--C--"), form()},
	{
		"the path of a file",
		[]string{"file:f.*"},
		form(`name="f"; filename="C:\Users\Ann\x.jpg"`+"\n\n1", `name="f"; filename="\\host\share\y.jpg"`+"\n\n2", `name="f"; filename="/home/ann/z.jpg"`+"\n\n3", `name="f"; filename="C:/Users/Ann/v.jpg"`+"\n\n4", `name="f"; filename="a\b/w.jpg"`+"\n\n5"),
		form(`name="f"; filename="x.jpg"`+"\n\n1", `name="f"; filename="y.jpg"`+"\n\n2", `name="f"; filename="z.jpg"`+"\n\n3", `name="f"; filename="v.jpg"`+"\n\n4", `name="f"; filename="w.jpg"`+"\n\n5"),
	},
	// A file without a name would be none to the application.
	{"the path of a folder", []string{"file:f.*"}, form(`name="f"; filename="C:\dir\"`+"\n\n1", `name="f"; filename="C:\dir\.."`+"\n\n1"), form(`name="f"; filename="file"`+"\n\n1", `name="f"; filename="file"`+"\n\n1")},
	{"a relative path of a file", []string{"file:f"}, form("name=\"f\"; filename=\"photos/x.jpg\"\n\n1"), form("name=\"f\"; filename=\"photos/x.jpg\"\n\n1")},
	{"an escaped quote in a file name", []string{"file:f"}, form(`name="f"; filename="a\"b\\\"c.jpg"` + "\n\n1"), form("name=\"f\"; filename=\"%22c.jpg\"\n\n1")},
	{"an escaped quote and filename*", []string{"file:f"}, form(`name="f"; filename="a\"b.jpg"; filename*=utf-8''a%22b.jpg; size=1` + "\n\n1"), form("name=\"f\"; filename=\"a%22b.jpg\"\n\n1")},
	// To one reader the name of this part is age, to another its file is called so.
	{"a name in a file name", []string{"file:f", "age", "file:age2"}, form(`name="f"; filename="a\"; name=\"age"` + "\n\n1"), form(`name="f"; filename="a%22%3B name%3D%22age"` + "\n\n1")},
	{"no line end at the end", []string{"a"}, strings.TrimSuffix(form("name=\"a\"\n\n1"), "\r\n"), form("name=\"a\"\n\n1")},
}

func TestMultipart(t *testing.T) {
	for _, tt := range multipartCases {
		t.Run(tt.name, func(t *testing.T) {
			p := filePlan(t, tt.paths...)
			got, _, err := rebuildParts(p, tt.in, DefaultLimits())
			if err != nil {
				t.Fatal(err)
			}
			if got != tt.want {
				t.Errorf("got  %q\nwant %q", got, tt.want)
			}
			again, rep, err := rebuildParts(p, got, DefaultLimits())
			if err != nil || again != got || rep.StrippedAny() {
				t.Errorf("rebuilt again: %q, %v", again, err)
			}
		})
	}
}

// multipartAttacks are refused.
var multipartAttacks = []struct {
	name, in, rule string
	status         int
}{
	{"empty", "", "multipart-truncated", 400},
	// mime/multipart and others skip what stands before the first boundary;
	// some take a part out of it.
	{"a preamble", "x\r\n" + form("name=\"a\"\n\n1"), "multipart-start", 400},
	// One empty line may come first, and nothing else.
	{"two empty lines first", "\r\n\r\n" + form("name=\"a\"\n\n1"), "multipart-start", 400},
	{"half a line end first", "\r" + form("name=\"a\"\n\n1"), "multipart-start", 400},
	{"an LF first", "\n" + form("name=\"a\"\n\n1"), "multipart-start", 400},
	{"a space and an empty line first", " \r\n" + form("name=\"a\"\n\n1"), "multipart-start", 400},
	{"an empty line and a preamble", "\r\nContent-Disposition: form-data; name=\"ssn\"\r\n\r\n1\r\n" + form("name=\"a\"\n\n1"), "multipart-start", 400},
	{"nothing but an empty line", "\r\n", "multipart-truncated", 400},
	{"another boundary", strings.ReplaceAll(form("name=\"a\"\n\n1"), "--B", "--C"), "multipart-start", 400},
	{"a longer boundary", "--BB\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n--BB--\r\n", "multipart-delimiter", 400},
	// A delimiter with something behind it is one to some readers only.
	{"a delimiter with text behind", "--B\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n--Bx\r\n--B--\r\n", "multipart-delimiter", 400},
	{"a delimiter with a space behind", "--B\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n--B \r\nContent-Disposition: form-data; name=\"ssn\"\r\n\r\n1\r\n--B--\r\n", "multipart-delimiter", 400},
	{"a first delimiter with a tab behind", "--B\t\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n--B--\r\n", "multipart-delimiter", 400},
	// To mime/multipart the part is empty and ssn the next, to others all
	// of it is the content of a.
	{"a boundary behind the header", form("name=\"a\"\n\n--B\nContent-Disposition: form-data; name=\"ssn\"\n\n1"), "multipart-delimiter", 400},
	{"LF framing", "--B\nContent-Disposition: form-data; name=\"a\"\n\n1\n--B--\n", "multipart-delimiter", 400},
	{"a delimiter that ends in LF", "--B\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n--B\nContent-Disposition: form-data; name=\"ssn\"\n\n1\r\n--B--\r\n", "multipart-delimiter", 400},
	// What stands behind the end is nothing to some, a part to others.
	{"an epilogue", form("name=\"a\"\n\n1") + "x", "trailing-data", 400},
	{"a part behind the end", form("name=\"a\"\n\n1") + form("name=\"ssn\"\n\n1"), "trailing-data", 400},
	{"two line ends at the end", form("name=\"a\"\n\n1") + "\r\n", "trailing-data", 400},
	{"half a line end at the end", strings.TrimSuffix(form("name=\"a\"\n\n1"), "\n"), "trailing-data", 400},
	{"a space at the end", strings.TrimSuffix(form("name=\"a\"\n\n1"), "\r\n") + " ", "trailing-data", 400},
	// Half a form must not pass for a whole one.
	{"no end", strings.TrimSuffix(form("name=\"a\"\n\n1"), "--\r\n"), "multipart-truncated", 400},
	{"an end cut off", strings.TrimSuffix(form("name=\"a\"\n\n1"), "-\r\n"), "multipart-truncated", 400},
	{"content cut off", strings.TrimSuffix(form("name=\"a\"\n\n1"), "\n--B--\r\n"), "multipart-truncated", 400},
	{"a header cut off", "--B\r\nContent-Disposition: form", "multipart-truncated", 400},
	{"no header", "--B\r\n\r\n1\r\n--B--\r\n", "part-header", 400},
	// 26 frameworks take the first disposition, 14 the last.
	{"two dispositions", form("name=\"a\"\nContent-Disposition: form-data; name=\"ssn\"\n\n1"), "part-header-repeated", 400},
	{"two dispositions in two cases", form("name=\"a\"\ncontent-disposition: form-data; name=\"ssn\"\n\n1"), "part-header-repeated", 400},
	{"two types", form("name=\"a\"\nContent-Type: a/b\nContent-Type: a/b\n\n1"), "part-header-repeated", 400},
	// 20 frameworks take the last name, 10 the first.
	{"two names", form("name=\"a\"; name=\"ssn\"\n\n1"), "content-disposition", 400},
	{"two names in two cases", form("name=\"a\"; NAME=\"ssn\"\n\n1"), "content-disposition", 400},
	{"two file names", form("name=\"a\"; filename=\"x\"; filename=\"y\"\n\n1"), "content-disposition", 400},
	// 22 frameworks read it, over the name or under it.
	{"name*", form("name=\"a\"; name*=utf-8''ssn\n\n1"), "content-disposition", 400},
	{"name* alone", form("name*=utf-8''ssn\n\n1"), "content-disposition", 400},
	{"name in pieces", form("name*0=\"ss\"; name*1=\"n\"\n\n1"), "content-disposition", 400},
	{"filename in pieces", form("name=\"a\"; filename*0=\"x\"\n\n1"), "content-disposition", 400},
	{"another charset of filename*", form("name=\"a\"; filename*=utf-16''%00x\n\n1"), "content-disposition", 400},
	{"a bad escape in filename*", form("name=\"a\"; filename*=utf-8''%zz\n\n1"), "content-disposition", 400},
	{"a line end in filename*", form("name=\"a\"; filename*=utf-8''x%0D%0AContent-Type:%20text/html\n\n1"), "content-disposition", 400},
	{"filename* that is no UTF-8", form("name=\"a\"; filename*=utf-8''%ff\n\n1"), "content-disposition", 400},
	{"no name", form("filename=\"x\"\n\n1"), "content-disposition", 400},
	{"nothing but form-data", "--B\r\nContent-Disposition: form-data\r\n\r\n1\r\n--B--\r\n", "content-disposition", 400},
	{"another parameter twice", form("name=\"a\"; size=1; SIZE=2\n\n1"), "content-disposition", 400},
	{"another parameter with a backslash", form("name=\"a\"; x=\"\\\"; name=\"ssn\"\n\n1"), "content-disposition", 400},
	{"another parameter, extended", form("name=\"a\"; size*=utf-8''1\n\n1"), "content-disposition", 400},
	{"an empty parameter", form("; name=\"a\"\n\n1"), "content-disposition", 400},
	{"many parameters", form("name=\"a\"; b=1; c=1; d=1; e=1; f=1; g=1; h=1; i=1\n\n1"), "content-disposition", 400},
	{"attachment", "--B\r\nContent-Disposition: attachment; name=\"a\"\r\n\r\n1\r\n--B--\r\n", "content-disposition", 400},
	{"no disposition", "--B\r\nContent-Type: text/plain\r\n\r\n1\r\n--B--\r\n", "part-header", 400},
	// To some a backslash hides the quote behind it, to others it does not.
	{"a backslash in a name", form("name=\"a\\\"; x=\\\"\"\n\n1"), "content-disposition", 400},
	// In a file name, a quote behind a backslash may be its end. To one reader
	// these are files called x, to another they have the name ssn.
	{"a name behind an escaped quote", form("filename=\"x\\\"; name=\"ssn\"\n\n1"), "content-disposition", 400},
	{"a name behind an escaped quote and another", form("filename=\"x\\\"; y=\"; name=\"a\"\n\n1"), "content-disposition", 400},
	{"two names by an escaped quote", form("name=\"a\"; filename=\"x\\\"; y=\"; name=\"ssn\"\n\n1"), "content-disposition", 400},
	{"an escaped quote without an end", form("name=\"a\"; filename=\"x\\\"; y\n\n1"), "content-disposition", 400},
	{"a file name that only ends escaped", form("name=\"a\"; filename=\"x\\\";\n\n1"), "content-disposition", 400},
	{"a line end in a file name", form("name=\"a\"; filename=\"x\\\r\"\n\n1"), "control", 400},
	{"a backslash in filename*", form("name=\"a\"; filename*=utf-8''c:%5Cx\n\n1"), "content-disposition", 400},
	{"an open quote", form("name=\"a\n\n1"), "content-disposition", 400},
	{"text behind a quote", form("name=\"a\"b\n\n1"), "content-disposition", 400},
	{"single quotes are part of the name", form("name='a b'\n\n1"), "content-disposition", 400},
	{"a space before the equals sign", form("name =\"a\"\n\n1"), "content-disposition", 400},
	{"a NUL in a name", form("name=\"a\x00\"\n\n1"), "control", 400},
	{"a tab in a header", form("\tname=\"a\"\n\n1"), "control", 400},
	{"a bare CR in a header", form("name=\"a\rContent-Type: x\"\n\n1"), "control", 400},
	{"a bare LF in a header", "--B\r\nContent-Disposition: form-data; name=\"a\"\nX: y\r\n\r\n1\r\n--B--\r\n", "control", 400},
	{"a name that is no UTF-8", form("name=\"\xff\"\n\n1"), "utf-8", 400},
	{"a name beyond ASCII without quotes", form("name=имя\n\n1"), "content-disposition", 400},
	// A folded line goes on with the header before it, or does not.
	{"a folded line", form("name=\"a\";\n filename=\"x\"\n\n1"), "part-header", 400},
	{"a space before the colon", "--B\r\nContent-Disposition : form-data; name=\"a\"\r\n\r\n1\r\n--B--\r\n", "part-header", 400},
	{"a header name beyond ASCII", form("name=\"a\"\nContent-Dısposition: x\n\n1"), "part-header", 400},
	{"a line without a colon", form("name=\"a\"\nfoo\n\n1"), "part-header", 400},
	// Some frameworks decode these, so that what looked like text is not.
	{"base64", form("name=\"a\"\nContent-Transfer-Encoding: base64\n\nMQ=="), "transfer-encoding", 400},
	{"quoted-printable", form("name=\"a\"\nContent-Transfer-Encoding: quoted-printable\n\n=31"), "transfer-encoding", 400},
	// Some frameworks descend.
	{"parts in a part", form("name=\"a\"\nContent-Type: multipart/mixed; boundary=C\n\n--C--"), "part-type", 400},
	{"parts in a part, disguised", form("name=\"a\"\nContent-Type: Multipart /mixed\n\n1"), "part-type", 400},
	{"parts in a file where a field is declared", form("name=\"a\"; filename=\"x\"\nContent-Type: multipart/mixed; boundary=C\n\n--C--"), "part-type", 400},
	{"parts in a field where a file is declared", form("name=\"f\"\nContent-Type: multipart/mixed; boundary=C\n\n--C--"), "part-type", 400},
	{"parts in an undeclared file", form("name=\"x\"; filename=\"x\"\nContent-Type: multipart/mixed; boundary=C\n\n--C--"), "part-type", 400},
	{"a message in a part", form("name=\"a\"\nContent-Type: message/rfc822\n\n1"), "part-type", 400},
	{"a NUL in a value", form("name=\"a\"\n\nx\x00y"), "field-text", 400},
	{"Latin-1", form("name=\"a\"\n\n\xe9"), "field-text", 400},
	{"UTF-16", form("name=\"a\"\nContent-Type: text/plain; charset=utf-16\n\n1\x00"), "field-text", 400},
	{"a name twice", form("name=\"a\"\n\n1", "name=\"a\"\n\n2"), "duplicate-name", 400},
	{"a file and a field of one name", form("name=\"f\"; filename=\"x\"\n\n1", "name=\"f\"\n\n2"), "duplicate-name", 400},
	{"a value and an object", form("name=\"a\"\n\n1", "name=\"a[ssn]\"\n\n2"), "name-conflict", 400},
	{"a deep name", form("name=\"a" + strings.Repeat("[x]", 40) + "\"\n\n1"), "depth", 400},
	{"a long name", form("name=\"" + strings.Repeat("n", 257) + "\"\n\n1"), "name-length", 413},
	{"a long header", form("name=\"a\"\nX: " + strings.Repeat("x", 4096) + "\n\n1"), "part-header-size", 413},
	{"a header that never ends", "--B\r\nX: " + strings.Repeat("x", 200_000), "part-header-size", 413},
	{"many header lines", form("name=\"a\"\nA: 1\nB: 1\nC: 1\nD: 1\nE: 1\nF: 1\nG: 1\nH: 1\n\n1"), "part-header-repeated", 400},
	{"many parts", form(slices.Repeat([]string{"name=\"x\"\n\n1"}, 1001)...), "fields", 413},
	{"a large file", form("name=\"f\"; filename=\"x\"\n\n" + strings.Repeat("x", 200_001)), "file-size", 413},
	{"large fields", form("name=\"a\"\n\n"+strings.Repeat("x", 70_000), "name=\"b\"\n\n"+strings.Repeat("x", 70_000)), "body-size", 413},
}

func TestMultipartRefuses(t *testing.T) {
	p, err := NewPlan([]Field{
		{Path: segments("a"), Kept: true},
		{Path: segments("b"), Kept: true},
		{Path: segments("f"), Kept: true, File: true, MaxFile: 200_000},
	}, Brackets)
	if err != nil {
		t.Fatal(err)
	}
	lim := DefaultLimits()
	lim.Body = 100_000
	for _, tt := range multipartAttacks {
		out, _, err := rebuildParts(p, tt.in, lim)
		if err == nil {
			t.Errorf("%s: written as %q", tt.name, out)
			continue
		}
		e := refusal(t, err)
		if e.Status != tt.status || e.Rule != tt.rule {
			t.Errorf("%s: got %d %s (%s), want %d %s", tt.name, e.Status, e.Rule, e, tt.status, tt.rule)
		}
		if e.Field == "" && e.Offset < 0 || e.Offset > int64(len(tt.in)) {
			t.Errorf("%s: at byte %d of %d", tt.name, e.Offset, len(tt.in))
		}
		// Nothing that passes for a whole form may have left.
		if strings.Contains(out, "--B--") {
			t.Errorf("%s: the end was written: %q", tt.name, out)
		}
	}
}

func TestMultipartFields(t *testing.T) {
	p, err := NewPlan([]Field{
		{Path: segments("email"), Kept: true, Rule: &Rule{Type: "email"}},
		{Path: segments("birthday"), Kept: true, Rule: &Rule{Type: "date", Keep: "year"}},
		{Path: segments("phone"), Reason: "no_consent", Otherwise: &Constant{JSON: `"-"`, Text: "-"}},
		{Path: segments("photo"), Kept: true, File: true},
		{Path: segments("scan"), Reason: "no_consent", File: true, Otherwise: &Constant{JSON: `"-"`, Text: "none"}},
		{Path: segments("newsletter"), Reason: "no_consent", Watch: true},
		{Path: segments("size"), Kept: true, Rule: &Rule{OneOf: []string{"S"}}},
		{Path: segments("undecided")},
	}, Brackets)
	if err != nil {
		t.Fatal(err)
	}
	in := form("name=\"email\"\n\na@b.example", "name=\"birthday\"\n\n1990-05-04", "name=\"phone\"\n\n123", "name=\"photo\"; filename=\"x\"\n\n1",
		"name=\"scan\"; filename=\"x\"\nContent-Type: image/png\n\n1", "name=\"newsletter\"\n\non", "name=\"size\"\n\nXL", "name=\"undecided\"\n\n1", "name=\"items[0][x]\"\n\n1")
	out, rep, err := rebuildParts(p, in, DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	want := form("name=\"email\"\n\na@b.example", "name=\"birthday\"\n\n1990", "name=\"phone\"\n\n-", "name=\"photo\"; filename=\"x\"\n\n1", "name=\"scan\"\n\nnone")
	if out != want {
		t.Errorf("got  %q\nwant %q", out, want)
	}
	checkFieldsReport(t, rep)

	// In report mode the form goes on as it came, and the report is the same.
	observed := new(Report)
	observed.Reset(p)
	m := NewMultipart(iotest.OneByteReader(strings.NewReader(in)), "B", p, DefaultLimits(), observed)
	defer closing(t, m)
	m.Observe = true
	got, err := io.ReadAll(m)
	if err != nil || string(got) != in || m.Err() != nil {
		t.Errorf("observed: %v, %v, %q", err, m.Err(), got)
	}
	checkFieldsReport(t, observed)

	// A prefix has the ticked consent as soon as its part is complete.
	for cut := range len(in) {
		prefix := new(Report)
		prefix.Reset(p)
		WatchPrefix([]byte(in[:cut]), "B", p, DefaultLimits(), prefix)
		_, ok := prefix.Watched(5)
		if end := strings.Index(in, "on\r\n--B") + len("on\r\n--B"); ok != (cut >= end) {
			t.Errorf("the tick is seen at byte %d, complete at %d", cut, end)
		}
	}
}

func checkFieldsReport(t *testing.T, rep *Report) {
	t.Helper()
	want := []Outcome{
		{Kept: 1},
		{Kept: 1},
		{Stripped: 1, Reason: "no_consent"},
		{Kept: 1},
		{Stripped: 1, Reason: "no_consent"},
		{Stripped: 1, Reason: "no_consent"},
		{Stripped: 1, Reason: "wrong_type"},
		{Stripped: 1},
	}
	if !slices.Equal(rep.Outcomes, want) {
		t.Errorf("got  %+v\nwant %+v", rep.Outcomes, want)
	}
	if names := slices.Collect(rep.Names()); rep.Undeclared != 1 || !slices.Equal(names, []string{"items.*.x"}) {
		t.Errorf("undeclared %d: %q", rep.Undeclared, names)
	}
	if v, ok := rep.Watched(5); !ok || v != "on" {
		t.Errorf("the tick is %q, %v", v, ok)
	}
}

// TestMultipartTinyReads: however the body comes, and however it is read,
// the form is the same. A delimiter is found across every seam.
func TestMultipartTinyReads(t *testing.T) {
	for _, tt := range multipartCases {
		p := filePlan(t, tt.paths...)
		for name, src := range map[string]io.Reader{
			"one byte":       iotest.OneByteReader(strings.NewReader(tt.in)),
			"half":           iotest.HalfReader(strings.NewReader(tt.in)),
			"data and error": iotest.DataErrReader(strings.NewReader(tt.in)),
			"data, one byte": iotest.DataErrReader(iotest.OneByteReader(strings.NewReader(tt.in))),
		} {
			rep := new(Report)
			rep.Reset(p)
			m := NewMultipart(src, "B", p, DefaultLimits(), rep)
			out, err := io.ReadAll(iotest.OneByteReader(m))
			if got := strings.ReplaceAll(string(out), m.Boundary(), "B"); err != nil || got != tt.want {
				t.Errorf("%s, %s: %v\ngot  %q\nwant %q", tt.name, name, err, got, tt.want)
			}
			_ = m.Close()
		}
	}
	p := filePlan(t, "a", "b", "file:f")
	for _, tt := range multipartAttacks {
		for _, src := range []io.Reader{iotest.OneByteReader(strings.NewReader(tt.in)), iotest.DataErrReader(strings.NewReader(tt.in))} {
			rep := new(Report)
			rep.Reset(p)
			lim := DefaultLimits()
			lim.Body = 100_000
			_, err := readForm(p, src, lim, rep)
			if tt.rule == "file-size" {
				continue // this plan's bound is another
			}
			if e := refusal(t, err); e.Rule != tt.rule {
				t.Errorf("%s: %s", tt.name, e.Rule)
			}
		}
	}
}

// TestMultipartBeforeEnd: nothing may be delivered without a record. The
// record is made when all is known, and without it the form has no end.
func TestMultipartBeforeEnd(t *testing.T) {
	in := form("name=\"a\"\n\n1", "name=\"f\"; filename=\"x\"\n\n"+strings.Repeat("x", 100_000))
	p := filePlan(t, "a", "file:f")
	down := errors.New("the ledger is down")
	for _, observe := range []bool{false, true} {
		for _, fails := range []error{nil, down} {
			rep := new(Report)
			rep.Reset(p)
			m := NewMultipart(strings.NewReader(in), "B", p, DefaultLimits(), rep)
			m.Observe = observe
			calls, read := 0, new(bytes.Buffer)
			m.BeforeEnd = func() error {
				calls++
				if strings.HasSuffix(read.String(), "--\r\n") {
					t.Error("the end was released before the record")
				}
				if rep.Outcomes[0].Kept != 1 || rep.Outcomes[1].Kept != 1 {
					t.Errorf("the report is not complete: %+v", rep.Outcomes)
				}
				return fails
			}
			buf, err := make([]byte, 1000), error(nil)
			for err == nil {
				var n int
				n, err = m.Read(buf)
				read.Write(buf[:n])
			}
			if calls != 1 {
				t.Errorf("called %d times", calls)
			}
			whole := strings.HasSuffix(read.String(), "--\r\n")
			if fails == nil && (err != io.EOF || !whole) || fails != nil && (!errors.Is(err, down) || whole) { //nolint:errorlint // an end comes as it is
				t.Errorf("observe %v, %v: %v, whole: %v", observe, fails, err, whole)
			}
			if _, again := m.Read(buf); !errors.Is(again, err) {
				t.Errorf("then %v", again)
			}
			_ = m.Close()
		}
	}
}

// TestMultipartBeforeEndNotCalled: a form that is refused has no intent.
func TestMultipartBeforeEndNotCalled(t *testing.T) {
	p := filePlan(t, "a")
	rep := new(Report)
	for _, tt := range multipartAttacks {
		rep.Reset(p)
		m := NewMultipart(strings.NewReader(tt.in), "B", p, Limits{Body: 100_000, Depth: 32, Fields: 1000, Name: 256}, rep)
		called := false
		m.BeforeEnd = func() error { called = true; return nil }
		if _, err := io.Copy(io.Discard, m); err != nil && called {
			t.Errorf("%s: the record was made of a refused form", tt.name)
		}
		_ = m.Close()
	}
}

// TestMultipartObservesRefused: in report mode a form that would be refused
// arrives all the same, and the reason is reported.
func TestMultipartObservesRefused(t *testing.T) {
	p := filePlan(t, "a", "b")
	for _, tt := range multipartAttacks {
		for _, src := range []io.Reader{strings.NewReader(tt.in), iotest.OneByteReader(strings.NewReader(tt.in)), iotest.DataErrReader(strings.NewReader(tt.in))} {
			rep := new(Report)
			rep.Reset(p)
			lim := DefaultLimits()
			lim.Body = 100_000
			m := NewMultipart(src, "B", p, lim, rep)
			m.Observe = true
			got, err := io.ReadAll(m)
			if err != nil || string(got) != tt.in {
				t.Errorf("%s: %v, %d bytes of %d", tt.name, err, len(got), len(tt.in))
			}
			if tt.rule == "file-size" || tt.name == "a file and a field of one name" {
				continue // no file is declared here
			}
			if e := refusal(t, m.Err()); e.Rule != tt.rule {
				t.Errorf("%s: %s", tt.name, e.Rule)
			}
			_ = m.Close()
		}
	}
}

// TestMultipartSourceFails: what the connection says is not ours to change.
func TestMultipartSourceFails(t *testing.T) {
	in := form("name=\"a\"\n\n1", "name=\"f\"; filename=\"x\"\n\nxyz")
	p := filePlan(t, "a", "file:f")
	gone := errors.New("gone")
	for cut := range len(in) {
		for _, observe := range []bool{false, true} {
			rep := new(Report)
			rep.Reset(p)
			m := NewMultipart(io.MultiReader(strings.NewReader(in[:cut]), iotest.ErrReader(gone)), "B", p, DefaultLimits(), rep)
			m.Observe = observe
			out, err := io.ReadAll(m)
			if !errors.Is(err, gone) || strings.Contains(string(out), m.Boundary()+"--") {
				t.Errorf("cut at %d: %v", cut, err)
			}
			_ = m.Close()
		}
	}
}

// TestMultipartBoundary: who can predict a boundary can put parts of his
// own into a field (CVE-2025-7783).
func TestMultipartBoundary(t *testing.T) {
	p := filePlan(t, "a")
	seen := map[string]bool{}
	for range 1000 {
		m := NewMultipart(strings.NewReader(form()), "B", p, DefaultLimits(), new(Report))
		// 26 characters of base32 hold 130 bits.
		if b := m.Boundary(); seen[b] || len(b) < 26 || !validBoundary(b) {
			t.Fatalf("boundary %q", b)
		}
		seen[m.Boundary()] = true
		_ = m.Close()
	}
}

// TestMultipartErrorsHoldNoValues: what someone typed must not get into a log.
func TestMultipartErrorsHoldNoValues(t *testing.T) {
	p := filePlan(t, "canary", "file:f")
	for _, tt := range multipartAttacks {
		in := strings.NewReplacer(`"a"`, `"canary"`, "\r\n1", "\r\ncanary", "ssn", "canary").Replace(tt.in)
		if _, _, err := rebuildParts(p, in, DefaultLimits()); err != nil && strings.Contains(strings.Replace(err.Error(), "the field canary ", "", 1), "canary") {
			t.Errorf("%s: %v", tt.name, err) // the policy names it
		}
	}
}
