package signal

import (
	"errors"
	"io"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// maxDepth bounds the nesting of the JSON in a cookie.
const maxDepth = 8

var errForm = errors.New("the cookie has another form")

// readOne reads a text that is one JSON value (RFC 8259, I-JSON: UTF-8 and no
// name twice), which value reads.
func readOne(text string, value func(d *jsontext.Decoder) error) bool {
	d := jsontext.NewDecoder(strings.NewReader(text))
	if err := value(d); err != nil {
		return false
	}
	_, err := d.ReadToken()
	return errors.Is(err, io.EOF)
}

// readObject reads a text that is one JSON object and calls member for each of
// its members.
func readObject(text string, member func(d *jsontext.Decoder, name string) error) bool {
	return readOne(text, func(d *jsontext.Decoder) error {
		return members(d, func(name string) error { return member(d, name) })
	})
}

// members reads an object and calls member, which must read the value, for each
// of its members.
func members(d *jsontext.Decoder, member func(name string) error) error {
	return elements(d, '{', '}', member)
}

func readStrings(d *jsontext.Decoder, each func(string)) error {
	return elements(d, '[', ']', func(text string) error {
		each(text)
		return nil
	})
}

// elements reads what two brackets enclose. It calls element with each name of an
// object, or each string of an array.
func elements(d *jsontext.Decoder, opening, closing jsontext.Kind, element func(text string) error) error {
	if d.PeekKind() != opening {
		return errForm
	}
	if _, err := d.ReadToken(); err != nil {
		return err
	}
	for d.PeekKind() != closing {
		text, err := readString(d)
		if err != nil {
			return err
		}
		if err := element(text); err != nil {
			return err
		}
	}
	_, err := d.ReadToken()
	return err
}

func readString(d *jsontext.Decoder) (string, error) {
	token, err := d.ReadToken()
	if err != nil {
		return "", err
	}
	if token.Kind() != '"' {
		return "", errForm
	}
	return token.String(), nil
}

// readBool reads a value, and reports whether it is a boolean at all.
func readBool(d *jsontext.Decoder) (set, isBool bool, err error) {
	kind := d.PeekKind()
	return kind == 't', kind == 't' || kind == 'f', skip(d)
}

// skip reads a value of any kind that is not nested too deeply.
func skip(d *jsontext.Decoder) error {
	depth := d.StackDepth()
	for {
		if _, err := d.ReadToken(); err != nil {
			return err
		}
		switch {
		case d.StackDepth() == depth:
			return nil
		case d.StackDepth() > maxDepth:
			return errForm
		}
	}
}
