package submission

import (
	"bufio"
	"errors"
	"io"
	"math/bits"
	"sync"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zlib"
	"github.com/klauspost/compress/zstd"
)

// The bits of the windows that a body may make its decoder hold. RFC 9659
// lets a client ask for no more than 8 MiB of zstd, and we for no more of
// brotli. Less than the least costs about as much as a connection.
const (
	leastWindow = 18
	mostWindow  = 23
)

// deflateWindow is that of gzip and deflate, which have no other.
const deflateWindow = 32 << 10

// errWindow is a brotli body that asks for 16 MiB.
var errWindow = errors.New("brotli: window too large")

// decoder decodes one content coding. It is reused.
type decoder interface {
	io.Reader
	// start begins a body; it may read from it.
	start(body *codedBody) error
	// exhausted reports, after the end of the text, whether nothing follows it.
	exhausted() bool
	// stop drops the body.
	stop()
}

// Pools of decoders: one for each coding, and for each window where that
// may differ, since a decoder keeps the largest that it had.
var (
	gzipDecoders    = sync.Pool{New: func() any { return &gzipDecoder{input: bufio.NewReader(nil)} }}
	deflateDecoders = sync.Pool{New: func() any { return &deflateDecoder{input: bufio.NewReader(nil)} }}
	brotliDecoders  = byWindow(func(bits int) any { return &brotliDecoder{bits: bits} })
	zstdDecoders    = byWindow(func(bits int) any { return &zstdDecoder{bits: bits} })
)

// byWindow returns a pool for each window, of the decoders that one makes.
func byWindow(one func(bits int) any) (pools [mostWindow + 1]*sync.Pool) {
	for bits := leastWindow; bits <= mostWindow; bits++ {
		pools[bits] = &sync.Pool{New: func() any { return one(bits) }}
	}
	return pools
}

// decoders returns the decoders of a coding for bodies that may decode to
// inflated bytes, and the window that each may hold; nil if we have none.
func decoders(coding string, inflated int64) (pool *sync.Pool, window int64) {
	switch coding {
	case "gzip":
		return &gzipDecoders, deflateWindow
	case "deflate":
		return &deflateDecoders, deflateWindow
	case "br":
		bits := windowBits(uint64(max(inflated, 1)) + brotliGap)
		return brotliDecoders[bits], 1 << bits
	case "zstd":
		bits := windowBits(uint64(max(inflated, 1)))
		return zstdDecoders[bits], 1 << bits
	}
	return nil, 0
}

// windowBits returns the bits of the smallest window, as encoders choose
// them, that reaches back over n bytes: no body of that size needs more.
func windowBits(n uint64) int {
	return min(max(bits.Len64(n-1), leastWindow), mostWindow)
}

// gzipDecoder reads one member: what follows it would be data to some
// decoders and garbage to others.
type gzipDecoder struct {
	gzip.Reader
	input *bufio.Reader
}

func (d *gzipDecoder) start(body *codedBody) error {
	d.input.Reset(body)
	err := d.Reset(d.input)
	d.Multistream(false)
	return err
}

func (d *gzipDecoder) exhausted() bool { return atEnd(d.input) }
func (d *gzipDecoder) stop()           { d.input.Reset(nil) }

// deflateDecoder reads the zlib format of RFC 1950, as RFC 9110 has it; not
// the bare deflate that some clients once sent under this name.
type deflateDecoder struct {
	io.ReadCloser
	input *bufio.Reader
}

func (d *deflateDecoder) start(body *codedBody) (err error) {
	d.input.Reset(body)
	if d.ReadCloser != nil {
		return d.ReadCloser.(zlib.Resetter).Reset(d.input, nil)
	}
	d.ReadCloser, err = zlib.NewReader(d.input)
	return err
}

func (d *deflateDecoder) exhausted() bool { return atEnd(d.input) }
func (d *deflateDecoder) stop()           { d.input.Reset(nil) }

// atEnd reports whether r is exhausted. If it fails here, it is not.
func atEnd(r *bufio.Reader) bool {
	_, err := r.ReadByte()
	return err == io.EOF
}

// brotliGap is by how much a brotli window reaches back less than its size
// (RFC 7932, section 9.1).
const brotliGap = 16

// brotliDecoder reads to the end of the body and refuses what follows the text.
type brotliDecoder struct {
	brotli.Reader
	bits int // of its window
}

func (d *brotliDecoder) start(body *codedBody) error {
	if err := narrow(body.ahead, d.bits); err != nil {
		return err
	}
	return d.Reset(body)
}

// narrow makes the stream that begins with b ask for a window of no more
// bits. Encoders ask for 4 MiB for the shortest text, so that cannot be
// refused; but a text that fits into the window decodes to the same with it,
// and one that does not is larger than it may be.
func narrow(b []byte, bits int) error {
	// RFC 7932, section 9.1: of the four lowest bits, an odd number but 1
	// says 18 to 24.
	if len(b) == 0 || b[0]&1 == 0 || b[0]&15 == 1 {
		return nil
	}
	asked := int(b[0]>>1&7) + 17
	if asked > mostWindow {
		return errWindow
	}
	if asked > bits {
		b[0] = b[0]&^15 | byte(bits-17)<<1 | 1 //nolint:gosec // G115: at most 7
	}
	return nil
}

func (d *brotliDecoder) exhausted() bool { return true }

func (d *brotliDecoder) stop() { _ = d.Reset(nil) }

// zstdDecoder reads all frames to the end of the body (RFC 8878).
type zstdDecoder struct {
	*zstd.Decoder
	bits int // of the largest window that it takes
}

func (d *zstdDecoder) start(body *codedBody) (err error) {
	if d.Decoder != nil {
		return d.Reset(body)
	}
	d.Decoder, err = zstd.NewReader(
		body,
		zstd.WithDecoderConcurrency(1),       // in the caller's goroutine
		zstd.WithDecoderMaxMemory(1<<d.bits), // of a stream, the window
		zstd.WithDecoderLowmem(true),
	)
	return err
}

func (d *zstdDecoder) exhausted() bool { return true }

func (d *zstdDecoder) stop() {
	if d.Decoder != nil {
		_ = d.Reset(nil)
	}
}
