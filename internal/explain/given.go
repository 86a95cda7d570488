package explain

import (
	"bytes"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/tidwall/gjson"
	"github.com/tidwall/sjson"

	"github.com/modicum-proxy/modicum/internal/policy"
)

// submit writes what a test gives as the submission that its type names. A
// member's name may be a path, as fields have it: "address.city". What is
// sent with GET stands in the query. Where the type is not JSON, a text is
// the body as it is.
func submit(set *policy.Set, t *policy.Test) (Request, error) {
	ask := Request{On: t.On, Consents: t.Consents}
	given, err := nested(string(t.Given))
	if err != nil {
		return ask, err
	}
	value := gjson.Parse(given)
	method, _, _ := strings.Cut(t.On, " ")
	if method == http.MethodGet || method == http.MethodHead {
		ask.On += "?" + encode(pairs(value))
		return ask, nil
	}
	kind, _, err := mime.ParseMediaType(t.Type)
	if err != nil {
		return ask, fmt.Errorf("reading the type: %w", err)
	}
	ask.Header = http.Header{"Content-Type": {t.Type}}
	switch {
	case kind == "application/json" || strings.HasSuffix(kind, "+json"):
		ask.Body = []byte(given)
	case value.Type == gjson.String:
		ask.Body = []byte(value.Str)
	case kind == "application/x-www-form-urlencoded":
		ask.Body = []byte(encode(pairs(value)))
	case kind == "multipart/form-data":
		var contentType string
		ask.Body, contentType, err = parts(pairs(value), files(set, t.On))
		ask.Header.Set("Content-Type", contentType)
	default:
		err = fmt.Errorf("what is given for the type %s is its body: expected a text", kind)
	}
	return ask, err
}

// nested writes an object whose members are named by paths as the object
// that the paths lead through.
func nested(given string) (string, error) {
	flat := gjson.Parse(given)
	if !flat.IsObject() || !slices.ContainsFunc(names(flat), isPath) {
		return given, nil
	}
	object, values := "{}", 0
	var failed error
	flat.ForEach(func(name, value gjson.Result) bool {
		values += len(pairs(value))
		segments := []string{name.Str}
		if isPath(name.Str) {
			if segments, failed = policy.ParsePath(name.Str); failed != nil {
				return false
			}
		}
		for i := range segments {
			segments[i] = escapeSegment(segments[i])
		}
		object, failed = sjson.SetRaw(object, strings.Join(segments, "."), value.Raw)
		return failed == nil
	})
	if failed == nil && len(pairs(gjson.Parse(object))) != values {
		failed = fmt.Errorf("two names of what is given lead to one place")
	}
	return object, failed
}

// isPath tells a path from a name that may hold anything but dots.
func isPath(name string) bool { return strings.ContainsAny(name, `.\`) }

func names(object gjson.Result) []string {
	var names []string
	object.ForEach(func(name, _ gjson.Result) bool {
		names = append(names, name.Str)
		return true
	})
	return names
}

// escapeSegment keeps what sjson has other meanings for from having them.
func escapeSegment(segment string) string {
	var b strings.Builder
	for i := range len(segment) {
		if c := segment[i]; c < 0x80 && !isWord(c) {
			b.WriteByte('\\')
		}
		b.WriteByte(segment[i])
	}
	return b.String()
}

func isWord(c byte) bool {
	return c == '_' || c == '-' || '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'z'
}

// pair is a name and a value of a form.
type pair struct{ name, value string }

// pairs spells a JSON value as a form does: items[0][sku].
func pairs(value gjson.Result) []pair {
	var all []pair
	var walk func(name string, v gjson.Result)
	walk = func(name string, v gjson.Result) {
		if !v.IsObject() && !v.IsArray() {
			text := v.String()
			if v.Type == gjson.Number {
				text = v.Raw // as it is written
			}
			all = append(all, pair{name, text})
			return
		}
		index := 0
		v.ForEach(func(key, member gjson.Result) bool {
			below := key.Str
			if v.IsArray() {
				below = strconv.Itoa(index)
				index++
			}
			if name != "" {
				below = name + "[" + below + "]"
			}
			walk(below, member)
			return true
		})
	}
	walk("", value)
	return all
}

func encode(all []pair) string {
	encoded := make([]string, len(all))
	for i, p := range all {
		encoded[i] = url.QueryEscape(p.name) + "=" + url.QueryEscape(p.value)
	}
	return strings.Join(encoded, "&")
}

// parts writes a multipart form; names that isFile tells of are sent as files.
func parts(all []pair, isFile func(name string) bool) (body []byte, contentType string, err error) {
	var b bytes.Buffer
	form := multipart.NewWriter(&b)
	for _, p := range all {
		write := form.CreateFormField
		if isFile(p.name) {
			write = func(name string) (io.Writer, error) { return form.CreateFormFile(name, "given") }
		}
		w, err := write(p.name)
		if err != nil {
			return nil, "", fmt.Errorf("writing the form: %w", err)
		}
		_, _ = w.Write([]byte(p.value)) // into memory
	}
	if err := form.Close(); err != nil {
		return nil, "", fmt.Errorf("writing the form: %w", err)
	}
	return b.Bytes(), form.FormDataContentType(), nil
}

// files tells which names are those of files where on leads.
func files(set *policy.Set, on string) func(name string) bool {
	method, target, _ := strings.Cut(on, " ")
	host, path, _ := strings.Cut(target, "/")
	collection := set.Match(method, host, "/"+path).Collection
	return func(name string) bool {
		if collection == nil {
			return false
		}
		segments := strings.Split(strings.ReplaceAll(name, "]", ""), "[")
		return slices.ContainsFunc(collection.Fields, func(f policy.Field) bool {
			return f.Type == "file" && slices.EqualFunc(f.Path, segments, func(want, got string) bool { return want == "*" || want == got })
		})
	}
}
