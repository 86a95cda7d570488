//go:build unix

package frameworks_test

import (
	"strings"

	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/unicode"
)

// jsonRequest submits body as JSON.
func jsonRequest(body string) []byte {
	return request("POST /checkout", "Content-Type: application/json\r\n", body)
}

// jsonOf submits body as JSON whose type has parameters.
func jsonOf(contentType, body string) []byte {
	return request("POST /checkout", "Content-Type: "+contentType+"\r\n", body)
}

func utf16(order unicode.Endianness, bom unicode.BOMPolicy, text string) string {
	coded, _ := unicode.UTF16(order, bom).NewEncoder().String(text)
	return coded
}

func utf32(text string) string {
	var b strings.Builder
	for i := range len(text) {
		b.WriteString("\x00\x00\x00" + text[i:i+1])
	}
	return b.String()
}

func ebcdic(text string) string {
	coded, _ := charmap.CodePage037.NewEncoder().String(text)
	return coded
}

// jsonAttacks are against internal/submission/RULES.md, "JSON".
func jsonAttacks() []attack {
	const body = `{"name":"Ann","ssn":"Canary7q"}`
	return []attack{
		// Nobody declares the field: only declared data passes.
		{name: "json: an undeclared member", sent: jsonRequest(body)},
		{name: "json: an undeclared name", sent: jsonRequest(`{"name":"Ann","Canary7q":1}`)},
		{name: "json: an undeclared member first", sent: jsonRequest(`{"ssn":"Canary7q","name":"Ann"}`)},
		{name: "json: undeclared at the end of deep ones", sent: jsonRequest(`{"a":{"b":[[[{"c":{}}]]],"ssn":"Canary7q"},"name":"Ann"}`)},
		{name: "json: undeclared in a declared object", sent: jsonRequest(`{"address":{"city":"Rome","ssn":"Canary7q"}}`)},
		{name: "json: undeclared in a declared element", sent: jsonRequest(`{"items":[{"sku":"1"},{"sku":"2","ssn":"Canary7q"}]}`)},
		// A name under "**" that some parser takes for a literal sibling's.
		{name: "json: a sibling in capitals", sent: request("POST /prefs", "Content-Type: application/json\r\n", `{"name":"Ann","SSN":"Canary7q"}`)},
		{name: "json: a sibling with an underscore", sent: request("POST /prefs", "Content-Type: application/json\r\n", `{"s_sn":"Canary7q"}`)},
		{name: "json: a sibling with a long s", sent: request("POST /prefs", "Content-Type: application/json\r\n", `{"\u017fsn":"Canary7q"}`)},
		{name: "json: a sibling below", sent: request("POST /prefs", "Content-Type: application/json\r\n", `{"more":{"Ssn":"Canary7q"}}`)},
		{name: "json: a prototype", sent: request("POST /prefs", "Content-Type: application/json\r\n", `{"more":{"__proto__":{"x":"Canary7q"}}}`)},
		{name: "json: a constructor", sent: request("POST /prefs", "Content-Type: application/json\r\n", `{"constructor":{"prototype":{"x":"Canary7q"}}}`)},
		{name: "json: a sibling in a form", sent: request("POST /prefs", formType, "SSN=Canary7q&more[SSN]=Canary7q&more[__proto__][x]=Canary7q")},
		// Bottle reads any body as a form: no "=" may part it.
		{name: "json: an equals sign in a value", carrier: "comment", sent: jsonRequest(`{"comment":"\nssn=Canary7q"}`), unseen: true},
		// No duplicate name at any depth: readers disagree on which counts.
		{name: "json: a duplicate of the declared name, last", sent: jsonRequest(`{"name":"Ann","name":{"ssn":"Canary7q"}}`)},
		{name: "json: a duplicate of the declared name, first", sent: jsonRequest(`{"name":{"ssn":"Canary7q"},"name":"Ann"}`), unseen: true},
		{name: "json: a duplicate of the forbidden name", sent: jsonRequest(`{"ssn":"1","ssn":"Canary7q","name":"Ann"}`)},
		{name: "json: a duplicate object", sent: jsonRequest(`{"address":{"city":"Rome"},"address":{"ssn":"Canary7q"}}`)},
		{name: "json: a duplicate in an element", sent: jsonRequest(`{"items":[{"sku":"1","sku":{"ssn":"Canary7q"}}]}`)},
		{name: "json: a duplicate that is spelled with an escape", sent: jsonRequest(`{"name":"Ann","n\u0061me":{"ssn":"Canary7q"}}`)},
		{name: "json: a duplicate among what is stripped", sent: jsonRequest(`{"x":{"ssn":1,"ssn":"Canary7q"},"name":"Ann"}`)},
		// Names are compared after unescaping.
		{name: "json: the name with escapes", sent: jsonRequest(`{"name":"Ann","\u0073\u0073\u006e":"Canary7q"}`)},
		{name: "json: the name with an escaped slash", sent: jsonRequest(`{"name":"Ann","ssn\/":"Canary7q"}`)},
		{name: "json: the value with escapes", sent: jsonRequest(`{"name":"Ann","ssn":"\u0043\u0061nary7q"}`)},
		// encoding/json finds a field without regard to case, and folds ſ to s.
		{name: "json: the name in capitals", sent: jsonRequest(`{"name":"Ann","SSN":"Canary7q"}`)},
		{name: "json: the name with a long s", sent: jsonRequest(`{"name":"Ann","ſſn":"Canary7q"}`)},
		{name: "json: the declared name in capitals", sent: jsonRequest(`{"name":"Ann","NAME":"Canary7q"}`)},
		{name: "json: the declared name with a space", sent: jsonRequest(`{"name":"Ann","name ":"Canary7q"}`)},
		{name: "json: the declared name with a zero byte", sent: jsonRequest(`{"name":"Ann","name\u0000x":"Canary7q"}`)},
		// A leaf takes a scalar.
		{name: "json: an object for a scalar", sent: jsonRequest(`{"name":{"ssn":"Canary7q"}}`)},
		{name: "json: a list for a scalar", sent: jsonRequest(`{"name":["Canary7q"]}`)},
		{name: "json: objects in a list for a scalar", sent: jsonRequest(`{"name":[{"ssn":"Canary7q"}]}`)},
		{name: "json: an object for an element", sent: jsonRequest(`{"tags":[{"ssn":"Canary7q"}]}`)},
		{name: "json: a list for an element", sent: jsonRequest(`{"tags":["a",["Canary7q"]]}`)},
		// `*` is an element of a list, not a member of an object.
		{name: "json: an object for a list", sent: jsonRequest(`{"items":{"ssn":{"sku":"Canary7q"}}}`)},
		{name: "json: an object with indexes for a list", sent: jsonRequest(`{"items":{"0":{"sku":"Canary7q"}}}`)},
		{name: "json: a star as a name", sent: jsonRequest(`{"items":{"*":{"sku":"Canary7q"}}}`)},
		{name: "json: a list for an object", sent: jsonRequest(`{"address":[{"city":"Canary7q"}]}`)},
		{name: "json: a null for an object, and an undeclared member", sent: jsonRequest(`{"address":null,"ssn":"Canary7q"}`)},
		{name: "json: a scalar for an object", sent: jsonRequest(`{"address":"Canary7q"}`)},
		// A key is compared whole: it is no path.
		{name: "json: a dotted name", sent: jsonRequest(`{"name":"Ann","address.ssn":"Canary7q"}`)},
		{name: "json: a dotted path of the policy", sent: jsonRequest(`{"address.city":"Canary7q"}`)},
		{name: "json: a path with an index", sent: jsonRequest(`{"items.0.sku":"Canary7q"}`)},
		{name: "json: a bracketed name", sent: jsonRequest(`{"address[city]":"Canary7q"}`)},
		{name: "json: a bracketed list", sent: jsonRequest(`{"tags[]":"Canary7q"}`)},
		{name: "json: brackets of another name", sent: jsonRequest(`{"name[ssn]":"Canary7q"}`)},
		// Prototypes: a merge makes members of what they hold.
		{name: "json: __proto__", sent: jsonRequest(`{"name":"Ann","__proto__":{"ssn":"Canary7q"}}`)},
		{name: "json: constructor.prototype", sent: jsonRequest(`{"name":"Ann","constructor":{"prototype":{"ssn":"Canary7q"}}}`)},
		{name: "json: __proto__ in a declared object", sent: jsonRequest(`{"address":{"__proto__":{"ssn":"Canary7q"}}}`)},
		// One value, and nothing after it.
		{name: "json: a second value", sent: jsonRequest(`{"name":"Ann"}` + body), unseen: true},
		{name: "json: a second value on another line", sent: jsonRequest(body + "\n" + `{"name":"Ann"}`)},
		{name: "json: garbage after the value", sent: jsonRequest(body + `]`)},
		{name: "json: a zero byte after the value", sent: jsonRequest(body + "\x00")},
		{name: "json: a form after the value", sent: jsonRequest(`{"name":"Ann"}&ssn=Canary7q`)},
		// RFC 8259 to the letter.
		{name: "json: a comment", sent: jsonRequest(`{"name":"Ann"/*,*/,"ssn":"Canary7q"}`)},
		{name: "json: a line comment", sent: jsonRequest("{\"name\":\"Ann\",//\n\"ssn\":\"Canary7q\"}")},
		{name: "json: a hidden member in a comment", sent: jsonRequest(`{"name":"Ann"/*,"ssn":"Canary7q"*/}`), unseen: true},
		{name: "json: NaN", sent: jsonRequest(`{"name":NaN,"ssn":"Canary7q"}`)},
		{name: "json: Infinity", sent: jsonRequest(`{"name":-Infinity,"ssn":"Canary7q"}`)},
		{name: "json: single quotes", sent: jsonRequest(`{'name':'Ann','ssn':'Canary7q'}`), unseen: true},
		{name: "json: bare names", sent: jsonRequest(`{name:"Ann",ssn:"Canary7q"}`), unseen: true},
		{name: "json: a trailing comma", sent: jsonRequest(`{"name":"Ann","ssn":"Canary7q",}`), unseen: true},
		{name: "json: a control byte in a name", sent: jsonRequest("{\"name\":\"Ann\",\"s\tsn\":\"Canary7q\"}"), unseen: true},
		{name: "json: a leading zero", sent: jsonRequest(`{"name":01,"ssn":"Canary7q"}`), unseen: true},
		{name: "json: a vertical tab as white space", sent: jsonRequest("{\v\"ssn\":\"Canary7q\"}"), unseen: true},
		{name: "json: cut off", sent: jsonRequest(`{"ssn":"Canary7q"`), unseen: true},
		{name: "json: only the beginning of a string", sent: jsonRequest(`{"ssn":"Canary7q`), unseen: true},
		// UTF-8 only, and valid.
		{name: "json: a byte order mark", sent: jsonRequest("\uFEFF" + body)},
		{name: "json: bad UTF-8 before", sent: jsonRequest("{\"name\":\"\xff\",\"ssn\":\"Canary7q\"}")},
		{name: "json: overlong UTF-8 as a quote", sent: jsonRequest("{\"name\":\"\xc0\xa2,\xc0\xa2ssn\xc0\xa2:\xc0\xa2Canary7q\"}"), carrier: "name", unseen: true},
		{name: "json: a lone surrogate", sent: jsonRequest(`{"name":"\ud800","ssn":"Canary7q"}`)},
		{name: "json: a lone surrogate in the name", sent: jsonRequest(`{"name":"Ann","\udc00":"Canary7q"}`)},
		{name: "json: UTF-16 with a mark", sent: jsonRequest(utf16(unicode.LittleEndian, unicode.UseBOM, body))},
		{name: "json: UTF-16 LE, undeclared", sent: jsonRequest(utf16(unicode.LittleEndian, unicode.IgnoreBOM, body))},
		{name: "json: UTF-16 BE, undeclared", sent: jsonRequest(utf16(unicode.BigEndian, unicode.IgnoreBOM, body))},
		{name: "json: UTF-32 BE, undeclared", sent: jsonRequest(utf32(body))},
		{name: "json: UTF-16, declared", sent: jsonOf("application/json; charset=utf-16", utf16(unicode.BigEndian, unicode.UseBOM, body))},
		{name: "json: UTF-16 LE, declared", sent: jsonOf("application/json; charset=utf-16le", utf16(unicode.LittleEndian, unicode.IgnoreBOM, body))},
		{name: "json: UTF-32, declared", sent: jsonOf("application/json; charset=utf-32be", utf32(body))},
		{name: "json: UTF-7", sent: jsonOf("application/json; charset=utf-7", `+AHs-"ssn":"Canary7q"+AH0-`)},
		{name: "json: EBCDIC", sent: jsonOf("application/json; charset=cp037", ebcdic(body)), unseen: true},
		{name: "json: Latin-1, declared", sent: jsonOf("application/json; charset=iso-8859-1", body)},
		// Depth and counts are bounded, and the whole body is read or none of it.
		{name: "json: deep", sent: jsonRequest(strings.Repeat(`{"a":`, 200) + `{"ssn":"Canary7q"}` + strings.Repeat("}", 200))},
		{name: "json: deep, then the field", sent: jsonRequest(`{"a":` + strings.Repeat(`[`, 31) + strings.Repeat("]", 31) + `,"ssn":"Canary7q"}`)},
		{name: "json: behind a thousand members", sent: jsonRequest(`{` + strings.Repeat(`"a":{},`, 1) + many(`"m%d":0,`, 1100) + `"ssn":"Canary7q"}`)},
		{name: "json: behind a mebibyte", sent: jsonRequest(`{"name":"` + strings.Repeat("a", 1<<20) + `","ssn":"Canary7q"}`)},
		{name: "json: behind much white space", sent: jsonRequest(strings.Repeat(" ", 5000) + body)},
		{name: "json: a long number", sent: jsonRequest(`{"name":` + strings.Repeat("1", 60) + `,"ssn":"Canary7q"}`)},
		// The shape of the second is foretold from the first: it must not be believed.
		{name: "json: a shape that changes", sent: jsonRequest(`{"items":[{"sku":"1","ssx":2},{"sku":"1","ssn":"Canary7q"},{"ssn":"Canary7q","sku":"1"}]}`)},
		{name: "json: a shape that turns to another node", sent: jsonRequest(`{"extra":{"a":{"ssn":"x"}},"a":{"ssn":"Canary7q"},"name":"Ann"}`), carrier: "extra"},
		// Top-level scalars and lists.
		{name: "json: a list at the top", sent: jsonRequest(`["Canary7q"]`)},
		{name: "json: a list of objects at the top", sent: jsonRequest(`[{"name":"Ann","ssn":"Canary7q"}]`)},
		{name: "json: a string at the top", sent: jsonRequest(`"Canary7q"`)},
		{name: "json: a string that holds a form", sent: jsonRequest(`"name=Ann&ssn=Canary7q"`)},
		{name: "json: a list where objects are declared", sent: request("POST /list", "Content-Type: application/json\r\n", `[{"sku":1},{"ssn":"Canary7q"},[{"sku":"Canary7q"}]]`)},
		// Strings are written so that a parser of forms finds no separator in them.
		{name: "json: a form in a kept string", carrier: "name", sent: jsonRequest(`{"name":"Ann&ssn=Canary7q&x="}`)},
		{name: "json: a form with semicolons in a kept string", carrier: "name", sent: jsonRequest(`{"name":"Ann;ssn=Canary7q;x="}`), unseen: true},
		{name: "json: a form at the start of the body", carrier: "name", sent: jsonRequest(`{"name":"=&ssn=Canary7q"}`)},
		{name: "json: a form in a kept name", carrier: "extra", sent: jsonRequest(`{"extra":{"a&ssn=Canary7q&b":1}}`)},
		{name: "json: a multipart form in a kept string", carrier: "name", sent: jsonRequest(`{"name":"\r\n--b\r\nContent-Disposition: form-data; name=\"ssn\"\r\n\r\nCanary7q\r\n--b--"}`), unseen: true},
		{name: "json: JSON in a kept string", carrier: "name", sent: jsonRequest(`{"name":"\",\"ssn\":\"Canary7q"}`), unseen: true},
		{name: "json: an escaped form in a kept string", carrier: "name", sent: jsonRequest(`{"name":"%26ssn=Canary7q"}`), unseen: true},
	}
}
