package submission

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"

	"github.com/klauspost/compress/zstd"
)

// ratioFree is how much may come out before the ratio counts: a short text
// can be very repetitive.
const ratioFree = 64 << 10

// Decode returns a reader of body without its content coding: none, identity, or
// one of gzip, deflate, br and zstd. The caller must close it, which returns the
// decoder to its pool and leaves body open. No decoder starts before body has
// ended or its first 64 to 512 KiB have arrived.
//
// A coding that we do not know is refused, because most applications ignore
// it and read the body as it is.
func Decode(h http.Header, body io.Reader, lim Limits) (io.ReadCloser, error) {
	values := h["Content-Encoding"]
	if len(values) == 0 {
		return io.NopCloser(body), nil
	}
	if len(values) == 1 {
		coding := strings.ToLower(strings.Trim(values[0], " \t"))
		if coding == "identity" {
			return io.NopCloser(body), nil
		}
		if pool, window := decoders(coding, lim.Inflated); pool != nil {
			d := &decoded{pool: pool, window: window, lim: lim}
			d.body.src, d.body.limit = body, lim.Inflated
			return d, nil
		}
	}
	return nil, &Error{
		Status: http.StatusUnsupportedMediaType, Rule: "content-coding", Offset: -1,
		Detail: "the Content-Encoding is not one of identity, gzip, deflate, br, zstd",
	}
}

// decoded decodes a body. It takes a decoder from the pool only once enough of
// the body has arrived: a decoder holds its window from its first byte on, and
// a client that sends next to nothing must not occupy that.
type decoded struct {
	readGuard
	pool    *sync.Pool
	decoder decoder // nil until enough of the body has arrived
	window  int64   // the most that the decoder may hold
	body    codedBody
	lim     Limits
	out     int64
	err     error
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
	d.body.ahead = nil
	if d.decoder == nil {
		return
	}
	d.decoder.stop()
	d.pool.Put(d.decoder)
	d.decoder = nil
}

func (d *decoded) read(p []byte) (int, error) {
	if d.err != nil || len(p) == 0 {
		return 0, d.err
	}
	if d.decoder == nil {
		if d.err = d.start(); d.err != nil {
			return 0, d.err
		}
	}
	n, err := d.decoder.Read(p)
	d.out += int64(n)
	switch {
	case d.out > d.lim.Inflated:
		d.err = tooLarge("inflated-size", "the decoded body is larger than the limit (max_inflated)")
	case d.out > ratioFree && d.out > d.lim.Ratio*d.body.in:
		d.err = tooLarge("inflated-ratio", "the body is larger by more than the limit (max_ratio) when it is decoded")
	case err != nil:
		d.err = d.fault(err)
	}
	if d.err != nil && d.err != io.EOF { //nolint:errorlint // an end comes as it is
		n = 0
	}
	return n, d.err
}

// start waits for enough of the body and takes a decoder for it. A body that
// fails before is not decoded.
func (d *decoded) start() error {
	if err := d.body.readAhead(aheadOf(d.window, d.lim.Ratio)); err != nil {
		return err
	}
	d.decoder = d.pool.Get().(decoder)
	if err := d.decoder.start(&d.body); err != nil {
		return d.fault(err)
	}
	return nil
}

// fault returns what the error of a decoder means for the submission.
func (d *decoded) fault(err error) error {
	exhausted := err != io.EOF || d.decoder.exhausted() //nolint:errorlint // an end comes as it is
	switch {
	case d.body.err != nil && d.body.err != io.EOF: //nolint:errorlint // as above
		return d.body.err
	case errors.Is(err, zstd.ErrWindowSizeExceeded), errors.Is(err, zstd.ErrDecoderSizeExceeded), errors.Is(err, errWindow):
		return tooLarge("inflated-window", fmt.Sprintf("the body needs a larger window to decode than %d KiB (max_inflated, and at most 8 MiB)", d.window>>10))
	case d.body.in == 0, errors.Is(err, io.ErrUnexpectedEOF):
		return &Error{Status: http.StatusBadRequest, Rule: "coding-truncated", Detail: "the body ends in the middle of its content coding", Offset: -1}
	case err != io.EOF: //nolint:errorlint // as above
		return &Error{Status: http.StatusBadRequest, Rule: "coding-syntax", Detail: "the body is not coded as its Content-Encoding says", Offset: -1}
	case !exhausted:
		return &Error{Status: http.StatusBadRequest, Rule: "trailing-data", Detail: "the body goes on after the end of its content coding", Offset: -1}
	}
	return io.EOF
}

func tooLarge(rule, detail string) *Error {
	return &Error{Status: http.StatusRequestEntityTooLarge, Rule: rule, Detail: detail, Offset: -1}
}
