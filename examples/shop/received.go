package shop

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// What one submission may cost the shop. A file is counted, never held.
const (
	maxBody   = 64 << 20
	maxJSON   = 1 << 20
	maxForm   = 1 << 20
	maxValues = 500
	maxShown  = 400 // bytes of a value
	maxDepth  = 32
)

// received is a submission as it arrived, in the order it came.
type received struct {
	MediaType string  `json:"media_type,omitempty"`
	Values    []value `json:"received"`
	// Missing names what the form asks for and what did not arrive.
	Missing []string `json:"not_received"`
	// Purpose and Receipt are what the proxy says about the submission.
	Purpose string `json:"privacy_purpose,omitempty"`
	Receipt string `json:"privacy_receipt,omitempty"`
}

// value is one field that arrived.
type value struct {
	Name  string `json:"name"`
	Value string `json:"value"`
	// File is the size of an uploaded file as text; empty for other fields.
	File string `json:"file,omitempty"`
}

var errTooMuch = fmt.Errorf("more than %d values", maxValues)

// read takes the submission from the query and the body of r. An application
// merges them at its own risk; the shop shows both.
func read(r *http.Request, form form) (received, error) {
	got := received{
		Values:  []value{},
		Purpose: r.Header.Get("Privacy-Purpose"),
		Receipt: r.Header.Get("Privacy-Receipt"),
	}
	if err := got.addPairs(r.URL.RawQuery); err != nil {
		return got, fmt.Errorf("reading the query: %w", err)
	}
	if contentType := r.Header.Get("Content-Type"); contentType != "" {
		if err := got.addBody(r, contentType); err != nil {
			return got, fmt.Errorf("reading the body: %w", err)
		}
	}
	got.Missing = form.missing(got.Values)
	return got, nil
}

func (got *received) addBody(r *http.Request, contentType string) error {
	mediaType, _, err := mime.ParseMediaType(contentType)
	if err != nil {
		return err
	}
	got.MediaType = mediaType
	switch {
	case mediaType == "multipart/form-data":
		return got.addParts(r)
	case mediaType == "application/x-www-form-urlencoded":
		body, err := io.ReadAll(http.MaxBytesReader(nil, r.Body, maxForm))
		if err != nil {
			return err
		}
		return got.addPairs(string(body))
	case mediaType == "application/json" || strings.HasSuffix(mediaType, "+json"):
		return got.addJSON(http.MaxBytesReader(nil, r.Body, maxJSON))
	default:
		return fmt.Errorf("the shop does not read %s", mediaType)
	}
}

func (got *received) add(v value) error {
	if len(got.Values) == maxValues {
		return errTooMuch
	}
	if len(v.Value) > maxShown {
		v.Value = strings.ToValidUTF8(v.Value[:maxShown], "") + "…"
	}
	got.Values = append(got.Values, v)
	return nil
}

// addPairs reads name=value pairs. It does not use [url.ParseQuery] because
// the order they came in is part of what the page shows.
func (got *received) addPairs(pairs string) error {
	for pair := range strings.SplitSeq(pairs, "&") {
		if pair == "" {
			continue
		}
		name, text, _ := strings.Cut(pair, "=")
		name, err := url.QueryUnescape(name)
		if err != nil {
			return err
		}
		text, err = url.QueryUnescape(text)
		if err != nil {
			return err
		}
		if err := got.add(value{Name: name, Value: text}); err != nil {
			return err
		}
	}
	return nil
}

func (got *received) addParts(r *http.Request) error {
	parts, err := r.MultipartReader()
	if err != nil {
		return err
	}
	for {
		part, err := parts.NextPart()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := got.addPart(part); err != nil {
			return err
		}
	}
}

// addPart shows the beginning of a field, and of a file its name, its type
// and how long it is.
func (got *received) addPart(part *multipart.Part) error {
	disposition, params, err := mime.ParseMediaType(part.Header.Get("Content-Disposition"))
	if err != nil || disposition != "form-data" {
		return fmt.Errorf("a part is no form-data")
	}
	if filename, isFile := params["filename"]; isFile {
		size, err := io.Copy(io.Discard, part)
		if err != nil {
			return err
		}
		v := value{Name: params["name"], File: sizeText(size)}
		if filename != "" {
			v.Value = filename + " (" + part.Header.Get("Content-Type") + ")"
		}
		return got.add(v)
	}
	text, err := io.ReadAll(io.LimitReader(part, maxShown+1))
	if err != nil {
		return err
	}
	if _, err := io.Copy(io.Discard, part); err != nil {
		return err
	}
	return got.add(value{Name: params["name"], Value: string(text)})
}

func sizeText(size int64) string {
	switch {
	case size < 1<<10:
		return strconv.FormatInt(size, 10) + " B"
	case size < 1<<20:
		return strconv.FormatInt(size>>10, 10) + " KiB"
	default:
		return fmt.Sprintf("%.1f MiB", float64(size)/(1<<20))
	}
}

func (got *received) addJSON(body io.Reader) error {
	tokens := json.NewDecoder(body)
	tokens.UseNumber()
	if err := got.addToken(tokens, nil); err != nil {
		return err
	}
	if _, err := tokens.Token(); !errors.Is(err, io.EOF) {
		return errors.New("something follows the JSON value")
	}
	return nil
}

// addToken adds the next JSON value, which stands at path: a scalar as it is,
// a container member by member.
func (got *received) addToken(tokens *json.Decoder, path []string) error {
	if len(path) > maxDepth {
		return fmt.Errorf("JSON nested deeper than %d", maxDepth)
	}
	token, err := tokens.Token()
	if err != nil {
		return err
	}
	text := fmt.Sprint(token)
	switch token {
	case nil:
		text = "null"
	case json.Delim('{'), json.Delim('['):
		count := 0
		for ; tokens.More(); count++ {
			name := strconv.Itoa(count)
			if token == json.Delim('{') {
				key, err := tokens.Token()
				if err != nil {
					return err
				}
				name = fmt.Sprint(key)
			}
			if err := got.addToken(tokens, append(path, name)); err != nil {
				return err
			}
		}
		if _, err := tokens.Token(); err != nil {
			return err
		}
		if count > 0 {
			return nil
		}
		text = map[json.Token]string{json.Delim('{'): "{}", json.Delim('['): "[]"}[token]
	}
	return got.add(value{Name: strings.Join(path, "."), Value: text})
}
