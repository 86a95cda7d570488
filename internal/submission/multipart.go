package submission

import (
	"crypto/rand"
	"io"
	"os"
)

// Multipart reads a multipart/form-data body and is read as the form that
// the plan keeps of it, parts in the order they came. It holds a window of
// the body and one field, whatever the size of the files. Its errors are
// [*Error]s, or those of the source; after one, the closing delimiter is
// never read, so that no half form passes for a whole one.
type Multipart struct {
	// BeforeEnd is called once, when every part has been read and before
	// the closing delimiter is released. Its error ends the reading instead.
	BeforeEnd func() error
	// Observe makes Read return the bytes of the source as they are, while
	// the report is filled all the same. What would have refused the form
	// is then found in [Multipart.Err].
	Observe bool

	lease
	src      io.Reader
	boundary string
	parts    *parts // nil once released
	fault    *Error // of an observed form
	held     []byte // the last byte of an observed form, until BeforeEnd
	ended    error  // of the source
	length   int64  // of what is written; 0: as it comes
	given    int64  // of that so far
	lack     int64  // of it, behind the closing delimiter
	err      error  // of Read, once out and span are read
}

// NewMultipart returns a reader of the form in src. Close it.
func NewMultipart(src io.Reader, boundary string, p *Plan, lim Limits, rep *Report) *Multipart {
	m := &Multipart{src: src, boundary: rand.Text(), parts: partsPool.Get().(*parts)}
	m.parts.begin(p, lim, rep)
	m.parts.between(boundary, m.boundary)
	return m
}

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

// read fills p. It waits for the source unless p is half full: a byte that
// was held back for the sake of a delimiter is not worth a write upstream.
func (m *Multipart) read(p []byte) (n int, err error) {
	s := m.parts
	for n < len(p) {
		if len(s.out) > s.sent {
			c := copy(p[n:], s.out[s.sent:])
			n, s.sent, m.given = n+c, s.sent+c, m.given+int64(c)
			continue
		}
		if len(s.span) > 0 {
			c := copy(p[n:], s.span)
			n, s.span, m.given = n+c, s.span[c:], m.given+int64(c)
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
	if m.lack > 0 {
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
		m.lack = m.length - m.given - int64(len(s.out))
	}
	if m.lack > 0 {
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

// finish lets the caller say whether the form may end.
func (m *Multipart) finish() error {
	if m.BeforeEnd == nil {
		return nil
	}
	return m.BeforeEnd()
}

// fill reads once from the source into the window.
func (m *Multipart) fill() (n int, err error) {
	s := m.parts
	if m.ended == io.EOF { //nolint:errorlint // an end comes as it is
		return 0, io.ErrUnexpectedEOF // the splitter says more of it, and sooner
	}
	if m.ended != nil {
		return 0, m.ended
	}
	space := s.space()
	for range 100 {
		n, m.ended = m.src.Read(space)
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

// WatchPrefix reads the complete parts at the start of a form, as far as
// prefix goes, for the sake of [Report.Watched]: whether someone consents is
// to be known before the rest is read. What is wrong with the form is left
// to the reading of the whole, with a report of its own.
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
