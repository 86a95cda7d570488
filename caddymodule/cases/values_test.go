//go:build unix

package cases

import (
	"encoding/json"
	"fmt"
	"math/big"
	"net/url"
	"reflect"
	"regexp"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// lines is a text, written as one string or as a list of lines.
type lines string

func (l *lines) UnmarshalJSON(raw []byte) error {
	var list []string
	if json.Unmarshal(raw, &list) == nil {
		*l = lines(strings.Join(list, "\n") + "\n")
		return nil
	}
	return json.Unmarshal(raw, (*string)(l))
}

// oneOf is a value or a list of values, any of which will do.
type oneOf[T any] []T

func (o *oneOf[T]) UnmarshalJSON(raw []byte) error {
	if raw[0] == '[' {
		return json.Unmarshal(raw, (*[]T)(o))
	}
	*o = make([]T, 1)
	return json.Unmarshal(raw, &(*o)[0])
}

// content is the bytes of a body.
type content string

func (b *content) UnmarshalJSON(raw []byte) error {
	if raw[0] == '[' {
		var list []content
		err := json.Unmarshal(raw, &list)
		for i, line := range list {
			if i > 0 {
				*b += "\r\n"
			}
			*b += line
		}
		return err
	}
	if raw[0] != '{' {
		return json.Unmarshal(raw, (*string)(b))
	}
	var form struct {
		Base64 []byte      `json:"base64"`
		Form   [][2]string `json:"form"`
		Repeat string      `json:"repeat"`
		Times  int         `json:"times"`
	}
	if err := unmarshalStrictly(raw, &form); err != nil {
		return err
	}
	var pairs []string
	for _, pair := range form.Form {
		pairs = append(pairs, escape(pair[0])+"="+escape(pair[1]))
	}
	*b = content(string(form.Base64) + strings.Join(pairs, "&") + strings.Repeat(form.Repeat, form.Times))
	return nil
}

// escape spells a name or a value as browsers do.
func escape(s string) string {
	return strings.NewReplacer("%2A", "*", "~", "%7E").Replace(url.QueryEscape(s))
}

// wanted is a value that is expected: itself, or {"json": …} for a text that
// holds this JSON, or {"matches": "…"} for one that the expression matches.
type wanted struct {
	set   bool
	value any
}

func (w *wanted) UnmarshalJSON(raw []byte) (err error) {
	w.set = true
	w.value, err = readJSON(string(raw))
	return err
}

// matches reports whether got, a string or nil, is what is wanted.
func (w wanted) matches(got any) bool {
	text, isText := got.(string)
	if object, ok := w.value.(map[string]any); ok && len(object) == 1 {
		if document, ok := object["json"]; ok {
			return isText && sameJSON(document, text)
		}
		if expression, ok := object["matches"].(string); ok {
			return isText && regexp.MustCompile(expression).MatchString(text)
		}
	}
	return reflect.DeepEqual(w.value, got)
}

// sameJSON reports whether a text is the JSON of a value, whatever the order of
// its members.
func sameJSON(value any, text string) bool {
	got, err := readJSON(text)
	return err == nil && reflect.DeepEqual(value, got)
}

// readJSON reads a text strictly: no member may come twice.
func readJSON(text string) (any, error) {
	if !jsontext.Value(text).IsValid() {
		return nil, fmt.Errorf("no valid JSON: %s", short(text))
	}
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	var v any
	err := d.Decode(&v)
	return exact(v), err
}

// exact replaces numbers by what does not depend on how they are written.
func exact(v any) any {
	switch v := v.(type) {
	case []any:
		for i := range v {
			v[i] = exact(v[i])
		}
	case map[string]any:
		for name := range v {
			v[name] = exact(v[name])
		}
	case json.Number:
		if r, ok := new(big.Rat).SetString(string(v)); ok {
			return r.RatString() + " is a number"
		}
	default: // a string, a boolean or null
	}
	return v
}

// short is a text in one line that is not too long to read.
func short(v any) string {
	text, ok := v.(string)
	if !ok {
		raw, err := json.Marshal(v)
		if err != nil {
			return err.Error()
		}
		text = string(raw)
	}
	text = strings.NewReplacer("\r", `\r`, "\n", `\n`).Replace(text)
	if len(text) > 400 {
		text = text[:400] + "…"
	}
	return text
}
