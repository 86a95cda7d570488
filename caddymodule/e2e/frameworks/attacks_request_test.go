//go:build unix

package frameworks_test

import (
	"fmt"
	"strings"
)

// chunked frames a body as chunks, the first of one byte.
func chunked(body string) string {
	return fmt.Sprintf("1\r\n%s\r\n%x\r\n%s\r\n0\r\n\r\n", body[:1], len(body)-1, body[1:])
}

// framingAttacks are on how a request is framed, and on the headers that are
// for one connection only: internal/submission/RULES.md, "The request".
func framingAttacks() []attack {
	const json = "Content-Type: application/json\r\n"
	const chunks = json + "Transfer-Encoding: chunked\r\n"
	post := func(headers, body string) []byte { return request("POST /checkout", headers, body) }
	clean := request("POST /checkout", json, `{"name":"Ann"}`)
	return []attack{
		{name: "framing: chunks", sent: post(chunks, chunked(forbiddenJSON))},
		{name: "framing: chunks of a form", sent: post(formType+"Transfer-Encoding: chunked\r\n", chunked(forbiddenForm))},
		{name: "framing: chunks of parts", sent: post("Content-Type: multipart/form-data; boundary=b\r\nTransfer-Encoding: chunked\r\n", chunked(joined("b", ann, ssn)))},
		{name: "framing: extensions of chunks", sent: post(chunks, "e;ssn=Canary7q\r\n{\"name\":\"Ann\"}\r\n0;ssn=Canary7q\r\n\r\n"), unseen: true},
		// Trailers are dropped: some servers merge them into the headers.
		{name: "framing: a trailer", sent: post(chunks+"Trailer: Ssn\r\n", "e\r\n{\"name\":\"Ann\"}\r\n0\r\nSsn: Canary7q\r\n\r\n")},
		{name: "framing: a trailer that is not announced", sent: post(chunks, "e\r\n{\"name\":\"Ann\"}\r\n0\r\nSsn: Canary7q\r\n\r\n"), unseen: true},
		{name: "framing: a trailer, and TE", sent: post(chunks+"TE: trailers\r\nTrailer: Ssn\r\nConnection: TE\r\n", "e\r\n{\"name\":\"Ann\"}\r\n0\r\nSsn: Canary7q\r\n\r\n")},
		{name: "framing: a trailer of parts", sent: post("Content-Type: multipart/form-data; boundary=b\r\nTransfer-Encoding: chunked\r\nTrailer: Ssn\r\n", strings.TrimSuffix(chunked(joined("b", ann)), "\r\n")+"Ssn: Canary7q\r\n\r\n")},
		{name: "framing: a trailer of many parts", sent: post("Content-Type: multipart/form-data; boundary=b\r\nTransfer-Encoding: chunked\r\nTrailer: Ssn\r\n", strings.TrimSuffix(chunked(joined("b", ann, part(`name="photo"; filename="a"`, strings.Repeat("a", 10000)))), "\r\n")+"Ssn: Canary7q\r\n\r\n")},
		{name: "framing: a trailer of a request that nobody declares", sent: request("POST /other", chunks+"Trailer: Ssn\r\n", "e\r\n{\"name\":\"Ann\"}\r\n0\r\nSsn: Canary7q\r\n\r\n")},
		{name: "framing: a trailer of the type", carrier: "name", sent: post(chunks+"Trailer: Content-Type\r\n", strings.TrimSuffix(chunked(polyglot), "\r\n")+"Content-Type: application/x-www-form-urlencoded\r\n\r\n")},
		{name: "framing: chunked twice", sent: post(json+"Transfer-Encoding: chunked, chunked\r\n", chunked(forbiddenJSON)), unseen: true},
		{name: "framing: chunked in two headers", sent: post(chunks+"Transfer-Encoding: chunked\r\n", chunked(forbiddenJSON)), unseen: true},
		{name: "framing: identity", sent: post(json+"Transfer-Encoding: identity\r\nContent-Length: 31\r\n", forbiddenJSON), unseen: true},
		{name: "framing: chunked in capitals", sent: post(json+"Transfer-Encoding: Chunked\r\n", chunked(forbiddenJSON))},
		{name: "framing: a coding before chunked", sent: post(json+"Transfer-Encoding: foo, chunked\r\n", chunked(forbiddenJSON)), unseen: true},
		{name: "framing: a vertical tab before chunked", sent: post(json+"Transfer-Encoding: \vchunked\r\nContent-Length: 31\r\n", forbiddenJSON), unseen: true},
		{name: "framing: a length and chunks", sent: post(chunks+"Content-Length: 6\r\n", chunked(forbiddenJSON))},
		{name: "framing: a length and an underscore in chunked", sent: post(json+"Transfer_Encoding: chunked\r\nContent-Length: 31\r\n", forbiddenJSON)},
		{name: "framing: chunks that end in line feeds", sent: post(chunks, strings.ReplaceAll(chunked(forbiddenJSON), "\r\n", "\n")), unseen: true},
		{name: "framing: a size of a chunk with a sign", sent: post(chunks, "+1f\r\n"+forbiddenJSON+"\r\n0\r\n\r\n"), unseen: true},
		{name: "framing: chunks without an end", sent: post(chunks, strings.TrimSuffix(chunked(forbiddenJSON), "0\r\n\r\n")), cut: true, unseen: true},
		{name: "framing: two lengths", sent: post(json+"Content-Length: 31\r\nContent-Length: 14\r\n", forbiddenJSON), unseen: true},
		{name: "framing: one length twice", sent: post(json+"Content-Length: 31\r\nContent-Length: 31\r\n", forbiddenJSON)},
		{name: "framing: a list of lengths", sent: post(json+"Content-Length: 31, 31\r\n", forbiddenJSON), unseen: true},
		{name: "framing: a length with a sign", sent: post(json+"Content-Length: +31\r\n", forbiddenJSON), unseen: true},
		{name: "framing: a length of less", sent: post(formType+"Content-Length: 8\r\n", forbiddenForm), cut: true, unseen: true},
		{name: "framing: a length of more", sent: post(formType+"Content-Length: 80\r\n", forbiddenForm), cut: true, unseen: true},
		{name: "framing: a length of more, of JSON", sent: post(json+"Content-Length: 80\r\n", forbiddenJSON), cut: true, unseen: true},
		{name: "framing: a length of more, of parts", sent: post("Content-Type: multipart/form-data; boundary=b\r\nContent-Length: 80000\r\n", joined("b", ann, ssn)), cut: true, unseen: true},
		{name: "framing: no length", sent: []byte("POST /checkout HTTP/1.1\r\nHost: shop.example\r\n" + json + "\r\n" + forbiddenJSON), cut: true, unseen: true},
		{name: "framing: HTTP/1.0", sent: []byte("POST /checkout HTTP/1.0\r\nHost: shop.example\r\n" + json + "Content-Length: 31\r\n\r\n" + forbiddenJSON)},
		{name: "framing: HTTP/1.0 without a length", sent: []byte("POST /checkout HTTP/1.0\r\nHost: shop.example\r\n" + json + "\r\n" + forbiddenJSON), cut: true, unseen: true},
		{name: "framing: HTTP/1.0 in chunks", sent: []byte("POST /checkout HTTP/1.0\r\nHost: shop.example\r\n" + chunks + "\r\n" + chunked(forbiddenJSON)), unseen: true},
		{name: "framing: HTTP/0.9", sent: []byte("GET /search?q=1&ssn=Canary7q\r\n"), cut: true, unseen: true},
		{name: "framing: line feeds", sent: []byte("POST /checkout HTTP/1.1\nHost: shop.example\nContent-Type: application/json\nContent-Length: 31\n\n" + forbiddenJSON)},
		{name: "framing: an empty line first", sent: append([]byte("\r\n"), post(json, forbiddenJSON)...), unseen: true},
		{name: "framing: a header that is folded", sent: post("X-A: b\r\n Content-Type: text/plain\r\n"+json, forbiddenJSON)},
		{name: "framing: Expect", sent: post(json+"Expect: 100-continue\r\n", forbiddenJSON)},
		{name: "framing: Expect something else", sent: post(json+"Expect: 100-continue, x\r\n", forbiddenJSON)},
		{name: "framing: a pipeline", sent: append(clean, post(json, forbiddenJSON)...), more: 1},
		{name: "framing: a pipeline behind a refused one", sent: append(post("Content-Type: text/plain\r\n", "x"), post(json, forbiddenJSON)...), more: 1},
		{name: "framing: a pipeline behind a GET", sent: append(request("GET /", "", ""), post(json, forbiddenJSON)...), more: 1},
		{name: "framing: a request in the body of a GET", sent: request("GET /", "", string(post(json, forbiddenJSON))), unseen: true},
		{name: "framing: a request in the chunks of a GET", sent: request("GET /", "Transfer-Encoding: chunked\r\n", chunked(string(post(json, forbiddenJSON)))), unseen: true},
		// Connection, and every header that it names, is removed before the filter.
		{name: "connection: the type", sent: post(json+"Connection: content-type\r\n", forbiddenJSON)},
		{name: "connection: the type of a form", sent: post(formType+"Connection: close, Content-Type\r\n", forbiddenForm)},
		{name: "connection: the type that hides another", carrier: "name", sent: post("Connection: content-type\r\n"+json, polyglot)},
		{name: "connection: the length", sent: post(json+"Connection: content-length\r\n", forbiddenJSON)},
		{name: "connection: the transfer encoding", sent: post(chunks+"Connection: transfer-encoding\r\n", chunked(forbiddenJSON))},
		{name: "connection: the coding", sent: post(json+"Content-Encoding: foo\r\nConnection: content-encoding\r\n", forbiddenJSON)},
		{name: "connection: the coding that is none", sent: post(json+"Content-Encoding: gzip\r\nConnection: content-encoding\r\n", forbiddenJSON)},
		{name: "connection: the host", sent: post(json+"Connection: host\r\n", forbiddenJSON)},
		{name: "connection: two headers", sent: post(json+"Connection: keep-alive\r\nConnection: content-type\r\n", forbiddenJSON)},
		{name: "connection: Proxy-Connection", sent: post(json+"Proxy-Connection: content-type\r\n", forbiddenJSON)},
		{name: "connection: a receipt of ours", sent: post(json+"Privacy-Receipt: 1\r\nConnection: privacy-receipt\r\n", forbiddenJSON)},
		{name: "connection: an upgrade with a body", sent: post(json+"Connection: Upgrade\r\nUpgrade: websocket\r\n", forbiddenJSON)},
		{name: "connection: an upgrade with a query", sent: request("GET /search?q=1&ssn=Canary7q", "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n", "")},
		{name: "connection: an offer of h2c with a body", sent: post(json+"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA\r\n", forbiddenJSON)},
		{name: "connection: CONNECT", sent: []byte("CONNECT shop.example:80 HTTP/1.1\r\nHost: shop.example\r\n\r\n" + string(post(json, forbiddenJSON))), more: 1},
	}
}

// methodAttacks: a body is filtered whatever the method; 36 frameworks read
// JSON on GET. Who overrides the method must not reach another collection.
func methodAttacks() []attack {
	const json = "Content-Type: application/json\r\n"
	var list []attack
	for _, method := range []string{"GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND", "QUERY"} {
		// The answer to a HEAD has no body to tell.
		unseen := method == "HEAD"
		list = append(
			list,
			attack{name: "method: " + method + " with JSON", sent: request(method+" /checkout", json, forbiddenJSON), unseen: unseen},
			attack{name: "method: " + method + " with a form", sent: request(method+" /checkout", formType, forbiddenForm), unseen: unseen},
			attack{name: "method: " + method + " with parts", sent: request(method+" /checkout", "Content-Type: multipart/form-data; boundary=b\r\n", joined("b", ann, ssn)), unseen: unseen},
			attack{name: "method: " + method + " with chunks", sent: request(method+" /search", json+"Transfer-Encoding: chunked\r\n", chunked(forbiddenJSON)), unseen: unseen},
			attack{name: "method: " + method + " without a type", sent: request(method+" /search", "", forbiddenForm), unseen: unseen},
		)
	}
	// A POST of a profile may hold the field, a PUT may not.
	profile := func(query, headers, body string) []byte {
		return request("POST /profile"+query, headers+formType, body)
	}
	const allowed = "name=Ann&ssn=Canary7q"
	for _, header := range []string{"X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override", "x-http-method-OVERRIDE", "X_HTTP_METHOD_OVERRIDE"} {
		name := "method: overridden by " + header
		list = append(list, attack{name: name, method: "POST", sent: profile("", header+": PUT\r\n", allowed), unseen: header == "X-Method-Override" || header == "X_HTTP_METHOD_OVERRIDE"})
	}
	return append(
		list,
		attack{name: "method: overridden by a field", method: "POST", sent: profile("", "", allowed+"&_method=PUT")},
		attack{name: "method: overridden by a field in lower case", method: "POST", sent: profile("", "", "_method=put&"+allowed)},
		attack{name: "method: overridden by a field to DELETE", method: "POST", sent: profile("", "", allowed+"&_method=DELETE")},
		attack{name: "method: overridden by the query", method: "POST", sent: profile("?_method=PUT", "", allowed)},
		attack{name: "method: overridden by the query and the body", method: "POST", sent: profile("?_method=PUT", "", allowed+"&_method=POST"), unseen: true},
		attack{name: "method: overridden by the body and not by the query", method: "POST", sent: profile("?_method=POST", "", allowed+"&_method=PUT")},
		attack{name: "method: overridden by two fields", method: "POST", sent: profile("", "", allowed+"&_method=POST&_method=PUT")},
		attack{name: "method: overridden by a list", method: "POST", sent: profile("", "", allowed+"&_method[]=PUT")},
		attack{name: "method: overridden by an escaped field", method: "POST", sent: profile("", "", allowed+"&%5fmethod=%50UT")},
		attack{name: "method: overridden by JSON", method: "POST", sent: request("POST /profile", json, `{"ssn":"Canary7q","_method":"PUT"}`)},
		attack{name: "method: overridden by escaped JSON", method: "POST", sent: request("POST /profile", json, `{"ssn":"Canary7q","\u005fmethod":"\u0050UT"}`)},
		attack{name: "method: overridden by a part", method: "POST", sent: request("POST /profile", "Content-Type: multipart/form-data; boundary=b\r\n", joined("b", ssn, part(`name="_method"`, "PUT")))},
		attack{name: "method: overridden by a header on a GET", sent: request("GET /search?q=1&ssn=Canary7q", "X-HTTP-Method-Override: POST\r\n", "")},
	)
}

// pathAttacks spell a declared path otherwise. Applications may take it for
// the declared one; we do not know, so what it submits is not let pass.
func pathAttacks() []attack {
	var list []attack
	for _, path := range []string{
		"//checkout", "/./checkout", "/x/../checkout", "/checkout/", "/checkout//", "/checkout/.", "/checkout;x=1", "/;x=1/checkout", "/Checkout", "/CHECKOUT",
		"/checkout%2f", "/%2fcheckout", "/%63heckout", "/%2e/checkout", "/checkout%00", "/checkout%20", "/checkout.", "/checkout.json", "/checkout%3b", "/checkout%252f",
		"/checkout/..;/checkout", "/\\checkout", "/checkout%5c", "/checkout%3F", "/checkout%23", "/index.php/checkout", "/%c0%afcheckout", "/other",
		"http://shop.example/checkout", "http://other.example//checkout", "https://shop.example:443/checkout", "http://shop.example/%63heckout",
	} {
		list = append(list, attack{name: "path: " + path, sent: request("POST "+path, "Content-Type: application/json\r\n", forbiddenJSON)})
		list = append(list, attack{name: "path: " + path + " with a query", sent: request("POST "+path+"?ssn=Canary7q", formType, "name=Ann")})
	}
	for _, path := range []string{
		"//search", "/./search", "/x/../search", "/search/", "/search/.", "/search;x=1", "/Search", "/%73earch", "/search%2f", "/search%20", "/search%00", "/search.", "/%2e/search",
		"http://shop.example/search", "http://shop.example//search",
	} {
		list = append(list, attack{name: "path: GET " + path, sent: request("GET "+path+"?q=1&ssn=Canary7q", "", "")})
	}
	// The laxer collection allows what the application finds on the strict route.
	for _, path := range []string{
		"/users/ME", "/users/Me", "/users/me.json", "/users/me.", "/users/me%20", "/users/me%E2%80%8B", "/users/m%C2%ADe", "/users/%EF%BD%8De", "/index.php/users/ME",
		"/users/me;x=1", "/users/me%2f", "/users/./me",
	} {
		list = append(list, attack{name: "path: laxer " + path, sent: request("POST "+path, formType, "name=Ann&ssn=Canary7q")})
	}
	for _, path := range []string{"/search.json", "/search.", "/search%E2%80%8B", "/SEARCH/", "/index.php/search", "/search/index.php"} {
		list = append(list, attack{name: "path: GET of no collection " + path, sent: request("GET "+path+"?q=1&ssn=Canary7q", "", "")})
	}
	// Go finds no path in an opaque target and the transport sends it as it came.
	for _, target := range []string{
		"x:http://shop.example/search", "x:/search", "http:search", "http:/search", "http:///search", "x://shop.example/search", "http://a@shop.example/search", "HTTP:search",
		"http://shop.example:80:80/search", "http://[shop.example]/search",
	} {
		list = append(list, attack{name: "target: " + target, sent: request("GET "+target+"?q=1&ssn=Canary7q", "", ""), unseen: strings.Contains(target, ":80:80") || strings.Contains(target, "[")}) // which net/http refuses
	}
	for _, method := range []string{"OPTIONS", "TRACE", "get", "Get"} {
		list = append(list, attack{name: "target: a query of " + method, sent: request(method+" /search?q=1&ssn=Canary7q", "", "")})
	}
	for _, host := range []string{"[shop.example]", "shop.example]", "[shop.example", "shop.example:80:80", "shop.example:", "shop.example:http", "shop%2eexample", "shop.example.."} {
		list = append(list, attack{name: "host: " + host, sent: request("GET /find?q=1&ssn=Canary7q", "Host: "+host+"\r\n", "")})
	}
	for _, header := range []string{"X-Forwarded-Uri", "X-Forwarded-Prefix", "Forwarded", "X_Forwarded_Uri"} {
		list = append(list, attack{name: "path: " + header, sent: request("GET /search?q=1", header+": /search?ssn=Canary7q\r\n", ""), unseen: true})
	}
	return append(
		list,
		// The path is not ours to filter: but what comes of it must not be a query.
		attack{name: "path: an escaped question mark", carrier: "-", sent: request("POST /checkout%3Fssn=Canary7q", formType, "name=Ann"), unseen: true},
		attack{name: "path: the canary in a fragment", carrier: "-", sent: request("POST /checkout#?ssn=Canary7q", formType, "name=Ann")},
		// Servers of old take the URL from these.
		attack{name: "path: X-Original-URL", sent: request("GET /search?q=1", "X-Original-URL: /search?ssn=Canary7q\r\n", ""), unseen: true},
		attack{name: "path: X-Rewrite-URL", sent: request("GET /", "X-Rewrite-URL: /search?ssn=Canary7q\r\n", ""), unseen: true},
		// A host that is spelled otherwise.
		attack{name: "host: capitals", sent: request("GET /find?q=1&ssn=Canary7q", "Host: SHOP.example\r\n", "")},
		attack{name: "host: a port", sent: request("GET /find?q=1&ssn=Canary7q", "Host: shop.example:8080\r\n", "")},
		attack{name: "host: a dot at the end", sent: request("GET /find?q=1&ssn=Canary7q", "Host: shop.example.\r\n", "")},
		attack{name: "host: a dot and a port", sent: request("GET /find?q=1&ssn=Canary7q", "Host: shop.example.:80\r\n", "")},
		attack{name: "host: of another one in the target", sent: request("GET http://shop.example/find?q=1&ssn=Canary7q", "Host: other.example\r\n", "")},
		attack{name: "host: two", sent: request("GET /find?q=1&ssn=Canary7q", "Host: other.example\r\nHost: shop.example\r\n", ""), unseen: true},
		attack{name: "host: a submission to another", sent: request("POST /order", "Host: other.example\r\nContent-Type: application/json\r\n", forbiddenJSON)},
		attack{name: "host: none", sent: []byte("POST /order HTTP/1.0\r\nContent-Type: application/json\r\nContent-Length: 31\r\n\r\n" + forbiddenJSON)},
	)
}
