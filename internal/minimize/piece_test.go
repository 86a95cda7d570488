package minimize

import (
	"fmt"
	"io"
	"strings"
	"testing"
)

// pieceCases are forms with a Content-Range. The field photo may have 4 MiB.
var pieceCases = []struct {
	name, header string
	parts        []part
	want         string // the header that goes on with a form in memory; a rule, if the form is refused
	streamed     string // the rule that refuses the form if it streams; "" with no want: the header is dropped
}{
	{"the first piece", "bytes 0-999/3000", []part{{"photo", "a.jpg", strings.Repeat("x", 1000)}, {"name", "", "Ann"}}, "bytes 0-999/3000", ""},
	{"the last piece", "bytes 2000-2999/3000", []part{{"name", "", "Ann"}, {"photo", "a.jpg", strings.Repeat("x", 1000)}}, "bytes 2000-2999/3000", ""},
	{"a total of all that is allowed", "bytes 0-2/4194304", []part{{"photo", "a.jpg", "123"}}, "bytes 0-2/4194304", ""},
	// An application would append more than the policy allows to the file, piece by
	// piece; without the range, it would keep the piece for the whole file.
	{"a total that is not allowed", "bytes 0-2/4194305", []part{{"photo", "a.jpg", "123"}}, "file-size", "file-size"},
	// An application that trusts the range would leave a gap, or write over the next piece.
	{"another size", "bytes 0-3/3000", []part{{"photo", "a.jpg", "123"}}, "", "content-range"},
	{"the size of what is left out", "bytes 0-3/3000", []part{{"ssn", "a.jpg", "1234"}, {"photo", "a.jpg", "123"}}, "", "content-range"},
	{"more than the form has", "bytes 0-9999/30000", []part{{"photo", "a.jpg", "123"}}, "", ""},
	// An application could take the range for that of either file.
	{"two files", "bytes 0-2/3000", []part{{"photo", "a.jpg", "123"}, {"photo2", "b.jpg", "456"}}, "", "content-range"},
	{"a file that is left out", "bytes 0-2/3000", []part{{"photo", "a.jpg", "123"}, {"ssn", "b.jpg", "456"}}, "", "content-range"},
	{"no file", "bytes 0-2/3000", []part{{"name", "", "Ann"}}, "", "content-range"},
	{"a file where a field is declared", "bytes 0-2/3000", []part{{"name", "a.jpg", "123"}}, "", "content-range"},
	{"two ranges", "bytes 0-2/3000, bytes 3-5/3000", []part{{"photo", "a.jpg", "123"}}, "", ""},
	{"words", "bytes 0-2/3000 ssn", []part{{"photo", "a.jpg", "123"}}, "", ""},
}

// The range of a piece goes on with a form of one file, and of this size only.
func TestContentRange(t *testing.T) {
	const policy = shop + "  two:\n    on: POST /two\n    fields: {photo: {for: delivery, type: file, max: 4MiB}, photo2: {for: delivery, type: file, max: 1KiB}, name: delivery}\n"
	for _, test := range pieceCases {
		for _, streams := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, streams %v", test.name, streams), func(t *testing.T) {
				e, j := newEngine(t, policy)
				body := form(test.parts...)
				if streams {
					e.Limits.Body = 32
				}
				r := request("POST /two", formData, strings.NewReader(body),
					"Content-Range", test.header, "Content-Disposition", `attachment; filename="C:\Users\Ann\a.jpg"`)
				got := process(e, r)
				if streams && test.streamed != "" {
					_, boundary, _ := strings.Cut(r.Header.Get("Content-Type"), "boundary=")
					if got.err == nil || got.rule() != test.streamed || strings.Contains(got.body, boundary+"--") {
						t.Errorf("ended with %v, refused by %q", got.err, got.rule())
					}
					if entry := j.only(t); entry.Verdict != Refused || entry.Rule != test.streamed {
						t.Errorf("recorded %+v", entry)
					}
					return
				}
				if test.want == "file-size" && got.rule() == test.want && got.body == "" {
					return
				}
				if got.err != nil || got.rule() != "" || got.Streaming() != streams {
					t.Fatalf("ended with %v, refused by %q, streaming %v", got.err, got.rule(), got.Streaming())
				}
				if header := got.header.Get("Content-Range"); header != test.want {
					t.Errorf("the Content-Range is %q, want %q", header, test.want)
				}
				if header := got.header.Get("Content-Disposition"); header != "" && header != `attachment; filename="a.jpg"` || test.want != "" && header == "" {
					t.Errorf("the Content-Disposition is %q", header)
				}
			})
		}
	}
}

// A Content-Disposition that is not that of one file goes no further: it could
// have another name than the field, or words of the sender.
func TestContentDispositionOfRequest(t *testing.T) {
	const header = `attachment; filename="a.jpg"`
	for _, test := range []struct {
		name, on, contentType, body string
		want                        string
	}{
		{"a form of one file", "POST /checkout", formData, form(part{"photo", "a.jpg", "1"}, part{"ssn", "", "1"}), header},
		{"a form of two files", "POST /checkout", formData, form(part{"photo", "a.jpg", "1"}, part{"ssn", "b.jpg", "1"}), ""},
		{"a form of no file", "POST /checkout", formData, form(part{"name", "", "1"}), ""},
		{"JSON", "POST /checkout", jsonType, `{"name":"a"}`, ""},
		{"a gap", "POST /nowhere", formData, form(part{"photo", "a.jpg", "1"}), ""},
	} {
		e, _ := newEngine(t, shop)
		got := process(e, request(test.on, test.contentType, strings.NewReader(test.body), "Content-Disposition", header))
		if got.err != nil || got.rule() != "" || got.header.Get("Content-Disposition") != test.want {
			t.Errorf("%s: %v, %q, %q", test.name, got.err, got.rule(), got.header.Get("Content-Disposition"))
		}
	}
}

// A body that goes on as received is the file: its size must be that of the piece,
// and the whole file at most as large as what the collection takes (2 MiB). WordPress
// takes the name of an upload from its Content-Disposition.
func TestHeadersOfPassedFile(t *testing.T) {
	for _, test := range []struct{ header, want string }{
		{"bytes 3-5/6", "bytes 3-5/6"},
		{"bytes 0-2/2097152", "bytes 0-2/2097152"},
		{"bytes 0-3/6", ""},
		{"bytes 3-5/*", ""},
	} {
		e, _ := newEngine(t, uploads)
		got := process(e, request("POST /upload", octets, strings.NewReader("\x00\x01\x02"), "Content-Range", test.header, "Content-Disposition", `attachment; filename="C:\dir\a.jpg"; name="ssn"`))
		if got.err != nil || got.rule() != "" || got.header.Get("Content-Range") != test.want || got.header.Get("Content-Disposition") != `attachment; filename="a.jpg"` {
			t.Errorf("%s: %v, %q, forwarded %v", test.header, got.err, got.rule(), got.header)
		}
	}
	e, _ := newEngine(t, uploads)
	tooLarge := request("POST /upload", octets, strings.NewReader("\x00\x01\x02"), "Content-Range", "bytes 0-2/2097153")
	if got := process(e, tooLarge); got.rule() != "file-size" {
		t.Errorf("a piece of a file that is too large: refused by %q, forwarded %v", got.rule(), got.header)
	}
	e, _ = newEngine(t, uploads)
	r := request("POST /upload", octets, unsized("\x00\x01\x02"), "Content-Range", "bytes 0-2/3")
	if got := process(e, r); got.header.Get("Content-Range") != "" {
		t.Errorf("a body of unknown size: forwarded %v", got.header)
	}
}

// In report mode the headers go on as they came.
func TestContentRangeReported(t *testing.T) {
	e, _ := newEngine(t, shop)
	e.Mode = Report
	got := process(e, request("POST /checkout", jsonType, io.MultiReader(strings.NewReader("{}")), "Content-Range", "bytes 0-1/2 x"))
	if got.header.Get("Content-Range") != "bytes 0-1/2 x" {
		t.Errorf("the Content-Range is %q", got.header.Get("Content-Range"))
	}
}
