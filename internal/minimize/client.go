package minimize

import (
	"io"
	"net/http"
	"os"
	"sync"
	"time"
)

// ReadDeadline sets the deadline by which a connection must be read. It is
// never later than [http.Server.ReadTimeout] after the handler began.
type ReadDeadline struct {
	w      http.ResponseWriter
	server time.Time // when ReadTimeout is over; zero: the server has none
}

// NewReadDeadline returns the deadline of a request that has just arrived.
func NewReadDeadline(w http.ResponseWriter, r *http.Request) ReadDeadline {
	d := ReadDeadline{w: w}
	if server, ok := r.Context().Value(http.ServerContextKey).(*http.Server); ok && server.ReadTimeout > 0 {
		d.server = time.Now().Add(server.ReadTimeout)
	}
	return d
}

// Set sets the deadline, and reports whether the writer can.
func (d ReadDeadline) Set(t time.Time) bool {
	if !d.server.IsZero() && d.server.Before(t) {
		t = d.server
	}
	if d.w == nil {
		return false
	}
	return http.NewResponseController(d.w).SetReadDeadline(t) == nil
}

// Reset puts the deadline of the server back.
func (d ReadDeadline) Reset() { _ = http.NewResponseController(d.w).SetReadDeadline(d.server) }

// past is a deadline that is over.
var past = time.Unix(1, 0)

// clientBody is a body as the client sends it. It bounds the time spent
// waiting for the client: timeout for each window bytes.
type clientBody struct {
	body     io.Reader
	deadline ReadDeadline
	timeout  time.Duration
	window   int64
	came     int64         // bytes of this window so far
	waited   time.Duration // for them

	mu     sync.Mutex
	timer  *time.Timer // ends a Read that is late
	due    time.Time   // when the Read that is running is late; zero: none is running
	late   bool        // the connection has a deadline in the past
	closed bool        // no deadline may be set any more: the next request has its own
}

func (c *clientBody) begin(body io.Reader, deadline ReadDeadline, timeout time.Duration, window int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.body, c.deadline, c.timeout, c.window = body, deadline, timeout, window
	c.came, c.waited, c.late, c.closed = 0, 0, false, false
}

// Read implements [io.Reader].
func (c *clientBody) Read(p []byte) (int, error) {
	start := time.Now()
	if !c.arm(start) {
		return 0, os.ErrClosed
	}
	n, err := c.body.Read(p)
	c.disarm(err)
	c.waited += time.Since(start)
	if c.came += int64(n); c.came >= c.window {
		c.came, c.waited = 0, 0
	}
	return n, err
}

// arm begins a Read. A deadline of the connection costs more than most
// bodies, so it is set only when a Read is late. It is false once closed: the
// connection may be at its next request by then.
func (c *clientBody) arm(start time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return false
	}
	left := c.left()
	c.due = start.Add(left)
	if c.timer == nil {
		c.timer = time.AfterFunc(left, c.expire)
	} else {
		c.timer.Reset(left)
	}
	return true
}

// expire ends a Read that is late. The timer may have fired for an earlier
// Read, even for that of another body: then this one is not due.
func (c *clientBody) expire() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.closed && !c.due.IsZero() && !time.Now().Before(c.due) {
		c.late = c.deadline.Set(past)
	}
}

// disarm ends a Read. What came at the last moment is in time.
func (c *clientBody) disarm(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.timer.Stop()
	c.due = time.Time{}
	if c.late && (err == nil || err == io.EOF) { //nolint:errorlint // an end comes as it is
		c.late = false
		c.deadline.Reset()
	}
}

// isLate reports whether a Read has ended because it was late.
func (c *clientBody) isLate() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.late
}

// left is the time that the client may still take.
func (c *clientBody) left() time.Duration { return c.timeout - c.waited }

// bound bounds what follows a refusal: the server reads what is left of a body
// before it answers, and must not wait for it.
func (c *clientBody) bound() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.body != nil && !c.closed {
		c.deadline.Set(time.Now().Add(c.left()))
	}
}

// stop ends the reading, also of a Read that is running.
func (c *clientBody) stop() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
}

// reset forgets the client.
func (c *clientBody) reset() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.body, c.deadline, c.closed = nil, ReadDeadline{}, true
}
