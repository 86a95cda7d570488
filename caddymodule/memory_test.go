//go:build unix

package caddymodule

import (
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// zeros is a form with a file of so many bytes, which is made as it is read.
func zeros(size int64) (io.Reader, int64) {
	head := form(part{"name", "", "Anna"})
	head = strings.TrimSuffix(head, "--B--\r\n") + "--B\r\nContent-Disposition: form-data; name=\"photo\"; filename=\"p\"\r\n\r\n"
	tail := "\r\n--B--\r\n"
	return io.MultiReader(strings.NewReader(head), io.LimitReader(endless{}, size), strings.NewReader(tail)), int64(len(head)) + size + int64(len(tail))
}

type endless struct{}

func (endless) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// Uploads stream: what one costs does not grow with its size. All of this
// process is measured, with the client and the application in it, which
// plain Caddy pays for as well.
func TestMemoryOfUploads(t *testing.T) {
	if testing.Short() {
		t.Skip("uploads of 1.6 GB")
	}
	const uploads, size = 16, 100 << 20
	s := startSite(t, options{})
	s.upstream.answerWith(func(_ *wire, c net.Conn, r *http.Request) bool {
		n, err := io.Copy(io.Discard, r.Body)
		if err != nil || n < size {
			t.Errorf("the application got %d bytes, %v", n, err)
			return false
		}
		_, err = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
		return err == nil
	})
	s.upstream.plain = true
	peak := func(path string) (heap uint64) {
		var stats runtime.MemStats
		var wg sync.WaitGroup
		var done atomic.Bool
		for range uploads {
			wg.Go(func() {
				body, length := zeros(size)
				r := s.request("POST "+path, formData, body)
				r.ContentLength = length
				if res := s.do(r); res.StatusCode != http.StatusOK {
					t.Errorf("answered %s %s", res.Status, res.body)
				}
			})
		}
		go func() { wg.Wait(); done.Store(true) }()
		for !done.Load() {
			runtime.GC() // what is in use counts, not what is garbage
			runtime.ReadMemStats(&stats)
			heap = max(heap, stats.HeapAlloc+stats.StackInuse)
		}
		return heap
	}
	s.load(options{minimize: "except /free", level: "ERROR"})
	peak("/free") // warms the pools of everybody
	plain := peak("/free")
	ours := peak("/checkout")
	t.Logf("%d uploads of %d MiB at once: at most %d KiB in use, %d KiB when left alone: %d KiB for each upload",
		uploads, size>>20, ours>>10, plain>>10, (int64(ours)-int64(plain))>>10/uploads) //nolint:gosec // G115: sizes of memory
	if ours > plain+uploads<<20 {
		t.Errorf("%d bytes in use, plainly %d", ours, plain)
	}
}
