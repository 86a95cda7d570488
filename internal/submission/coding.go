package submission

import (
	"errors"
	"io"
	"net/http"
)

// Decode returns body without its content coding. Close it: the decoder goes
// back to its pool then. body itself is left open.
func Decode(h http.Header, body io.Reader, lim Limits) (io.ReadCloser, error) {
	return nil, errors.ErrUnsupported
}

// ReadBody reads r whole into buf[:0], which grows as it must, and leaves at
// least [Padding] spare bytes of capacity behind the body. More than
// lim.Body is an [*Error] of status 413.
func ReadBody(r io.Reader, buf []byte, lim Limits) ([]byte, error) {
	return nil, errors.ErrUnsupported
}
