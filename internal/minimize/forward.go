package minimize

import (
	"io"
	"net/http"
	"os"
	"strconv"
	"sync"
	"time"
)

// Indexes of [Submission.values], by the header that has the value.
const (
	valueContentType = iota
	valueContentLength
	valueReceipt
	valuePurpose
	valueToldReceipt
	valueToldPurpose
	valueToldStripped
	valueLink
)

// header sets a header of ours to one value. Its memory is the submission's:
// no allocation for each header.
func (s *Submission) header(h http.Header, name string, value int, text string) {
	s.values[value] = text
	h[name] = s.values[value : value+1 : value+1]
}

// forward puts what was written in place of what came. A refused submission
// does not go on, and what is left of its body gets a bounded time.
func forward(s *Submission) {
	s.engine.step("forward")
	if s.Refusal != nil {
		boundRest(s)
		return
	}
	switch doc := &s.work.document; {
	case s.decision == nil:
	case s.Verdict == Whole:
		if s.stream != nil {
			s.r.Body = s.stream // its length, coding and type stay as they are
		}
	default:
		replaceQuery(s)
		piece, disposition := pieceHeaders(s)
		switch {
		case s.stream != nil:
			replaceBody(s, s.stream.length, s.stream)
		case doc.hasBody:
			s.body.rest = s.work.out
			replaceBody(s, int64(len(s.work.out)), &s.body)
		}
		if piece != "" {
			s.r.Header["Content-Range"] = []string{piece}
		}
		if disposition != "" {
			s.r.Header["Content-Disposition"] = []string{disposition}
		}
	}
	// The application may store these beside its row.
	s.header(s.r.Header, headerReceipt, valueReceipt, s.Receipt)
	if s.decision != nil && s.decision.header != "" {
		s.header(s.r.Header, headerPurpose, valuePurpose, s.decision.header)
	}
}

// boundRest bounds the time for what follows a refusal: the server reads some
// of the body before it answers.
func boundRest(s *Submission) {
	switch client := &s.work.document.client; {
	case s.engine.BodyTimeout <= 0 || !hasBody(s.r):
	case client.body != nil:
		client.bound()
	default:
		s.work.to.deadline.Set(time.Now().Add(s.engine.BodyTimeout))
	}
}

func replaceQuery(s *Submission) {
	if s.r.URL.RawQuery != "" {
		s.r.URL.RawQuery = string(s.work.query)
		s.r.RequestURI = s.r.URL.RequestURI()
	}
}

// stale are the headers that speak of bytes which do not go on.
var stale = []string{"Content-Encoding", "Content-Digest", "Repr-Digest", "Digest", "Content-Md5", "Content-Range", "Content-Disposition"}

// replaceBody makes body what goes on; a size of −1 streams.
func replaceBody(s *Submission, size int64, body io.ReadCloser) {
	r := s.r
	r.Body, r.ContentLength, r.TransferEncoding = body, size, nil
	if size == 0 {
		r.Body = http.NoBody // a body without a length would be one of unknown length
	}
	for _, name := range stale {
		delete(r.Header, name)
	}
	s.header(r.Header, "Content-Type", valueContentType, s.values[valueContentType])
	if size < 0 {
		delete(r.Header, "Content-Length")
	} else {
		s.header(r.Header, "Content-Length", valueContentLength, strconv.FormatInt(size, 10))
	}
}

// memoryBody is a body in memory. A transport may still read it when the
// request is over: once closed, it reads nothing of a later submission.
type memoryBody struct {
	mu     sync.Mutex
	rest   []byte
	closed bool
}

// Read implements [io.Reader].
func (b *memoryBody) Read(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.closed:
		return 0, os.ErrClosed
	case len(b.rest) == 0:
		return 0, io.EOF
	}
	n := copy(p, b.rest)
	b.rest = b.rest[n:]
	return n, nil
}

// Close implements [io.Closer].
func (b *memoryBody) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.rest, b.closed = nil, true
	return nil
}
