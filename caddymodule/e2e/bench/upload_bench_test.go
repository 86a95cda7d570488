//go:build linux

package bench

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

const fileSize = 100 << 20

// upload sends a form with one large file, and a field that is stripped.
func upload(b *testing.B, c *client, chunk []byte) {
	b.Helper()
	const head = "--benchboundary\r\nContent-Disposition: form-data; name=\"email\"\r\n\r\na@b.example\r\n" +
		"--benchboundary\r\nContent-Disposition: form-data; name=\"shoe_size\"\r\n\r\n42\r\n" +
		"--benchboundary\r\nContent-Disposition: form-data; name=\"photo\"; filename=\"p.jpg\"\r\nContent-Type: image/jpeg\r\n\r\n"
	const tail = "\r\n--benchboundary--\r\n"
	size := len(head) + fileSize + len(tail)
	if _, err := fmt.Fprintf(c.conn, "POST /order HTTP/1.1\r\nHost: bench\r\nContent-Type: multipart/form-data; boundary=benchboundary\r\nContent-Length: %d\r\n\r\n%s", size, head); err != nil {
		b.Error(err)
		return
	}
	for sent := 0; sent < fileSize; sent += len(chunk) {
		if _, err := c.conn.Write(chunk); err != nil {
			b.Error(err)
			return
		}
	}
	if _, err := c.conn.Write([]byte(tail)); err != nil {
		b.Error(err)
		return
	}
	if n, err := c.receive(); err != nil || n < fileSize {
		b.Errorf("the application had %d bytes: %v", n, err)
	}
}

// binary is file content that looks like nothing.
func binary() []byte {
	chunk := make([]byte, 1<<20)
	state := uint64(1)
	for i := range chunk {
		state = state*6364136223846793005 + 1442695040888963407
		chunk[i] = byte(state >> 56)
	}
	return chunk
}

// BenchmarkUpload compares megabytes for a second of the server's processor
// time, one upload at a time.
func BenchmarkUpload(b *testing.B) {
	s := newSetup(b, true)
	chunk := binary()
	perRound := make([][]float64, len(variants))
	for round := range 10 {
		var speed [8]float64
		for i := range variants {
			v := (i + round) % len(variants)
			if strings.Contains(variants[v].options, "request_buffers") {
				continue // it cannot take a body of this size
			}
			before := cpuTime(b, s.pid)
			upload(b, dial(b, s.addrs[v]), chunk)
			speed[v] = fileSize / 1e6 / (cpuTime(b, s.pid) - before).Seconds()
		}
		for v := range variants {
			perRound[v] = append(perRound[v], speed[v]/speed[0])
		}
		if round == 0 {
			b.ReportMetric(speed[0], "plain-MB/cpu-s")
		}
	}
	b.ReportMetric(0, "ns/op")
	for v := 1; v < len(variants); v++ {
		if !strings.Contains(variants[v].options, "request_buffers") {
			b.ReportMetric(median(perRound[v]), variants[v].name+"-rate")
		}
	}
}

// BenchmarkUploadMemory compares the memory of the server while 16 files are
// uploaded at once: what the largest sample is above that of an idle server.
func BenchmarkUploadMemory(b *testing.B) {
	const parallel = 16
	chunk := binary()
	peak := map[string]int{}
	for _, variant := range []int{0, 3} {
		s := newSetup(b, true)
		upload(b, dial(b, s.addrs[variant]), chunk) // warm up
		done := make(chan struct{})
		var wg sync.WaitGroup
		for range parallel {
			c := dial(b, s.addrs[variant])
			wg.Go(func() { upload(b, c, chunk) })
		}
		go func() {
			wg.Wait()
			close(done)
		}()
		most := 0
		for running := true; running; {
			select {
			case <-done:
				running = false
			case <-time.After(5 * time.Millisecond):
				most = max(most, residentKB(b, s.pid))
			}
		}
		peak[variants[variant].name] = most
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(peak["plain"]), "plain-KB")
	b.ReportMetric(float64(peak["modicum"]), "modicum-KB")
	b.ReportMetric(float64(peak["modicum"]-peak["plain"])/parallel, "KB/upload-above-plain")
}

// residentKB is the memory of a process that is not shared, in KiB.
func residentKB(b *testing.B, pid int) int {
	b.Helper()
	data, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/status")
	if err != nil {
		b.Skip("no /proc: ", err)
	}
	for line := range strings.Lines(string(data)) {
		if rest, ok := strings.CutPrefix(line, "RssAnon:"); ok {
			n, err := strconv.Atoi(strings.Fields(rest)[0])
			if err != nil {
				b.Fatal(err)
			}
			return n
		}
	}
	b.Skip("no RssAnon")
	return 0
}
