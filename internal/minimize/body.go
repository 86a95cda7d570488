package minimize

import (
	"bytes"
	"io"
	"net/http"
	"os"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/modicum-proxy/modicum/internal/submission"
)

// source is the body as the client sends it, without its content coding.
// It bounds the time spent waiting for the client: BodyTimeout for each
// Limits.Body bytes.
type source struct {
	s       *Submission
	raw     io.Reader // what is read is decoded
	copied  bool      // raw is a copy: the request keeps its body
	decoded io.ReadCloser
	client  *http.ResponseController // nil: time is not bounded
	prefix  []byte                   // was read ahead and comes first
	window  int64                    // bytes since the time began to count, and
	waited  time.Duration            // how long they took to come
	kept    bool                     // the submission closes it, at its end

	timer *time.Timer // runs while the client is waited for

	mu      sync.Mutex
	reading bool
	late    bool // the connection has a deadline, which is over
	closed  bool // no deadline is set any more: the next request has its own
}

// maxPrefix is how much is held of a form that is known to be too large to
// be held whole: the fields before its files. Many uploads at once must not
// cost a max_body each.
const maxPrefix = 32 << 10

// open takes the body of the request over. In report mode the request keeps
// its body, byte for byte; what is inspected is the part held in memory.
func (s *Submission) open(w http.ResponseWriter, header http.Header) (*source, error) {
	src := &source{s: s, raw: s.r.Body}
	switch limit := s.engine.Limits.Body; {
	case s.Mode == Report && s.r.ContentLength <= limit:
		held, whole, err := readUpTo(s.r.Body, nil, limit)
		s.r.Body = &original{Reader: io.MultiReader(bytes.NewReader(held), &failing{s.r.Body, err}), Closer: s.r.Body}
		if err != nil {
			return nil, err
		}
		src.raw, src.copied = s.r.Body, whole
		if whole {
			src.raw = bytes.NewReader(held)
		}
	case s.Mode == Enforce && s.engine.BodyTimeout > 0:
		src.client = http.NewResponseController(w)
	}
	var err error
	src.decoded, err = submission.Decode(header, (*clock)(src), s.engine.Limits)
	return src, err
}

// original is a body whose beginning was read ahead.
type original struct {
	io.Reader
	io.Closer
}

// failing repeats how a body ended.
type failing struct {
	io.Reader
	err error
}

func (f *failing) Read(p []byte) (int, error) {
	if f.err != nil {
		return 0, f.err
	}
	return f.Reader.Read(p)
}

// restore puts the body of a request in report mode together again, of which
// some was read. It ends as it does: with err, or as it will.
func (src *source) restore(err error) {
	body := src.s.r.Body
	src.s.r.Body = &original{Reader: io.MultiReader(bytes.NewReader(bytes.Clone(src.prefix)), &failing{body, err}), Closer: body}
}

// clock is the source's raw side: it reads within the time that is left.
type clock source

func (c *clock) Read(p []byte) (int, error) {
	if c.client == nil {
		return c.raw.Read(p)
	}
	src, start := (*source)(c), time.Now()
	if !src.arm() {
		return 0, os.ErrClosed
	}
	n, err := c.raw.Read(p)
	src.disarm(err)
	c.waited += time.Since(start)
	if c.window += int64(n); c.window >= c.s.engine.Limits.Body {
		c.window, c.waited = 0, 0
	}
	return n, err
}

// arm begins a Read. A deadline of the connection costs more than most
// bodies, so it is set only when one is late. It is false when the source is
// closed: the connection may be at its next request by then.
func (src *source) arm() bool {
	src.mu.Lock()
	defer src.mu.Unlock()
	if src.closed {
		return false
	}
	src.reading = true
	if left := src.left(); src.timer == nil {
		src.timer = time.AfterFunc(left, src.expire)
	} else {
		src.timer.Reset(left)
	}
	return true
}

// expire ends a Read that is late.
func (src *source) expire() {
	src.mu.Lock()
	defer src.mu.Unlock()
	if src.reading && !src.closed {
		src.late = src.client.SetReadDeadline(time.Unix(1, 0)) == nil // not every writer can
	}
}

// isLate reports whether a Read has ended because it was late.
func (src *source) isLate() bool {
	src.mu.Lock()
	defer src.mu.Unlock()
	return src.late
}

// disarm ends a Read. What came at the last moment is in time.
func (src *source) disarm(err error) {
	src.timer.Stop()
	src.mu.Lock()
	defer src.mu.Unlock()
	if src.reading = false; src.late && (err == nil || err == io.EOF) { //nolint:errorlint // an end comes as it is
		src.late = false
		_ = src.client.SetReadDeadline(time.Time{}) // as above
	}
}

// left is the time that the client may still take.
func (src *source) left() time.Duration { return src.s.engine.BodyTimeout - src.waited }

// Read implements [io.Reader].
func (src *source) Read(p []byte) (int, error) {
	if len(src.prefix) > 0 {
		n := copy(p, src.prefix)
		if src.prefix = src.prefix[n:]; len(src.prefix) == 0 {
			src.prefix, src.s.work.body = nil, nil // the rest may take long
		}
		return n, nil
	}
	return src.decoded.Read(p)
}

// readWhole reads the body into buf. One that does not fit is refused.
func (src *source) readWhole(buf []byte) ([]byte, error) {
	if src.tooLargeToReport() {
		return nil, tooLarge()
	}
	if n := src.s.r.ContentLength; n > src.s.engine.Limits.Body {
		return nil, tooLarge()
	}
	return submission.ReadBody(src.decoded, buf, src.s.engine.Limits)
}

func tooLarge() error {
	return &submission.Error{
		Status: http.StatusRequestEntityTooLarge, Rule: "body-size", Offset: -1,
		Detail: "the body is larger than the limit (max_body)",
	}
}

// tooLargeToReport tells that a body in report mode was not read whole.
func (src *source) tooLargeToReport() bool { return src.s.Mode == Report && !src.copied }

// readPrefix reads as much of the body into *buf as may be held. whole says
// that this is all; otherwise the source goes on with it.
func (src *source) readPrefix(buf *[]byte) (whole bool, err error) {
	report := src.s.Mode == Report
	coded := len(src.s.r.Header["Content-Encoding"]) > 0
	if report && coded && src.tooLargeToReport() {
		return false, tooLarge() // it cannot be decoded and go on as it is at once
	}
	limit := src.s.engine.Limits.Body
	if src.s.r.ContentLength > limit {
		limit = min(limit, maxPrefix)
	}
	*buf, whole, err = readUpTo(src.decoded, *buf, limit)
	src.prefix = *buf
	switch {
	case whole || !report:
	case coded && err == nil:
		err = tooLarge() // as above; what was decoded is a copy
	case !coded && err != nil:
		src.restore(err)
	}
	return whole, err
}

// readUpTo reads r into buf[:0] to its end, or one byte past limit.
func readUpTo(r io.Reader, buf []byte, limit int64) (_ []byte, whole bool, err error) {
	buf = buf[:0]
	for int64(len(buf)) <= limit {
		if len(buf) == cap(buf) {
			buf = slices.Grow(buf, int(min(max(4096, int64(len(buf))), limit+1-int64(len(buf)))))
		}
		n, err := r.Read(buf[len(buf):min(int64(cap(buf)), limit+1)])
		buf = buf[:len(buf)+n]
		if err == io.EOF {
			return buf, true, nil
		}
		if err != nil {
			return buf, false, err
		}
	}
	return buf, false, nil
}

// keep leaves the source open for a stream.
func (src *source) keep() { src.kept = true }

// bound bounds what follows a refusal: the server reads what is left of a
// body before it answers, and must not wait for it.
func (src *source) bound() {
	src.mu.Lock()
	defer src.mu.Unlock()
	if src.client != nil && !src.closed {
		_ = src.client.SetReadDeadline(time.Now().Add(src.left())) // not every writer can
	}
}

// Close gives the decoder back, unless a stream keeps it.
func (src *source) Close() {
	if !src.kept {
		src.stop()
	}
}

// stop ends the source for whoever still reads it.
func (src *source) stop() {
	src.mu.Lock()
	src.closed = true
	src.mu.Unlock()
	_ = src.decoded.Close()
}

// forwarded is a body that goes on in place of the one that came.
type forwarded = io.ReadCloser

// held is a body in memory. A transport may still read it when the request
// is over: from Close on it reads nothing of the next submission's.
type held struct {
	mu     sync.Mutex
	rest   []byte
	closed bool
}

func (h *held) Read(p []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case h.closed:
		return 0, os.ErrClosed
	case len(h.rest) == 0:
		return 0, io.EOF
	}
	n := copy(p, h.rest)
	h.rest = h.rest[n:]
	return n, nil
}

func (h *held) Close() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.rest, h.closed = nil, true
	return nil
}

func appendAll(dst []byte, r io.Reader) ([]byte, error) {
	for {
		if len(dst) == cap(dst) {
			dst = append(dst, make([]byte, max(4096, len(dst)))...)[:len(dst)]
		}
		n, err := r.Read(dst[len(dst):cap(dst)])
		dst = dst[:len(dst)+n]
		if err == io.EOF {
			return dst, nil
		}
		if err != nil {
			return dst, err
		}
	}
}

func formatSize(n int64) string { return strconv.FormatInt(n, 10) }
