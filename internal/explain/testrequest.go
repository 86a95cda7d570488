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

// testRequest returns the submission of a test, in the media type of the test. A
// name in `given` may be a path as in a field: "address.city". The values of a GET
// are in the query. Unless the type is JSON, a string is the complete body.
func testRequest(set *policy.Set, t *policy.Test) (Request, error) {
	r := Request{On: t.On, Consents: t.Consents}
	given, err := nested(string(t.Given))
	if err != nil {
		return r, err
	}
	value := gjson.Parse(given)
	to := routeOf(set, t.On)
	dots := to.Collection != nil && to.Collection.Dots // those that share a pattern have one notation
	method, _, _ := strings.Cut(t.On, " ")
	if method == http.MethodGet || method == http.MethodHead {
		separator := "?"
		if strings.Contains(r.On, "?") {
			separator = "&"
		}
		r.On += separator + encode(pairs(value, dots))
		return r, nil
	}
	kind, _, err := mime.ParseMediaType(t.Type)
	if err != nil {
		return r, fmt.Errorf("reading the type: %w", err)
	}
	r.Header = http.Header{"Content-Type": {t.Type}}
	switch {
	case kind == "application/json" || strings.HasSuffix(kind, "+json"):
		r.Body = []byte(given)
	case value.Type == gjson.String:
		r.Body = []byte(value.Str)
	case kind == "application/x-www-form-urlencoded":
		r.Body = []byte(encode(pairs(value, dots)))
	case kind == "multipart/form-data":
		var contentType string
		r.Body, contentType, err = parts(pairs(value, dots), files(fieldsOf(set, t.On)))
		r.Header.Set("Content-Type", contentType)
	default:
		err = fmt.Errorf("for the type %s, given is the body: expected a text", kind)
	}
	return r, err
}

// nested converts an object whose names are paths into nested objects.
func nested(given string) (string, error) {
	flat := gjson.Parse(given)
	if !flat.IsObject() || !slices.ContainsFunc(names(flat), isPath) {
		return given, nil
	}
	object, values := "{}", 0
	var failed error
	flat.ForEach(func(name, value gjson.Result) bool {
		values += len(pairs(value, false))
		segments := []string{name.Str}
		if isPath(name.Str) {
			var path policy.Path
			if path, failed = policy.ParsePath(name.Str); failed != nil {
				return false
			}
			segments = segments[:0]
			for _, s := range path {
				segments = append(segments, s.Text)
			}
		}
		for i := range segments {
			segments[i] = escapeSegment(segments[i])
		}
		object, failed = sjson.SetRaw(object, strings.Join(segments, "."), value.Raw)
		return failed == nil
	})
	if failed == nil && len(pairs(gjson.Parse(object), false)) != values {
		failed = fmt.Errorf("two names in given lead to one place")
	}
	return object, failed
}

// isPath reports whether a name is a path.
func isPath(name string) bool { return strings.ContainsAny(name, `.\`) }

func names(object gjson.Result) []string {
	var names []string
	object.ForEach(func(name, _ gjson.Result) bool {
		names = append(names, name.Str)
		return true
	})
	return names
}

// escapeSegment escapes the characters that have a meaning in a path of sjson.
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
type pair struct {
	name, value string
	path        []string
}

// pairs returns a JSON value as the pairs of a form, with names as in items[0][sku],
// or with dots as in items[0].sku.
func pairs(value gjson.Result, dots bool) []pair {
	var all []pair
	var walk func(name string, path []string, v gjson.Result)
	walk = func(name string, path []string, v gjson.Result) {
		if !v.IsObject() && !v.IsArray() {
			text := v.String()
			if v.Type == gjson.Number {
				text = v.Raw // keeps its notation
			}
			all = append(all, pair{name, text, path})
			return
		}
		index := 0
		v.ForEach(func(key, member gjson.Result) bool {
			below := key.Str
			if v.IsArray() {
				below = strconv.Itoa(index)
				index++
			}
			path := append(slices.Clip(path), below)
			switch {
			case dots && v.IsArray():
				below = name + "[" + below + "]"
			case name == "":
			case dots:
				below = name + "." + below
			default:
				below = name + "[" + below + "]"
			}
			walk(below, path, member)
			return true
		})
	}
	walk("", nil, value)
	return all
}

func encode(all []pair) string {
	encoded := make([]string, len(all))
	for i, p := range all {
		encoded[i] = url.QueryEscape(p.name) + "=" + url.QueryEscape(p.value)
	}
	return strings.Join(encoded, "&")
}

// parts writes a multipart form. isFile reports whether a path is that of a file.
func parts(all []pair, isFile func(path []string) bool) (body []byte, contentType string, err error) {
	var b bytes.Buffer
	form := multipart.NewWriter(&b)
	for _, p := range all {
		write := form.CreateFormField
		if isFile(p.path) {
			write = func(name string) (io.Writer, error) { return form.CreateFormFile(name, "given") }
		}
		w, err := write(p.name)
		if err != nil {
			return nil, "", fmt.Errorf("writing the form: %w", err)
		}
		_, _ = w.Write([]byte(p.value)) // into memory, which never fails
	}
	if err := form.Close(); err != nil {
		return nil, "", fmt.Errorf("writing the form: %w", err)
	}
	return b.Bytes(), form.FormDataContentType(), nil
}

// routeOf returns where a request leads.
func routeOf(set *policy.Set, on string) policy.Route {
	method, target, _ := strings.Cut(on, " ")
	target, _, _ = strings.Cut(target, "?")
	host, path, _ := strings.Cut(target, "/")
	return set.Match(method, host, "/"+path)
}

// fieldsOf returns the fields of all collections that a request may belong to.
func fieldsOf(set *policy.Set, on string) (fields []policy.Field) {
	to := routeOf(set, on)
	for _, c := range set.Collections {
		if to.Holds(c) {
			fields = append(fields, c.Fields...)
		}
	}
	return fields
}

// files returns a function that reports whether a path is that of a file.
func files(fields []policy.Field) func(path []string) bool {
	return func(path []string) bool {
		return slices.ContainsFunc(fields, func(f policy.Field) bool {
			return f.Type == "file" && slices.EqualFunc(f.Path, path, policy.Segment.Matches)
		})
	}
}
