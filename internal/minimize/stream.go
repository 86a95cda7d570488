package minimize

import (
	"io"
	"net/http"
	"os"
	"sync"

	"github.com/modicum-proxy/modicum/internal/submission"
)

// streamed is a form that is forwarded while it is read, by a goroutine of
// the transport. It is recorded once: when it was read, or when it is clear
// that it will not be.
type streamed struct {
	form *submission.Multipart
	src  *source
	s    *Submission

	reading  sync.Mutex // is held by Read
	mu       sync.Mutex
	recorded bool
	closed   bool
	refusal  *submission.Error
	stripped string // the header, once the form was read
	declared string // the same without what no field declares
}

func (b *streamed) Read(p []byte) (n int, err error) {
	b.reading.Lock()
	defer b.reading.Unlock()
	// The transport's goroutine has nobody else to catch a panic of ours.
	defer func() {
		if v := recover(); v != nil {
			b.s.engine.logPanic(v)
			n, err = 0, b.fail(internal())
		}
	}()
	n, err = b.form.Read(p)
	if fault := b.form.Err(); fault != nil {
		// In report mode it goes on all the same, if that can be recorded.
		if refusal := b.fail(fault); final(refusal) {
			return 0, refusal
		}
		return n, err
	}
	if err != nil && err != io.EOF { //nolint:errorlint // an end comes as it is
		return n, b.fail(err)
	}
	return n, err
}

// end checks and records the form when all of it was read, before the
// application sees the end.
func (b *streamed) end(inQuery []int) error {
	err := b.form.Err()
	if err == nil {
		err = b.s.sound(inQuery)
	}
	if err != nil {
		if b.s.Mode == Enforce {
			return err
		}
		if refusal := b.fail(err); final(refusal) {
			return refusal
		}
	}
	// Whoever closes the form waits for this, so that the record and what the
	// application gets agree; at most as long as a choice waits to be stored.
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.closed:
		return os.ErrClosed // it was recorded as incomplete
	case b.recorded:
		return nil
	}
	ticked := b.s.asked.ticked
	if err := b.s.keep(); err != nil {
		return consentUnstored()
	}
	if b.s.asked.ticked != ticked {
		return consentTakenBack()
	}
	b.recorded = true
	if err := b.s.write(b.s.entry()); err != nil {
		b.refusal = unrecorded()
		return b.refusal
	}
	b.stripped, b.declared = b.s.strippedHeader(true), b.s.strippedHeader(false)
	return nil
}

// fail records that the form was refused in mid-stream, and returns why. The
// application got no end of it.
func (b *streamed) fail(err error) *submission.Error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.refusal == nil {
		b.refusal = asRefusal(err)
		b.src.bound()
	}
	if !b.recorded {
		b.recorded = true
		if b.s.writeRefusal(b.refusal.Status, b.refusal.Rule) != nil {
			b.refusal = unrecorded()
		}
	}
	return b.refusal
}

// failLate refuses the form if a read of it was late. That read has ended, or is
// about to.
func (b *streamed) failLate() {
	if !b.src.isLate() {
		return // it may wait for the client yet
	}
	b.reading.Lock()
	defer b.reading.Unlock()
	if b.src.isLate() { // it was not in time after all
		_ = b.fail(os.ErrDeadlineExceeded) // it stays the reason
	}
}

// Close implements [io.Closer]. A form whose end nobody waited for is
// recorded as such.
func (b *streamed) Close() error {
	b.mu.Lock()
	b.closed = true
	if !b.recorded {
		b.recorded = true
		_ = b.s.writeRefusal(http.StatusBadRequest, "incomplete") // it is over already
	}
	b.mu.Unlock()
	err := b.form.Close()
	b.src.stop()
	return err
}
