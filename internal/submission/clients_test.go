package submission

import (
	"bytes"
	"io"
	"maps"
	"mime"
	"mime/multipart"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// clientRequests are what clients really sent, under testdata/clients: a
// Content-Type, an empty line, the body. Some that do not run here are
// written down by hand.
func clientRequests(tb testing.TB) map[string]string {
	tb.Helper()
	files, err := filepath.Glob("testdata/clients/*.txt")
	if err != nil || len(files) < 15 {
		tb.Fatal(len(files), err)
	}
	requests := maps.Clone(clientsByHand)
	for _, file := range files {
		b, err := os.ReadFile(file) //nolint:gosec // G304: of testdata
		if err != nil {
			tb.Fatal(err)
		}
		requests[filepath.Base(file)] = string(b)
	}
	return requests
}

var clientsByHand = map[string]string{
	"firefox": "Content-Type: multipart/form-data; boundary=----geckoformboundaryc23a1b\n\n" +
		"------geckoformboundaryc23a1b\nContent-Disposition: form-data; name=\"message\"\n\nx\n" +
		"------geckoformboundaryc23a1b\nContent-Disposition: form-data; name=\"photos[]\"; filename=\"фото.png\"\nContent-Type: image/png\n\npng\n" +
		"------geckoformboundaryc23a1b--\n",
	".NET's HttpClient quotes the boundary and not the names": "Content-Type: multipart/form-data; boundary=\"0a1b-2c3d\"\n\n" +
		"--0a1b-2c3d\nContent-Type: text/plain; charset=utf-8\nContent-Disposition: form-data; name=message\n\nЖ\n" +
		"--0a1b-2c3d\nContent-Disposition: form-data; name=photos; filename=a.png; filename*=utf-8''a.png\n\npng\n" +
		"--0a1b-2c3d--\n",
	"OkHttp writes lengths": "Content-Type: multipart/form-data; boundary=5e2c\n\n" +
		"--5e2c\nContent-Disposition: form-data; name=\"message\"\nContent-Length: 1\n\nx\n" +
		"--5e2c\nContent-Disposition: form-data; name=\"photos[]\"; filename=\"a.png\"\nContent-Type: image/png\nContent-Length: 3\n\npng\n" +
		"--5e2c--\n",
	"Apache HttpClient writes encodings": "Content-Type: multipart/form-data; boundary=AbC_d\n\n" +
		"--AbC_d\nContent-Disposition: form-data; name=\"message\"\nContent-Type: text/plain; charset=US-ASCII\nContent-Transfer-Encoding: 8bit\n\nx\n" +
		"--AbC_d\nContent-Disposition: form-data; name=\"photos[]\"; filename=\"a.png\"\nContent-Type: image/png\nContent-Transfer-Encoding: binary\n\npng\n" +
		"--AbC_d--\n",
	"Go": "Content-Type: multipart/form-data; boundary=f0\n\n" +
		"--f0\nContent-Disposition: form-data; name=\"message\"\n\nx\n" +
		"--f0\nContent-Disposition: form-data; name=\"photos[]\"; filename=\"a.png\"\nContent-Type: application/octet-stream\n\npng\n" +
		"--f0--\n",
	"an old urllib3 encodes names of files by RFC 8187 alone": "Content-Type: multipart/form-data; boundary=ab\n\n" +
		"--ab\nContent-Disposition: form-data; name=\"photos[]\"; filename*=utf-8''%D1%84.png\nContent-Type: image/png\n\npng\n" +
		"--ab--\n",
	"no line end after the last boundary": "Content-Type: multipart/form-data; boundary=ab\n\n" +
		"--ab\nContent-Disposition: form-data; name=\"message\"\n\nx\n--ab--",
}

// clientPlan declares what the clients send, files apart.
func clientPlan(tb testing.TB, files bool) *Plan {
	tb.Helper()
	var fields []Field
	for _, path := range []string{
		"user.email", "user.name", "user.x", "user.tags.*", "empty", "message", "box", "tags.*", "n", "typed", "nofile", "имя",
		"q", "note", "x", "b", "t.*",
	} {
		fields = append(fields, Field{Path: segments(strings.Split(path, ".")...), Kept: true})
	}
	for _, path := range []string{"none", "photos.*", "blob", "bare"} {
		fields = append(fields, Field{Path: segments(strings.Split(path, ".")...), Kept: true, File: files})
	}
	p, err := NewPlan(fields, Brackets)
	if err != nil {
		tb.Fatal(err)
	}
	return p
}

// TestClients: an innocent client loses nothing.
func TestClients(t *testing.T) {
	for name, request := range clientRequests(t) {
		t.Run(name, func(t *testing.T) {
			if !strings.HasSuffix(name, ".txt") {
				request = strings.ReplaceAll(request, "\n", "\r\n")
			}
			header, body, _ := strings.Cut(request, "\r\n\r\n")
			contentType := strings.TrimPrefix(header, "Content-Type: ")
			media, err := ParseMedia(http.Header{"Content-Type": {contentType}})
			if err != nil {
				t.Fatal(err)
			}
			p := clientPlan(t, media.Kind == MediaMultipart)
			rep := new(Report)
			rep.Reset(p)
			switch media.Kind {
			case MediaForm:
				out, err := p.Form(nil, []byte(body), DefaultLimits(), rep)
				if err != nil {
					t.Fatal(err)
				}
				want := slices.DeleteFunc(parsePairs(t, body), func(p pair) bool { return p.name == "_charset_" })
				if got := parsePairs(t, string(out)); !slices.Equal(got, want) || len(got) == 0 {
					t.Errorf("got  %q\nwant %q", got, want)
				}
			case MediaMultipart:
				m := NewMultipart(strings.NewReader(body), media.Boundary, p, DefaultLimits(), rep)
				defer closing(t, m)
				out, err := io.ReadAll(m)
				if err != nil {
					t.Fatal(err)
				}
				want := slices.DeleteFunc(readParts(t, body, media.Boundary), func(p parsedPart) bool { return p.name == "_charset_" })
				if got := readParts(t, string(out), m.Boundary()); !slices.Equal(got, want) {
					t.Errorf("got  %q\nwant %q", got, want)
				}
			case MediaOther, MediaNone, MediaJSON, MediaRaw:
				t.Fatal(media)
			}
			if undeclared := slices.Collect(rep.Names()); rep.Undeclared > 0 && !slices.Equal(undeclared, []string{"_charset_"}) {
				t.Errorf("stripped %q", undeclared)
			}
		})
	}
}

// closing closes what a test read.
func closing(t *testing.T, c io.Closer) {
	t.Helper()
	if err := c.Close(); err != nil {
		t.Error(err)
	}
}

// parsedPart is a part as mime/multipart reads it.
type parsedPart struct{ name, filename, kind, content string }

// readParts reads a form with mime/multipart.
func readParts(tb testing.TB, body, boundary string) []parsedPart {
	tb.Helper()
	var parts []parsedPart
	r := multipart.NewReader(strings.NewReader(body), boundary)
	for {
		part, err := r.NextRawPart()
		if err == io.EOF { //nolint:errorlint // an end comes as it is
			return parts
		}
		if err != nil {
			tb.Fatal(err)
		}
		_, params, err := mime.ParseMediaType(part.Header.Get("Content-Disposition"))
		if err != nil {
			tb.Fatal(err)
		}
		var content bytes.Buffer
		if _, err := content.ReadFrom(part); err != nil {
			tb.Fatal(err)
		}
		p := parsedPart{name: params["name"], content: content.String()}
		if filename, ok := params["filename"]; ok {
			p.filename = "file " + filename
			p.kind, _, _ = mime.ParseMediaType(part.Header.Get("Content-Type"))
		}
		parts = append(parts, p)
	}
}
