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

// source counts what a decoder takes, and remembers why it ended: a broken
// connection must not look like a broken coding. It ends at a limit of its
// own: empty blocks, which decode to nothing, can go on for ever.
type source struct {
	src   io.Reader
	ahead []byte // has arrived and is not taken yet
	ended bool   // nothing follows what is ahead
	in    int64
	limit int64
	err   error
}

// readAhead waits until the body has ended or more than n bytes of it have
// arrived.
func (s *source) readAhead(n int64) (err error) {
	s.ahead, s.ended, err = ReadUpTo(s.src, nil, min(n, s.limit))
	return err
}

// Read implements [io.Reader].
func (s *source) Read(p []byte) (n int, err error) {
	switch {
	case s.err != nil:
		return 0, s.err
	case len(s.ahead) > 0:
		n = copy(p, s.ahead)
		if s.ahead = s.ahead[n:]; len(s.ahead) == 0 {
			s.ahead = nil // the rest may take long
		}
	case s.ended:
		err = io.EOF
	default:
		n, err = s.src.Read(p)
	}
	if s.in += int64(n); s.in > s.limit {
		n, err = 0, tooLarge("body-size", "the coded body is larger than what it may decode to (max_inflated)")
	}
	s.err = err
	return n, err
}
