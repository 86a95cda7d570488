package submission

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"
)

// stalledClient sends a beginning and then nothing until it is released.
type stalledClient struct {
	io.Reader
	waiting func() // is called once, when the client has sent all it will
	once    sync.Once
	release chan struct{}
}

func (c *stalledClient) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	if err != io.EOF {
		return n, err
	}
	c.once.Do(c.waiting)
	<-c.release
	return 0, io.ErrUnexpectedEOF
}

// zstdBeginning is the beginning of a zstd frame with a window of 8 MiB, of
// which raw blocks follow: 19 bytes of it are a header and 10 bytes of text.
func zstdBeginning(n int) []byte {
	b := append(make([]byte, 0, n+128<<10), "\x28\xb5\x2f\xfd\x00\x68"...)
	for len(b) < n {
		size := min(max(n-len(b)-3, 1), 100<<10)
		b = append(b, byte(size<<3), byte(size>>5), byte(size>>13)) //nolint:gosec // G115: its bytes
		b = append(b, strings.Repeat("x", size)...)
	}
	return b[:n]
}

// brotliBeginning is the beginning of a brotli stream with a window of 8 MiB
// and a raw block of as much.
func brotliBeginning(n int) []byte {
	const windowBits, size = 23, 8<<20 - 1
	// RFC 7932, section 9: the window, that this block is not the last, its
	// size as 6 digits of 4 bits, and that it is stored as it is.
	const header = ((windowBits-17)<<1 | 1) | 0<<4 | 2<<5 | (size-1)<<7 | 1<<31
	b := binary.LittleEndian.AppendUint32(nil, header)
	return append(b, strings.Repeat("x", n)...)[:n]
}

// gzipBeginning is the beginning of a gzip member of stored blocks.
func gzipBeginning(n int) []byte {
	b := append(make([]byte, 0, n+64<<10), "\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"...)
	for len(b) < n {
		size := min(max(n-len(b)-5, 1), 1<<15)
		b = append(b, 0, byte(size), byte(size>>8), ^byte(size), ^byte(size>>8)) //nolint:gosec // G115: its bytes
		b = append(b, strings.Repeat("x", size)...)
	}
	return b[:n]
}

var beginnings = map[string]func(n int) []byte{"zstd": zstdBeginning, "br": brotliBeginning, "gzip": gzipBeginning}

// heldByStalled returns how many bytes of the heap a client holds that sends
// a beginning and stalls: the mean of many.
func heldByStalled(tb testing.TB, coding string, beginning []byte, lim Limits) float64 {
	tb.Helper()
	const clients = 16
	var sent, done sync.WaitGroup
	release := make(chan struct{})
	before := heap()
	for range clients {
		sent.Add(1)
		r, err := Decode(http.Header{"Content-Encoding": {coding}}, &stalledClient{
			Reader: bytes.NewReader(beginning), waiting: sent.Done, release: release,
		}, lim)
		if err != nil {
			tb.Fatal(err)
		}
		done.Go(func() {
			if _, err := io.Copy(io.Discard, r); err == nil {
				tb.Errorf("%s: a beginning is a whole", coding)
			}
			_ = r.Close()
		})
	}
	sent.Wait()
	held := heap() - before
	close(release)
	done.Wait()
	return float64(held) / clients
}

// heap returns how many bytes of the heap are in use. What the pools hold
// outlives one collection.
func heap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc) //nolint:gosec // G115: no heap has 2⁶³ bytes
}

// TestStalledClient: a client sends the beginning of a frame that asks for a
// large window, and stalls. It costs the client a few bytes, and would cost
// us the window for as long as a body may take (CWE-405).
func TestStalledClient(t *testing.T) {
	if testing.Short() {
		t.Skip("it measures the heap, which the race detector changes")
	}
	for coding, beginning := range beginnings {
		for _, sent := range []int{1, 19, 1000, 60_000} {
			held := heldByStalled(t, coding, beginning(sent), DefaultLimits())
			if bound := float64(32<<10 + 2*sent); held > bound {
				t.Errorf("%s: %d bytes hold %.0f, want at most %.0f", coding, sent, held, bound)
			}
		}
	}
}

// TestStalledClientOfNarrowSite: a site whose bodies decode to little lends
// no one a large window, though whoever sends more than is read ahead gets a
// decoder, and though other sites have wide ones.
func TestStalledClientOfNarrowSite(t *testing.T) {
	if testing.Short() {
		t.Skip("as above")
	}
	lim := DefaultLimits()
	heldByStalled(t, "br", brotliBeginning(1<<20), lim) // leaves wide decoders
	lim.Inflated = 256<<10 - brotliGap
	if held := heldByStalled(t, "br", brotliBeginning(100_000), lim); held > 512<<10 {
		t.Errorf("br: %.0f bytes are held", held)
	}
}

// TestStalledClientOfLargeBody: whoever sends more than is read ahead may
// hold a decoder, which is not many times as large.
func TestStalledClientOfLargeBody(t *testing.T) {
	if testing.Short() {
		t.Skip("as above")
	}
	lim := DefaultLimits()
	for coding, beginning := range beginnings {
		for _, sent := range []int{200_000, 400_000, 1 << 20} {
			held := heldByStalled(t, coding, beginning(sent), lim)
			if bound := float64(2+lim.Ratio) * float64(sent); held > bound {
				t.Errorf("%s: %d bytes hold %.0f, want at most %.0f", coding, sent, held, bound)
			}
		}
	}
}

// BenchmarkStalled reports how many bytes a client holds that stalls.
func BenchmarkStalledZstd(b *testing.B)   { benchmarkStalled(b, "zstd") }
func BenchmarkStalledBrotli(b *testing.B) { benchmarkStalled(b, "br") }
func BenchmarkStalledGzip(b *testing.B)   { benchmarkStalled(b, "gzip") }

func benchmarkStalled(b *testing.B, coding string) {
	b.Helper()
	for _, sent := range []int{19, 64 << 10, 400 << 10, 1 << 20} {
		b.Run(fmt.Sprint(sent), func(b *testing.B) {
			var held float64
			for range b.N {
				held += heldByStalled(b, coding, beginnings[coding](sent), DefaultLimits())
			}
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(held/float64(b.N), "B/stalled")
		})
	}
}
