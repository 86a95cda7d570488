package submission

import "io"

// How much of a coded body is read ahead, at least and at most, before a
// decoder starts. A decoder for gzip is as large as the least itself; the
// most bounds what many large uploads hold.
const (
	leastAhead = 64 << 10
	mostAhead  = 512 << 10
)

// aheadOf returns how many bytes of a body must arrive before it gets a decoder
// with that window: as many as could decode to the whole window. A client that
// then stalls holds about ratio times what it sent.
func aheadOf(window, ratio int64) int64 {
	return min(max(window/max(ratio, 1), leastAhead), mostAhead)
}

// codedBody is a body before decoding. It counts what the decoder reads and
// remembers why the body ended: a broken connection must not look like a
// broken coding. It has a limit of its own, because a client can send empty
// blocks, which decode to nothing, without end.
type codedBody struct {
	src   io.Reader
	ahead []byte // has arrived and is not taken yet
	ended bool   // nothing follows what is ahead
	in    int64
	limit int64
	err   error
}

// readAhead waits until the body has ended or more than n bytes of it have
// arrived.
func (c *codedBody) readAhead(n int64) (err error) {
	c.ahead, c.ended, err = ReadUpTo(c.src, nil, min(n, c.limit))
	return err
}

// Read implements [io.Reader].
func (c *codedBody) Read(p []byte) (n int, err error) {
	switch {
	case c.err != nil:
		return 0, c.err
	case len(c.ahead) > 0:
		n = copy(p, c.ahead)
		if c.ahead = c.ahead[n:]; len(c.ahead) == 0 {
			c.ahead = nil // the rest may take long
		}
	case c.ended:
		err = io.EOF
	default:
		n, err = c.src.Read(p)
	}
	if c.in += int64(n); c.in > c.limit {
		n, err = 0, tooLarge("body-size", "the body is larger than the limit on a decoded one (max_inflated)")
	}
	c.err = err
	return n, err
}
