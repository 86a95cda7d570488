//go:build unix

package frameworks_test

import (
	"encoding/base64"
	"strings"

	"golang.org/x/text/encoding/unicode"
)

// multipartOf submits body under the rest of a Content-Type.
func multipartOf(parameters, body string) []byte {
	return request("POST /checkout", "Content-Type: multipart/form-data"+parameters+"\r\n", body)
}

// rawMultipart submits body with the boundary b.
func rawMultipart(body string) []byte { return multipartOf("; boundary=b", body) }

// multipartRequest submits parts, each a header block, an empty line and the
// content, with the boundary b.
func multipartRequest(parts ...string) []byte { return rawMultipart(joined("b", parts...)) }

func joined(boundary string, parts ...string) string {
	var b strings.Builder
	for _, part := range parts {
		b.WriteString("--" + boundary + "\r\n" + part + "\r\n")
	}
	return b.String() + "--" + boundary + "--\r\n"
}

// part is one with a Content-Disposition and nothing else.
func part(disposition, content string) string {
	return "Content-Disposition: form-data; " + disposition + "\r\n\r\n" + content
}

var (
	ann = part(`name="name"`, "Ann")
	ssn = part(`name="ssn"`, "Canary7q")
)

// multipartAttacks are against internal/submission/RULES.md, "Multipart forms".
func multipartAttacks() []attack {
	coded := base64.StdEncoding.EncodeToString([]byte("Canary7q"))
	return []attack{
		// Only declared data passes, and each where it is declared.
		{name: "multipart: an undeclared part", sent: multipartRequest(ann, ssn)},
		{name: "multipart: an undeclared part first", sent: multipartRequest(ssn, ann)},
		{name: "multipart: an undeclared name", sent: multipartRequest(ann, part(`name="Canary7q"`, "1"))},
		{name: "multipart: an undeclared file", sent: multipartRequest(ann, part(`name="ssn"; filename="a.txt"`, "Canary7q"))},
		{name: "multipart: the name of an undeclared file", sent: multipartRequest(ann, part(`name="ssn"; filename="Canary7q"`, "1"))},
		{name: "multipart: an empty name", sent: multipartRequest(ann, part(`name=""`, "Canary7q"))},
		{name: "multipart: another case", sent: multipartRequest(ann, part(`name="SSN"`, "Canary7q"), part(`name="Name"`, "Canary7q"))},
		{name: "multipart: an empty field before members of a list", sent: multipartRequest(part(`name="tags"`, ""), part(`name="tags[ssn]"`, "Canary7q"))},
		{name: "multipart: a value before a list", sent: multipartRequest(part(`name="tags"`, "Canary7q"), part(`name="tags[]"`, "a"))},
		{name: "multipart: a scalar and a branch", sent: multipartRequest(ann, part(`name="name[ssn]"`, "Canary7q"))},
		{name: "multipart: a bracket that is not closed", sent: multipartRequest(ann, part(`name="name[ssn"`, "Canary7q"), part(`name="s[sn"`, "Canary7q"))},
		{name: "multipart: a dot", sent: multipartRequest(ann, part(`name="s.sn"`, "Canary7q"), part(`name="s sn"`, "Canary7q"))},
		{name: "multipart: an undeclared member of an element", sent: multipartRequest(part(`name="items[0][sku]"`, "1"), part(`name="items[0][ssn]"`, "Canary7q"))},
		{name: "multipart: an undeclared member of an object", sent: multipartRequest(part(`name="address[city]"`, "1"), part(`name="address[ssn]"`, "Canary7q"))},
		{name: "multipart: __proto__", sent: multipartRequest(ann, part(`name="__proto__"`, "Canary7q"), part(`name="__proto__[ssn]"`, "Canary7q"))},
		{name: "multipart: white space about the name", sent: multipartRequest(ann, part(`name=" ssn"`, "Canary7q"), part(`name="name "`, "Canary7q"))},
		{name: "multipart: an escaped name", sent: multipartRequest(ann, part(`name="%73sn"`, "Canary7q"))},
		{name: "multipart: a name with separators of a form", sent: multipartRequest(ann, part(`name="x&ssn=Canary7q"`, "1"))},
		{name: "multipart: a file for a field", sent: multipartRequest(part(`name="name"; filename="a.txt"`, "Canary7q"))},
		{name: "multipart: a field for a file", sent: multipartRequest(ann, part(`name="photo"`, "Canary7q"))},
		{name: "multipart: a nameless file for a field", sent: multipartRequest(part(`name="name"; filename=""`, "Canary7q"))},
		{name: "multipart: a file below a file", sent: multipartRequest(ann, part(`name="photo[ssn]"; filename="a.txt"`, "Canary7q"))},
		{name: "multipart: a file twice", sent: multipartRequest(part(`name="photo"; filename="a"`, "1"), part(`name="photo[]"; filename="b"`, "Canary7q"))},
		// A field of PHP's that names files of its own.
		{name: "multipart: fields of PHP's files", sent: multipartRequest(ann, part(`name="photo[tmp_name]"`, "Canary7q"), part(`name="MAX_FILE_SIZE"`, "Canary7q"))},

		// The boundary: one, of RFC 2046's characters. Seventeen frameworks
		// take the first of two, nine the last.
		{name: "multipart: two boundaries, the last counts", sent: multipartOf("; boundary=a; boundary=b", joined("a", ann)+joined("b", ssn))},
		{name: "multipart: two boundaries, the first counts", sent: multipartOf("; boundary=b; boundary=a", joined("a", ann)+joined("b", ssn))},
		{name: "multipart: two boundaries by case", sent: multipartOf("; boundary=a; BOUNDARY=b", joined("a", ann)+joined("b", ssn))},
		{name: "multipart: a boundary in capitals", sent: multipartOf("; BOUNDARY=b", joined("b", ann, ssn))},
		{name: "multipart: two boundaries by quotes", sent: multipartOf(`; boundary="a"; boundary=b`, joined("a", ann)+joined("b", ssn))},
		{name: "multipart: a boundary and a continued one", sent: multipartOf("; boundary=a; boundary*0=b", joined("a", ann)+joined("b", ssn))},
		{name: "multipart: a continued boundary", sent: multipartOf("; boundary*0=a; boundary*1=b", joined("ab", ann, ssn))},
		{name: "multipart: an extended boundary", sent: multipartOf("; boundary*=utf-8''b; boundary=a", joined("a", ann)+joined("b", ssn))},
		{name: "multipart: a quoted boundary", sent: multipartOf(`; boundary="b"`, joined("b", ann, ssn))},
		{name: "multipart: a boundary with a quoted space", sent: multipartOf(`; boundary="b c"`, joined("b c", ann, ssn))},
		{name: "multipart: a boundary with a space", sent: multipartOf(`; boundary=b c`, joined("b", ann)+joined("b c", ssn))},
		{name: "multipart: a boundary that ends in a space", sent: multipartOf(`; boundary="b "`, joined("b", ann, ssn)), unseen: true},
		{name: "multipart: a boundary with a backslash", sent: multipartOf(`; boundary="\b"`, joined("b", ann, ssn)), unseen: true},
		{name: "multipart: a boundary with an escaped quote", sent: multipartOf(`; boundary="b\""`, joined(`b"`, ann, ssn))},
		{name: "multipart: a quote that is not closed", sent: multipartOf(`; boundary="b`, joined("b", ann, ssn))},
		{name: "multipart: text behind the quotes", sent: multipartOf(`; boundary="b"c`, joined("b", ann)+joined("bc", ssn)), unseen: true},
		{name: "multipart: a single-quoted boundary", sent: multipartOf(`; boundary='b'`, joined("'b'", ann)+joined("b", ssn))},
		{name: "multipart: an empty boundary", sent: multipartOf(`; boundary=`, joined("", ann, ssn))},
		{name: "multipart: no boundary", sent: multipartOf("", joined("b", ann, ssn))},
		{name: "multipart: a boundary behind a comma", sent: multipartOf("; boundary=b, a", joined("b", ann, ssn))},
		{name: "multipart: a boundary with a comma", sent: multipartOf("; boundary=a,b", joined("a", ssn)+joined("a,b", ann))},
		{name: "multipart: a boundary without a semicolon", sent: multipartOf(" boundary=b", joined("b", ann, ssn))},
		{name: "multipart: white space about the equals sign", sent: multipartOf("; boundary = b", joined("b", ann, ssn))},
		{name: "multipart: a tab before the boundary", sent: multipartOf(";\tboundary=b", joined("b", ann, ssn))},
		{name: "multipart: a long boundary", sent: multipartOf("; boundary="+strings.Repeat("b", 100), joined(strings.Repeat("b", 100), ann, ssn))},
		{name: "multipart: a boundary in another parameter", sent: multipartOf(`; x="; boundary=b; "; boundary=a`, joined("a", ann)+joined("b", ssn))},
		{name: "multipart: a boundary in the charset", sent: multipartOf(`; charset="utf-8; boundary=b"; boundary=a`, joined("a", ann)+joined("b", ssn))},
		{name: "multipart: a charset", sent: multipartOf(`; charset=utf-16; boundary=b`, joined("b", ann, part(`name="ssn"`, utf16(unicode.LittleEndian, unicode.IgnoreBOM, "Canary7q"))))},
		// Labels of old encodings are accepted: what they would govern must be
		// UTF-8 all the same.
		{name: "multipart: a charset of GBK", sent: multipartOf(`; charset=gbk; boundary=b`, joined("b", ann, part("name=\"\x81\"; name=\"ssn\"", "Canary7q")))},
		{name: "multipart: a charset of Shift_JIS", sent: multipartOf(`; charset=shift_jis; boundary=b`, joined("b", ann, part("name=\"name\x83\\\"; name=\"ssn\"", "Canary7q")))},
		{name: "multipart: a charset of ISO-2022-JP", sent: multipartOf(`; charset=iso-2022-jp; boundary=b`, joined("b", ann, part("name=\"name\x1b$B\"; x=\"\x1b(B\"; name=\"ssn\"", "Canary7q")))},
		// Headers of the request that speak of a file go on with a form of one.
		{name: "multipart: a disposition of the request", sent: request("POST /checkout", "Content-Type: multipart/form-data; boundary=b\r\nContent-Disposition: form-data; name=\"ssn\"; filename=\"Canary7q\"\r\n", joined("b", ann)), unseen: true},
		{name: "multipart: a name in a disposition of the request", sent: request("POST /checkout", "Content-Type: multipart/form-data; boundary=b\r\nContent-Disposition: attachment; filename=\"a; name=ssn\"\r\n",
			joined("b", ann, part(`name="photo"; filename="a"`, "Canary7q"))), carrier: "photo", unseen: true},
		{name: "multipart: words in a range", sent: request("POST /checkout", "Content-Type: multipart/form-data; boundary=b\r\nContent-Range: bytes 0-0/1 Canary7q\r\n", joined("b", ann, part(`name="photo"; filename="a"`, "1"))), unseen: true},
		{name: "multipart: a boundary with a zero byte", sent: multipartOf("; boundary=b\x00", joined("b", ann, ssn)), unseen: true},
		{name: "multipart: another subtype", sent: request("POST /checkout", "Content-Type: multipart/mixed; boundary=b\r\n", joined("b", ann, ssn))},
		{name: "multipart: a subtype that nobody knows", sent: request("POST /checkout", "Content-Type: multipart/x; boundary=b\r\n", joined("b", ann, ssn))},
		{name: "multipart: no subtype", sent: request("POST /checkout", "Content-Type: multipart; boundary=b\r\n", joined("b", ann, ssn))},
		{name: "multipart: another case of the type", sent: request("POST /checkout", "Content-Type: Multipart/Form-DATA; boundary=b\r\n", joined("b", ann, ssn))},
		{name: "multipart: under the type of a form", sent: request("POST /checkout", "Content-Type: application/x-www-form-urlencoded; boundary=b\r\n", joined("b", ann, ssn))},

		// Framing: CRLF, no preamble, no epilogue, nothing after a delimiter.
		{name: "multipart: line feeds only", sent: rawMultipart(strings.ReplaceAll(joined("b", ann, ssn), "\r\n", "\n"))},
		{name: "multipart: a delimiter after a line feed", sent: rawMultipart("--b\r\n" + ann + "\n--b\r\n" + ssn + "\r\n--b--\r\n"), carrier: "name"},
		{name: "multipart: a delimiter after a carriage return", sent: rawMultipart("--b\r\n" + ann + "\r--b\r\n" + ssn + "\r\n--b--\r\n"), carrier: "name"},
		{name: "multipart: a delimiter that ends in a line feed", sent: rawMultipart("--b\r\n" + ann + "\r\n--b\n" + ssn + "\r\n--b--\r\n")},
		{name: "multipart: a header that ends in a line feed", sent: multipartRequest(ann, strings.ReplaceAll(ssn, "\r\n", "\n"))},
		{name: "multipart: a carriage return for a line's end", sent: multipartRequest(ann, strings.ReplaceAll(ssn, "\r\n", "\r"))},
		{name: "multipart: a preamble", sent: rawMultipart("preamble\r\n" + joined("b", ann, ssn))},
		{name: "multipart: a preamble that looks like a part", sent: rawMultipart(ssn + "\r\n" + joined("b", ann, ssn))},
		{name: "multipart: an empty line first", sent: rawMultipart("\r\n" + joined("b", ann, ssn))},
		{name: "multipart: two empty lines first", sent: rawMultipart("\r\n\r\n" + joined("b", ann, ssn))},
		{name: "multipart: an empty line and a part without a boundary", sent: rawMultipart("\r\n" + ssn + "\r\n" + joined("b", ann, ssn))},
		{name: "multipart: an epilogue", sent: rawMultipart(joined("b", ann, ssn) + "epilogue")},
		{name: "multipart: parts in the epilogue", sent: rawMultipart(joined("b", ann) + joined("b", ssn))},
		{name: "multipart: no closing delimiter", sent: rawMultipart("--b\r\n" + ann + "\r\n--b\r\n" + ssn + "\r\n")},
		{name: "multipart: no closing delimiter, nor a line's end", sent: rawMultipart("--b\r\n" + ann + "\r\n--b\r\n" + ssn)},
		{name: "multipart: half a closing delimiter", sent: rawMultipart("--b\r\n" + ann + "\r\n--b\r\n" + ssn + "\r\n--b-")},
		{name: "multipart: a closing delimiter and more", sent: rawMultipart("--b\r\n" + ann + "\r\n--b--x\r\n" + ssn + "\r\n--b--\r\n")},
		{name: "multipart: a closing delimiter that is no end", sent: rawMultipart("--b\r\n" + ann + "\r\n--b--\r\n" + ssn + "\r\n--b--\r\n")},
		{name: "multipart: white space behind a delimiter", sent: rawMultipart("--b\r\n" + ann + "\r\n--b \t\r\n" + ssn + "\r\n--b--\r\n")},
		{name: "multipart: white space before a delimiter", sent: rawMultipart("--b\r\n" + ann + "\r\n --b\r\n" + ssn + "\r\n--b--\r\n"), carrier: "name"},
		{name: "multipart: text behind a delimiter", sent: rawMultipart("--b\r\n" + ann + "\r\n--bx\r\n" + ssn + "\r\n--b--\r\n")},
		{name: "multipart: a delimiter that begins like another", sent: multipartOf("; boundary=b", "--b\r\n"+ann+"\r\n--bb\r\n"+ssn+"\r\n--b--\r\n")},
		{name: "multipart: a delimiter without a line's end before", sent: rawMultipart("--b\r\n" + part(`name="name"`, "Ann--b\r\n"+ssn) + "\r\n--b--\r\n"), carrier: "name"},
		{name: "multipart: an empty part", sent: rawMultipart("--b\r\n\r\n--b\r\n" + ssn + "\r\n--b--\r\n")},
		{name: "multipart: a part without a header", sent: rawMultipart("--b\r\n\r\nCanary7q\r\n--b\r\n" + ssn + "\r\n--b--\r\n")},
		{name: "multipart: an empty part with a delimiter in its header", sent: rawMultipart("--b\r\nContent-Disposition: form-data; name=\"name\"\r\n--b\r\n" + ssn + "\r\n--b--\r\n")},
		{name: "multipart: a zero byte before all", sent: rawMultipart("\x00" + joined("b", ann, ssn))},
		{name: "multipart: the delimiter of the outer in a nested one", carrier: "photo", sent: multipartRequest(ann,
			"Content-Disposition: form-data; name=\"photo\"; filename=\"a\"\r\nContent-Type: multipart/mixed; boundary=c\r\n\r\n"+
				joined("c", "Content-Disposition: form-data; name=\"ssn\"\r\n\r\nCanary7q")), unseen: true},
		{name: "multipart: files in multipart/mixed", sent: multipartRequest(ann,
			"Content-Disposition: form-data; name=\"ssn\"\r\nContent-Type: multipart/mixed; boundary=c\r\n\r\n"+
				joined("c", "Content-Disposition: file; filename=\"a\"\r\n\r\nCanary7q"))},
		{name: "multipart: a message as a part", sent: multipartRequest(ann,
			"Content-Disposition: form-data; name=\"photo\"; filename=\"a\"\r\nContent-Type: message/rfc822\r\n\r\n"+ssn), carrier: "photo", unseen: true},

		// Part headers: each once, of one name. Twenty-six frameworks take
		// the first of two dispositions, fourteen the last; of two names 20
		// take the last.
		{name: "multipart: two dispositions, the first declared", sent: multipartRequest("Content-Disposition: form-data; name=\"name\"\r\n" + ssn)},
		{name: "multipart: two dispositions, the last declared", sent: multipartRequest("Content-Disposition: form-data; name=\"ssn\"\r\n" + part(`name="name"`, "Canary7q"))},
		{name: "multipart: two names, the last forbidden", sent: multipartRequest(part(`name="name"; name="ssn"`, "Canary7q"))},
		{name: "multipart: two names, the first forbidden", sent: multipartRequest(part(`name="ssn"; name="name"`, "Canary7q"))},
		{name: "multipart: two names by case", sent: multipartRequest(part(`name="name"; NAME="ssn"`, "Canary7q"))},
		{name: "multipart: a name in capitals", sent: multipartRequest(ann, part(`NAME="ssn"`, "Canary7q"))},
		{name: "multipart: an extended name", sent: multipartRequest(part(`name="name"; name*=utf-8''ssn`, "Canary7q"))},
		{name: "multipart: an extended name first", sent: multipartRequest(part(`name*=utf-8''ssn; name="name"`, "Canary7q"))},
		{name: "multipart: an extended name only", sent: multipartRequest(ann, part(`name*=utf-8''%73sn`, "Canary7q"))},
		{name: "multipart: a continued name", sent: multipartRequest(part(`name="name"; name*0="s"; name*1="sn"`, "Canary7q"))},
		{name: "multipart: a continued name only", sent: multipartRequest(ann, part(`name*0="s"; name*1="sn"`, "Canary7q"))},
		{name: "multipart: a continued extended name", sent: multipartRequest(ann, part(`name*0*=utf-8''s; name*1*=sn`, "Canary7q"))},
		{name: "multipart: an encoded word", sent: multipartRequest(ann, part(`name="=?utf-8?B?c3Nu?="`, "Canary7q"))},
		{name: "multipart: a disposition as an encoded word", sent: multipartRequest(ann, "Content-Disposition: =?utf-8?Q?form-data;_name=3Dssn?=\r\n\r\nCanary7q")},
		{name: "multipart: a backslash in the name", sent: multipartRequest(ann, part(`name="s\sn"`, "Canary7q"))},
		{name: "multipart: an escaped quote in the name", sent: multipartRequest(part(`name="name\"; name=\"ssn"`, "Canary7q"))},
		{name: "multipart: a backslash before the closing quote", sent: multipartRequest(part(`name="name\"; x="; name="ssn"`, "Canary7q"))},
		{name: "multipart: a quote in the name", sent: multipartRequest(ann, part(`name="ss"n"`, "Canary7q"))},
		{name: "multipart: an unquoted name", sent: multipartRequest(ann, part(`name=ssn`, "Canary7q"))},
		{name: "multipart: a single-quoted name", sent: multipartRequest(ann, part(`name='ssn'`, "Canary7q"))},
		{name: "multipart: a name whose quote is not closed", sent: multipartRequest(ann, part(`name="ssn`, "Canary7q"))},
		{name: "multipart: white space about the equals sign of the name", sent: multipartRequest(ann, part(`name = "ssn"`, "Canary7q"))},
		{name: "multipart: no white space before the name", sent: multipartRequest(ann, "Content-Disposition: form-data;name=\"ssn\"\r\n\r\nCanary7q")},
		{name: "multipart: commas for semicolons", sent: multipartRequest(ann, "Content-Disposition: form-data, name=\"ssn\"\r\n\r\nCanary7q")},
		{name: "multipart: a name that ends another parameter's", carrier: "name", sent: multipartRequest(part(`xname="ssn"; name="name"`, "Canary7q")), unseen: true},
		{name: "multipart: a name in another parameter", carrier: "name", sent: multipartRequest(part(`x="; name=ssn; "; name="name"`, "Canary7q"))},
		{name: "multipart: a name behind an empty parameter", sent: multipartRequest(ann, part(`; ;name="ssn"`, "Canary7q"))},
		{name: "multipart: a zero byte in the name", sent: multipartRequest(ann, part("name=\"name\x00x\"", "Canary7q"), part("name=\"ssn\x00\"", "Canary7q"))},
		{name: "multipart: a tab in the name", sent: multipartRequest(ann, part("name=\"s\tsn\"", "Canary7q"))},
		{name: "multipart: bad UTF-8 in the name", sent: multipartRequest(ann, part("name=\"ssn\xff\"", "Canary7q"))},
		{name: "multipart: Latin-1 in the name", sent: multipartRequest(ann, part("name=\"\xe9\"", "Canary7q"))},
		{name: "multipart: another disposition", sent: multipartRequest(ann, "Content-Disposition: attachment; name=\"ssn\"\r\n\r\nCanary7q")},
		{name: "multipart: another case of the disposition", sent: multipartRequest(ann, "content-disposition: FORM-data; Name=\"ssn\"\r\n\r\nCanary7q")},
		{name: "multipart: no disposition", sent: multipartRequest(ann, "Content-Type: text/plain; name=\"ssn\"\r\n\r\nCanary7q")},
		{name: "multipart: a name by Content-ID", sent: multipartRequest(ann, "Content-ID: <ssn>\r\n\r\nCanary7q")},
		{name: "multipart: white space before the colon", sent: multipartRequest(ann, "Content-Disposition : form-data; name=\"ssn\"\r\n\r\nCanary7q")},
		{name: "multipart: an underscore in the header", sent: multipartRequest(ann, "Content_Disposition: form-data; name=\"ssn\"\r\n\r\nCanary7q")},
		{name: "multipart: a line that is no header", sent: multipartRequest(ann, "nonsense\r\n"+ssn)},
		{name: "multipart: a folded disposition", sent: multipartRequest(ann, "Content-Disposition: form-data;\r\n name=\"ssn\"\r\n\r\nCanary7q")},
		{name: "multipart: a name that is folded in", sent: multipartRequest("Content-Disposition: form-data; name=\"name\"\r\n\t; name=\"ssn\"\r\n\r\nCanary7q")},
		{name: "multipart: a folded header before", sent: multipartRequest(ann, "X-A: 1\r\n "+ssn)},
		{name: "multipart: an empty line that is not empty", sent: multipartRequest(ann, "X-A: 1\r\n \r\n"+ssn)},
		{name: "multipart: a large header", sent: multipartRequest(ann, "X-A: "+strings.Repeat("a", 5000)+"\r\n"+ssn)},
		{name: "multipart: many headers", sent: multipartRequest(ann, many("X-%d: 1\r\n", 40)+ssn)},
		{name: "multipart: many parts", sent: multipartRequest(strings.Repeat(part(`name="x"`, "1")+"\r\n--b\r\n", 1100) + ssn)},
		{name: "multipart: nine hundred parts", sent: multipartRequest(strings.Repeat(part(`name="x"`, "1")+"\r\n--b\r\n", 900) + ssn)},
		{name: "multipart: behind a mebibyte", sent: multipartRequest(part(`name="photo"; filename="a"`, strings.Repeat("a", 1200<<10)), ssn)},
		{name: "multipart: in the midst of a mebibyte", sent: multipartRequest(part(`name="photo"; filename="a"`, strings.Repeat("a", 600<<10)), ssn, part(`name="x"; filename="a"`, strings.Repeat("a", 600<<10)), ann)},
		{name: "multipart: behind a mebibyte, then broken", sent: rawMultipart("--b\r\n" + part(`name="photo"; filename="a"`, strings.Repeat("a", 1200<<10)) + "\r\n--b\r\n" + ssn)},

		// Transfer encodings are decoded by some.
		{name: "multipart: base64", sent: multipartRequest(ann, "Content-Transfer-Encoding: base64\r\n"+part(`name="ssn"`, coded))},
		{name: "multipart: quoted-printable", sent: multipartRequest(ann, "Content-Transfer-Encoding: quoted-printable\r\n"+part(`name="ssn"`, "Can=\r\nary7q"))},
		{name: "multipart: a delimiter in quoted-printable", carrier: "name", sent: multipartRequest("Content-Transfer-Encoding: quoted-printable\r\n" + part(`name="name"`, "Ann=0D=0A--b=0D=0A"+strings.ReplaceAll(ssn, "=", "=3D")))},
		{name: "multipart: two transfer encodings", sent: multipartRequest(ann, "Content-Transfer-Encoding: 7bit\r\nContent-Transfer-Encoding: base64\r\n"+part(`name="ssn"`, coded))},
		{name: "multipart: a content coding of a part", sent: multipartRequest(ann, "Content-Encoding: gzip\r\n"+part(`name="ssn"`, gzipped("Canary7q"))), unseen: true},
		{name: "multipart: a length of a part", sent: multipartRequest("Content-Length: 3\r\n"+part(`name="name"`, "Ann"), "Content-Length: 2\r\n"+ssn)},
		// A length that lies hides a delimiter from those who believe it.
		{name: "multipart: a length that covers the next part", carrier: "name", sent: multipartRequest("Content-Length: 200\r\n"+ann, ssn)},

		// Charsets.
		{name: "multipart: _charset_", sent: multipartRequest(part(`name="_charset_"`, "utf-16le"), part(`name="ssn"`, "C\x00a\x00n\x00a\x00r\x00y\x007\x00q\x00"), ssn)},
		{name: "multipart: a part in UTF-16", sent: multipartRequest(ann, "Content-Type: text/plain; charset=utf-16le\r\n"+part(`name="ssn"`, utf16(unicode.LittleEndian, unicode.IgnoreBOM, "Canary7q")))},
		{name: "multipart: a part in UTF-7", sent: multipartRequest(ann, "Content-Type: text/plain; charset=utf-7\r\n"+part(`name="ssn"`, "+AEM-anary7q"))},
		{name: "multipart: a kept part in UTF-7", carrier: "name", sent: multipartRequest("Content-Type: text/plain; charset=utf-7\r\n" + part(`name="name"`, "Ann+ACY-ssn+AD0-Canary7q")), unseen: true},
		{name: "multipart: a part of JSON", sent: multipartRequest(ann, "Content-Type: application/json\r\n"+part(`name="ssn"`, `{"ssn":"Canary7q"}`))},
		{name: "multipart: a kept part of JSON", carrier: "name", sent: multipartRequest("Content-Type: application/json\r\n" + part(`name="name"`, `{"ssn":"Canary7q"}`)), unseen: true},
		{name: "multipart: a part of a form", beyond: "express-any-form", carrier: "name", sent: multipartRequest("Content-Type: application/x-www-form-urlencoded\r\n" + part(`name="name"`, "a&ssn=Canary7q"))},

		// File names go on: they must not be read as more than that.
		{name: "multipart: a name in a file's name", carrier: "photo", sent: multipartRequest(ann, part(`name="photo"; filename="a; name=ssn"`, "Canary7q"))},
		{name: "multipart: a quoted name in a file's name", carrier: "photo", sent: multipartRequest(ann, part(`name="photo"; filename="a; name='ssn'; b"`, "Canary7q"))},
		{name: "multipart: a name in an escaped file's name", carrier: "photo", sent: multipartRequest(ann, part(`name="photo"; filename*=utf-8''a%3b%20name%3dssn%3b%20x%3d`, "Canary7q")), unseen: true},
		{name: "multipart: quotes in an escaped file's name", carrier: "photo", sent: multipartRequest(ann, part(`name="photo"; filename*=utf-8''a%22%3b%20name%3d%22ssn`, "Canary7q")), unseen: true},
		{name: "multipart: a line in an escaped file's name", carrier: "photo", sent: multipartRequest(ann, part(`name="photo"; filename*=utf-8''a%0d%0aContent-Disposition:%20form-data;%20name=ssn`, "Canary7q"))},
		{name: "multipart: a name in a file's name before the name", carrier: "photo", sent: multipartRequest(ann, part(`filename="a; name=ssn; x"; name="photo"`, "Canary7q"))},
		{name: "multipart: a backslash before a file's last quote", carrier: "photo", sent: multipartRequest(ann, part(`name="photo"; filename="a\"; name="ssn"`, "Canary7q"))},
		// File names may contain backslashes: whichever quote ends one, no other
		// name may follow.
		{name: "multipart: a name behind an escaped quote", carrier: "photo", sent: multipartRequest(ann, part(`name="photo"; filename="a\"; name=\"ssn"`, "Canary7q")), unseen: true},
		{name: "multipart: a name between escaped quotes", carrier: "photo", sent: multipartRequest(ann, part(`name="photo"; filename="a\"; name=ssn; x=\"b"`, "Canary7q"))},
		{name: "multipart: a name behind an escaped quote before the name", carrier: "photo", sent: multipartRequest(ann, part(`filename="a\"; name=ssn; x="; name="photo"`, "Canary7q"))},
		{name: "multipart: a name behind an escaped backslash", sent: multipartRequest(ann, part(`filename="a\\"; name="ssn"`, "Canary7q"))},
		{name: "multipart: a name behind a path", carrier: "photo", sent: multipartRequest(ann, part(`name="photo"; filename="C:\dir\"; name="ssn"`, "Canary7q"))},
		{name: "multipart: a name behind the size of a file", sent: multipartRequest(ann, part(`name="photo"; filename="a"; size=8; name="ssn"`, "Canary7q"))},
		{name: "multipart: a file's name that is extended", carrier: "photo", sent: multipartRequest(ann, part(`name="photo"; filename="a; name*=utf-8''ssn"`, "Canary7q")), unseen: true},
		{name: "multipart: a file's name with a header", carrier: "photo", sent: multipartRequest(ann, part(`name="photo"; filename="Content-Disposition: form-data; name=ssn"`, "Canary7q")), unseen: true},
		{name: "multipart: a bare name in a file's name", carrier: "photo", sent: multipartRequest(ann, part(`name="photo"; filename="a, name=ssn"`, "Canary7q"), part(`name="photo"; filename="name=ssn"`, "Canary7q")), unseen: true},
		{name: "multipart: two names of a file", sent: multipartRequest(part(`name="name"; filename="a"; filename=""`, "Canary7q"), ssn)},
		{name: "multipart: a file's name in two spellings", sent: multipartRequest(part(`name="ssn"; filename="a"; filename*=utf-8''b`, "Canary7q"))},
		{name: "multipart: a file's name without a value", sent: multipartRequest(ann, part(`name="ssn"; filename`, "Canary7q"))},
		{name: "multipart: the type of a file that holds a name", carrier: "photo", sent: multipartRequest(ann, "Content-Type: text/plain; name=ssn\r\n"+part(`name="photo"; filename="a"`, "Canary7q")), unseen: true},
		{name: "multipart: a form in a file", carrier: "photo", sent: multipartRequest(ann, part(`name="photo"; filename="a"`, "\n--b\n"+ssn+"\n--b--\n"))},
		{name: "multipart: a form with our framing in a file", carrier: "photo", sent: multipartRequest(ann, part(`name="photo"; filename="a"`, "\r\n--\r\n"+ssn+"\r\n----\r\n")), unseen: true},
		// Who reads any body as a form finds pairs in what is free to hold them.
		{name: "multipart: pairs in a file", beyond: "express-any-form", carrier: "photo", sent: multipartRequest(ann, part(`name="photo"; filename="a"`, "&ssn=Canary7q&"))},
		{name: "multipart: pairs in a field", beyond: "express-any-form", carrier: "name", sent: multipartRequest(part(`name="name"`, "&ssn=Canary7q&"))},
	}
}
