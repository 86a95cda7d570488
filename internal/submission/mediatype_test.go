package submission

import (
	"errors"
	"mime"
	"net/http"
	"strings"
	"testing"
)

// refusal returns the *Error that err must be.
func refusal(tb testing.TB, err error) *Error {
	tb.Helper()
	var refused *Error
	if !errors.As(err, &refused) {
		tb.Fatalf("got %v, want an *Error", err)
	}
	return refused
}

func TestParseMedia(t *testing.T) {
	for _, tt := range []struct {
		header string
		want   Media
	}{
		{"application/json", Media{MediaJSON, "application/json", "", false, ""}},
		{"application/json; charset=utf-8", Media{MediaJSON, "application/json", "", true, ""}},
		{"Application/JSON;charset=\"UTF-8\"", Media{MediaJSON, "application/json", "", true, ""}},
		{"application/vnd.api+json", Media{MediaJSON, "application/vnd.api+json", "", false, ""}},
		{"application/merge-patch+json ; charset=us-ascii", Media{MediaJSON, "application/merge-patch+json", "", false, ""}},
		{"application/x-www-form-urlencoded", Media{MediaForm, "application/x-www-form-urlencoded", "", false, ""}},
		{"application/x-www-form-urlencoded;charset=UTF-8", Media{MediaForm, "application/x-www-form-urlencoded", "", true, ""}},   // XMLHttpRequest in Firefox
		{"application/x-www-form-urlencoded; charset=utf-8;", Media{MediaForm, "application/x-www-form-urlencoded", "", true, ""}}, // a stray ';' says nothing
		{"multipart/form-data; boundary=----WebKitFormBoundary7MA4YWxkTrZu0gW", Media{MediaMultipart, "multipart/form-data", "----WebKitFormBoundary7MA4YWxkTrZu0gW", false, ""}},
		{"multipart/form-data; boundary=----geckoformboundary1f2e", Media{MediaMultipart, "multipart/form-data", "----geckoformboundary1f2e", false, ""}},
		{"multipart/form-data; boundary=\"a b:c\"", Media{MediaMultipart, "multipart/form-data", "a b:c", false, ""}}, // .NET quotes
		{"multipart/form-data; charset=utf-8; BOUNDARY=x", Media{MediaMultipart, "multipart/form-data", "x", true, ""}},
		// Labels of UTF-8 and ASCII in the Encoding Standard.
		{"application/json;charset=utf8", Media{MediaJSON, "application/json", "", true, ""}},
		{`application/json; charset=" UTF8 "`, Media{MediaJSON, "application/json", "", true, ""}},
		{"application/x-www-form-urlencoded; charset=x-unicode20utf8", Media{MediaForm, "application/x-www-form-urlencoded", "", true, ""}},
		{"application/json; charset=ASCII", Media{MediaJSON, "application/json", "", false, ""}},
		{"application/json; charset=ANSI_X3.4-1968", Media{MediaJSON, "application/json", "", false, ""}},
		// Apache HttpClient sends ISO-8859-1 with each form.
		{"multipart/form-data; boundary=x; charset=ISO-8859-1", Media{MediaMultipart, "multipart/form-data", "x", false, ""}},
		{"multipart/form-data; charset=windows-1251; boundary=x", Media{MediaMultipart, "multipart/form-data", "x", false, ""}},
		{"multipart/form-data; charset=Shift_JIS; boundary=x", Media{MediaMultipart, "multipart/form-data", "x", false, ""}},
		// Parameters that the specifications of JSON types require.
		{`application/vnd.api+json; ext="https://jsonapi.org/ext/atomic https://shop.example/?v=1"`, Media{MediaJSON, "application/vnd.api+json", "", false, `; ext="https://jsonapi.org/ext/atomic https://shop.example/?v=1"`}},
		{`application/ld+json;PROFILE="tag:shop.example,2026:a"; charset=utf8`, Media{MediaJSON, "application/ld+json", "", true, `; profile="tag:shop.example,2026:a"`}},
		{`application/json;odata="verbose"`, Media{MediaJSON, "application/json", "", false, "; odata=verbose"}},
		{"application/json;OData.Metadata=minimal;odata.streaming=true;ieee754compatible=true;charset=utf-8", Media{MediaJSON, "application/json", "", true, "; odata.metadata=minimal; odata.streaming=true; IEEE754Compatible=true"}},
		{`application/vnd.shop+json; version=""`, Media{MediaJSON, "application/vnd.shop+json", "", false, `; version=""`}},
		{"application/vnd.shop+json; version=" + strings.Repeat("1", 256), Media{MediaJSON, "application/vnd.shop+json", "", false, "; version=" + strings.Repeat("1", 256)}},
		{"text/plain;charset=UTF-8", Media{MediaOther, "text/plain", "", false, ""}},
		{"text/json", Media{MediaOther, "text/json", "", false, ""}},
		{"application/+json", Media{MediaOther, "", "", false, ""}},
		{"multipart/mixed; boundary=x", Media{MediaOther, "multipart/mixed", "", false, ""}},
		{"video/mp4; codecs=\"avc1, mp4a\"", Media{MediaOther, "video/mp4", "", false, ""}},
	} {
		got, err := ParseMedia(http.Header{"Content-Type": {tt.header}})
		if tt.want.Type == "" {
			if err == nil {
				t.Errorf("%q: not refused", tt.header)
			}
			continue
		}
		if err != nil || got != tt.want {
			t.Errorf("%q: got %+v, %v, want %+v", tt.header, got, err, tt.want)
		}
		again, err := ParseMedia(http.Header{"Content-Type": {got.ContentType("b")}})
		if got.Boundary != "" {
			got.Boundary = "b"
		}
		if err != nil || again != got {
			t.Errorf("%q: we write %q: %+v, %v", tt.header, got.ContentType("b"), again, err)
		}
		if _, _, err := mime.ParseMediaType(got.ContentType("b")); err != nil {
			t.Errorf("%q: we write %q: %v", tt.header, got.ContentType("b"), err)
		}
	}
	if got, err := ParseMedia(http.Header{}); err != nil || got.Kind != MediaNone {
		t.Errorf("no header: %+v, %v", got, err)
	}
	if (Media{}).Kind != MediaOther {
		t.Error("the zero kind can be read")
	}
}

func TestParseMediaRefuses(t *testing.T) {
	for _, tt := range []struct {
		name   string
		values []string
		rule   string
	}{
		// 21 frameworks take the first, 8 the last.
		{"two headers", []string{"application/json", "application/x-www-form-urlencoded"}, "content-type-repeated"},
		{"two equal headers", []string{"application/json", "application/json"}, "content-type-repeated"},
		{"two types in one", []string{"application/json, text/plain"}, "content-type-syntax"},
		// 17 frameworks take the first, 9 the last.
		{"two boundaries", []string{"multipart/form-data; boundary=a; boundary=b"}, "content-type-repeated"},
		{"two boundaries in two cases", []string{"multipart/form-data; boundary=a; Boundary=b"}, "content-type-repeated"},
		{"two charsets", []string{"application/json; charset=utf-8; charset=utf-7"}, "content-type-repeated"},
		// Nine frameworks detect UTF-16, seven decode EBCDIC if the charset says so.
		{"UTF-16", []string{"application/json; charset=utf-16"}, "charset"},
		{"EBCDIC", []string{"application/x-www-form-urlencoded; charset=ibm037"}, "charset"},
		{"Latin-1", []string{"application/x-www-form-urlencoded; charset=iso-8859-1"}, "charset"},
		{"an empty charset", []string{`application/json; charset=""`}, "charset"},
		{"a quoted charset", []string{`application/json; charset="utf-7"`}, "charset"},
		{"continued parameter", []string{"multipart/form-data; boundary*0=a; boundary*1=b"}, "content-type-parameter"},
		{"extended parameter", []string{"multipart/form-data; boundary*=utf-8''a; boundary=b"}, "content-type-parameter"},
		{"ISO-2022-JP", []string{"multipart/form-data; boundary=x; charset=iso-2022-jp"}, "charset"},
		{"HZ", []string{"multipart/form-data; boundary=x; charset=hz-gb-2312"}, "charset"},
		{"UTF-16 of a multipart form", []string{"multipart/form-data; boundary=x; charset=utf-16le"}, "charset"},
		{"UCS-2", []string{"multipart/form-data; boundary=x; charset=unicode"}, "charset"},
		{"UTF-32", []string{"multipart/form-data; boundary=x; charset=utf-32"}, "charset"},
		{"UTF-7", []string{"multipart/form-data; boundary=x; charset=utf-7"}, "charset"},
		{"EBCDIC of a multipart form", []string{"multipart/form-data; boundary=x; charset=ibm037"}, "charset"},
		{"Latin-1 of JSON", []string{"application/json; charset=latin1"}, "charset"},
		{"another parameter", []string{"application/json; x=y"}, "content-type-parameter"},
		{"a boundary of JSON", []string{"application/json; boundary=x"}, "content-type-parameter"},
		{"a parameter of JSON twice", []string{"application/json; profile=a; Profile=b"}, "content-type-repeated"},
		{"a parameter of JSON on a form", []string{"multipart/form-data; boundary=x; profile=a"}, "content-type-parameter"},
		{"a parameter of JSON, extended", []string{"application/json; profile*=utf-8''a"}, "content-type-parameter"},
		{"a parameter of OData, extended", []string{"application/json; odata.metadata*=utf-8''a"}, "content-type-parameter"},
		{"a parameter of OData in pieces", []string{"application/json; odata.metadata*0=a"}, "content-type-parameter"},
		{"OData without a name", []string{"application/json; odata.=a"}, "content-type-parameter"},
		{"a long parameter", []string{"application/json; profile=" + strings.Repeat("a", 257)}, "content-type-parameter"},
		{"a parameter beyond ASCII", []string{`application/json; profile="é"`}, "content-type-parameter"},
		{"a backslash in a parameter", []string{`application/json; profile="a\"b"`}, "content-type-syntax"},
		// Rack splits at ';' and ',' even in quotes, others search the header.
		{"a charset in a parameter", []string{`application/json; profile="a; charset=utf-16; b"`}, "content-type-parameter"},
		{"a charset in a parameter that is searched for", []string{`application/json; profile="a?Charset = utf-16"`}, "content-type-parameter"},
		{"a boundary in a parameter", []string{`application/json; profile="multipart/form-data boundary=x"`}, "content-type-parameter"},
		{"another parameter in a parameter", []string{`application/json; ext="a, q=x"`}, "content-type-parameter"},
		{"a boundary of a form", []string{"application/x-www-form-urlencoded; boundary=x"}, "content-type-parameter"},
		{"no boundary", []string{"multipart/form-data"}, "boundary"},
		{"empty boundary", []string{`multipart/form-data; boundary=""`}, "boundary"},
		{"long boundary", []string{"multipart/form-data; boundary=" + strings.Repeat("a", 71)}, "boundary"},
		{"a space at the end of the boundary", []string{`multipart/form-data; boundary="a "`}, "boundary"},
		{"a boundary of odd characters", []string{`multipart/form-data; boundary="a;b"`}, "boundary"},
		// A backslash escapes to some parsers and stands for itself to others.
		{"a backslash", []string{`multipart/form-data; boundary="a\b"`}, "content-type-syntax"},
		{"an open quote", []string{`multipart/form-data; boundary="a`}, "content-type-syntax"},
		{"garbage after a quote", []string{`multipart/form-data; boundary="a"b`}, "content-type-syntax"},
		{"space before the equals sign", []string{"multipart/form-data; boundary =a"}, "content-type-syntax"},
		{"a control character", []string{"multipart/form-data; boundary=\"a\x00\""}, "content-type-syntax"},
		{"empty", []string{""}, "content-type-syntax"},
		{"no subtype", []string{"json"}, "content-type-syntax"},
		{"no-break space", []string{"application/json\u00a0"}, "content-type-syntax"},
		{"many parameters", []string{"text/plain" + strings.Repeat("; a=b", 9)}, "content-type-repeated"},
		{"nine different parameters", []string{"text/plain;a=1;b=1;c=1;d=1;e=1;f=1;g=1;h=1;i=1"}, "content-type-repeated"},
	} {
		got, err := ParseMedia(http.Header{"Content-Type": tt.values})
		if err == nil {
			t.Errorf("%s: read as %+v", tt.name, got)
			continue
		}
		if e := refusal(t, err); e.Status != 415 || e.Rule != tt.rule || got != (Media{}) {
			t.Errorf("%s: got %d %s %+v, want 415 %s", tt.name, e.Status, e.Rule, got, tt.rule)
		}
	}
}

// TestParseMediaFolds: letters that lower to ASCII ones must not make a type
// of ours out of another ("K" is U+212A, the kelvin sign).
func TestParseMediaFolds(t *testing.T) {
	if m, err := ParseMedia(http.Header{"Content-Type": {"application/jſon"}}); err == nil {
		t.Errorf("read as %+v", m)
	}
	if m, err := ParseMedia(http.Header{"Content-Type": {"application/json; charſet=utf-7"}}); err == nil {
		t.Errorf("read as %+v", m)
	}
}
