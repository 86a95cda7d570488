//go:build unix

package frameworks_test

// openAttacks are on names that the policy does not spell, on declared numbers
// and on booleans: internal/submission/RULES.md, "Fields" and "form/names".
func openAttacks() []attack {
	form := func(body string) []byte { return request("POST /open", formType, body) }
	json := func(body string) []byte { return request("POST /open", "Content-Type: application/json\r\n", body) }
	return []attack{
		// A wildcard matches whole names of the bytes that it spells.
		{name: "open: a name beside", sent: form("row-0-sku=1&row-0-ssn=Canary7q")},
		{name: "open: more before and behind", sent: form("xrow-0-sku=Canary7q&row-0-skux=Canary7q&row-x-sku=Canary7q")},
		{name: "open: a branch below", sent: form("row-0-sku=1&row-1-sku[ssn]=Canary7q")},
		{name: "open: a dot that PHP turns into a sign of ours", sent: form("opt.colour=Canary7q&name=Ann")},
		{name: "open: a space that PHP turns into a sign of ours", sent: form("opt+colour=Canary7q&name=Ann")},
		{name: "open: a bracket that PHP turns into a sign of ours", sent: form("opt[colour=Canary7q&name=Ann")},
		{name: "open: a long name", sent: form("opt_" + many("a%d", 40) + "=Canary7q")},
		{name: "open: the prototype", sent: form("map[__proto__][sku]=Canary7q&map[constructor][sku]=Canary7q&name=Ann")},
		{name: "open: the prototype in JSON", sent: json(`{"map":{"__proto__":{"sku":"Canary7q"},"prototype":{"sku":"Canary7q"}}}`)},
		{name: "open: deeper than the wildcard", sent: form("map[a][sku][ssn]=Canary7q&map[a][ssn]=Canary7q")},
		{name: "open: deeper than the wildcard in JSON", sent: json(`{"map":{"a":{"sku":{"ssn":"Canary7q"},"ssn":"Canary7q"}}}`)},
		// What folds to a sibling is no other name: nobody consented to the sibling.
		{name: "open: another case of a sibling", sent: form("opt_SSN=Canary7q&OPT_ssn=Canary7q&name=Ann")},
		{name: "open: a hyphen for an underscore", sent: form("map[first-one][sku]=Canary7q&name=Ann")},
		{name: "open: a sibling without its underscore", sent: json(`{"map":{"firstOne":{"sku":"Canary7q"}},"opt_Ssn":"Canary7q"}`)},
		{name: "open: the sibling", sent: form("opt_ssn=Canary7q&map[first_one][sku]=Canary7q")},
		// PHP gives [] the number after the highest one.
		{name: "open: the next number", sent: form("answers[1]=a&answers[]=Canary7q")},
		{name: "open: another number", sent: form("answers[1]=a&answers[3]=Canary7q&answers[01]=Canary7q")},
		{name: "open: an element before those that are declared", sent: json(`{"answers":["Canary7q","a","b","Canary7q"]}`)},
		// A hidden no and its box are one answer; a third value is none.
		{name: "open: a third value of a boolean", sent: form("agree=0&agree=1&agree=Canary7q")},
		{name: "open: a value beside a box", sent: form("agree=Canary7q&agree=1")},
		{name: "open: a list for a boolean", sent: form("agree[]=Canary7q&name=Ann")},
		// White space is removed before a type is checked, not with what is in it.
		{name: "open: white space about no address", sent: form("mail=+Canary7q+&name=Ann"), unseen: true},
		{name: "open: a line end in an address", sent: json(`{"mail":"a@b.example\nCanary7q"}`), unseen: true},
		// Only what is declared passes of a JSON text. The frameworks do not look into it, applications do.
		{name: "open: an undeclared member of a text", sent: form(`settings={"theme":"dark","ssn":"Canary7q"}&name=Ann`), unseen: true},
		{name: "open: a name twice in a text", sent: form(`settings={"theme":"dark","theme":{"ssn":"Canary7q"}}&name=Ann`), unseen: true},
		{name: "open: a name twice in a text, once escaped", sent: form(`settings={"theme":"dark","\u0074heme":{"ssn":"Canary7q"}}&name=Ann`), unseen: true},
		{name: "open: a second value behind a text", sent: form(`settings={"theme":"dark"}{"ssn":"Canary7q"}&name=Ann`), unseen: true},
		{name: "open: a text that is none", sent: form("settings=Canary7q&name=Ann")},
		{name: "open: a text in a string", sent: json(`{"settings":"{\"theme\":\"dark\",\"ssn\":\"Canary7q\"}"}`), unseen: true},
		{name: "open: an object for a text", sent: json(`{"settings":{"theme":{"ssn":"Canary7q"}},"name":"Ann"}`)},
		{name: "open: a part that is a text", sent: request("POST /open", "Content-Type: multipart/form-data; boundary=b\r\n", joined(
			"b", "Content-Disposition: form-data; name=\"settings\"\r\nContent-Type: application/json\r\n\r\n"+`{"theme":"dark","ssn":"Canary7q"}`, ann,
		))},
	}
}

// dotsAttacks are on names that nest with dots: internal/submission/RULES.md,
// "form/dotted-names".
func dotsAttacks() []attack {
	form := func(body string) []byte { return request("POST /dots", formType, body) }
	return []attack{
		{name: "dots: an undeclared member", sent: form("user.name=Ann&user.ssn=Canary7q&items[0].ssn=Canary7q")},
		{name: "dots: the brackets of others", sent: form("user[name]=Canary7q&user[ssn]=Canary7q")},
		{name: "dots: the brackets of others in a list", sent: form("items[0][sku]=Canary7q&items[][sku]=Canary7q&items[].sku=Canary7q")},
		{name: "dots: a member of a scalar", sent: form("user.name.ssn=Canary7q&user.name[ssn]=Canary7q")},
		{name: "dots: a scalar and a branch", sent: form("user.name=Ann&user.name.ssn=Canary7q")},
		{name: "dots: a quoted key, which Spring takes for a property", sent: form("user['ssn']=Canary7q&user[\"name\"]=Canary7q")},
		{name: "dots: empty segments", sent: form("user..name=Canary7q&.user.name=Canary7q&user.name.=Canary7q")},
		// Binders fill a list up to its index.
		{name: "dots: an index that grows a list", sent: form("items[100000].sku=Canary7q")},
		{name: "dots: an index with a zero before it", sent: form("items[00].sku=Canary7q&items[+1].sku=Canary7q")},
		{name: "dots: behind a bracket", sent: form("items[0]ssn=Canary7q&Scores[maths]ssn=Canary7q")},
		{name: "dots: another key than the policy spells", sent: form("Scores[7]=Canary7q&Scores[ssn.x]=Canary7q")},
		{name: "dots: a name that is dotted in JSON", sent: request("POST /dots", "Content-Type: application/json\r\n", `{"user.name":"Canary7q","user":{"ssn":"Canary7q"}}`)},
	}
}

// readAttacks are on routes that read other types, and on routes that pass whole:
// internal/submission/RULES.md, "raw/disguised-body".
func readAttacks() []attack {
	raw := func(body string) []byte {
		return request("POST /raw", "Content-Type: application/octet-stream\r\n", body)
	}
	text := func(body string) []byte { return request("POST /raw", "Content-Type: text/plain\r\n", body) }
	return []attack{
		// 35 of 42 frameworks read JSON under any type, some forms.
		{name: "read: JSON among bytes", sent: raw(forbiddenJSON)},
		{name: "read: JSON behind white space", sent: raw(" \r\n\t" + forbiddenJSON)},
		{name: "read: JSON behind a byte order mark", sent: raw("\uFEFF" + forbiddenJSON)},
		{name: "read: a list among bytes", sent: raw(`["Canary7q"]`)},
		{name: "read: a form among bytes", sent: raw(forbiddenForm)},
		{name: "read: a form whose first field is another", sent: raw("a=1&ssn=Canary7q")},
		{name: "read: a form behind bytes", sent: raw("\x00\x01&ssn=Canary7q")},
		{name: "read: parts among bytes", sent: raw(joined("b", ann, ssn)), unseen: true},
		{name: "read: the query of bytes", sent: request("POST /raw?ssn=Canary7q&name=Ann", "Content-Type: application/octet-stream\r\n", "\x00\x01")},
		{name: "read: JSON as a text", sent: text(forbiddenJSON)},
		{name: "read: a form as a text", sent: text(forbiddenForm)},
		{name: "read: JSON as a text, a name twice", sent: text(`{"name":"Ann","ssn":"Canary7q","name":"Bob"}`)},
		// A route passes whole under its own path and types alone.
		{name: "whole: another type", sent: request("POST /hook", "Content-Type: text/plain\r\n", forbiddenJSON)},
		{name: "whole: no type", sent: request("POST /hook", "", forbiddenJSON)},
		{name: "whole: another case of the path", sent: request("POST /Hook", "Content-Type: application/json\r\n", forbiddenJSON)},
		{name: "whole: another method", sent: request("PUT /hook", "Content-Type: application/json\r\n", forbiddenJSON)},
		{name: "whole: a slash behind the path", sent: request("POST /hook/", "Content-Type: application/json\r\n", forbiddenJSON)},
		{name: "whole: larger than it may be", sent: request("POST /hook", "Content-Type: application/json\r\n", `{"ssn":"Canary7q","a":"`+many("%07d", 10_000)+`"}`)},
	}
}
