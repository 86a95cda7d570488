package submission

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
)

// upload is the body of a form with a file of size bytes between two
// fields. It holds no more than one block of the file.
func upload(size int64) io.Reader {
	return io.MultiReader(
		strings.NewReader("--"+uploadBoundary+"\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n--"+uploadBoundary+"\r\nContent-Disposition: form-data; name=\"f\"; filename=\"x\"\r\n\r\n"),
		io.LimitReader(&repeated{block: uploadBlock}, size),
		strings.NewReader("\r\n--"+uploadBoundary+"\r\nContent-Disposition: form-data; name=\"x\"\r\n\r\n1\r\n--"+uploadBoundary+"--\r\n"),
	)
}

// uploadBoundary is one of Chromium.
const uploadBoundary = "----WebKitFormBoundary7MA4YWxkTrZu0gW"

// uploadBlock looks like the content of an image, with beginnings of
// delimiters in it.
var uploadBlock = func() []byte {
	block := make([]byte, 1<<20)
	state := uint32(1)
	for i := range block {
		state = state*1664525 + 1013904223
		block[i] = byte(state >> 24)
	}
	for i := 1000; i < len(block)-100; i += 50_000 {
		copy(block[i:], "\r\n--\r\n------WebKitFormBoundary\r\n--b")
	}
	return block
}()

// repeated reads the same block again and again.
type repeated struct {
	block []byte
	at    int
}

func (r *repeated) Read(p []byte) (int, error) {
	n := copy(p, r.block[r.at:])
	r.at = (r.at + n) % len(r.block)
	return n, nil
}

func uploadPlan(tb testing.TB) *Plan {
	tb.Helper()
	p, err := NewPlan([]Field{{Path: segments("a"), Kept: true}, {Path: segments("f"), Kept: true, File: true, MaxFile: 1 << 40}}, Brackets)
	if err != nil {
		tb.Fatal(err)
	}
	return p
}

// TestMultipartStreams: what an upload holds in memory does not depend on
// its size.
func TestMultipartStreams(t *testing.T) {
	p, rep := uploadPlan(t), new(Report)
	rep.Reset(p)
	run := func(size int64) (allocated uint64) {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		rep.Reset(p)
		m := NewMultipart(upload(size), uploadBoundary, p, DefaultLimits(), rep)
		defer closing(t, m)
		n, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, struct{ io.Reader }{m}, make([]byte, 32<<10))
		if err != nil || n < size {
			t.Fatalf("%d bytes, %v", n, err)
		}
		runtime.ReadMemStats(&after)
		return after.TotalAlloc - before.TotalAlloc
	}
	run(1 << 20)
	small, large := run(1<<20), run(100<<20)
	if large > small+1<<20 {
		t.Errorf("1 MB allocated %d bytes, 100 MB %d", small, large)
	}
}

// TestMultipartContentWhole: every byte of a file arrives, wherever the
// seams of the window fall.
func TestMultipartContentWhole(t *testing.T) {
	p := uploadPlan(t)
	for _, size := range []int{0, 1, 65_000, 65_535, 65_536, 65_537, 131_072, 300_000} {
		for _, tail := range []string{"", "\r", "\r\n", "\r\n-", "\r\n--", "\r\r\n--", "\n--B"} {
			content := append(bytes.Clone(uploadBlock[:size]), tail...)
			in := form("name=\"f\"; filename=\"x\"\n\n")
			in = strings.Replace(in, "\r\n\r\n\r\n", "\r\n\r\n"+string(content)+"\r\n", 1)
			rep := new(Report)
			rep.Reset(p)
			out, err := readForm(p, iotest.HalfReader(strings.NewReader(in)), DefaultLimits(), rep)
			if err != nil || out != in {
				t.Errorf("%d bytes and %q: %v, equal: %v", size, tail, err, out == in)
			}
		}
	}
}

// TestMultipartLinear: the splitter looks at a byte a bounded number of
// times, whatever the content imitates.
func TestMultipartLinear(t *testing.T) {
	for _, bait := range []string{"\r", "\r\n", "\r\n--", "\r\n--B\r", "\r\n--" + strings.Repeat("B", 69)} {
		boundary := strings.Repeat("B", 70)
		content := strings.Repeat(bait, 200_000/len(bait))
		in := "--" + boundary + "\r\nContent-Disposition: form-data; name=\"f\"; filename=\"x\"\r\n\r\n" + content + "\r\n--" + boundary + "--\r\n"
		p, rep := uploadPlan(t), new(Report)
		rep.Reset(p)
		m := NewMultipart(strings.NewReader(in), boundary, p, DefaultLimits(), rep)
		reads := 0
		s := m.parts
		var kept int
		for {
			got, data, err := s.next()
			if err != nil {
				t.Fatal(err)
			}
			if got == needMore {
				if len(s.window)-s.w+s.r < windowSize-maxPartHeader {
					t.Fatalf("%d bytes are held back", s.w-s.r)
				}
				if _, err := m.fill(); err != nil {
					t.Fatal(err)
				}
				reads++
			}
			if got == contentPiece || got == contentEnd {
				kept += len(data)
			}
			if got == formEnd {
				break
			}
		}
		if kept != len(content) || reads > len(in)/(windowSize-maxPartHeader)+3 {
			t.Errorf("%q: %d of %d bytes in %d reads", bait, kept, len(content), reads)
		}
		_ = m.Close()
	}
}

// TestMultipartCloseMeetsRead: an HTTP transport may close a body while it
// is read. The window must not go to the next form before the Read is over,
// or one person's upload would end in another's.
func TestMultipartCloseMeetsRead(t *testing.T) {
	p := uploadPlan(t)
	for range 50 {
		pr, pw := io.Pipe()
		rep := new(Report)
		rep.Reset(p)
		m := NewMultipart(pr, "B", p, DefaultLimits(), rep)
		var wg sync.WaitGroup
		wg.Go(func() { _, _ = io.Copy(io.Discard, m) })
		wg.Go(func() {
			for range 3 {
				_, _ = fmt.Fprint(pw, "--B\r\nContent-Disposition: form-data; name=\"f\"; filename=\"x\"\r\n\r\n", strings.Repeat("secret", 1000))
			}
			_ = pw.Close()
		})
		wg.Go(func() { _ = m.Close() })
		wg.Go(func() { _ = m.Close() })
		other := new(Report)
		other.Reset(p)
		if out, err := readForm(p, strings.NewReader(form("name=\"a\"\n\n1")), DefaultLimits(), other); err != nil || out != form("name=\"a\"\n\n1") {
			t.Errorf("%q, %v", out, err)
		}
		_ = pr.Close()
		wg.Wait()
		if _, err := m.Read(make([]byte, 1)); err != os.ErrClosed { //nolint:errorlint // ours, and not wrapped
			t.Errorf("read after Close: %v", err)
		}
	}
}

// FuzzMultipart: of a form that is accepted, mime/multipart finds in the
// output exactly the parts that the plan allows, in order and whole; what it
// reads itself of the input is the same, where it reads it at all.
func FuzzMultipart(f *testing.F) {
	for _, tt := range multipartCases {
		f.Add(tt.in, strings.Join(tt.paths, " "), uint8(0))
	}
	for _, tt := range multipartAttacks {
		if len(tt.in) < 10_000 {
			f.Add(tt.in, "a b file:f", uint8(3))
		}
	}
	f.Fuzz(func(t *testing.T, in, paths string, chop uint8) {
		if len(paths) > 200 || len(in) > 1<<16 {
			return
		}
		var fields []Field
		for path := range strings.SplitSeq(paths, " ") {
			path, file := strings.CutPrefix(path, "file:")
			path, denied := strings.CutPrefix(path, "!")
			fields = append(fields, Field{Path: segments(strings.Split(path, ".")...), Kept: !denied, File: file, Reason: "no_consent"})
		}
		p, err := NewPlan(fields, Brackets)
		if err != nil {
			return
		}
		out, rep, err := rebuildParts(p, in, DefaultLimits())
		checkOtherReads(t, p, in, out, err, int(chop)+1)
		if err != nil {
			_ = refusal(t, err)
			if strings.HasSuffix(out, "--B--\r\n") && !strings.Contains(in, "--B--") {
				t.Fatalf("refused, and ended: %q", out)
			}
			return
		}
		var want []parsedPart
		for _, part := range splitParts(t, in) {
			if f := fieldOf(p, part.name); f != nil && f.Kept && f.File == (part.filename != "") && !strings.EqualFold(part.name, "_charset_") {
				want = append(want, part)
			}
		}
		rep.Reset(p)
		m := NewMultipart(strings.NewReader(in), "B", p, DefaultLimits(), rep)
		defer closing(t, m)
		raw, err := io.ReadAll(m)
		if err != nil {
			t.Fatal(err)
		}
		got := readParts(t, string(raw), m.Boundary())
		if !slices.EqualFunc(got, want, func(a, b parsedPart) bool {
			return a.name == b.name && a.content == b.content && (a.filename != "") == (b.filename != "")
		}) {
			t.Fatalf("got  %q\nwant %q", got, want)
		}
		rep.Reset(p)
		again := NewMultipart(bytes.NewReader(raw), m.Boundary(), p, DefaultLimits(), rep)
		defer closing(t, again)
		twice, err := io.ReadAll(again)
		if err != nil || !bytes.Equal(twice, bytes.ReplaceAll(raw, []byte(m.Boundary()), []byte(again.Boundary()))) || rep.StrippedAny() {
			t.Fatalf("rebuilt again: %q\nbecame %q, %v", raw, twice, err)
		}
	})
}

// splitParts reads a form that is known to be well-formed the simplest way.
// mime/multipart would find other parts in some: it takes a boundary right
// behind a header for a delimiter, and LF for a line's end.
func splitParts(t *testing.T, in string) []parsedPart {
	t.Helper()
	var parts []parsedPart
	var pieces []string
	for piece := range strings.SplitSeq(strings.TrimPrefix(strings.TrimPrefix(in, "\r\n"), "--B"), "\r\n--B") {
		// A line that only begins as a delimiter is none.
		if n := len(pieces); n > 0 && !strings.HasPrefix(piece, "\r\n") && piece != "--" && piece != "--\r\n" {
			pieces[n-1] += "\r\n--B" + piece
		} else {
			pieces = append(pieces, piece)
		}
	}
	for _, part := range pieces {
		if part == "--" || part == "--\r\n" {
			return parts
		}
		header, content, ok := strings.Cut(strings.TrimPrefix(part, "\r\n"), "\r\n\r\n")
		h, err := parsePartHeader(header)
		if !ok || err != nil {
			t.Fatalf("%q: %v", part, err)
		}
		p := parsedPart{name: h.name, content: content}
		if h.file {
			p.filename = "file"
		}
		parts = append(parts, p)
	}
	t.Fatalf("no end: %q", in)
	return nil
}

// checkOtherReads reads the form in pieces, and as report mode does.
func checkOtherReads(t *testing.T, p *Plan, in, out string, err error, size int) {
	t.Helper()
	rep := new(Report)
	rep.Reset(p)
	pieces, err2 := readForm(p, &chopped{strings.NewReader(in), size}, DefaultLimits(), rep)
	if fmt.Sprint(err) != fmt.Sprint(err2) || err == nil && pieces != out {
		t.Fatalf("in pieces of %d: %q, %v\nwhole: %q, %v", size, pieces, err2, out, err)
	}
	streamed, err2 := streamForm(p, &chopped{strings.NewReader(in), size}, DefaultLimits(), rep)
	if (err == nil) != (err2 == nil) || err == nil && streamed != out {
		t.Fatalf("streamed in pieces of %d: %q, %v\nwhole: %q, %v", size, streamed, err2, out, err)
	}
	rep.Reset(p)
	m := NewMultipart(&chopped{strings.NewReader(in), size}, "B", p, DefaultLimits(), rep)
	defer closing(t, m)
	m.Observe = true
	got, err3 := io.ReadAll(m)
	if err3 != nil || string(got) != in || (m.Err() == nil) != (err == nil) {
		t.Fatalf("observed: %q, %v, %v; rebuilt: %v", got, err3, m.Err(), err)
	}
	rep.Reset(p)
	WatchPrefix([]byte(in), "B", p, DefaultLimits(), rep)
}

// chopped reads so many bytes at a time.
type chopped struct {
	io.Reader
	size int
}

func (c *chopped) Read(p []byte) (int, error) { return c.Reader.Read(p[:min(len(p), c.size)]) }

// fieldOf returns the field that a name leads to, by itself.
func fieldOf(p *Plan, name string) *Field {
	var n names
	n.begin(p, new(Report))
	at, _ := n.resolve([]byte(name), 32)
	if leaf := p.nodes[at].leaf; leaf != none {
		return &p.fields[leaf]
	}
	return nil
}
