package submission

import (
	"net/http"
	"strings"
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
	MediaRaw                        // it goes on as it came; see [RawWatch]
)

// Media is what the Content-Type of a request says.
type Media struct {
	Kind MediaKind
	// Type is type/subtype in lower case, without parameters.
	Type string
	// Boundary is that of multipart/form-data.
	Boundary string
	// UTF8 says that there is a charset of utf-8. It goes on, because a servlet
	// reads a form without one as Latin-1.
	UTF8 bool
	// parameters are those of a JSON type, as they go on: `; profile="a b"`.
	parameters string
}

// ContentType returns the Content-Type of what we write in place of a body
// of this type; for multipart/form-data with boundary, else it is ignored.
func (m Media) ContentType(boundary string) string {
	written := m.Type + m.parameters
	if m.UTF8 {
		written += "; charset=utf-8"
	}
	if m.Kind == MediaMultipart {
		written += "; boundary=" + boundary
	}
	return written
}

// ParseMedia reads the Content-Type of a request. Its errors are [*Error]s
// of status 415.
//
// Of two headers or two boundaries some applications take the first and some
// the last, so there may be one. A charset other than UTF-8 is another
// reading of every byte; other parameters have no meaning for a form.
// A type of [MediaOther] may have any: what becomes of it is for the caller.
func ParseMedia(h http.Header) (Media, error) { return ParseMediaAs(h, nil) }

// ParseMediaAs is [ParseMedia] with another kind for the types in kinds, which
// are in lower case.
func ParseMediaAs(h http.Header, kinds map[string]MediaKind) (Media, error) {
	values := h["Content-Type"]
	switch {
	case len(values) == 0:
		return Media{Kind: MediaNone}, nil
	case len(values) > 1:
		return Media{}, mediaError("content-type-repeated", "there are several Content-Type headers, where one is expected")
	}
	name, rest, _ := strings.Cut(values[0], ";")
	m, ok := mediaOf(strings.ToLower(strings.Trim(name, " \t")))
	if !ok {
		return Media{}, mediaError("content-type-syntax", "the Content-Type is not of the form type/subtype")
	}
	if kind, ok := kinds[m.Type]; ok {
		m.Kind = kind
	}
	var seen parameterNames
	for rest != "" {
		var p parameter
		if p, rest, ok = nextParameter(rest); !ok {
			return Media{}, mediaError("content-type-syntax", "a parameter of the Content-Type is not well-formed")
		}
		if p.name == "" {
			continue
		}
		if !seen.add(p.name) {
			return Media{}, mediaError("content-type-repeated", "the Content-Type has a parameter twice, or more than eight")
		}
		if err := m.parameter(p); err != nil {
			return Media{}, err
		}
	}
	if m.Kind == MediaMultipart && !validBoundary(m.Boundary) {
		return Media{}, mediaError("boundary", "multipart/form-data has no boundary of 1 to 70 characters that RFC 2046 allows")
	}
	return m, nil
}

// parameter takes a parameter of the type.
func (m *Media) parameter(p parameter) error {
	switch {
	case m.Kind == MediaOther:
	case strings.EqualFold(p.name, "charset"):
		switch charset := charsetOf(p.value); {
		case charset == charsetUTF8:
			m.UTF8 = true
		case charset == charsetASCII:
		case charset == charsetLegacy && m.Kind == MediaMultipart: // the names and texts are found to be UTF-8, or refused
		default:
			return mediaError("charset", "the charset of the Content-Type is not utf-8")
		}
	case m.Kind == MediaRaw: // it is not written again
	case strings.EqualFold(p.name, "boundary") && m.Kind == MediaMultipart:
		m.Boundary = p.value
	case m.Kind == MediaJSON:
		name := jsonParameter(p.name)
		if name == "" {
			return mediaError("content-type-parameter", "the Content-Type has a parameter that JSON types do not have")
		}
		if !validJSONParameter(p.value) {
			return mediaError("content-type-parameter", "a parameter of the Content-Type is longer than 256 bytes, or could be read as another parameter")
		}
		m.parameters += "; " + name + "=" + quotedUnlessToken(p.value)
	default:
		return mediaError("content-type-parameter", "the Content-Type has a parameter other than charset, or boundary of multipart/form-data")
	}
	return nil
}

func mediaError(rule, detail string) error {
	return &Error{Status: http.StatusUnsupportedMediaType, Rule: rule, Detail: detail, Offset: -1}
}

// mediaOf returns the kind of a type/subtype in lower case; false if it is not
// well-formed.
func mediaOf(name string) (Media, bool) {
	m := Media{Type: name}
	switch name {
	case "application/json":
		m.Kind = MediaJSON
		return m, true
	case "application/x-www-form-urlencoded":
		m.Kind = MediaForm
		return m, true
	case "multipart/form-data":
		m.Kind = MediaMultipart
		return m, true
	}
	main, sub, ok := strings.Cut(name, "/")
	if !ok || !restrictedName(main) || !restrictedName(sub) {
		return m, false
	}
	if main == "application" && strings.HasSuffix(sub, "+json") && sub != "+json" {
		m.Kind = MediaJSON
	}
	return m, true
}

// restrictedName is RFC 6838, section 4.2: narrower than a token, so that a
// type we pass on holds nothing that a looser parser takes for syntax.
func restrictedName(s string) bool {
	if s == "" || len(s) > 127 {
		return false
	}
	for i := range len(s) {
		switch c := s[i]; {
		case isAlphanumeric(c):
		case i > 0 && strings.IndexByte("!#$&-^_.+", c) >= 0:
		default:
			return false
		}
	}
	return true
}

// validBoundary is the grammar of RFC 2046, section 5.1.1.
func validBoundary(s string) bool {
	if s == "" || len(s) > 70 || s[len(s)-1] == ' ' {
		return false
	}
	for i := range len(s) {
		if !isAlphanumeric(s[i]) && strings.IndexByte("'()+_,-./:=? ", s[i]) < 0 {
			return false
		}
	}
	return true
}

func isAlphanumeric(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' || c >= '0' && c <= '9' }
