package submission

import "sync"

// readGuard lets Close of a pooled reader be called during Read. An HTTP transport
// may close a body from another goroutine while Read still waits for the client:
// the buffers must not go to the next submission before that Read returns, and
// Close must not wait for it.
type readGuard struct {
	mu              sync.Mutex
	reading, closed bool
}

// begin starts a Read; false once closed.
func (l *readGuard) begin() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.reading = !l.closed
	return l.reading
}

// end ends a Read. It reports whether the caller must release the buffers now.
func (l *readGuard) end() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.reading = false
	return l.closed
}

// close forbids further Reads. It reports whether the caller must release the
// buffers now; if not, they are released already or at the end of a Read.
func (l *readGuard) close() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	first := !l.closed
	l.closed = true
	return first && !l.reading
}
