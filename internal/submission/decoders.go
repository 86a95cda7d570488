package submission

import (
	"bufio"
	"errors"
	"io"
	"sync"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zlib"
	"github.com/klauspost/compress/zstd"
)

// maxWindow bounds what a body may make its decoder hold: RFC 9659 lets a
// client ask for no more of zstd, and we for no more of brotli.
const maxWindow = 8 << 20

// errWindow is a brotli body that asks for 16 MiB.
var errWindow = errors.New("brotli: window too large")

// decoder undoes one content coding. It is used again and again.
type decoder interface {
	io.Reader
	// start begins a body; it may read from src.
	start(src *source) error
	// whole tells, after the end, whether the source held nothing more.
	whole() bool
	// stop lets go of the source.
	stop()
}

// Pools of decoders, one for each coding.
var (
	gzipDecoders    = sync.Pool{New: func() any { return &gzipDecoder{input: bufio.NewReader(nil)} }}
	deflateDecoders = sync.Pool{New: func() any { return &deflateDecoder{input: bufio.NewReader(nil)} }}
	brotliDecoders  = sync.Pool{New: func() any { return &brotliDecoder{input: bufio.NewReader(nil)} }}
	zstdDecoders    = sync.Pool{New: func() any { return &zstdDecoder{} }}
)

// gzipDecoder reads one member: what follows it would be data to some
// decoders and garbage to others.
type gzipDecoder struct {
	gzip.Reader
	input *bufio.Reader
}

func (d *gzipDecoder) start(src *source) error {
	d.input.Reset(src)
	err := d.Reset(d.input)
	d.Multistream(false)
	return err
}

func (d *gzipDecoder) whole() bool { return atEnd(d.input) }
func (d *gzipDecoder) stop()       { d.input.Reset(nil) }

// deflateDecoder reads the zlib format of RFC 1950, as RFC 9110 has it; not
// the bare deflate that some clients once sent under this name.
type deflateDecoder struct {
	io.ReadCloser
	input *bufio.Reader
}

func (d *deflateDecoder) start(src *source) (err error) {
	d.input.Reset(src)
	if d.ReadCloser != nil {
		return d.ReadCloser.(zlib.Resetter).Reset(d.input, nil)
	}
	d.ReadCloser, err = zlib.NewReader(d.input)
	return err
}

func (d *deflateDecoder) whole() bool { return atEnd(d.input) }
func (d *deflateDecoder) stop()       { d.input.Reset(nil) }

// atEnd tells whether r is exhausted. A source that fails here is not.
func atEnd(r *bufio.Reader) bool {
	_, err := r.ReadByte()
	return err == io.EOF
}

// brotliDecoder reads to the end of the source and refuses what follows.
type brotliDecoder struct {
	brotli.Reader
	input *bufio.Reader
}

func (d *brotliDecoder) start(src *source) error {
	d.input.Reset(src)
	// RFC 7932, section 9.1: the four lowest bits say the largest window.
	if first, err := d.input.Peek(1); err == nil && first[0]&15 == 15 {
		return errWindow
	}
	return d.Reset(d.input)
}

func (d *brotliDecoder) whole() bool { return true }

func (d *brotliDecoder) stop() {
	d.input.Reset(nil)
	_ = d.Reset(nil)
}

// zstdDecoder reads all frames to the end of the source, as RFC 8878 has it.
type zstdDecoder struct{ *zstd.Decoder }

func (d *zstdDecoder) start(src *source) (err error) {
	if d.Decoder != nil {
		return d.Reset(src)
	}
	d.Decoder, err = zstd.NewReader(
		src,
		zstd.WithDecoderConcurrency(1),       // in the caller's goroutine
		zstd.WithDecoderMaxMemory(maxWindow), // of a stream, the window
		zstd.WithDecoderLowmem(true),
	)
	return err
}

func (d *zstdDecoder) whole() bool { return true }

func (d *zstdDecoder) stop() {
	if d.Decoder != nil {
		_ = d.Reset(nil)
	}
}
