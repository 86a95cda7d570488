package rivals_test

import (
	"bytes"
	"fmt"
	"io"
	"mime/multipart"
	"slices"
	"strings"
	"testing"

	"github.com/modicum-proxy/modicum/internal/submission"
)

// onlyReader and onlyWriter hide what would let io.Copy take a shorter way
// than a network connection has.
type (
	onlyReader struct{ io.Reader }
	onlyWriter struct{ io.Writer }
)

// uploadBoundary is one of Chromium.
const uploadBoundary = "----WebKitFormBoundary7MA4YWxkTrZu0gW"

// upload returns a form with a file of size bytes between two fields. The file
// looks like an image, with beginnings of delimiters in it.
func upload(size int) []byte {
	file := make([]byte, size)
	state := uint32(1)
	for i := range file {
		state = state*1664525 + 1013904223
		file[i] = byte(state >> 24)
	}
	for i := 1000; i < size-100; i += 50_000 {
		copy(file[i:], "\r\n--\r\n------WebKitFormBoundary\r\n--b")
	}
	const part = "--" + uploadBoundary + "\r\nContent-Disposition: form-data; name="
	return slices.Concat([]byte(part+"\"a\"\r\n\r\n1\r\n"+part+"\"f\"; filename=\"x\"\r\n\r\n"), file,
		[]byte("\r\n"+part+"\"x\"\r\n\r\n1\r\n--"+uploadBoundary+"--\r\n"))
}

func uploadPlan(b *testing.B) *submission.Plan {
	b.Helper()
	p, err := submission.NewPlan([]submission.Field{
		{Path: segments("a"), Kept: true}, {Path: segments("f"), Kept: true, File: true, MaxFile: 1 << 40},
	}, submission.Brackets)
	if err != nil {
		b.Fatal(err)
	}
	return p
}

// BenchmarkMultipart streams a form with a file of 16 MB: rebuilt, spliced
// with mime/multipart, and copied, which is what a plain proxy does.
func BenchmarkMultipart(b *testing.B) {
	const size = 16 << 20
	p, rep, lim := uploadPlan(b), new(submission.Report), submission.DefaultLimits()
	body := upload(size)
	buf := make([]byte, 32<<10) // as net/http has
	copyAll := func(r io.Reader) {
		if n, err := io.CopyBuffer(onlyWriter{io.Discard}, onlyReader{r}, buf); err != nil || n < size {
			b.Fatal(n, err)
		}
	}
	ours := func(int) {
		rep.Reset(p)
		m := submission.NewMultipart(onlyReader{bytes.NewReader(body)}, uploadBoundary, p, lim, rep)
		copyAll(m)
		_ = m.Close()
	}
	observed := func(int) {
		rep.Reset(p)
		m := submission.NewMultipart(onlyReader{bytes.NewReader(body)}, uploadBoundary, p, lim, rep)
		m.Observe = true
		copyAll(m)
		_ = m.Close()
	}
	compare(b, size, []rival{
		{Name: "modicum", Do: ours, Allocates: true},
		{Name: "AA-twin", Do: ours, Allocates: true},
		{Name: "observed", Do: observed, Allocates: true},
		{Name: "copy", Do: func(int) { copyAll(onlyReader{bytes.NewReader(body)}) }, Allocates: true},
		{Name: "mime-multipart", Do: func(int) { spliceMIME(b, onlyReader{bytes.NewReader(body)}, uploadBoundary, buf) }, Allocates: true},
	})
}

// BenchmarkMultipartSmall rebuilds a form of a dozen fields.
func BenchmarkMultipartSmall(b *testing.B) {
	var form strings.Builder
	for _, name := range names {
		fmt.Fprintf(&form, "--B\r\nContent-Disposition: form-data; name=%q\r\n\r\n%s\r\n", name, strings.Repeat("some text ", 4))
	}
	body := []byte(form.String() + "--B--\r\n")
	p, rep, lim := plan(b), new(submission.Report), submission.DefaultLimits()
	buf := make([]byte, 32<<10)
	ours := func(int) {
		rep.Reset(p)
		m := submission.NewMultipart(bytes.NewReader(body), "B", p, lim, rep)
		if _, err := io.CopyBuffer(onlyWriter{io.Discard}, onlyReader{m}, buf); err != nil {
			b.Fatal(err)
		}
		_ = m.Close()
	}
	compare(b, len(body), []rival{
		{Name: "modicum", Do: ours, Allocates: true},
		{Name: "AA-twin", Do: ours, Allocates: true},
		{Name: "mime-multipart", Do: func(int) { spliceMIME(b, bytes.NewReader(body), "B", buf) }, Allocates: true},
	})
}

// spliceMIME keeps the same parts with mime/multipart.
func spliceMIME(b *testing.B, src io.Reader, boundary string, buf []byte) {
	b.Helper()
	r, w := multipart.NewReader(src, boundary), multipart.NewWriter(onlyWriter{io.Discard})
	for {
		part, err := r.NextRawPart()
		if err == io.EOF { //nolint:errorlint // an end comes as it is
			break
		}
		if err != nil {
			b.Fatal(err)
		}
		if name := part.FormName(); name != "a" && name != "f" && !kept(name) {
			continue
		}
		out, err := w.CreatePart(part.Header)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := io.CopyBuffer(onlyWriter{out}, onlyReader{part}, buf); err != nil {
			b.Fatal(err)
		}
	}
	_ = w.Close()
}
