package submission

import (
	"bytes"
	"fmt"
	"sync"
	"unicode/utf8"
)

// windowSize is how much of a multipart body is held: enough for few reads,
// little enough for many uploads at once.
const windowSize = 64 << 10

// maxRetainedPart is the largest buffer that is kept for the next form.
const maxRetainedPart = 64 << 10

var partsPool = sync.Pool{New: func() any {
	return &parts{splitter: splitter{window: make([]byte, windowSize)}}
}}

// parts follows a form part by part, and writes what goes on: to out, but
// the contents of files as spans of the window.
type parts struct {
	texts
	splitter

	part    partHeader
	at      int64 // where its header begins
	todo    handling
	leaf    int32
	name    []byte // of the part
	value   []byte // of a field
	size    int64  // of the file so far
	holding int64  // the sizes of all fields that were held
	count   int    // of parts
	files   Uploaded
	arrives bool // the body is not in memory: texts go on while they arrive, if they can
	text    streamedText

	sum    fingerprinter // of a part's content
	firsts []fingerprint // of the first values of names
	held   []heldField

	mark    []byte // CRLF "--" and our boundary
	marked  bool   // it was written
	out     []byte
	sent    int // of out
	span    []byte
	starved bool // the last step found too little in the window
}

// handling is what becomes of the content of a part.
type handling uint8

const (
	dropContent handling = iota
	holdContent          // a field, to be decided about when it is whole
	passContent          // a file
	textContent          // a field that need not be whole
)

func (s *parts) begin(p *Plan, lim Limits, rep *Report) {
	s.texts.begin(p, lim, rep)
	s.splitter = splitter{window: s.window, delimiter: s.delimiter[:0]}
	s.starved, s.marked = true, false
	s.holding, s.count, s.files, s.arrives = 0, 0, Uploaded{}, false
	s.firsts, s.held = s.firsts[:0], s.held[:0]
	s.out, s.sent, s.span = s.out[:0], 0, nil
}

// between sets the boundaries of what is read and what is written.
func (s *parts) between(boundary, ours string) {
	s.setBoundary(boundary)
	s.mark = append(append(s.mark[:0], "\r\n--"...), ours...)
}

func (s *parts) end() {
	s.texts.end()
	s.part, s.span = partHeader{}, nil
	if cap(s.out) > maxRetainedPart {
		s.out = nil
	}
	if cap(s.value) > maxRetainedPart {
		s.value = nil
	}
}

// step goes on by a piece of the form.
func (s *parts) step() (piece, *Error) {
	got, data, err := s.next()
	s.starved = got == needMore
	if err != nil {
		return needMore, err
	}
	switch got {
	case headerPiece:
		s.at = s.offset() - int64(len(data)+len(emptyLine))
		err = s.header(string(data))
	case contentPiece, contentEnd:
		err = s.content(data, got == contentEnd)
	case formEnd:
		s.releaseHidden(func(*heldField) bool { return false })
	case needMore:
	}
	if err == nil {
		err = s.inner.exceeded(s.rep)
	}
	if err != nil {
		if err.Field == "" {
			err.Offset = s.at
		}
	}
	return got, err
}

// header begins a part.
func (s *parts) header(block string) (err *Error) {
	if s.count++; s.count+s.inner.members > s.lim.Fields {
		return tooLarge("fields", "the form has more parts than the limit (max_fields)")
	}
	if s.part, err = parsePartHeader(block); err != nil {
		return err
	}
	if s.part.file {
		s.files.Files++
	}
	s.name = append(s.name[:0], s.part.name...)
	if len(s.name) > s.lim.Name {
		return tooLarge("name-length", "the name of a part is longer than the limit (max_name)")
	}
	at, f := s.resolve(s.name, s.lim.Depth)
	if f != faultNone {
		return s.refusal(f, "form", 0)
	}
	s.todo, s.leaf, s.size, s.value = dropContent, s.plan.nodes[at].leaf, 0, s.value[:0]
	s.sum.reset()
	if s.emptied != 0 {
		s.dropEmpty()
	}
	if len(s.held) > 0 {
		s.releaseHidden(s.waitsForBox)
	}
	if s.part.nested && !s.plan.selects && (s.leaf == none || !s.part.file || !s.plan.fields[s.leaf].File) {
		return partError("part-type", "a part that is no declared file is of a type that holds parts itself")
	}
	if s.leaf == none || isCharset(s.name) || s.matched && bytes.IndexByte(s.name, '=') >= 0 {
		// Of "x; name=ssn", some readers take the last. Only a policy may write that.
		s.begins = s.begins && s.leaf == none
		s.undeclared(s.name)
		return nil
	}
	field := &s.plan.fields[s.leaf]
	if s.part.file && s.single {
		if err := s.noteFile(); err != nil {
			return err
		}
	}
	switch {
	case !s.part.file && s.arrives && field.streams():
		s.todo, s.text = textContent, streamedText{}
	case field.JSON && (!s.part.file || s.part.kind == "application/json"):
		// A browser gives a part a type only if it is a Blob, which is a file.
		s.part.kind, s.part.json = "application/json", true
		s.todo = holdContent
	case !s.part.file && (field.Kept || field.Watch || field.Compare || field.Box || field.Boolean || s.begins && field.Otherwise != nil):
		s.todo = holdContent
	case !field.Kept:
		s.stripPart(field.Reason)
	case !field.File:
		s.stripPart(ReasonWrongType)
	default:
		s.todo = passContent
		s.files.Kept++
		s.rep.countKept(s.leaf)
		s.writeHeader(s.name, &s.part)
	}
	return nil
}

// content goes on with the content of a part, or ends it.
func (s *parts) content(data []byte, last bool) *Error {
	if s.single && !s.part.file {
		s.sum.add(data)
	}
	switch s.todo {
	case dropContent:
		s.size += int64(len(data))
		return s.drop(last)
	case holdContent:
		return s.hold(data, last)
	case textContent:
		return s.stream(data, last)
	case passContent:
		s.size += int64(len(data))
		limit := s.plan.fields[s.leaf].maxFile()
		s.files.Size, s.files.Max = s.size, limit
		if s.size > limit {
			return tooLarge("file-size", fmt.Sprintf("a file is larger than the %d bytes that its field allows (max)", limit))
		}
		s.span = data
	}
	return nil
}

// drop ends a part whose content does not go on, of s.size bytes so far.
func (s *parts) drop(last bool) (err *Error) {
	if !last || s.part.file {
		return nil
	}
	if s.single {
		_, err = s.noteText(false)
	}
	if err == nil && s.begins && s.size == 0 {
		s.noteEmpty()
	}
	return err
}

// hold collects the text of a field, and lets the field decide about it when
// it is whole.
func (s *parts) hold(data []byte, last bool) *Error {
	if s.holding += int64(len(data)); s.holding > s.lim.Body {
		return tooLarge("body-size", "the fields of the form are larger than the limit (max_body)")
	}
	s.value = append(s.value, data...)
	if !last {
		return nil
	}
	if !utf8.Valid(s.value) || !isText(s.value) {
		return noText()
	}
	empty := s.begins && len(s.value) == 0 && !s.part.file
	if s.single && !s.part.file {
		no := s.plan.fields[s.leaf].isNo(s.value)
		beside, err := s.noteText(no)
		switch {
		case err != nil || beside:
			return err
		case no && !s.answers[s.here].several:
			if empty {
				s.noteEmpty()
			}
			s.holdHidden()
			return nil
		case no:
			s.releaseHidden(s.isElsewhere)
		default:
			s.dropHidden()
		}
	}
	if empty {
		s.holdEmpty()
		return nil
	}
	s.write(s.name, &s.part, s.value, s.leaf)
	return nil
}

// write lets the field at leaf decide about the text of a part.
func (s *parts) write(name []byte, h *partHeader, text []byte, leaf int32) {
	if text, ok := s.decide(text, leaf); ok {
		s.writeHeader(name, h)
		s.out = append(s.out, text...)
	}
}

// stripPart leaves a part out whose content need not be known.
func (s *parts) stripPart(reason string) {
	if text, ok := s.strip(s.leaf, reason); ok {
		s.part = partHeader{}
		s.writeHeader(s.name, &s.part)
		s.out = append(s.out, text...)
	}
}

// writeHeader writes the delimiter before a part, and its header.
func (s *parts) writeHeader(name []byte, h *partHeader) {
	s.writeMark()
	s.out = append(s.out, "\r\n"...)
	s.out = appendPartHeader(s.out, name, h)
}

func (s *parts) writeMark() {
	mark := s.mark
	if !s.marked {
		mark = mark[len("\r\n"):]
		s.marked = true
	}
	s.out = append(s.out, mark...)
}

func (s *parts) close() {
	s.writeMark()
	s.out = append(s.out, "--\r\n"...)
}
