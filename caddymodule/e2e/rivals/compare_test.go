package rivals_test

import (
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// rival is one way to do the work of a comparison.
type rival struct {
	Name      string
	Do        func(i int) // called with a counter that picks the body
	Allocates bool        // short slices would leave out the garbage collector
}

// cpuTime returns the processor time of the process: wall time is off by a factor
// of two to four on a shared machine.
func cpuTime(b *testing.B) time.Duration {
	b.Helper()
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_PROCESS_CPUTIME_ID, &ts); err != nil {
		b.Skip("no processor clock: ", err)
	}
	return time.Duration(ts.Nano())
}

// compare runs the rivals in interleaved slices and reports, for each, the
// speed in MB/s of its quickest slice and how many times quicker the first
// one, ours, is. The second one is ours again: its ratio is the tolerance of
// all the others.
func compare(b *testing.B, bytesPerCall int, rivals []rival) {
	b.Helper()
	best := quickest(b, rivals)
	b.ReportMetric(0, "ns/op")
	for i, r := range rivals {
		b.ReportMetric(float64(bytesPerCall)/best[i]*1000, r.Name+"-MB/s")
		if i > 0 {
			b.ReportMetric(best[i]/best[0], "x-"+r.Name)
		}
	}
}

// quickest returns, for each rival, the nanoseconds of a call in its quickest
// slice of processor time.
func quickest(b *testing.B, rivals []rival) []float64 {
	b.Helper()
	best := make([]float64, len(rivals)) // nanoseconds a call
	calls := make([]int, len(rivals))
	counter := 0
	slice := func(r rival, n int) time.Duration {
		start := cpuTime(b)
		for range n {
			r.Do(counter)
			counter++
		}
		return cpuTime(b) - start
	}
	for i, r := range rivals {
		want := 3 * time.Millisecond
		if r.Allocates {
			want = 50 * time.Millisecond
		}
		slice(r, 10) // the first calls find nothing in its cache
		for calls[i] = 1; ; calls[i] *= 2 {
			if took := slice(r, calls[i]); took > want/2 {
				calls[i] = max(1, int(float64(calls[i])*float64(want)/float64(took)))
				break
			}
		}
	}
	order := make([]int, len(rivals))
	for i := range order {
		order[i] = i
	}
	for range 40 {
		order = append(order[1:], order[0])
		for _, i := range order {
			perCall := float64(slice(rivals[i], calls[i])) / float64(calls[i])
			if best[i] == 0 || perCall < best[i] {
				best[i] = perCall
			}
		}
	}
	return best
}

// averageSize returns the mean length of bodies, in bytes.
func averageSize(bodies [][]byte) int {
	return len(slices.Concat(bodies...)) / len(bodies)
}
