package submission

import (
	"crypto/rand"
	"io"
	"os"
)

// Multipart is a reader of the form that a plan keeps of a multipart/form-data
// body, parts in the order they came. It holds a window of the body and one field,
// whatever the size of the files and of the texts that stream. Its errors are [*Error]s, or those of the body;
// after an error it never returns the closing delimiter, so that no half form
// passes for a whole one.
type Multipart struct {
	// BeforeEnd is called once, when every part has been read and before
	// the closing delimiter is released. Its error ends the reading instead.
	BeforeEnd func() error
	// Observe makes Read return the body as it comes, while the report is filled
	// all the same. [Multipart.Err] is then why the form would be refused.
	Observe bool

	readGuard
	body     io.Reader
	boundary string // of what is written
	parts    *parts // nil once released
	fault    *Error // why an observed form would be refused
	held     []byte // the last byte of an observed form, until BeforeEnd
	ended    error  // the error of body
	length   int64  // of what is written; 0: not known
	written  int64  // how much of length Read has returned
	padding  int64  // how much of length is left behind the closing delimiter
	err      error  // of Read, once out and span are returned
}

// NewMultipart returns a reader of the form in body. The caller must close it.
func NewMultipart(body io.Reader, boundary string, p *Plan, lim Limits, rep *Report) *Multipart {
	m := &Multipart{body: body, boundary: rand.Text(), parts: partsPool.Get().(*parts)}
	m.parts.begin(p, lim, rep)
	m.parts.between(boundary, m.boundary)
	return m
}

// StreamTexts makes the texts of fields without checks go on while they arrive, so
// that they need not fit into [Limits.Body] if their rule has a Max. It must be
// called before the first Read. A text that turns out to be longer than its Max
// after some of it went on refuses the form; one that is held is left out.
func (m *Multipart) StreamTexts() { m.parts.arrives = true }

// Boundary returns the boundary of the form that is written: random, so
// that no content can hold it (CVE-2025-7783). An observed form keeps its own.
func (m *Multipart) Boundary() string { return m.boundary }

// Err returns what would have refused an observed form, as far as it was
// read.
func (m *Multipart) Err() error {
	if m.fault == nil {
		return nil
	}
	return m.fault
}

// Uploaded returns what there was of files in what was read so far. It must not
// be called after Close.
func (m *Multipart) Uploaded() Uploaded { return m.parts.files }

// Close releases what the reading holds. It may be called at any time.
func (m *Multipart) Close() error {
	if m.close() {
		m.release()
	}
	return nil
}

func (m *Multipart) release() {
	m.parts.end()
	partsPool.Put(m.parts)
	m.parts = nil
}

// Read implements [io.Reader].
func (m *Multipart) Read(p []byte) (int, error) {
	if !m.begin() {
		return 0, os.ErrClosed
	}
	n, err := m.read(p)
	if m.end() {
		m.release()
	}
	return n, err
}

// read fills p. It waits for more of the body unless p is half full, so that the
// few bytes before a possible delimiter do not cost a write of their own.
func (m *Multipart) read(p []byte) (n int, err error) {
	s := m.parts
	for n < len(p) {
		if len(s.out) > s.sent {
			c := copy(p[n:], s.out[s.sent:])
			n, s.sent, m.written = n+c, s.sent+c, m.written+int64(c)
			continue
		}
		if len(s.span) > 0 {
			c := copy(p[n:], s.span)
			n, s.span, m.written = n+c, s.span[c:], m.written+int64(c)
			continue
		}
		s.out, s.sent = s.out[:0], 0
		if m.err != nil {
			break
		}
		if n > len(p)/2 && (m.Observe || s.starved) {
			return n, nil
		}
		if m.Observe {
			m.err = m.observe()
		} else {
			m.err = m.rebuild()
		}
	}
	if n > 0 || len(p) == 0 {
		return n, nil
	}
	return 0, m.err
}

// rebuild goes on by one piece of the form.
func (m *Multipart) rebuild() error {
	if m.padding > 0 {
		return m.pad()
	}
	s := m.parts
	if s.starved {
		if _, err := m.fill(); err != nil {
			return err
		}
	}
	got, fault := s.step()
	switch {
	case fault != nil:
		return fault
	case got != formEnd:
		return m.overgrown()
	}
	if err := m.finish(); err != nil {
		return err
	}
	s.close()
	if m.length > 0 {
		m.padding = m.length - m.written - int64(len(s.out))
	}
	if m.padding > 0 {
		return nil
	}
	return io.EOF
}

// observe goes on by a window of the form, and passes it on as it came.
func (m *Multipart) observe() error {
	s := m.parts
	if m.ended == io.EOF { //nolint:errorlint // an end comes as it is
		if err := m.finish(); err != nil {
			return err
		}
		s.out, m.held = append(s.out, m.held...), nil
		return io.EOF
	}
	n, err := m.fill()
	if err != nil {
		return err
	}
	for s.starved = false; m.fault == nil && !s.starved && s.state != splitDone; {
		_, m.fault = s.step()
	}
	if m.fault != nil {
		s.r = s.w // no more of it can be cut
	}
	s.out = s.out[:0]
	if n > 0 {
		raw := s.window[s.w-n : s.w]
		s.out = append(s.out, m.held...)
		s.span = raw[:n-1]
		m.held = append(m.held[:0], raw[n-1])
	}
	return nil
}

// finish asks the caller whether the form may end.
func (m *Multipart) finish() error {
	if m.BeforeEnd == nil {
		return nil
	}
	return m.BeforeEnd()
}

// fill reads once from the body into the window.
func (m *Multipart) fill() (n int, err error) {
	s := m.parts
	if m.ended == io.EOF { //nolint:errorlint // an end comes as it is
		return 0, io.ErrUnexpectedEOF // not reached: the splitter refuses such a form before
	}
	if m.ended != nil {
		return 0, m.ended
	}
	space := s.space()
	for range 100 {
		n, m.ended = m.body.Read(space)
		if n > 0 || m.ended != nil {
			end := m.ended == io.EOF //nolint:errorlint // as above
			s.filled(n, end)
			if n > 0 || end {
				return n, nil
			}
			return 0, m.ended
		}
	}
	return 0, io.ErrNoProgress
}

// WatchPrefix reads the complete parts in a prefix of a form for their
// [Report.Watched] values: consents have to be known before the rest is read. It
// ignores faults, which the reading of the whole form finds.
func WatchPrefix(prefix []byte, boundary string, p *Plan, lim Limits, rep *Report) {
	s := partsPool.Get().(*parts)
	defer partsPool.Put(s)
	s.begin(p, lim, rep)
	defer s.end()
	s.between(boundary, "")
	window := s.window
	defer func() { s.window = window }()
	s.window = prefix
	s.filled(len(prefix), false)
	for {
		if got, fault := s.step(); fault != nil || got == needMore || got == formEnd {
			return
		}
		s.out = s.out[:0]
	}
}
