package submission

import (
	"net/http"
	"strconv"
	"strings"
	"unicode/utf8"
)

// ContentRange says which piece of a file an upload contains, from the byte First
// to the byte Last of Total (RFC 9110, section 14.4). The zero value is none.
type ContentRange struct {
	First, Last, Total int64
}

// ParseContentRange reads the Content-Range of a request. It returns false unless
// there is one, in the spelling of [ContentRange.String], so that nothing but three
// numbers goes on.
func ParseContentRange(h http.Header) (ContentRange, bool) {
	values := h["Content-Range"]
	if len(values) != 1 {
		return ContentRange{}, false
	}
	positions, total, _ := strings.Cut(strings.TrimPrefix(values[0], "bytes "), "/")
	first, last, _ := strings.Cut(positions, "-")
	var r ContentRange
	for _, number := range [...]struct {
		text  string
		value *int64
	}{{first, &r.First}, {last, &r.Last}, {total, &r.Total}} {
		n, err := strconv.ParseInt(number.text, 10, 64)
		if err != nil {
			return ContentRange{}, false
		}
		*number.value = n
	}
	if r.First < 0 || r.First > r.Last || r.Last >= r.Total || r.String() != values[0] {
		return ContentRange{}, false
	}
	return r, true
}

// String returns the value of the header.
func (r ContentRange) String() string {
	b := append(make([]byte, 0, 64), "bytes "...)
	b = append(strconv.AppendInt(b, r.First, 10), '-')
	b = append(strconv.AppendInt(b, r.Last, 10), '/')
	return string(strconv.AppendInt(b, r.Total, 10))
}

// Size returns how many bytes the piece has.
func (r ContentRange) Size() int64 { return r.Last - r.First + 1 }

// Uploaded is what a multipart form had of files.
type Uploaded struct {
	Files int   // parts with a file name, kept or not
	Kept  int   // of these
	Size  int64 // of the last one that was kept, in bytes
	Max   int64 // of its field
}

// Is reports whether the form is the piece: one file of its size, whose field may
// have as many bytes as the whole file has.
func (u Uploaded) Is(piece ContentRange) bool {
	return u.Files == 1 && u.Kept == 1 && u.Size == piece.Size() && piece.Total <= u.Max
}

// MaxFile returns how many bytes the largest file that passes may have; 0 if none
// passes.
func (p *Plan) MaxFile() (size int64) {
	for i := range p.fields {
		if f := &p.fields[i]; f.File && f.Kept {
			size = max(size, f.maxFile())
		}
	}
	return size
}

// maxFile returns how many bytes a file of the field may have.
func (f *Field) maxFile() int64 {
	if f.MaxFile == 0 {
		return DefaultMaxFile
	}
	return f.MaxFile
}

// CleanDisposition returns the Content-Disposition of a request that uploads one
// file, written anew: "attachment" with the file name that is cleaned as that of a
// part. It returns false if there is not exactly one, or without a file name.
func CleanDisposition(h http.Header) (string, bool) {
	values := h["Content-Disposition"]
	if len(values) != 1 || !utf8.ValidString(values[0]) || strings.ContainsFunc(values[0], isControl) {
		return "", false
	}
	kind, rest, _ := strings.Cut(values[0], ";")
	if !strings.EqualFold(strings.Trim(kind, " "), "attachment") {
		return "", false
	}
	var seen parameterNames
	filename := ""
	for rest != "" {
		var p parameter
		var ok bool
		if p, rest, ok = parameterWith(rest, (*parameter).quotedInPart); !ok || !seen.add(p.name) {
			return "", false
		}
		if strings.EqualFold(p.name, "filename") {
			filename = cleanEscapedFilename(p.value)
		}
	}
	if filename == "" {
		return "", false
	}
	return string(append(appendFilename([]byte(`attachment; filename="`), filename), '"')), true
}

// cleanEscapedFilename returns the last segment of a file name that applications
// unescape, because jQuery File Upload sends it escaped.
func cleanEscapedFilename(name string) string {
	lower := strings.ToLower(name)
	if i := max(strings.LastIndex(lower, "%5c"), strings.LastIndex(lower, "%2f")); i >= 0 {
		return name[i+len("%5c"):]
	}
	return name
}
