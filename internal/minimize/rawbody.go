package minimize

import (
	"io"
	"os"
	"sync/atomic"

	"github.com/modicum-proxy/modicum/internal/submission"
)

// rawBody is a body that goes on byte for byte while it is read. Its last byte is
// held back until the whole has been accepted: an application that knows the
// length takes that byte for the end.
type rawBody struct {
	body    io.Reader
	left    int64                // bytes that may still come
	observe bool                 // what would refuse the body is only noted
	watch   *submission.RawWatch // nil: anything may pass
	// beforeEnd is called once, when all of the body has been read. Its error ends
	// the reading instead.
	beforeEnd func() error

	closed atomic.Bool
	last   byte
	held   bool  // last is held back
	ended  error // of body
	fault  error // why an observed body would be refused
	err    error // of Read, from now on
}

// Read implements [io.Reader].
func (b *rawBody) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	for b.err == nil {
		if b.closed.Load() {
			return 0, os.ErrClosed
		}
		if b.ended != nil {
			return b.finish(p)
		}
		var n int
		n, b.ended = b.body.Read(p)
		if n == 0 {
			continue
		}
		if err := b.accept(p[:n]); err != nil {
			b.err = err
			break
		}
		if n = b.holdLast(p[:n]); n > 0 {
			return n, nil
		}
	}
	return 0, b.err
}

// accept checks what has been read.
func (b *rawBody) accept(p []byte) error {
	var fault *submission.Error
	if b.left -= int64(len(p)); b.left < 0 {
		fault = largerThanMax()
	} else if b.watch != nil {
		fault = b.watch.Next(p)
	}
	switch {
	case fault == nil:
		return nil
	case !b.observe:
		return fault
	case b.fault == nil:
		b.fault = fault // the first one
	}
	return nil
}

// holdLast moves p on by one byte: the one that was held comes first, and its last
// one is held. It returns how many bytes of p may go on.
func (b *rawBody) holdLast(p []byte) int {
	before, held := b.last, b.held
	b.last, b.held = p[len(p)-1], true
	if !held {
		return len(p) - 1
	}
	copy(p[1:], p)
	p[0] = before
	return len(p)
}

// finish ends the reading: with the last byte, if the whole is accepted.
func (b *rawBody) finish(p []byte) (int, error) {
	b.err = b.ended
	if b.err != io.EOF { //nolint:errorlint // an end comes as it is
		return 0, b.err
	}
	if err := b.beforeEnd(); err != nil {
		b.err = err
		return 0, err
	}
	if !b.held {
		return 0, io.EOF
	}
	p[0] = b.last
	return 1, io.EOF
}

// Err returns why an observed body would be refused, or nil.
func (b *rawBody) Err() error { return b.fault }

// Close implements [io.Closer].
func (b *rawBody) Close() error {
	b.closed.Store(true)
	return nil
}
