package minimize

import (
	"fmt"
	"net/http"

	"github.com/modicum-proxy/modicum/internal/submission"
)

// An upload in pieces says in its Content-Range which bytes of a file it contains.
// An application that does not see the range keeps the last piece for the whole
// file. The range goes on with a form of one file that is that piece, and of no
// other file, because an application could take it for the range of any of them; and
// with a body that is the file, and goes on as received.

// pieceHeaders returns the Content-Range and the Content-Disposition that go on
// with a body; empty: none does.
func pieceHeaders(s *Submission) (contentRange, disposition string) {
	h, piece := s.r.Header, submission.ContentRange{}
	if h["Content-Range"] == nil && h["Content-Disposition"] == nil {
		return "", ""
	}
	switch doc := &s.work.document; {
	case !doc.hasBody:
		return "", ""
	case doc.media.Kind == submission.MediaRaw:
		if p, ok := submission.ParseContentRange(h); ok && p.Size() == s.r.ContentLength && p.Total <= s.Collection.MaxPassed {
			piece = p
		}
	case doc.media.Kind != submission.MediaMultipart:
		return "", ""
	case s.stream != nil:
		if piece = s.stream.piece; piece == (submission.ContentRange{}) {
			return "", ""
		}
	case s.work.uploaded.Files != 1 || s.work.uploaded.Kept != 1:
		return "", ""
	default:
		if p, ok := submission.ParseContentRange(h); ok && s.work.uploaded.Is(p) {
			piece = p
		}
	}
	if piece != (submission.ContentRange{}) {
		contentRange = piece.String()
	}
	disposition, _ = submission.CleanDisposition(h)
	return contentRange, disposition
}

// announcedPiece returns the piece of a file that a form says to be while it is
// still arriving; the zero value if it says nothing, or cannot be what it says. The
// headers go on before the form has been read, so a form that turns out not to be
// the piece is refused (checkPiece).
func announcedPiece(r *http.Request, d *decision) submission.ContentRange {
	piece, ok := submission.ParseContentRange(r.Header)
	sized := r.ContentLength >= 0 && r.Header["Content-Encoding"] == nil
	if !ok || piece.Total > d.plan.MaxFile() || sized && piece.Size() > r.ContentLength {
		return submission.ContentRange{}
	}
	return piece
}

// checkPiece refuses a form that has been read and is not the piece of a file that
// its headers said.
func checkPiece(piece submission.ContentRange, form *submission.Multipart) error {
	if piece == (submission.ContentRange{}) || form.Uploaded().Is(piece) {
		return nil
	}
	return refused(http.StatusBadRequest, "content-range",
		"the form is not one file of the size that its Content-Range says, in a field that allows so large a file")
}

// rangeOf returns the piece that a request says to be; the zero value if none.
func rangeOf(r *http.Request) submission.ContentRange {
	if r.Header["Content-Range"] == nil {
		return submission.ContentRange{}
	}
	piece, _ := submission.ParseContentRange(r.Header)
	return piece
}

// checkWholeFile refuses the piece of a file that is larger than its field allows.
// Without the range, the application would keep the piece for the whole file.
func checkWholeFile(piece submission.ContentRange, u submission.Uploaded) error {
	if piece.Total <= u.Max || u.Files != 1 || u.Kept != 1 || u.Size != piece.Size() {
		return nil
	}
	return refused(http.StatusRequestEntityTooLarge, "file-size",
		fmt.Sprintf("the file that is uploaded in pieces has %d bytes (Content-Range), more than the %d bytes that its field allows (max)", piece.Total, u.Max))
}
