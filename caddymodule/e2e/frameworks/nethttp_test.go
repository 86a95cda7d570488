//go:build unix

package frameworks_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"io"
	"mime"
	"mime/multipart"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
)

// startGo runs the upstream of Go's own net/http and encoding/json, and
// returns its address.
func startGo(t *testing.T, dir string) string {
	t.Helper()
	path := filepath.Join(dir, "go.sock")
	ln, err := net.Listen("unix", path) //nolint:noctx // it is local
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(answerGo)} //nolint:gosec // G112: it is local
	go server.Serve(ln)                                         //nolint:errcheck // its end is ours
	t.Cleanup(func() { _ = server.Close() })
	return "unix/" + path
}

// answerGo answers with everything that Go believes it received.
func answerGo(w http.ResponseWriter, r *http.Request) {
	if strings.Contains(strings.ToLower(r.Header.Get("Upgrade")), "h2c") {
		acceptTunnel(w, r)
		return
	}
	if r.URL.Path == "/page" {
		servePage(w, r)
		return
	}
	body, _ := io.ReadAll(r.Body)
	believed := map[string]any{"query": r.URL.Query(), "trailer": r.Trailer}
	again := func() { r.Body = io.NopCloser(bytes.NewReader(body)) }
	again()
	_ = r.ParseMultipartForm(20 << 20) //nolint:gosec // G120: it was read already
	believed["form"], believed["post"] = r.Form, r.PostForm
	files := []map[string]string{}
	if r.MultipartForm != nil {
		believed["multipart"] = r.MultipartForm.Value
		for field, headers := range r.MultipartForm.File {
			for _, h := range headers {
				files = append(files, goFile(field, h))
			}
		}
	}
	believed["files"] = files
	// Parts one by one, as those read them who stream.
	again()
	believed["parts"] = goParts(r.Header.Get("Content-Type"), body)
	var value any
	if json.NewDecoder(bytes.NewReader(body)).Decode(&value) == nil { // as most do, up to the end of the value
		believed["json"] = value
	}
	// Names of JSON find a struct's field without regard to case.
	var order struct {
		Name    string `json:"name"`
		Forbids string `json:"ssn,omitempty"`
	}
	_ = json.Unmarshal(body, &order)
	if order.Forbids != "" {
		believed["struct"] = order
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(received{Method: r.Method, Path: r.URL.Path, Believed: believed})
}

// acceptTunnel switches to what the client offers, as servers do that speak
// h2c.
func acceptTunnel(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Connection", "Upgrade")
	w.Header().Set("Upgrade", r.Header.Get("Upgrade"))
	w.WriteHeader(http.StatusSwitchingProtocols)
	if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
		_ = conn.Close()
	}
}

func goFile(field string, h *multipart.FileHeader) map[string]string {
	var content []byte
	if f, err := h.Open(); err == nil {
		content, _ = io.ReadAll(f)
		_ = f.Close()
	}
	return map[string]string{
		"field": field, "filename": h.Filename, "type": h.Header.Get("Content-Type"),
		"content": base64.StdEncoding.EncodeToString(content),
	}
}

func goParts(contentType string, body []byte) map[string][]string {
	parts := map[string][]string{}
	_, params, err := mime.ParseMediaType(contentType)
	if err != nil || params["boundary"] == "" {
		return parts
	}
	for r := multipart.NewReader(bytes.NewReader(body), params["boundary"]); ; {
		part, err := r.NextPart()
		if err != nil {
			return parts
		}
		content, _ := io.ReadAll(part)
		if part.FileName() == "" {
			parts[part.FormName()] = append(parts[part.FormName()], string(content))
		}
	}
}
