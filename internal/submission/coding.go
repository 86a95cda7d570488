package submission

import (
	"errors"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"

	"github.com/klauspost/compress/zstd"
)

// ratioFree is how much may come out before the ratio counts: a short text
// can be very repetitive.
const ratioFree = 64 << 10

// Decode returns body without its content coding: none, identity, or one of
// gzip, deflate, br and zstd. Close it: the decoder goes back to its pool
// then. body itself is left open.
//
// A coding that we do not know is refused, because most applications ignore
// it and read the body as it is.
func Decode(h http.Header, body io.Reader, lim Limits) (io.ReadCloser, error) {
	values := h["Content-Encoding"]
	if len(values) == 0 {
		return io.NopCloser(body), nil
	}
	var pool *sync.Pool
	if len(values) == 1 {
		switch strings.ToLower(strings.Trim(values[0], " \t")) {
		case "identity":
			return io.NopCloser(body), nil
		case "gzip":
			pool = &gzipDecoders
		case "deflate":
			pool = &deflateDecoders
		case "br":
			pool = &brotliDecoders
		case "zstd":
			pool = &zstdDecoders
		}
	}
	if pool == nil {
		return nil, &Error{
			Status: http.StatusUnsupportedMediaType, Rule: "content-coding", Offset: -1,
			Detail: "the Content-Encoding is not one of identity, gzip, deflate, br, zstd",
		}
	}
	d := &decoded{pool: pool, decoder: pool.Get().(decoder), lim: lim}
	d.source.src, d.source.limit = body, lim.Inflated
	return d, nil
}

// decoded is a coded body, read decoded.
type decoded struct {
	lease
	pool    *sync.Pool
	decoder decoder
	source  source
	lim     Limits
	out     int64
	started bool
	err     error
}

// source counts what a decoder takes, and remembers why it ended: a broken
// connection must not look like a broken coding. It ends at a limit of its
// own: empty blocks, which decode to nothing, can go on for ever.
type source struct {
	src   io.Reader
	in    int64
	limit int64
	err   error
}

func (s *source) Read(p []byte) (int, error) {
	if s.err != nil {
		return 0, s.err
	}
	n, err := s.src.Read(p)
	if s.in += int64(n); s.in > s.limit {
		n, err = 0, tooLarge("body-size", "the coded body is larger than what it may decode to (max_inflated)")
	}
	s.err = err
	return n, err
}

// Read implements [io.Reader].
func (d *decoded) Read(p []byte) (int, error) {
	if !d.begin() {
		return 0, os.ErrClosed
	}
	n, err := d.read(p)
	if d.end() {
		d.release()
	}
	return n, err
}

// Close implements [io.Closer].
func (d *decoded) Close() error {
	if d.close() {
		d.release()
	}
	return nil
}

func (d *decoded) release() {
	d.decoder.stop()
	d.pool.Put(d.decoder)
	d.decoder = nil
}

func (d *decoded) read(p []byte) (int, error) {
	if d.err != nil || len(p) == 0 {
		return 0, d.err
	}
	if !d.started {
		d.started = true
		if err := d.decoder.start(&d.source); err != nil {
			d.err = d.fault(err)
			return 0, d.err
		}
	}
	n, err := d.decoder.Read(p)
	d.out += int64(n)
	switch {
	case d.out > d.lim.Inflated:
		d.err = tooLarge("inflated-size", "the body decodes to more bytes than the limit (max_inflated)")
	case d.out > ratioFree && d.out > d.lim.Ratio*d.source.in:
		d.err = tooLarge("inflated-ratio", "the body decodes to more bytes for each of its own than the limit (max_ratio)")
	case err != nil:
		d.err = d.fault(err)
	}
	if d.err != nil && d.err != io.EOF { //nolint:errorlint // an end comes as it is
		n = 0
	}
	return n, d.err
}

// fault says what the end of a decoder means.
func (d *decoded) fault(err error) error {
	whole := err != io.EOF || d.decoder.whole() //nolint:errorlint // an end comes as it is
	switch {
	case d.source.err != nil && d.source.err != io.EOF: //nolint:errorlint // as above
		return d.source.err
	case errors.Is(err, zstd.ErrWindowSizeExceeded), errors.Is(err, zstd.ErrDecoderSizeExceeded), errors.Is(err, errWindow):
		return tooLarge("inflated-window", "the body needs a larger window to decode than 8 MiB")
	case d.source.in == 0, errors.Is(err, io.ErrUnexpectedEOF):
		return &Error{Status: http.StatusBadRequest, Rule: "coding-truncated", Detail: "the body ends in the middle of its content coding", Offset: -1}
	case err != io.EOF: //nolint:errorlint // as above
		return &Error{Status: http.StatusBadRequest, Rule: "coding-syntax", Detail: "the body is not coded as its Content-Encoding says", Offset: -1}
	case !whole:
		return &Error{Status: http.StatusBadRequest, Rule: "trailing-data", Detail: "the body goes on after the end of its content coding", Offset: -1}
	}
	return io.EOF
}

func tooLarge(rule, detail string) *Error {
	return &Error{Status: http.StatusRequestEntityTooLarge, Rule: rule, Detail: detail, Offset: -1}
}

// ReadBody reads r whole into buf[:0], which grows as it must, and leaves at
// least [Padding] spare bytes of capacity behind the body. More than
// lim.Body is an [*Error] of status 413.
func ReadBody(r io.Reader, buf []byte, lim Limits) ([]byte, error) {
	buf = buf[:0]
	for {
		if cap(buf)-len(buf) <= Padding {
			buf = slices.Grow(buf, Padding+max(512, len(buf)))
		}
		n, err := r.Read(buf[len(buf) : cap(buf)-Padding])
		buf = buf[:len(buf)+n]
		switch {
		case int64(len(buf)) > lim.Body:
			return nil, tooLarge("body-size", "the body is larger than the limit (max_body)")
		case err == io.EOF:
			return buf, nil
		case err != nil:
			return nil, err
		}
	}
}
