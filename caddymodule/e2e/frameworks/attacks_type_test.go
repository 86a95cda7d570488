//go:build unix

package frameworks_test

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"io"
	"strings"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/zstd"
)

// coded undoes no coding: it makes one.
func coded(text string, coder func(io.Writer) io.WriteCloser) string {
	var b bytes.Buffer
	w := coder(&b)
	_, _ = io.WriteString(w, text)
	_ = w.Close()
	return b.String()
}

func gzipped(text string) string {
	return coded(text, func(w io.Writer) io.WriteCloser { return gzip.NewWriter(w) })
}

func deflated(text string) string {
	return coded(text, func(w io.Writer) io.WriteCloser { return zlib.NewWriter(w) })
}

func rawDeflated(text string) string {
	return coded(text, func(w io.Writer) io.WriteCloser {
		f, _ := flate.NewWriter(w, flate.BestSpeed)
		return f
	})
}

func brotlied(text string) string {
	return coded(text, func(w io.Writer) io.WriteCloser { return brotli.NewWriter(w) })
}

func zstded(text string) string {
	return coded(text, func(w io.Writer) io.WriteCloser {
		z, _ := zstd.NewWriter(w)
		return z
	})
}

const (
	// forbiddenJSON and forbiddenForm hold the canary in both spellings;
	// polyglot is JSON of a declared member, and a form of a forbidden field.
	forbiddenJSON = `{"name":"Ann","ssn":"Canary7q"}`
	forbiddenForm = "name=Ann&ssn=Canary7q"
	polyglot      = `{"name":"&ssn=Canary7q&"}`
)

// typed submits body with a Content-Type.
func typed(contentType, body string) []byte {
	return request("POST /checkout", "Content-Type: "+contentType+"\r\n", body)
}

// typeAttacks are against the rules of internal/submission/RULES.md, "Content-Type".
func typeAttacks() []attack {
	return []attack{
		// Exactly one Content-Type: 21 frameworks take the first of two, 8
		// the last.
		{name: "type: two headers, JSON first", carrier: "name", sent: typed("application/json\r\nContent-Type: application/x-www-form-urlencoded", polyglot)},
		{name: "type: two headers, JSON last", carrier: "name", sent: typed("application/x-www-form-urlencoded\r\nContent-Type: application/json", polyglot)},
		{name: "type: two headers by case", carrier: "name", sent: typed("application/json\r\ncontent-TYPE: application/x-www-form-urlencoded", polyglot)},
		{name: "type: two headers, of a form and of parts", sent: typed("application/x-www-form-urlencoded\r\nContent-Type: multipart/form-data; boundary=b", joined("b", ann, ssn))},
		{name: "type: two in one header", carrier: "name", sent: typed("application/json, application/x-www-form-urlencoded", polyglot)},
		{name: "type: two in one header, a form first", sent: typed("application/x-www-form-urlencoded, application/json", forbiddenForm)},
		{name: "type: two charsets", sent: typed("application/json; charset=utf-8; charset=utf-16le", forbiddenJSON)},
		{name: "type: a charset and a continued one", sent: typed("application/json; charset*0=utf; charset*1=-16", forbiddenJSON)},
		{name: "type: an empty charset", sent: typed("application/json; charset=", forbiddenJSON)},
		// Parameters of JSON types go on: none of their values may be read as
		// another parameter.
		{name: "type: a charset in a profile", sent: typed(`application/json; profile="a; charset=utf-7; b"`, `{"name":"+ACI-,+ACI-ssn+ACI-:+ACI-Canary7q"}`), carrier: "name", unseen: true},
		{name: "type: a charset that is searched for in a profile", sent: typed(`application/json; profile="a?charset=utf-16"`, forbiddenJSON)},
		{name: "type: a form's type in a profile", carrier: "name", sent: typed(`application/json; profile="application/x-www-form-urlencoded"`, polyglot)},
		{name: "type: parts in a profile", sent: typed(`application/json; profile="multipart/form-data; boundary=b"`, joined("b", ann, ssn)), unseen: true},
		{name: "type: an extended parameter of OData", sent: typed(`application/json; odata.x*=utf-8''a%3b%20charset=utf-16`, forbiddenJSON)},
		{name: "type: a label of UTF-8", sent: typed("application/json; charset=x-unicode20utf8", forbiddenJSON)},
		{name: "type: a parameter that nobody knows", sent: typed("application/json; x=y", forbiddenJSON)},
		{name: "type: a parameter without a value", sent: typed("application/json; x", forbiddenJSON)},
		{name: "type: semicolons", sent: typed("application/json;;;", forbiddenJSON)},
		{name: "type: capitals", sent: typed("APPLICATION/JSON", forbiddenJSON)},
		{name: "type: white space about it", sent: typed(" \tapplication/json\t ", forbiddenJSON)},
		{name: "type: white space in it", sent: typed("application / json", forbiddenJSON)},
		{name: "type: quotes", sent: typed(`"application/json"`, forbiddenJSON)},
		{name: "type: folded", sent: typed("application/json\r\n ; charset=utf-16", forbiddenJSON)},
		{name: "type: another that is folded in", carrier: "name", sent: typed("application/json\r\n , application/x-www-form-urlencoded", polyglot)},
		{name: "type: white space before the colon", carrier: "name", sent: typed("application/json\r\nContent-Type : application/x-www-form-urlencoded", polyglot), unseen: true},
		{name: "type: a zero byte", sent: typed("application/json\x00", forbiddenJSON), unseen: true},
		{name: "type: half of one", sent: typed("application", forbiddenJSON)},
		{name: "type: a wildcard", sent: typed("*/*", forbiddenJSON)},
		{name: "type: an empty one", sent: typed("", forbiddenJSON)},
		// Header names with underscores and dots do not go on: CherryPy takes
		// Content_Type for the real one.
		{name: "type: an underscore in the header", carrier: "name", sent: typed("application/json\r\nContent_Type: application/x-www-form-urlencoded", polyglot)},
		{name: "type: an underscore in the only header", sent: request("POST /checkout", "Content_Type: application/json\r\n", forbiddenJSON)},
		{name: "type: a dot in the header", carrier: "name", sent: typed("application/json\r\nContent.Type: application/x-www-form-urlencoded", polyglot)},
		{name: "type: CGI's name of the header", carrier: "name", sent: typed("application/json\r\nHTTP_CONTENT_TYPE: application/x-www-form-urlencoded\r\nCONTENT_TYPE: application/x-www-form-urlencoded", polyglot)},
		{name: "type: an underscore in the length", sent: request("POST /checkout", "Content-Type: application/json\r\nContent_Length: 0\r\n", forbiddenJSON)},
		{name: "type: an underscore in the coding", carrier: "name", sent: typed("application/json\r\nContent_Encoding: gzip", polyglot)},
		// A type that the proxy does not read is refused: JSON without a type
		// is parsed by 34, as text/plain by 35, as a form by 41.
		{name: "type: none, JSON", sent: request("POST /checkout", "", forbiddenJSON)},
		{name: "type: none, a form", sent: request("POST /checkout", "", forbiddenForm)},
		{name: "type: text/plain, JSON", sent: typed("text/plain", forbiddenJSON)},
		{name: "type: text/plain, a form", sent: typed("text/plain;charset=UTF-8", forbiddenForm)},
		{name: "type: text/plain, lines of a form", sent: typed("text/plain", "name=Ann\r\nssn=Canary7q\r\n"), unseen: true},
		{name: "type: text/json", sent: typed("text/json", forbiddenJSON)},
		{name: "type: application/javascript", sent: typed("application/javascript", forbiddenJSON)},
		{name: "type: application/octet-stream", sent: typed("application/octet-stream", forbiddenJSON)},
		{name: "type: application/xml", sent: typed("application/xml", "<ssn>Canary7q</ssn>"), unseen: true},
		{name: "type: application/yaml", sent: typed("application/yaml", "ssn: Canary7q"), unseen: true},
		{name: "type: application/x-ndjson", sent: typed("application/x-ndjson", forbiddenJSON+"\n"+forbiddenJSON)},
		{name: "type: application/json-seq", sent: typed("application/json-seq", "\x1e"+forbiddenJSON+"\n"), unseen: true},
		{name: "type: application/graphql", sent: typed("application/graphql", `mutation{f(ssn:"Canary7q")}`), unseen: true},
		{name: "type: application/cbor", sent: typed("application/cbor", "\xa1cssnhCanary7q"), unseen: true},
		{name: "type: application/msgpack", sent: typed("application/msgpack", "\x81\xa3ssn\xa8Canary7q"), unseen: true},
		{name: "type: application/x-www-form-urlencoded-custom", sent: typed("application/x-www-form-urlencoded-custom", forbiddenForm)},
		{name: "type: application/jsonx", sent: typed("application/jsonx", forbiddenJSON)},
		{name: "type: application/json+x", sent: typed("application/json+x", forbiddenJSON)},
		{name: "type: application/vnd.api+json", sent: typed("application/vnd.api+json", `{"data":{"attributes":{"ssn":"Canary7q"}},"ssn":"Canary7q"}`)},
		{name: "type: application/json-patch+json", sent: typed("application/json-patch+json", `[{"op":"add","path":"/ssn","value":"Canary7q"}]`)},
		{name: "type: application/merge-patch+json", sent: typed("application/merge-patch+json", forbiddenJSON)},
		{name: "type: application/csp-report", sent: typed("application/csp-report", forbiddenJSON)},
		// The declared type decides, and what goes on is of that type alone.
		{name: "type: JSON as a form", sent: typed("application/x-www-form-urlencoded", forbiddenJSON)},
		{name: "type: JSON in a pair of a form", sent: typed("application/x-www-form-urlencoded", `{"ssn":"Canary7q","x":"=&y"}`)},
		{name: "type: JSON of text before a form", sent: typed("application/x-www-form-urlencoded", `"&ssn=Canary7q&"`)},
		{name: "type: a form as JSON", sent: typed("application/json", forbiddenForm)},
		{name: "type: both, as JSON", carrier: "name", sent: typed("application/json", polyglot)},
		{name: "type: both, as a form", sent: typed("application/x-www-form-urlencoded", polyglot)},
		{name: "type: JSON in a kept name of a form", carrier: "extra", sent: typed("application/x-www-form-urlencoded", `extra[%7B%22ssn%22:%22Canary7q%22%7D]=1`), unseen: true},
		{name: "type: parts as JSON", sent: typed("application/json; boundary=b", joined("b", ann, ssn))},
		{name: "type: a form as parts", sent: typed("multipart/form-data; boundary=b", forbiddenForm)},
		{name: "type: JSON as parts", sent: typed("multipart/form-data; boundary=b", forbiddenJSON)},
	}
}

// codingAttacks are on the same section's rule of the Content-Encoding: none,
// or exactly one that is decoded here. 36 frameworks ignore one that they do
// not know.
func codingAttacks() []attack {
	coded := func(coding, body string) []byte {
		return request("POST /checkout", "Content-Type: application/json\r\nContent-Encoding: "+coding+"\r\n", body)
	}
	return []attack{
		{name: "coding: of no meaning", sent: coded("foo", forbiddenJSON)},
		{name: "coding: an empty one", sent: coded("", forbiddenJSON)},
		{name: "coding: identity", sent: coded("identity", forbiddenJSON)},
		{name: "coding: none", sent: coded("none", forbiddenJSON)},
		{name: "coding: plain under gzip", sent: coded("gzip", forbiddenJSON)},
		{name: "coding: plain under zstd", sent: coded("zstd", forbiddenJSON)},
		{name: "coding: gzip", sent: coded("gzip", gzipped(forbiddenJSON))},
		{name: "coding: gzip in capitals", sent: coded("GZIP", gzipped(forbiddenJSON))},
		{name: "coding: x-gzip", sent: coded("x-gzip", gzipped(forbiddenJSON)), unseen: true},
		{name: "coding: deflate", sent: coded("deflate", deflated(forbiddenJSON))},
		{name: "coding: bare deflate", sent: coded("deflate", rawDeflated(forbiddenJSON)), unseen: true},
		{name: "coding: br", sent: coded("br", brotlied(forbiddenJSON))},
		{name: "coding: zstd", sent: coded("zstd", zstded(forbiddenJSON)), unseen: true},
		{name: "coding: compress", sent: coded("compress", forbiddenJSON)},
		{name: "coding: aws-chunked", sent: coded("aws-chunked", forbiddenJSON)},
		{name: "coding: gzip twice", sent: coded("gzip, gzip", gzipped(gzipped(forbiddenJSON))), unseen: true},
		{name: "coding: gzip, said twice", sent: coded("gzip, gzip", gzipped(forbiddenJSON)), unseen: true},
		{name: "coding: gzip in two headers", sent: coded("gzip\r\nContent-Encoding: gzip", gzipped(gzipped(forbiddenJSON))), unseen: true},
		{name: "coding: gzip and identity", sent: coded("gzip\r\nContent-Encoding: identity", gzipped(forbiddenJSON)), unseen: true},
		{name: "coding: identity and gzip, of plain", sent: coded("identity\r\nContent-Encoding: gzip", forbiddenJSON)},
		{name: "coding: gzip and deflate", sent: coded("deflate, gzip", gzipped(deflated(forbiddenJSON))), unseen: true},
		{name: "coding: gzip, not declared", sent: typed("application/json", gzipped(forbiddenJSON)), unseen: true},
		{name: "coding: a list with an empty coding", sent: coded("gzip,", gzipped(forbiddenJSON)), unseen: true},
		{name: "coding: of two members", sent: coded("gzip", gzipped(`{"name":"Ann"`)+gzipped(`,"ssn":"Canary7q"}`))},
		{name: "coding: a second member", sent: coded("gzip", gzipped(`{"name":"Ann"}`)+gzipped(forbiddenJSON)), unseen: true},
		{name: "coding: plain behind the member", sent: coded("gzip", gzipped(forbiddenJSON)+forbiddenJSON), unseen: true},
		{name: "coding: cut off", sent: coded("gzip", gzipped(forbiddenJSON)[:40]), unseen: true},
		{name: "coding: a wrong checksum", sent: coded("gzip", strings.TrimSuffix(gzipped(forbiddenJSON), "\x00\x00")+"\x01\x00"), unseen: true},
		{name: "coding: the canary in the header of gzip", sent: coded("gzip", gzipped("{}")[:3]+"\x08"+gzipped("{}")[4:10]+"Canary7q\x00"+gzipped("{}")[10:]), unseen: true},
		{name: "coding: of a form", sent: request("POST /checkout", formType+"Content-Encoding: gzip\r\n", gzipped(forbiddenForm))},
		{name: "coding: of parts", sent: request("POST /checkout", "Content-Type: multipart/form-data; boundary=b\r\nContent-Encoding: gzip\r\n", gzipped(joined("b", ann, ssn))), unseen: true},
		{name: "coding: of no meaning, of parts", sent: request("POST /checkout", "Content-Type: multipart/form-data; boundary=b\r\nContent-Encoding: foo\r\n", joined("b", ann, ssn))},
		{name: "coding: of no meaning, of a form", sent: request("POST /checkout", formType+"Content-Encoding: foo\r\n", forbiddenForm)},
		{name: "coding: a bomb before the field", sent: coded("gzip", gzipped(`{"name":"`+strings.Repeat(" ", 9<<20)+`","ssn":"Canary7q"}`))},
		{name: "coding: a transfer coding", sent: request("POST /checkout", "Content-Type: application/json\r\nTransfer-Encoding: gzip, chunked\r\n", chunked(gzipped(forbiddenJSON))), unseen: true},
	}
}
