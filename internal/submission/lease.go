package submission

import "sync"

// lease lets Read and Close of a pooled reader meet. An HTTP transport may
// call Close from another goroutine while Read still waits for the client:
// the buffers must not go to the next submission before that Read is over,
// and Close must not wait for it.
type lease struct {
	mu              sync.Mutex
	reading, closed bool
}

// begin starts a Read; false once closed.
func (l *lease) begin() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.reading = !l.closed
	return l.reading
}

// end ends a Read. It tells whether the buffers are now to be released.
func (l *lease) end() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.reading = false
	return l.closed
}

// close forbids further Reads. It tells whether the buffers are now to be
// released; if not, they were, or the end of the current Read does it.
func (l *lease) close() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	first := !l.closed
	l.closed = true
	return first && !l.reading
}
