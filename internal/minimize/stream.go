package minimize

import (
	"io"
	"net/http"
	"os"
	"sync"

	"github.com/modicum-proxy/modicum/internal/submission"
)

// streamed is a body that is forwarded while it is read.
type streamed interface {
	io.ReadCloser
	// Err returns why a body that goes on as it came would be refused, or nil.
	Err() error
}

// stream is a body that is forwarded while it is read, by a goroutine of the
// transport. It is recorded once: when it has been read, or when it is clear
// that it will not be.
type stream struct {
	body    streamed
	client  *clientBody
	decoder io.Closer // nil: none is open
	length  int64     // of what goes on; −1: unknown
	report  bool      // it goes on as it came
	piece   submission.ContentRange
	// check checks the form that was read, storeTicks stores the consents that it
	// gives; recordKept and recordRefusal record what became of it.
	check         func() error
	storeTicks    func() error
	recordKept    func() error
	recordRefusal func(*submission.Error) error
	logPanic      func(any)

	reading sync.Mutex // is held by Read

	mu       sync.Mutex
	recorded bool
	closed   bool
	refusal  *submission.Error
}

// beginStream begins to write a form that is still arriving.
func beginStream(s *Submission, doc *document) {
	division := watchDivision(s, doc)
	form := submission.NewMultipart(doc.arriving, doc.media.Boundary, s.decision.plan, s.engine.Limits, &s.work.report)
	b := newStream(s, doc, form)
	form.BeforeEnd = b.end
	form.StreamTexts()
	announced := rangeOf(s.r)
	b.check = func() error {
		if err := division.check(); err != nil {
			return err
		}
		if err := check(s); err != nil {
			return err
		}
		if err := checkWholeFile(announced, form.Uploaded()); err != nil {
			return err
		}
		return checkPiece(b.piece, form)
	}
	if b.report {
		form.Observe = true
		s.r.Body = b
		return
	}
	b.piece = announcedPiece(s.r, s.decision)
	s.values[valueContentType] = doc.media.ContentType(form.Boundary())
	if s.r.ContentLength > 0 && s.r.Header["Content-Encoding"] == nil {
		b.length = form.KeepLength(s.r.ContentLength)
	}
}

// newStream makes body the stream of a submission. What the person submitted in
// it is recorded by end: when all of it has been read, and before the application
// sees the end.
func newStream(s *Submission, doc *document, body streamed) *stream {
	b := &stream{
		body: body, client: &doc.client, decoder: doc.decoder, length: -1, report: s.Mode == Report,
		check:         func() error { return check(s) },
		storeTicks:    func() error { return storePending(s) },
		recordKept:    func() error { return writeEntry(s, entry(s)) },
		recordRefusal: func(refusal *submission.Error) error { return recordRefusal(s, refusal) },
		logPanic:      s.engine.logPanic,
	}
	doc.body, doc.arriving, doc.decoder = nil, nil, nil // the stream has them
	s.stream = b
	return b
}

// Read implements [io.Reader].
func (b *stream) Read(p []byte) (n int, err error) {
	b.reading.Lock()
	defer b.reading.Unlock()
	// Nothing else recovers from a panic in the transport's goroutine.
	defer func() {
		if v := recover(); v != nil {
			b.logPanic(v)
			n, err = 0, b.fail(internalFault())
		}
	}()
	n, err = b.body.Read(p)
	if fault := b.body.Err(); fault != nil {
		// In report mode it goes on all the same, if that can be recorded.
		if refusal := b.fail(fault); isFinal(refusal) {
			return 0, refusal
		}
		return n, err
	}
	if err != nil && err != io.EOF { //nolint:errorlint // an end comes as it is
		return n, b.fail(err)
	}
	return n, err
}

// end checks and records the form once all of it has been read, before the
// application sees the end.
func (b *stream) end() error {
	err := b.body.Err()
	if err == nil {
		err = b.check()
	}
	if err != nil {
		if !b.report {
			return err
		}
		if refusal := b.fail(err); isFinal(refusal) {
			return refusal
		}
	}
	// Close waits for this, so that the record and what the application gets
	// agree: at most as long as a choice waits to be stored.
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.closed:
		return os.ErrClosed // it was recorded as incomplete
	case b.recorded:
		return nil
	}
	if err := b.storeTicks(); err != nil {
		return err
	}
	b.recorded = true
	if err := b.recordKept(); err != nil {
		b.refusal = unrecorded()
		return b.refusal
	}
	return nil
}

// fail records that the form was refused in mid-stream, and returns why. The
// application did not get its end.
func (b *stream) fail(err error) *submission.Error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.refusal == nil {
		b.refusal = asRefusal(err)
		b.client.bound()
	}
	if !b.recorded {
		b.recorded = true
		if b.recordRefusal(b.refusal) != nil {
			b.refusal = unrecorded()
		}
	}
	return b.refusal
}

// refused returns why the form was refused, or nil. ended reports that the
// context of the request has ended, which a Read that was late can be the cause
// of: that Read has ended then, or is about to.
func (b *stream) refused(ended bool) *submission.Error {
	if ended && b.client.isLate() {
		b.reading.Lock()
		if b.client.isLate() { // it was not in time after all
			_ = b.fail(os.ErrDeadlineExceeded) // it stays the reason
		}
		b.reading.Unlock()
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.refusal
}

// Close implements [io.Closer]. A form that was not read to its end is recorded
// as such.
func (b *stream) Close() error {
	b.mu.Lock()
	b.closed = true
	if !b.recorded {
		b.recorded = true
		_ = b.recordRefusal(refused(http.StatusBadRequest, "incomplete", "the body did not arrive whole")) // it is over already
	}
	b.mu.Unlock()
	err := b.body.Close()
	b.client.stop()
	if b.decoder != nil {
		_ = b.decoder.Close() // it only gives back memory
	}
	return err
}
