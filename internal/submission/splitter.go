package submission

import (
	"bytes"
	"net/http"
)

// splitter cuts a multipart body into the header blocks and the contents of
// its parts. It reads a window that another fills, keeps no more of the body
// than that, and looks at every byte once.
//
// It is stricter than RFC 2046 and most readers: the body begins with the first
// delimiter or with one empty line before it, lines end in CRLF, and nothing comes between a delimiter and the end
// of its line or after the closing one. If one reader takes a line for a delimiter
// and another for content, they find different parts (RULES.md, "Multipart forms").
type splitter struct {
	delimiter []byte     // CRLF "--" boundary
	skip      [256]uint8 // how far the last of each byte is from the end of the delimiter, or its length
	again     uint8      // that of the last byte, without its last occurrence
	window    []byte
	r, w      int   // window[r:w] is still to be cut
	looked    int   // of these, how many were looked at for the end of a header
	base      int64 // the position of window[0] in the body
	last      bool  // the window holds the end of the body
	state     splitState
}

// splitState is what the splitter expects next.
type splitState uint8

const (
	splitStart     splitState = iota // the first delimiter
	splitDelimiter                   // what follows "--boundary": CRLF or "--"
	splitHeader
	splitFirst // content that does not begin with the boundary
	splitContent
	splitTail // nothing, or CRLF
	splitDone
)

// piece is what a splitter cut off.
type piece uint8

const (
	needMore     piece = iota // the window holds too little, and is not the last
	headerPiece               // a header block, without the empty line after it
	contentPiece              // some of a part's content
	contentEnd                // the last of a part's content, maybe empty
	formEnd
)

// maxPartHeader bounds the header block of a part.
const maxPartHeader = 4 << 10

var (
	crlf      = []byte("\r\n")
	emptyLine = []byte("\r\n\r\n")
	dashes    = []byte("--")
)

// space makes room in the window and returns it.
func (s *splitter) space() []byte {
	if s.r > 0 {
		s.base += int64(s.r)
		s.w = copy(s.window, s.window[s.r:s.w])
		s.r = 0
	}
	return s.window[s.w:]
}

// filled adds n bytes that were read into space; last is set if they are the
// last.
func (s *splitter) filled(n int, last bool) {
	s.w += n
	s.last = s.last || last
}

// next cuts off a piece, which stays in the window until space is called.
func (s *splitter) next() (piece, []byte, *Error) {
	for {
		rest := s.window[s.r:s.w]
		switch s.state {
		case splitStart:
			// To any reader, an empty line is no part.
			if empty, short := cutPrefix(rest, crlf); empty && s.offset() == 0 {
				s.take(len(crlf), splitStart)
				continue
			} else if short {
				return s.stopped(short, "", "")
			}
			ok, short := cutPrefix(rest, s.delimiter[len(crlf):])
			if !ok {
				return s.stopped(short, "multipart-start", "the body does not begin with its boundary")
			}
			s.take(len(s.delimiter)-len(crlf), splitDelimiter)
		case splitDelimiter:
			if closing, short := cutPrefix(rest, dashes); closing {
				s.take(len(dashes), splitTail)
				continue
			} else if short {
				return s.stopped(short, "", "")
			}
			ok, short := cutPrefix(rest, crlf)
			if !ok {
				return s.stopped(short, "multipart-delimiter", "the boundary is not followed by the end of its line")
			}
			s.take(len(crlf), splitHeader)
		case splitHeader:
			return s.header(rest)
		case splitFirst:
			// RFC 2046 lets a part end with its header: then the empty line
			// belongs to a delimiter. To most readers it begins the content.
			if dashed, short := cutPrefix(rest, s.delimiter[len(crlf):]); dashed || short {
				return s.stopped(short, "multipart-delimiter", "the content of a part begins with the boundary")
			}
			s.state = splitContent
		case splitContent:
			return s.content(rest)
		case splitTail:
			return s.end(rest)
		case splitDone:
			return formEnd, nil, nil
		}
	}
}

// header cuts off a header block, which ends in an empty line.
func (s *splitter) header(rest []byte) (piece, []byte, *Error) {
	if ok, short := cutPrefix(rest, crlf); ok || short {
		return s.stopped(short, "part-header", "a part has no header")
	}
	from := max(0, s.looked-len(emptyLine)+1)
	s.looked = min(len(rest), maxPartHeader)
	end := bytes.Index(rest[from:s.looked], emptyLine)
	switch {
	case end >= 0:
		end += from
		s.take(end+len(emptyLine), splitFirst)
		return headerPiece, rest[:end], nil
	case len(rest) >= maxPartHeader:
		return needMore, nil, &Error{
			Status: http.StatusRequestEntityTooLarge, Rule: "part-header-size", Offset: s.offset(),
			Detail: "the header of a part is larger than 4 KiB",
		}
	}
	return s.stopped(true, "", "")
}

// content cuts off as much content as surely is some.
func (s *splitter) content(rest []byte) (piece, []byte, *Error) {
	if i := s.find(rest); i >= 0 {
		s.take(i+len(s.delimiter), splitDelimiter)
		return contentEnd, rest[:i], nil
	}
	// A delimiter may begin in the last bytes. They are less than it is
	// long, so that what is looked at again is bounded.
	sure := max(0, len(rest)-len(s.delimiter)+1)
	if i := bytes.IndexByte(rest[sure:], '\r'); i >= 0 {
		sure += i
	} else {
		sure = len(rest)
	}
	if sure > 0 {
		s.take(sure, splitContent)
		return contentPiece, rest[:sure], nil
	}
	return s.stopped(true, "", "")
}

func (s *splitter) setBoundary(boundary string) {
	s.delimiter = append(append(s.delimiter[:0], "\r\n--"...), boundary...)
	size := len(s.delimiter)
	for c := range s.skip {
		s.skip[c] = uint8(size) //nolint:gosec // G115: a boundary has at most 70 bytes
	}
	for i, c := range s.delimiter {
		s.again, s.skip[c] = s.skip[c], uint8(size-1-i) //nolint:gosec // G115: as above
	}
}

// find returns the index of the first delimiter in b, or −1. It is the search of
// Horspool: of content that does not resemble the delimiter, it looks at one byte
// for each length of that. bytes.Index stops at each CR, of which a photo has one
// in 256 bytes.
func (s *splitter) find(b []byte) int {
	size := len(s.delimiter)
	for i := size - 1; i < len(b); {
		switch skip := int(s.skip[b[i]]); {
		case skip == size: // which can be predicted, unlike an addition of skip
			i += size
		case skip > 0:
			i += skip
		default:
			if start := i - size + 1; b[start] == '\r' && string(b[start:i+1]) == string(s.delimiter) {
				return start
			}
			i += int(s.again)
		}
	}
	return -1
}

// end looks for the end of the body. Clients write CRLF behind the closing
// delimiter, or nothing.
func (s *splitter) end(rest []byte) (piece, []byte, *Error) {
	if !s.last && len(rest) <= len(crlf) {
		return needMore, nil, nil
	}
	if len(rest) > 0 && string(rest) != string(crlf) {
		return s.stopped(false, "trailing-data", "the body goes on after its closing boundary")
	}
	s.take(len(rest), splitDone)
	return formEnd, nil, nil
}

func (s *splitter) take(n int, next splitState) {
	s.r += n
	s.looked = 0
	s.state = next
}

// stopped asks for more if the window is too short to decide, and refuses the
// form otherwise.
func (s *splitter) stopped(short bool, rule, detail string) (piece, []byte, *Error) {
	if short {
		if !s.last {
			return needMore, nil, nil
		}
		rule, detail = "multipart-truncated", "the body ends before its closing boundary"
	}
	return needMore, nil, &Error{Status: http.StatusBadRequest, Rule: rule, Detail: detail, Offset: s.offset()}
}

// offset is the position in the body of what is cut next.
func (s *splitter) offset() int64 { return s.base + int64(s.r) }

// cutPrefix reports whether b begins with prefix, or is too short to decide.
func cutPrefix(b, prefix []byte) (ok, short bool) {
	if len(b) < len(prefix) {
		return false, bytes.HasPrefix(prefix, b)
	}
	return bytes.HasPrefix(b, prefix), false
}
