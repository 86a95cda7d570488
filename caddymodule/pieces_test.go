//go:build unix

package caddymodule

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// jQuery File Upload sends a large file in pieces, each as a form of its own with
// a Content-Range. Its server appends every piece but the first to the file. If it
// does not see the range, it stores each piece as the whole file, and answers 200.
func TestUploadInPieces(t *testing.T) {
	var file strings.Builder
	for i := range 300 {
		fmt.Fprintf(&file, "line %4d\n", i)
	}
	for _, held := range []string{"", "max_body 512"} {
		t.Run(held, func(t *testing.T) {
			s := startSite(t, options{minimize: held})
			stored := "" // in the application
			for first := 0; first < file.Len(); first += 1000 {
				r := s.request("POST /checkout", formData,
					strings.NewReader(form(part{"name", "", "Anna"}, part{"canary", "", "1"}, part{"photo", "a%20b.txt", file.String()[first : first+1000]})),
					"Content-Range", fmt.Sprintf("bytes %d-%d/%d", first, first+999, file.Len()),
					"Content-Disposition", `attachment; filename="a%20b.txt"`,
					"X-Requested-With", "XMLHttpRequest")
				if res := s.do(r); res.StatusCode != http.StatusOK {
					t.Fatalf("answered %s %s", res.Status, res.body)
				}
				got := s.upstream.next()
				stored = storePiece(t, stored, got)
				if disposition := got.Header.Get("Content-Disposition"); disposition != `attachment; filename="a%20b.txt"` || strings.Contains(got.raw, "canary") {
					t.Errorf("the application got\n%s", got.raw)
				}
			}
			if stored != file.String() {
				t.Errorf("the application stored %d bytes of %d", len(stored), file.Len())
			}
		})
	}
}

// storePiece does with a piece what UploadHandler.php does.
func storePiece(t *testing.T, stored string, got received) string {
	t.Helper()
	_, content, ok := strings.Cut(readable(t, got), "photo=a%20b.txt:")
	if !ok {
		t.Fatalf("no file in\n%s", got.raw)
	}
	var first, last, total int
	if _, err := fmt.Sscanf(got.Header.Get("Content-Range"), "bytes %d-%d/%d", &first, &last, &total); err != nil || first == 0 {
		return content
	}
	if first != len(stored) {
		t.Errorf("a piece from byte %d, while %d are stored", first, len(stored))
	}
	return stored + content
}

// A text with a max arrives whole although it is larger than what is held in
// memory, and one that is too long never has an end.
func TestLargeText(t *testing.T) {
	const policy = `
version: 1
controller: {name: Example, contact: privacy@example.org}
purposes: {letters: {title: Print letters, basis: contract, retention: 1y}}
collections:
  letter:
    on: POST /letter
    fields: {text: {for: letters, max: 1500000}, name: letters}
`
	s := startSite(t, options{policy: policy})
	text := strings.Repeat("Ж0123456789abc\n", 100_000) // 1.6 MB
	res := s.do(s.request("POST /letter", formData, strings.NewReader(form(part{"canary", "", "1"}, part{"text", "", text}, part{"name", "", "Anna"}))))
	got := s.upstream.next()
	if content := readable(t, got); res.StatusCode != http.StatusOK || content != "text="+text+" name=Anna" {
		t.Errorf("answered %s, forwarded %d bytes", res.Status, len(content))
	}
	res = s.do(s.request("POST /letter", formData, strings.NewReader(form(part{"text", "", text + "x"}))))
	if res.StatusCode != http.StatusRequestEntityTooLarge || !strings.Contains(res.body, "text-size") && !strings.Contains(res.body, "1500000") {
		t.Errorf("too long: answered %s %s", res.Status, res.body)
	}
	res = s.do(s.request("POST /letter", formData, strings.NewReader(form(part{"name", "", text}))))
	if res.StatusCode != http.StatusRequestEntityTooLarge {
		t.Errorf("without a max: answered %s %s", res.Status, res.body)
	}
	s.upstream.drain()
}
