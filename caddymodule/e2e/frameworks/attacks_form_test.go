//go:build unix

package frameworks_test

import (
	"strings"

	"golang.org/x/text/encoding/unicode"
)

const formType = "Content-Type: application/x-www-form-urlencoded\r\n"

// formRequest submits body as a form.
func formRequest(body string) []byte { return request("POST /checkout", formType, body) }

// formOf submits body as a form whose type has parameters.
func formOf(parameters, body string) []byte {
	return request("POST /checkout", "Content-Type: application/x-www-form-urlencoded"+parameters+"\r\n", body)
}

// formAttacks are against internal/submission/RULES.md, "Forms and queries".
func formAttacks() []attack {
	return []attack{
		// Only declared data passes.
		{name: "form: an undeclared field", sent: formRequest("name=Ann&ssn=Canary7q")},
		{name: "form: an undeclared field first", sent: formRequest("ssn=Canary7q&name=Ann")},
		{name: "form: an undeclared name", sent: formRequest("name=Ann&Canary7q=1")},
		{name: "form: an undeclared name without a value", sent: formRequest("name=Ann&Canary7q")},
		{name: "form: an empty name", sent: formRequest("name=Ann&=Canary7q")},
		{name: "form: empty pairs", sent: formRequest("&&name=Ann&&&ssn=Canary7q&")},
		{name: "form: two equals signs", sent: formRequest("name=Ann&ssn==Canary7q")},
		{name: "form: another case", sent: formRequest("name=Ann&NAME=Canary7q&Ssn=Canary7q")},
		{name: "form: white space about the name", sent: formRequest("+name=Canary7q&name+=Canary7q&%09name=1")},
		{name: "form: leading white space that PHP cuts", sent: formRequest("name=Ann&+ssn=Canary7q")},
		{name: "form: line breaks", carrier: "name", sent: formRequest("name=Ann\r\nssn=Canary7q\r\n"), unseen: true},
		{name: "form: a line break after a pair", sent: formRequest("name=Ann&\r\nssn=Canary7q")},
		// The escapes of names are undone before they are compared.
		{name: "form: an escaped name", sent: formRequest("name=Ann&%73%73%6e=Canary7q")},
		{name: "form: an escaped value", sent: formRequest("name=Ann&ssn=%43anary7%71")},
		{name: "form: a name that is escaped twice", sent: formRequest("name=Ann&%2573sn=Canary7q")},
		{name: "form: escaped separators", carrier: "name", sent: formRequest("name=Ann%26ssn%3DCanary7q"), unseen: true},
		{name: "form: separators that are escaped twice", carrier: "name", sent: formRequest("name=Ann%2526ssn%253DCanary7q"), unseen: true},
		{name: "form: an escaped equals sign", sent: formRequest("name=Ann&ssn%3DCanary7q"), unseen: true},
		{name: "form: an escaped plus", sent: formRequest("name%2Bssn=Canary7q&name=Ann")},
		// `&` alone separates: `;` does in six frameworks.
		{name: "form: a semicolon between pairs", carrier: "name", sent: formRequest("name=Ann;ssn=Canary7q")},
		{name: "form: an escaped semicolon", carrier: "name", sent: formRequest("name=Ann%3Bssn=Canary7q"), unseen: true},
		{name: "form: semicolons only", sent: formRequest("a=1;ssn=Canary7q;name=Ann")},
		{name: "form: an HTML separator", sent: formRequest("name=Ann&amp;ssn=Canary7q")},
		// Percent-encoding is strict.
		{name: "form: a lone percent", sent: formRequest("name=100%&ssn=Canary7q")},
		{name: "form: half an escape", sent: formRequest("name=%4&ssn=Canary7q")},
		{name: "form: an escape of no digits", sent: formRequest("name=%zz&ssn=Canary7q")},
		{name: "form: a percent that takes a separator", sent: formRequest("name=%&ssn=Canary7q%")},
		{name: "form: an escape of 16 bits", sent: formRequest("%u0073sn=Canary7q&name=Ann")},
		{name: "form: a lone percent in the name", sent: formRequest("name=Ann&ssn%=Canary7q")},
		// UTF-8, and no control byte.
		{name: "form: overlong UTF-8", sent: formRequest("name=Ann&%c1%b3sn=Canary7q")},
		{name: "form: an overlong separator", carrier: "name", sent: formRequest("name=Ann%c0%a6ssn%c0%bdCanary7q"), unseen: true},
		{name: "form: bad UTF-8", sent: formRequest("name=%ff&ssn=Canary7q")},
		{name: "form: raw bad UTF-8", sent: formRequest("name=\xff&ssn=Canary7q")},
		{name: "form: a surrogate", sent: formRequest("name=%ed%a0%80&ssn=Canary7q")},
		{name: "form: a zero byte in a name", sent: formRequest("name%00=Canary7q&ssn%00x=Canary7q")},
		{name: "form: a zero byte in a value", sent: formRequest("name=Ann%00&ssn=Canary7q")},
		{name: "form: a raw zero byte", sent: formRequest("name=Ann\x00&ssn=Canary7q")},
		{name: "form: a byte order mark", sent: formRequest("\uFEFFssn=Canary7q&name=Ann")},
		{name: "form: full-width letters", sent: formRequest("name=Ann&%ef%bd%93%ef%bd%93%ef%bd%8e=Canary7q")},
		// PHP turns dot, space and an open bracket into an underscore.
		{name: "form: a dot", sent: formRequest("name=Ann&s.sn=Canary7q")},
		{name: "form: a space", sent: formRequest("name=Ann&s+sn=Canary7q")},
		{name: "form: an open bracket", sent: formRequest("name=Ann&s[sn=Canary7q")},
		{name: "form: a dotted path", sent: formRequest("address.ssn=Canary7q&name=Ann")},
		{name: "form: a dotted path that the policy spells", sent: formRequest("address.city=Canary7q&name=Ann")},
		{name: "form: dots below brackets", sent: formRequest("address[city.ssn]=Canary7q&items[0].ssn=Canary7q")},
		// A name cannot be a scalar and a branch at once.
		{name: "form: a branch below a scalar", sent: formRequest("name=x&name[ssn]=Canary7q")},
		{name: "form: a scalar above a branch", sent: formRequest("name[ssn]=Canary7q&name=x")},
		{name: "form: a branch below a declared scalar", sent: formRequest("name[ssn]=Canary7q")},
		{name: "form: a list below a declared scalar", sent: formRequest("name[]=Canary7q")},
		{name: "form: a list and a branch", sent: formRequest("name[]=x&name[ssn]=Canary7q")},
		{name: "form: a branch below a leaf", sent: formRequest("address[city][ssn]=Canary7q&name=Ann")},
		{name: "form: a leaf and a branch below it", sent: formRequest("address[city]=Rome&address[city][ssn]=Canary7q")},
		{name: "form: a scalar for an object", sent: formRequest("address=Canary7q&name=Ann")},
		{name: "form: a list for an object", sent: formRequest("address[]=Canary7q&name=Ann")},
		// Brackets that are not closed, or not opened.
		{name: "form: a bracket that is not closed", sent: formRequest("name[ssn=Canary7q")},
		{name: "form: a bracket that was not opened", sent: formRequest("name]=Canary7q&name=Ann")},
		{name: "form: a name in brackets", sent: formRequest("[name]=Canary7q&[ssn]=Canary7q")},
		{name: "form: text behind a bracket", sent: formRequest("address[city]ssn=Canary7q")},
		{name: "form: text between brackets", sent: formRequest("address[city]x[ssn]=Canary7q")},
		{name: "form: brackets in brackets", sent: formRequest("address[[ssn]]=Canary7q&address[city[ssn]]=Canary7q")},
		{name: "form: two open brackets", sent: formRequest("address[[city]=Canary7q")},
		{name: "form: only brackets", sent: formRequest("[]=Canary7q&name=Ann")},
		{name: "form: brackets first", sent: formRequest("[]name=Canary7q&name=Ann")},
		{name: "form: escaped brackets", sent: formRequest("address%5Bssn%5D=Canary7q")},
		{name: "form: brackets that are escaped twice", sent: formRequest("address%255Bcity%255D=Canary7q")},
		{name: "form: half escaped brackets", sent: formRequest("address[ssn%5D=Canary7q&address%5bssn]=Canary7q")},
		{name: "form: white space in brackets", sent: formRequest("address[+ssn]=Canary7q&address[city+]=Canary7q")},
		{name: "form: quotes in brackets", sent: formRequest("address['city']=Canary7q&address[\"ssn\"]=Canary7q")},
		{name: "form: deep brackets", sent: formRequest("name=Ann&a" + strings.Repeat("[b]", 60) + "=Canary7q")},
		{name: "form: deeper than qs looks", sent: formRequest("address[a][b][c][d][e][f][city]=Canary7q&name=Ann")},
		// Elements: an index is one, and so are empty brackets, of a list that is declared.
		{name: "form: an undeclared member of an element", sent: formRequest("items[0][sku]=1&items[0][ssn]=Canary7q")},
		{name: "form: an undeclared member of a new element", sent: formRequest("items[][sku]=1&items[][ssn]=Canary7q")},
		{name: "form: elements of two notations", sent: formRequest("items[][sku]=1&items[0][ssn]=Canary7q")},
		{name: "form: an element without its list", sent: formRequest("items[sku]=Canary7q&name=Ann")},
		{name: "form: a name for an index", sent: formRequest("items[ssn][sku]=Canary7q&name=Ann")},
		{name: "form: a negative index", sent: formRequest("items[-1][sku]=Canary7q&name=Ann")},
		{name: "form: an index with a zero before it", sent: formRequest("items[00][sku]=Canary7q&name=Ann")},
		{name: "form: an index of 19 digits", sent: formRequest("items[9223372036854775808][sku]=Canary7q&name=Ann")},
		{name: "form: an index in other digits", sent: formRequest("items[%d9%a1][sku]=Canary7q&name=Ann")},
		{name: "form: a star for an index", sent: formRequest("items[*][sku]=Canary7q&tags[*]=Canary7q")},
		{name: "form: a list in a list", sent: formRequest("tags[][]=Canary7q&name=Ann")},
		{name: "form: a member of an element", sent: formRequest("tags[0][ssn]=Canary7q&name=Ann")},
		{name: "form: a member of a list", sent: formRequest("tags[]=a&tags[ssn]=Canary7q")},
		{name: "form: a list of indexes for an element", sent: formRequest("items[0]=Canary7q&items[0][sku]=1")},
		{name: "form: a member of a leaf of an element", sent: formRequest("items[0][sku]=1&items[0][sku][ssn]=Canary7q")},
		{name: "form: commas for a list", sent: formRequest("name=Ann&ssn=a,Canary7q")},
		// Prototypes.
		{name: "form: __proto__", sent: formRequest("__proto__[ssn]=Canary7q&name=Ann")},
		{name: "form: __proto__ of a declared object", sent: formRequest("address[__proto__][ssn]=Canary7q&name=Ann")},
		{name: "form: constructor.prototype", sent: formRequest("constructor[prototype][ssn]=Canary7q&name=Ann")},
		{name: "form: the length of a list", sent: formRequest("tags[length]=Canary7q&name=Ann")},
		{name: "form: hasOwnProperty", sent: formRequest("hasOwnProperty=Canary7q&name=Ann")},
		// A subtree keeps what is in it, and no more.
		{name: "form: out of a subtree", carrier: "extra", sent: formRequest("extra[a]=1&extra][ssn]=Canary7q")},
		{name: "form: out of a subtree by a separator", carrier: "extra", sent: formRequest("extra[a]=1%26ssn%3DCanary7q;ssn=Canary7q")},
		{name: "form: a name in a subtree that parsers take apart", carrier: "extra", sent: formRequest("extra[a][b]c]=Canary7q&extra[a=Canary7q")},
		// A repeated scalar is refused: which counts is not agreed.
		{name: "form: a repeated scalar", sent: formRequest("ssn=1&ssn=Canary7q&name=Ann")},
		{name: "form: a declared scalar with two values", sent: formRequest("name=Ann&name=Canary7q")},
		{name: "form: the same value twice, and an undeclared one", sent: formRequest("name=Ann&name=Ann&ssn=Canary7q&ssn=Canary7q")},
		// An empty field before a list is left out; anything else beside a list is refused.
		{name: "form: an empty field before members of a list", sent: formRequest("tags=&tags[ssn]=Canary7q")},
		{name: "form: an empty field before lists in a list", sent: formRequest("tags=&tags[][ssn]=Canary7q&name=Ann")},
		{name: "form: a value before a list", sent: formRequest("tags=Canary7q&tags[]=a")},
		{name: "form: an empty field before an undeclared list", sent: formRequest("ssn=&ssn[]=Canary7q&name=Ann")},
		{name: "form: a repeated declared scalar and a list", sent: formRequest("name=Ann&name[0]=Canary7q")},
		// _charset_ tells some how to read the others; charset all of them.
		{name: "form: _charset_", sent: formRequest("_charset_=utf-16&ssn=Canary7q&name=Ann")},
		{name: "form: the canary as _charset_", sent: formRequest("_charset_=Canary7q&name=Ann")},
		{name: "form: qs' sentinel of a charset", sent: formRequest("utf8=%26%2310003%3B&ssn=%26%23x43%3Banary7q&ssn=Canary7q")},
		{name: "form: UTF-16, declared", sent: formOf("; charset=utf-16", utf16(unicode.LittleEndian, unicode.IgnoreBOM, "name=Ann&ssn=Canary7q"))},
		{name: "form: UTF-16, declared, of ASCII", sent: formOf("; charset=utf-16le", "%6e%00=Ann&s%00s%00n%00=C%00a%00n%00a%00r%00y%007%00q%00")},
		{name: "form: EBCDIC", sent: formOf("; charset=cp037", "%a2%a2%95=%c3%81%95%81%99%a8%f7%98&name=Ann")},
		{name: "form: UTF-7", sent: formOf("; charset=utf-7", "name=Ann&+AHMAcwBu-=Canary7q")},
		{name: "form: Latin-1", sent: formOf("; charset=iso-8859-1", "name=%e9&ssn=Canary7q")},
		{name: "form: a boundary", sent: formOf("; boundary=b", "name=Ann&ssn=Canary7q")},
		// Counts are bounded: what comes after the bound is refused, not let pass.
		{name: "form: behind two thousand pairs", sent: formRequest(many("a%d=&", 2100) + "ssn=Canary7q")},
		{name: "form: behind nine hundred pairs", sent: formRequest(many("a%d=&", 900) + "ssn=Canary7q")},
		{name: "form: behind a mebibyte", sent: formRequest("name=" + strings.Repeat("a", 1<<20) + "&ssn=Canary7q")},
		{name: "form: behind a long name", sent: formRequest(strings.Repeat("a", 300) + "=1&ssn=Canary7q")},
	}
}

// queryAttacks are the same on the query, which nine frameworks merge with
// the body.
func queryAttacks() []attack {
	search := func(query string) []byte { return request("GET /search?"+query, "", "") }
	post := func(query string) []byte { return request("POST /checkout?"+query, formType, "name=Ann") }
	return []attack{
		{name: "query: an undeclared field", sent: search("q=1&ssn=Canary7q")},
		{name: "query: an undeclared name", sent: search("q=1&Canary7q")},
		{name: "query: an escaped name", sent: search("q=1&%73sn=Canary7q")},
		{name: "query: a semicolon", carrier: "q", sent: search("q=1;ssn=Canary7q")},
		{name: "query: a second question mark", carrier: "q", sent: search("q=1?ssn=Canary7q"), unseen: true},
		{name: "query: a question mark first", sent: search("?ssn=Canary7q&q=1")},
		{name: "query: a fragment", carrier: "q", sent: search("q=1#&ssn=Canary7q")},
		{name: "query: brackets", sent: search("q[ssn]=Canary7q")},
		{name: "query: a scalar and a branch", sent: search("q=1&q[ssn]=Canary7q")},
		{name: "query: a dotted name", sent: search("q=1&s.sn=Canary7q")},
		{name: "query: __proto__", sent: search("q=1&__proto__[ssn]=Canary7q&__proto__.ssn=Canary7q")},
		{name: "query: bad percent-encoding", sent: search("q=%&ssn=Canary7q")},
		{name: "query: bad UTF-8", sent: search("q=%ff&ssn=Canary7q")},
		{name: "query: a zero byte", sent: search("q=1%00&ssn=Canary7q")},
		{name: "query: JSON", sent: search(`%7B%22ssn%22%3A%22Canary7q%22%7D`), unseen: true},
		{name: "query: words, as CGI knows them", sent: search("Canary7q+ssn")},
		{name: "query: of a HEAD", sent: request("HEAD /search?q=1&ssn=Canary7q", "", ""), unseen: true},
		// Query and body are filtered together.
		{name: "query: on a form", sent: post("ssn=Canary7q")},
		{name: "query: on a form, a branch of a field of the body", sent: post("name[ssn]=Canary7q")},
		{name: "query: on a form, the field of the body", sent: post("name=Bob&ssn=Canary7q")},
		{name: "query: on a form, an override of the method", sent: post("_method=PUT&ssn=Canary7q")},
		{name: "query: on JSON", sent: request("POST /checkout?ssn=Canary7q", "Content-Type: application/json\r\n", `{"name":"Ann"}`)},
		{name: "query: on nothing", sent: request("POST /checkout?ssn=Canary7q", "Content-Length: 0\r\n", "")},
		{name: "query: on an empty body without a length", sent: request("POST /checkout?ssn=Canary7q", "", "")},
		{name: "query: on an empty chunked body", sent: request("POST /checkout?ssn=Canary7q", "Transfer-Encoding: chunked\r\n"+formType, "0\r\n\r\n")},
		{name: "query: on a PUT", sent: request("PUT /checkout?ssn=Canary7q", "", "")},
		{name: "query: on a DELETE that nobody declares", sent: request("DELETE /checkout?ssn=Canary7q", "", "")},
		{name: "query: on a route that nobody declares", sent: request("POST /other?ssn=Canary7q", formType, "name=Ann")},
		{name: "query: on a method that nobody knows", sent: request("BREW /checkout?ssn=Canary7q", "", "")},
	}
}
