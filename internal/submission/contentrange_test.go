package submission

import (
	"net/http"
	"testing"
)

func TestParseContentRange(t *testing.T) {
	for _, value := range []string{"bytes 0-0/1", "bytes 0-999/3000", "bytes 2000-2999/3000", "bytes 0-9223372036854775806/9223372036854775807"} {
		if got, ok := ParseContentRange(http.Header{"Content-Range": {value}}); !ok || got.String() != value {
			t.Errorf("%q: got %q, %v", value, got, ok)
		}
	}
	for _, values := range [][]string{
		nil,
		{},
		{""},
		{"bytes"},
		{"bytes */3000"},
		{"bytes 0-999/*"},
		{"bytes 0-3000/3000"}, // beyond the end
		{"bytes 1-0/3000"},
		{"bytes -1-0/3000"},
		{"bytes 00-999/3000"}, // a number in two spellings
		{"bytes 0-999/03000"},
		{"bytes +0-999/3000"},
		{"bytes 0-0x9/3000"},
		{"bytes 0_0-9/3000"},
		{"bytes  0-999/3000"},
		{"bytes 0 - 999/3000"},
		{"bytes 0-999/3000 "},
		{"bytes 0-999/3000, bytes 0-1/2"},
		{"bytes 0-999/3000; name=\"Ann\""},
		{"bytes 0-999/9223372036854775808"},
		{"Bytes 0-999/3000"},
		{"items 0-999/3000"},
		{"0-999/3000"},
		{"bytes 0-999/3000", "bytes 0-999/3000"}, // which of two counts?
	} {
		if got, ok := ParseContentRange(http.Header{"Content-Range": values}); ok || got != (ContentRange{}) {
			t.Errorf("%q: got %q", values, got)
		}
	}
}

func TestCleanDisposition(t *testing.T) {
	for _, test := range []struct{ value, want string }{
		{`attachment; filename="a.bin"`, `attachment; filename="a.bin"`},
		{`ATTACHMENT;FileName=a.bin;size=3`, `attachment; filename="a.bin"`},
		{`attachment; filename="C:\Users\Ann\a.bin"`, `attachment; filename="a.bin"`},
		{`attachment; filename="C:%5CUsers%5cAnn%2Fa%20b.bin"`, `attachment; filename="a%20b.bin"`},
		{`attachment; filename="a\"b.bin"`, `attachment; filename="a%22b.bin"`},
		{`attachment; filename="a; name=ssn"`, `attachment; filename="a%3B name%3Dssn"`},
		{`attachment; filename="фото.png"`, `attachment; filename="фото.png"`},
		{"", ""},
		{"attachment", ""},
		{`attachment; filename=""`, ""},
		{`attachment; filename="C:%5Cdir%5C"`, ""},
		{`attachment; filename="a`, ""},
		{`attachment; filename="a"; filename="b"`, ""},
		{`attachment; filename*=utf-8''a`, ""},
		{`form-data; name="ssn"; filename="a"`, ""},
		{"attachment; filename=\"\xff\"", ""},
		{"attachment; filename=\"a\tb\"", ""},
	} {
		if got, ok := CleanDisposition(http.Header{"Content-Disposition": {test.value}}); got != test.want || ok != (test.want != "") {
			t.Errorf("%s: got %s, %v, want %s", test.value, got, ok, test.want)
		}
	}
	if got, ok := CleanDisposition(http.Header{"Content-Disposition": {`attachment; filename="a"`, `attachment; filename="b"`}}); ok {
		t.Errorf("two headers: got %s", got)
	}
}
