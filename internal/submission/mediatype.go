package submission

import (
	"errors"
	"net/http"
)

// MediaKind is how a body is read. The zero value is what this package
// cannot read.
type MediaKind uint8

// The kinds of a body.
const (
	MediaOther     MediaKind = iota // neither form nor JSON
	MediaNone                       // no Content-Type
	MediaJSON                       // application/json and application/*+json
	MediaForm                       // application/x-www-form-urlencoded
	MediaMultipart                  // multipart/form-data
)

// Media is what the Content-Type of a request says.
type Media struct {
	Kind MediaKind
	// Type is type/subtype in lower case, without parameters.
	Type string
	// Boundary is that of multipart/form-data.
	Boundary string
}

// ParseMedia reads the Content-Type of a request. Its errors are [*Error]s
// of status 415.
func ParseMedia(h http.Header) (Media, error) { return Media{}, errors.ErrUnsupported }

// ContentType returns the Content-Type of what we write in place of a body
// of this type. boundary is that of [Multipart.Boundary], else empty.
func (m Media) ContentType(boundary string) string { return m.Type }
