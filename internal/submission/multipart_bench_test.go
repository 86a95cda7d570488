package submission

import (
	"bytes"
	"io"
	"mime/multipart"
	"strings"
	"testing"

	"github.com/modicum-proxy/modicum/internal/submission/benchtest"
)

// onlyReader and onlyWriter hide what would let io.Copy take a shorter way
// than a network connection has.
type (
	onlyReader struct{ io.Reader }
	onlyWriter struct{ io.Writer }
)

// BenchmarkMultipart streams a form with a file of 16 MB: rebuilt, spliced
// with mime/multipart, and copied, which is what a plain proxy does.
func BenchmarkMultipart(b *testing.B) {
	const size = 16 << 20
	p, rep, lim := uploadPlan(b), new(Report), DefaultLimits()
	buf := make([]byte, 32<<10) // as net/http has
	copyAll := func(r io.Reader) {
		if n, err := io.CopyBuffer(onlyWriter{io.Discard}, onlyReader{r}, buf); err != nil || n < size {
			b.Fatal(n, err)
		}
	}
	ours := func(int) {
		rep.Reset(p)
		m := NewMultipart(onlyReader{upload(size)}, uploadBoundary, p, lim, rep)
		copyAll(m)
		_ = m.Close()
	}
	observed := func(int) {
		rep.Reset(p)
		m := NewMultipart(onlyReader{upload(size)}, uploadBoundary, p, lim, rep)
		m.Observe = true
		copyAll(m)
		_ = m.Close()
	}
	benchtest.Compare(b, size, []benchtest.Rival{
		{Name: "modicum", Do: ours, Allocates: true},
		{Name: "AA-twin", Do: ours, Allocates: true},
		{Name: "observed", Do: observed, Allocates: true},
		{Name: "copy", Do: func(int) { copyAll(onlyReader{upload(size)}) }, Allocates: true},
		{Name: "mime-multipart", Do: func(int) { spliceMIME(b, onlyReader{upload(size)}, uploadBoundary, buf) }, Allocates: true},
	})
}

// BenchmarkMultipartSmall rebuilds a form of a dozen fields.
func BenchmarkMultipartSmall(b *testing.B) {
	var parts []string
	for _, name := range benchtest.Names {
		parts = append(parts, "name=\""+name+"\"\n\n"+strings.Repeat("some text ", 4))
	}
	body := []byte(form(parts...))
	p, rep, lim := benchPlan(b), new(Report), DefaultLimits()
	buf := make([]byte, 32<<10)
	ours := func(int) {
		rep.Reset(p)
		m := NewMultipart(bytes.NewReader(body), "B", p, lim, rep)
		if _, err := io.CopyBuffer(onlyWriter{io.Discard}, onlyReader{m}, buf); err != nil {
			b.Fatal(err)
		}
		_ = m.Close()
	}
	benchtest.Compare(b, len(body), []benchtest.Rival{
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
		if name := part.FormName(); name != "a" && name != "f" && !benchtest.Kept(name) {
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
