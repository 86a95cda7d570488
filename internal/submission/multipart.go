package submission

import (
	"errors"
	"io"
)

// Multipart reads a multipart/form-data body and is read as the form that
// the plan keeps of it. Its errors are [*Error]s or those of the source.
type Multipart struct {
	// BeforeEnd is called once, when every part has been read and before
	// the closing delimiter is released. Its error ends the reading instead.
	BeforeEnd func() error
	// Observe makes Read return the bytes of the source as they are, while
	// the report is filled all the same. What would have refused the form
	// is then found in [Multipart.Err].
	Observe bool
}

// NewMultipart returns a reader of the form in src. Close it.
func NewMultipart(src io.Reader, boundary string, p *Plan, lim Limits, rep *Report) *Multipart {
	return &Multipart{}
}

// Boundary returns the boundary of what is read.
func (m *Multipart) Boundary() string { return "" }

// Read implements [io.Reader].
func (m *Multipart) Read(p []byte) (int, error) { return 0, errors.ErrUnsupported }

// Err returns what would have refused an observed form.
func (m *Multipart) Err() error { return nil }

// Close releases what the reading holds. It may be called at any time.
func (m *Multipart) Close() error { return nil }

// WatchPrefix reads the complete parts at the start of a form, as far as
// prefix goes, for the sake of [Report.Watched].
func WatchPrefix(prefix []byte, boundary string, p *Plan, lim Limits, rep *Report) {}
