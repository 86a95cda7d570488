//go:build unix

package frameworks_test

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// record notes how a case ended behind a guard: the statuses that the client
// received, a digest of the Privacy-* headers that came with them, and a
// digest of the requests that the upstream received ("-": none). If
// MODICUM_ANSWERS_DETAIL names a directory, what the digests stand for is
// written there.
func (u *upstream) record(name, guard string, answers []answer, flows [][]byte) {
	var statuses []string
	var headers strings.Builder
	for _, a := range answers {
		statuses = append(statuses, a.status)
		for _, name := range []string{"Privacy-Purpose", "Privacy-Stripped"} {
			fmt.Fprintf(&headers, "%s: %q\n", name, a.header[name])
		}
	}
	var requests []string
	for _, flow := range flows {
		if u.fastcgi {
			requests = append(requests, normalizeFastCGI(flow)...)
		} else {
			requests = append(requests, normalizeHTTP(flow)...)
		}
	}
	slices.Sort(requests) // connections have no order
	received := "-"
	if len(requests) > 0 {
		received = digest(strings.Join(requests, "\n"))
	}
	line := fmt.Sprintf("%s\t%s\t%s\t%s\t%s\t%s", u.name, name, guard, strings.Join(statuses, ","), digest(headers.String()), received)
	u.recorded = append(u.recorded, line)
	if dir := os.Getenv("MODICUM_ANSWERS_DETAIL"); dir != "" {
		file := filepath.Join(dir, digest(u.name+name+guard))
		_ = os.WriteFile(file, []byte(line+"\n"+headers.String()+strings.Join(requests, "\n")), 0o600) //nolint:gosec // G703: the developer names it
	}
}

func digest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:6])
}

// writeAnswers writes what was recorded to the file that MODICUM_ANSWERS
// names, if any.
func writeAnswers(t *testing.T, ups []*upstream) {
	t.Helper()
	name := os.Getenv("MODICUM_ANSWERS")
	if name == "" {
		return
	}
	var lines []string
	for _, u := range ups {
		lines = append(lines, u.recorded...)
	}
	slices.Sort(lines)
	if err := os.WriteFile(name, []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil { //nolint:gosec // G703: the developer names it
		t.Fatal(err)
	}
}

// normalizeHTTP returns the complete requests of a connection, without what
// changes from run to run: receipts and boundaries. How much of a request
// arrives that is refused while it streams depends on timing: it is left out.
func normalizeHTTP(flow []byte) (requests []string) {
	err := eachRequest(flow, func(r *http.Request, body []byte) {
		maps.Copy(r.Header, r.Trailer)
		r.Header.Set("Host", r.Host)
		r.Header.Set("Transfer-Encoding", strings.Join(r.TransferEncoding, ","))
		requests = append(requests, normalize(r.Method+" "+r.RequestURI, r.Header, body))
	})
	if len(requests) > 0 && !errors.Is(err, io.EOF) {
		return requests[:len(requests)-1]
	}
	return requests
}

// normalizeFastCGI is normalizeHTTP for a connection that carries one request
// in the records of FastCGI: 4 are parameters, 5 the body.
func normalizeFastCGI(flow []byte) []string {
	content, ended := readFastCGI(flow)
	if !ended {
		return nil
	}
	header := http.Header{}
	for params := content[4]; len(params) > 0; {
		name, rest := fastCGILength(params)
		value, rest := fastCGILength(rest)
		key := string(rest[:name])
		switch key {
		case "DOCUMENT_ROOT", "SCRIPT_FILENAME", "PATH_TRANSLATED": // they name the directory of this test
		case "CONTENT_TYPE":
			header["Content-Type"] = []string{string(rest[name : name+value])}
		case "HTTP_PRIVACY_RECEIPT":
			header["Privacy-Receipt"] = []string{""}
		default:
			header[key] = []string{string(rest[name : name+value])}
		}
		params = rest[name+value:]
	}
	return []string{normalize("", header, content[5])}
}

// readFastCGI returns the contents of records by their type. It reports whether the
// body has ended.
func readFastCGI(flow []byte) (content map[byte][]byte, ended bool) {
	content = map[byte][]byte{}
	for len(flow) >= 8 {
		kind, length, padding := flow[1], int(binary.BigEndian.Uint16(flow[4:])), int(flow[6])
		if len(flow) < 8+length+padding {
			break
		}
		ended = ended || kind == 5 && length == 0
		content[kind] = append(content[kind], flow[8:8+length]...)
		flow = flow[8+length+padding:]
	}
	return content, ended
}

func completeFastCGI(flow []byte) bool {
	_, ended := readFastCGI(flow)
	return ended
}

// fastCGILength reads the length of a name or a value: one byte, or four if
// the highest bit is set.
func fastCGILength(b []byte) (length int, rest []byte) {
	if b[0] < 0x80 {
		return int(b[0]), b[1:]
	}
	return int(binary.BigEndian.Uint32(b) &^ (1 << 31)), b[4:]
}

// normalize writes a request as text.
func normalize(line string, header http.Header, body []byte) string {
	if header.Get("Privacy-Receipt") != "" {
		header.Set("Privacy-Receipt", "receipt")
	}
	var b strings.Builder
	b.WriteString(line + "\n")
	for _, name := range slices.Sorted(maps.Keys(header)) {
		fmt.Fprintf(&b, "%s: %q\n", name, header[name])
	}
	b.WriteString("\n" + string(body))
	text := b.String()
	if _, parameters, err := mime.ParseMediaType(header.Get("Content-Type")); err == nil && parameters["boundary"] != "" {
		text = strings.ReplaceAll(text, parameters["boundary"], "boundary")
	}
	return text
}
