package submission

import "io"

// ReadBody reads r whole, as [ReadUpTo] does. More than lim.Body bytes are an
// [*Error] of status 413.
func ReadBody(r io.Reader, buf []byte, lim Limits) ([]byte, error) {
	body, whole, err := ReadUpTo(r, buf, lim.Body)
	switch {
	case err != nil:
		return nil, err
	case !whole:
		return nil, tooLarge("body-size", "the body is larger than the limit (max_body)")
	}
	return body, nil
}

// ReadUpTo reads r into buf[:0] until its end or until it holds limit+1 bytes,
// and reports whether the whole is read, which then has at most limit bytes.
// On an error it returns what was read before.
//
// The buffer doubles when it is full, up to the limit, so what a client makes
// us hold is in proportion to what it sent. Behind the bytes returned there
// are at least [Padding] of spare capacity.
func ReadUpTo(r io.Reader, buf []byte, limit int64) (_ []byte, whole bool, err error) {
	buf = buf[:0]
	for int64(len(buf)) <= limit {
		left := limit - int64(len(buf)) // and one byte more
		room := cap(buf) - len(buf) - Padding
		if room <= 0 {
			room = int(min(max(512, int64(len(buf))), left)) + 1
			// Unlike slices.Grow, this adds no more than it is asked for.
			buf = append(append([]byte(nil), make([]byte, len(buf)+room+Padding)...)[:0], buf...)
		}
		n, err := r.Read(buf[len(buf) : len(buf)+int(min(int64(room-1), left))+1])
		buf = buf[:len(buf)+n]
		if err == io.EOF {
			return buf, int64(len(buf)) <= limit, nil
		}
		if err != nil {
			return buf, false, err
		}
	}
	return buf, false, nil
}
