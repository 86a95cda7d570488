package submission

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"errors"
	"io"
	"math"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/iotest"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/zstd"
)

// encode codes text as the Content-Encoding named.
func encode(tb testing.TB, coding, text string) []byte {
	tb.Helper()
	var b bytes.Buffer
	var w io.WriteCloser
	switch coding {
	case "gzip":
		w = gzip.NewWriter(&b)
	case "deflate":
		w = zlib.NewWriter(&b)
	case "raw deflate":
		w, _ = flate.NewWriter(&b, 6)
	case "br":
		w = brotli.NewWriter(&b)
	case "zstd":
		w, _ = zstd.NewWriter(&b)
	default:
		return []byte(text)
	}
	if _, err := io.WriteString(w, text); err != nil {
		tb.Fatal(err)
	}
	if err := w.Close(); err != nil {
		tb.Fatal(err)
	}
	return b.Bytes()
}

var codings = []string{"gzip", "deflate", "br", "zstd"}

func decodeAll(coding string, body io.Reader, lim Limits) (string, error) {
	r, err := Decode(http.Header{"Content-Encoding": {coding}}, body, lim)
	if err != nil {
		return "", err
	}
	out, err := io.ReadAll(r)
	_ = r.Close()
	return string(out), err
}

func TestDecode(t *testing.T) {
	text := strings.Repeat("email=a%40b.example&name=Жанна&", 50)
	for _, coding := range append(codings, "identity") {
		for _, name := range []string{coding, strings.ToUpper(coding), " " + coding + " "} {
			for range 3 { // a decoder is used again
				for _, src := range []io.Reader{
					bytes.NewReader(encode(t, coding, text)),
					iotest.OneByteReader(bytes.NewReader(encode(t, coding, text))),
					iotest.DataErrReader(bytes.NewReader(encode(t, coding, text))),
				} {
					got, err := decodeAll(name, src, DefaultLimits())
					if err != nil || got != text {
						t.Fatalf("%q: %d bytes, %v", name, len(got), err)
					}
				}
			}
		}
		if got, err := decodeAll(coding, bytes.NewReader(encode(t, coding, "")), DefaultLimits()); err != nil || got != "" {
			t.Errorf("%s of nothing: %q, %v", coding, got, err)
		}
	}
	r, err := Decode(http.Header{}, strings.NewReader(text), DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(r); err != nil || string(got) != text {
		t.Errorf("without a coding: %v", err)
	}
}

func TestDecodeRefuses(t *testing.T) {
	for _, values := range [][]string{
		// 36 frameworks ignore a coding that they do not know and read on.
		{"foo"},
		{""},
		{"x-gzip"},
		{"compress"},
		{"dcb"},
		{"gzip\x00"},
		// What decodes twice here may decode once there.
		{"gzip, gzip"},
		{"gzip", "gzip"},
		{"identity", "gzip"},
		{"identity,gzip"},
		{"gzip;q=1"},
	} {
		_, err := Decode(http.Header{"Content-Encoding": values}, strings.NewReader("{}"), DefaultLimits())
		if err == nil {
			t.Errorf("%q: decoded", values)
		} else if e := refusal(t, err); e.Status != 415 || e.Rule != "content-coding" {
			t.Errorf("%q: %d %s", values, e.Status, e.Rule)
		}
	}
	text := strings.Repeat("some text of some length ", 20)
	for _, coding := range codings {
		whole := encode(t, coding, text)
		// A decoder that takes what it got as the whole passes half a form.
		for _, n := range []int{0, 1, len(whole) / 2, len(whole) - 1} {
			_, err := decodeAll(coding, bytes.NewReader(whole[:n]), DefaultLimits())
			if e := refusal(t, err); e.Status != 400 || e.Rule != "coding-truncated" {
				t.Errorf("%s cut at %d: %d %s", coding, n, e.Status, e.Rule)
			}
		}
		// To some decoders the rest is another body, to others nothing.
		for _, garbage := range []string{"\x00", "{}", `{"ssn":1}`} {
			_, err := decodeAll(coding, bytes.NewReader(append(bytes.Clone(whole), garbage...)), DefaultLimits())
			if e := refusal(t, err); e.Status != 400 {
				t.Errorf("%s with garbage behind: %d %s", coding, e.Status, e.Rule)
			}
		}
		_, err := decodeAll(coding, strings.NewReader("email=a%40b.example&name=x"), DefaultLimits())
		if e := refusal(t, err); e.Status != 400 {
			t.Errorf("%s that is none: %d %s", coding, e.Status, e.Rule)
		}
	}
	// A second gzip member is more text to some decoders, garbage to others.
	twice := append(encode(t, "gzip", "a=1"), encode(t, "gzip", "&ssn=2")...)
	_, err := decodeAll("gzip", bytes.NewReader(twice), DefaultLimits())
	if e := refusal(t, err); e.Rule != "trailing-data" {
		t.Errorf("two gzip members: %s", e.Rule)
	}
	// Some clients mean the bare format by "deflate"; RFC 9110 does not.
	if _, err := decodeAll("deflate", bytes.NewReader(encode(t, "raw deflate", text)), DefaultLimits()); err == nil {
		t.Error("bare deflate was decoded")
	}
}

// TestDecodeBombs: a few bytes must not become many.
func TestDecodeBombs(t *testing.T) {
	lim := DefaultLimits()
	zeros := strings.Repeat("\x00", 16<<20)
	for _, coding := range codings {
		bomb := encode(t, coding, zeros)
		_, err := decodeAll(coding, bytes.NewReader(bomb), lim)
		if e := refusal(t, err); e.Status != 413 || e.Rule != "inflated-ratio" {
			t.Errorf("%s: %d %s", coding, e.Status, e.Rule)
		}
		wide := lim
		wide.Ratio = 1 << 20
		_, err = decodeAll(coding, bytes.NewReader(bomb), wide)
		if e := refusal(t, err); e.Status != 413 || e.Rule != "inflated-size" {
			t.Errorf("%s without a ratio: %d %s", coding, e.Status, e.Rule)
		}
		// A short text may be as repetitive as it likes.
		if _, err := decodeAll(coding, bytes.NewReader(encode(t, coding, zeros[:64<<10])), lim); err != nil {
			t.Errorf("%s of 64 KiB: %v", coding, err)
		}
	}
	// The largest window of brotli is 16 MiB, which a short body need not ask for.
	for _, window := range []int{10, 16, 17, 18, 22, 23, 24} {
		var b bytes.Buffer
		w := brotli.NewWriterOptions(&b, brotli.WriterOptions{Quality: 5, LGWin: window})
		_, _ = io.WriteString(w, "some text")
		_ = w.Close()
		got, err := decodeAll("br", &b, lim)
		if window < 24 && (err != nil || got != "some text") {
			t.Errorf("brotli with a window of 2^%d: %v", window, err)
		}
		if window == 24 && refusal(t, err).Rule != "inflated-window" {
			t.Errorf("brotli with a window of 2^%d: %v", window, err)
		}
	}
	// A frame may ask its decoder to hold 512 MiB for one byte.
	var b bytes.Buffer
	w, err := zstd.NewWriter(&b, zstd.WithWindowSize(512<<20), zstd.WithSingleSegment(false))
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.WriteString(w, zeros)
	_ = w.Close()
	_, err = decodeAll("zstd", &b, lim)
	if e := refusal(t, err); e.Status != 413 || e.Rule != "inflated-window" {
		t.Errorf("window: %d %s", e.Status, e.Rule)
	}
}

// TestDecodeBrotliWindow: encoders ask for a window of 4 MiB whatever the
// text. A decoder gets no larger one than the text may need, and decodes to
// the same with it.
func TestDecodeBrotliWindow(t *testing.T) {
	brotlied := func(text string, bits int) []byte {
		var b bytes.Buffer
		w := brotli.NewWriterOptions(&b, brotli.WriterOptions{Quality: 5, LGWin: bits})
		_, _ = io.WriteString(w, text)
		_ = w.Close()
		return b.Bytes()
	}
	for _, inflated := range []int{1, 100, 1<<18 - 16, 1<<18 - 15, 1 << 18, 1_000_000, 1 << 20} {
		lim := DefaultLimits()
		lim.Inflated = int64(inflated)
		// The end repeats the beginning, as far back as can be.
		text := randomText(inflated - inflated/4)
		text += text[:inflated/4]
		for _, bits := range []int{16, 17, 18, 20, 22, 23} {
			body := brotlied(text, bits)
			lim.Inflated = max(int64(inflated), int64(len(body)))
			for range 2 { // a decoder is used again
				if got, err := decodeAll("br", bytes.NewReader(body), lim); err != nil || got != text {
					t.Fatalf("%d bytes with a window of 2^%d: %d bytes, %v", inflated, bits, len(got), err)
				}
			}
			_, err := decodeAll("br", bytes.NewReader(brotlied(text+text, bits)), lim)
			if e := refusal(t, err); e.Status != 413 {
				t.Errorf("%d bytes with a window of 2^%d: %d %s", 2*inflated, bits, e.Status, e.Rule)
			}
		}
	}
}

// TestDecodeZstdWindow: a frame that asks for a larger window than its text
// may need is refused, as one for more than 8 MiB is everywhere.
func TestDecodeZstdWindow(t *testing.T) {
	for _, tt := range []struct {
		inflated int64
		window   int
		want     string // of the error
	}{
		{100, 1 << 18, ""},
		{100, 1 << 19, "256 KiB"},
		{1_000_000, 1 << 20, ""}, // encoders choose powers of two
		{1_000_000, 2 << 20, "1024 KiB"},
		{1<<20 + 1, 2 << 20, ""},
		{8 << 20, 8 << 20, ""},
		{8 << 20, 16 << 20, "8192 KiB"},
		{1 << 40, 16 << 20, "8192 KiB"},
		{math.MaxInt64, 8 << 20, ""},
	} {
		var b bytes.Buffer
		w, err := zstd.NewWriter(&b, zstd.WithWindowSize(tt.window), zstd.WithSingleSegment(false))
		if err != nil {
			t.Fatal(err)
		}
		text := "x"
		if tt.inflated > 300_000 {
			text = randomText(300_000)
		}
		// What is flushed is of a size that the encoder cannot know.
		_, _ = io.WriteString(w, text)
		if err := errors.Join(w.Flush(), w.Close()); err != nil {
			t.Fatal(err)
		}
		lim := DefaultLimits()
		lim.Inflated = tt.inflated
		got, err := decodeAll("zstd", &b, lim)
		if tt.want == "" {
			if err != nil || got != text {
				t.Errorf("%d bytes with a window of %d: %d bytes, %v", tt.inflated, tt.window, len(got), err)
			}
		} else if e := refusal(t, err); e.Status != 413 || e.Rule != "inflated-window" || !strings.Contains(e.Detail, tt.want) {
			t.Errorf("%d bytes with a window of %d: %+v", tt.inflated, tt.window, e)
		}
	}
}

// randomText returns n bytes that no coding makes shorter.
func randomText(n int) string {
	b := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{}).Read(b)
	return string(b)
}

// TestDecodeReadsAhead: a decoder begins with what has arrived and goes on
// with what arrives, wherever the one ends.
func TestDecodeReadsAhead(t *testing.T) {
	lim := DefaultLimits()
	for _, n := range []int{leastAhead - 1000, leastAhead, leastAhead + 1000, 400_000, 8<<20/20 + 1000, 1 << 20} {
		text := randomText(n)
		for _, coding := range codings {
			whole := encode(t, coding, text)
			for _, src := range []io.Reader{
				bytes.NewReader(whole),
				iotest.HalfReader(bytes.NewReader(whole)),
				iotest.DataErrReader(bytes.NewReader(whole)),
			} {
				if got, err := decodeAll(coding, src, lim); err != nil || got != text {
					t.Errorf("%s: %d bytes of %d, %v", coding, len(got), n, err)
				}
			}
			_, err := decodeAll(coding, bytes.NewReader(whole[:len(whole)-1]), lim)
			if e := refusal(t, err); e.Rule != "coding-truncated" {
				t.Errorf("%s of %d bytes, cut: %s", coding, n, e.Rule)
			}
			narrow := lim
			narrow.Inflated = int64(n) - 1
			_, err = decodeAll(coding, bytes.NewReader(whole), narrow)
			if e := refusal(t, err); e.Status != 413 {
				t.Errorf("%s of %d bytes: %d %s", coding, n, e.Status, e.Rule)
			}
		}
	}
}

// TestDecodeEndless: a client that sends blocks of no content, in chunks, must
// not keep its decoder, its connection and its memory for as long as it likes.
func TestDecodeEndless(t *testing.T) {
	lim := DefaultLimits()
	lim.Inflated = 1 << 20
	for coding, start := range map[string]string{
		"gzip":    "\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff",
		"deflate": "\x78\x9c",
		"zstd":    "",
	} {
		block := "\x00\x00\x00\xff\xff" // stored, of no bytes
		if coding == "zstd" {
			block = "\x50\x2a\x4d\x18\x00\x00\x00\x00" // a frame to skip
		}
		body := strings.NewReader(start + strings.Repeat(block, 4<<20/len(block)))
		_, err := decodeAll(coding, body, lim)
		if e := refusal(t, err); e.Status != 413 || e.Rule != "body-size" {
			t.Errorf("%s: %d %s", coding, e.Status, e.Rule)
		}
		if taken := body.Size() - int64(body.Len()); taken > 2*lim.Inflated {
			t.Errorf("%s: %d bytes were taken", coding, taken)
		}
	}
}

// TestDecodeSourceFails: a client that goes away is not one that sends
// garbage, and its error is the caller's to judge.
func TestDecodeSourceFails(t *testing.T) {
	gone := errors.New("gone")
	for _, coding := range codings {
		whole := encode(t, coding, strings.Repeat("some text", 1000))
		for _, n := range []int{0, len(whole) / 2, len(whole)} {
			src := io.MultiReader(bytes.NewReader(whole[:n]), iotest.ErrReader(gone))
			if _, err := decodeAll(coding, src, DefaultLimits()); !errors.Is(err, gone) {
				t.Errorf("%s after %d bytes: %v", coding, n, err)
			}
		}
	}
}

// TestDecodeCloseMeetsRead: an HTTP transport may close a body while it is
// read. The decoder must then not serve the next body until the Read is over.
func TestDecodeCloseMeetsRead(t *testing.T) {
	for _, coding := range codings {
		pr, pw := io.Pipe()
		r, err := Decode(http.Header{"Content-Encoding": {coding}}, pr, DefaultLimits())
		if err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		wg.Go(func() { _, _ = io.ReadAll(r) })
		whole := encode(t, coding, randomText(2*mostAhead+1000)) // half of it starts the decoder
		if _, err := pw.Write(whole[:len(whole)/2]); err != nil {
			t.Fatal(err)
		}
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
		for range 4 {
			if got, err := decodeAll(coding, bytes.NewReader(encode(t, coding, "other")), DefaultLimits()); err != nil || got != "other" {
				t.Errorf("%s: %q, %v", coding, got, err)
			}
		}
		_ = pw.Close()
		wg.Wait()
		if _, err := r.Read(make([]byte, 1)); err == nil {
			t.Errorf("%s: read after Close", coding)
		}
		_ = r.Close()
	}
}

// What is held of a body is in proportion to what was sent, and never much more
// than the limit, whatever the sizes of the reads.
func TestReadUpTo(t *testing.T) {
	const limit = 1000
	for _, size := range []int{0, 1, 511, 512, 513, 999, limit, limit + 1, 5000} {
		body := strings.Repeat("x", size)
		for _, buf := range [][]byte{nil, make([]byte, 3), make([]byte, 10, 4096)} {
			for _, src := range []io.Reader{strings.NewReader(body), iotest.OneByteReader(strings.NewReader(body)), iotest.DataErrReader(strings.NewReader(body))} {
				got, whole, err := ReadUpTo(src, buf, limit)
				if err != nil || string(got) != body[:min(size, limit+1)] || whole != (size <= limit) {
					t.Fatalf("%d bytes: got %d, whole %v, %v", size, len(got), whole, err)
				}
				if spare := cap(got) - len(got); spare < Padding {
					t.Errorf("%d bytes: %d spare", size, spare)
				}
				if most := max(cap(buf), min(2*size+512, limit)+Padding+128); cap(got) > most { // 128: the allocator rounds up
					t.Errorf("%d bytes: %d held, at most %d expected", size, cap(got), most)
				}
			}
		}
	}
	gone := errors.New("gone")
	got, whole, err := ReadUpTo(io.MultiReader(strings.NewReader("abc"), iotest.ErrReader(gone)), nil, limit)
	if string(got) != "abc" || whole || !errors.Is(err, gone) {
		t.Errorf("%q, %v, %v", got, whole, err)
	}
	if got, whole, err := ReadUpTo(strings.NewReader("abc"), nil, math.MaxInt64); string(got) != "abc" || !whole || err != nil {
		t.Errorf("without a limit: %q, %v, %v", got, whole, err)
	}
}

func TestReadBody(t *testing.T) {
	lim := DefaultLimits()
	lim.Body = 1000
	if got, err := ReadBody(strings.NewReader(strings.Repeat("x", 1000)), nil, lim); err != nil || len(got) != 1000 {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	_, err := ReadBody(strings.NewReader(strings.Repeat("x", 1001)), nil, lim)
	if e := refusal(t, err); e.Status != 413 || e.Rule != "body-size" {
		t.Errorf("%d %s", e.Status, e.Rule)
	}
	gone := errors.New("gone")
	if _, err := ReadBody(iotest.ErrReader(gone), nil, lim); !errors.Is(err, gone) {
		t.Error(err)
	}
}
