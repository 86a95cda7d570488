package minimize

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"mime/multipart"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/modicum-proxy/modicum/internal/policy"
	"github.com/modicum-proxy/modicum/internal/submission"
)

// FuzzSelector compares the value that decides where a request leads with what
// readers of Go find under its name, all of them and wherever: two values send us
// and the application to two collections.
func FuzzSelector(f *testing.F) {
	for _, test := range selectorTests {
		f.Add(test.query, test.contentType, []byte(test.body))
	}
	for _, body := range []string{"action=a&action=b", "action=a&action=a", "+action=a", "action=%61", "action", "action=a&action[x]=b", "a[action]=1&action=2"} {
		f.Add(body, formType, []byte(body))
	}
	f.Add("action=a", jsonType, []byte(`{"action":"b","Action":"c","x":[{"action":"d"}]}`))
	f.Add("", jsonType, []byte(`{"action":"a","action":"b"}`))
	f.Add("", formData, []byte(form(part{"action", "", "a"}, part{"action", "", "b"})))
	f.Add("", formData, []byte("\r\n"+form(part{"action", "", "a"}, part{"photo", "a.png", "action"})))
	path := policy.Path{{Text: "action"}}
	s, err := newSelector([]policy.Path{path}, []string{""}, submission.Brackets)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, query, contentType string, body []byte) {
		r := request("POST /", contentType, bytes.NewReader(body))
		media, err := submission.ParseMedia(r.Header)
		if err != nil {
			return
		}
		padded := append(slices.Clone(body), make([]byte, submission.Padding)...)[:len(body)]
		doc := &document{query: query, body: padded, hasBody: len(body) > 0, media: media}
		found, err := s.read(new(work), doc, submission.DefaultLimits())
		if err != nil {
			return // it is refused
		}
		compareSelected(t, "query", found[0].query, valuesOfForm(query))
		compareSelected(t, "body", found[0].body, valuesOfBody(media, body))
	})
}

// compareSelected fails the test unless a value is what a reader finds, whichever
// of several it takes.
func compareSelected(t *testing.T, where string, got selectedValue, found []string) {
	t.Helper()
	switch {
	case got.odd: // it is refused
	case !got.given && len(found) > 0:
		t.Errorf("in the %s nothing is found, and a reader finds %q", where, found)
	case got.given && len(found) == 0:
		t.Errorf("in the %s %q is found, and a reader finds nothing", where, got.text)
	}
	for _, value := range found {
		if !got.odd && value != got.text {
			t.Errorf("in the %s %q is found, and a reader finds %q", where, got.text, found)
		}
	}
}

// noScalar is what a reader finds in place of a scalar.
const noScalar = "\xff"

func valuesOfForm(text string) (found []string) {
	values, _ := url.ParseQuery(text)
	for name, of := range values {
		if name == "action" {
			found = append(found, of...)
		} else if strings.HasPrefix(name, "action[") {
			found = append(found, noScalar)
		}
	}
	return found
}

func valuesOfBody(media submission.Media, body []byte) (found []string) {
	switch media.Kind {
	case submission.MediaForm:
		return valuesOfForm(string(body))
	case submission.MediaJSON:
		return valuesOfJSON(body)
	case submission.MediaMultipart:
		parts := multipart.NewReader(bytes.NewReader(body), media.Boundary)
		for {
			p, err := parts.NextRawPart()
			if err != nil {
				return found
			}
			value, _ := io.ReadAll(p)
			switch name := p.FormName(); {
			case name == "action" && p.FileName() == "":
				found = append(found, string(value))
			case name == "action", strings.HasPrefix(name, "action["):
				found = append(found, noScalar)
			}
		}
	case submission.MediaNone, submission.MediaOther, submission.MediaRaw:
	}
	return nil
}

func valuesOfJSON(body []byte) []string {
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	var top any
	if d.Decode(&top) != nil || top == nil {
		return nil
	}
	object, ok := top.(map[string]any)
	if !ok {
		return []string{noScalar}
	}
	value, ok := object["action"]
	switch value := value.(type) {
	case nil:
		if !ok {
			return nil
		}
		return []string{""}
	case map[string]any, []any:
		return []string{noScalar}
	default:
		return []string{fmt.Sprint(value)}
	}
}
