//go:build unix

package frameworks_test

import (
	"bytes"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// stream is a request as HTTP/2 sends it, well-formed or not.
type stream struct {
	headers  [][2]string // with those that begin with a colon
	body     string
	trailers [][2]string
}

// streamOf is a POST with a body; headers are pairs of names and values.
func streamOf(path, body string, headers ...string) *stream {
	s := &stream{body: body, headers: [][2]string{
		{":method", http.MethodPost}, {":scheme", "http"}, {":authority", "shop.example"}, {":path", path},
	}}
	for i := 0; i < len(headers); i += 2 {
		s.headers = append(s.headers, [2]string{headers[i], headers[i+1]})
	}
	return s
}

func (s *stream) ending(name, value string) *stream {
	s.trailers = append(s.trailers, [2]string{name, value})
	return s
}

func block(fields [][2]string) []byte {
	var b bytes.Buffer
	encoder := hpack.NewEncoder(&b)
	for _, f := range fields {
		_ = encoder.WriteField(hpack.HeaderField{Name: f[0], Value: f[1]})
	}
	return b.Bytes()
}

// exchange sends the stream on a new connection, and returns what came back
// as an answer, up to a fault.
func (s *stream) exchange(conn io.ReadWriter) []answer {
	framer := http2.NewFramer(conn, conn)
	framer.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	go func() {
		_, _ = io.WriteString(conn, http2.ClientPreface)
		_ = framer.WriteSettings()
		_ = framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: block(s.headers), EndHeaders: true, EndStream: s.body == ""})
		if s.body == "" {
			return
		}
		_ = framer.WriteData(1, s.trailers == nil, []byte(s.body))
		if s.trailers != nil {
			_ = framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: block(s.trailers), EndHeaders: true, EndStream: true})
		}
	}()
	got := answer{status: "none", header: http.Header{}}
	for {
		frame, err := framer.ReadFrame()
		if err != nil {
			return []answer{got}
		}
		switch frame := frame.(type) {
		case *http2.MetaHeadersFrame:
			got.status = frame.PseudoValue("status")
			for _, f := range frame.RegularFields() {
				got.header.Add(f.Name, f.Value)
			}
		case *http2.DataFrame:
			got.body = append(got.body, frame.Data()...)
		case *http2.GoAwayFrame, *http2.RSTStreamFrame:
			return []answer{got}
		}
		if frame.Header().StreamID == 1 && frame.Header().Flags.Has(http2.FlagDataEndStream) {
			return []answer{got}
		}
	}
}

// streamAttacks are those that HTTP/2 adds: its requests know no chunks, and
// names and values that HTTP/1 cannot send.
func streamAttacks() []attack {
	const json, form = "application/json", "application/x-www-form-urlencoded"
	h2 := func(path, body string, headers ...string) *stream { return streamOf(path, body, headers...) }
	return []attack{
		{name: "stream: JSON", stream: h2("/checkout", forbiddenJSON, "content-type", json)},
		{name: "stream: a form with its length", stream: h2("/checkout", forbiddenForm, "content-type", form, "content-length", "21")},
		{name: "stream: a length of less", stream: h2("/checkout", forbiddenForm, "content-type", form, "content-length", "8"), unseen: true},
		{name: "stream: a length of more", stream: h2("/checkout", forbiddenForm, "content-type", form, "content-length", "80"), unseen: true},
		{name: "stream: parts", stream: h2("/checkout", joined("b", ann, ssn), "content-type", "multipart/form-data; boundary=b")},
		{name: "stream: no type", stream: h2("/checkout", forbiddenJSON)},
		{name: "stream: two types", carrier: "name", stream: h2("/checkout", polyglot, "content-type", json, "content-type", form)},
		{name: "stream: two codings", stream: h2("/checkout", forbiddenJSON, "content-type", json, "content-encoding", "identity", "content-encoding", "foo")},
		{name: "stream: an underscore in the type", carrier: "name", stream: h2("/checkout", polyglot, "content-type", json, "content_type", form)},
		{name: "stream: capitals", stream: h2("/checkout", forbiddenJSON, "Content-Type", json), unseen: true},
		{name: "stream: a line in a value", stream: h2("/checkout", forbiddenJSON, "content-type", "application/json\r\nx: y"), unseen: true},
		{name: "stream: a line in a name", stream: h2("/checkout", forbiddenJSON, "content-type: text/plain\r\nx", "y"), unseen: true},
		{name: "stream: connection", stream: h2("/checkout", forbiddenJSON, "content-type", json, "connection", "content-type"), unseen: true},
		{name: "stream: transfer-encoding", stream: h2("/checkout", chunked(forbiddenJSON), "content-type", json, "transfer-encoding", "chunked"), unseen: true},
		{name: "stream: a method override", method: "POST", stream: h2("/profile", forbiddenForm, "content-type", form, "x-http-method-override", "PUT")},
		{name: "stream: a trailer", stream: h2("/checkout", `{"name":"Ann"}`, "content-type", json, "trailer", "ssn").ending("ssn", "Canary7q")},
		{name: "stream: a trailer that is not announced", stream: h2("/checkout", `{"name":"Ann"}`, "content-type", json).ending("ssn", "Canary7q"), unseen: true},
		{name: "stream: a trailer of parts", stream: h2("/checkout", joined("b", ann, part(`name="photo"; filename="a"`, strings.Repeat("a", 10000))), "content-type", "multipart/form-data; boundary=b", "trailer", "ssn").ending("ssn", "Canary7q")},
		{name: "stream: a query", stream: h2("/checkout?ssn=Canary7q", "", "content-length", "0")},
		{name: "stream: two slashes", stream: h2("//checkout", forbiddenJSON, "content-type", json)},
		{name: "stream: an absolute path", stream: h2("http://shop.example/checkout", forbiddenJSON, "content-type", json), unseen: true},
		{name: "stream: a star", stream: h2("*", forbiddenJSON, "content-type", json)},
		{name: "stream: a space in the path", stream: h2("/checkout HTTP/1.1\r\nX: y", forbiddenJSON, "content-type", json), unseen: true},
		{name: "stream: a host beside the authority", unseen: true, stream: h2("/order", forbiddenJSON, "host", "other.example", "content-type", json)},
		{name: "stream: a second method", stream: h2("/checkout", forbiddenJSON, ":method", "GET", "content-type", json), unseen: true},
		{name: "stream: a method with a space", stream: &stream{body: forbiddenJSON, headers: [][2]string{
			{":method", "POST /checkout HTTP/1.1\r\nx:"}, {":scheme", "http"}, {":authority", "shop.example"}, {":path", "/"}, {"content-type", json},
		}}, unseen: true},
		{name: "stream: a GET with a body", stream: &stream{body: forbiddenJSON, headers: [][2]string{
			{":method", "GET"}, {":scheme", "http"}, {":authority", "shop.example"}, {":path", "/search"}, {"content-type", json},
		}}},
		{name: "stream: a GET with a body of no type", stream: &stream{body: forbiddenForm, headers: [][2]string{
			{":method", "GET"}, {":scheme", "http"}, {":authority", "shop.example"}, {":path", "/"},
		}}},
		// RFC 8441: what follows is no longer HTTP.
		{name: "stream: an extended CONNECT", stream: &stream{body: string(request("POST /checkout", formType, forbiddenForm)), headers: [][2]string{
			{":method", "CONNECT"},
			{":protocol", "websocket"},
			{":scheme", "http"},
			{":authority", "shop.example"},
			{":path", "/checkout"},
			{"sec-websocket-version", "13"},
		}}, unseen: true},
	}
}

// An offer of h2c, accepted by the application, is a tunnel past the filter:
// "h2c smuggling". Where an operator lets upgrades pass, that is for
// WebSockets.
func testTunnel(t *testing.T, up *upstream) {
	t.Helper()
	for _, g := range guards() {
		for _, offer := range []string{
			"Connection: Upgrade\r\nUpgrade: h2c\r\n",
			"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n",
			"Connection: Upgrade\r\nUpgrade: H2C\r\n",
			"Connection: Upgrade\r\nUpgrade: h2c\r\nUpgrade: websocket\r\n",
			"Connection: Upgrade\r\nUpgrade: h2c, websocket\r\n",
			"Connection: Upgrade\r\nUpgrade: h2c,\r\n",
		} {
			conn, err := net.Dial("unix", up.sites[g.name].socket) //nolint:noctx // it is local
			if err != nil {
				t.Fatal(err)
			}
			_ = conn.SetDeadline(time.Now().Add(time.Second))
			head := request("GET /", offer+"HTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA\r\n", "")
			_, _ = conn.Write(head)
			seen := make([]byte, 32)
			_, _ = io.ReadFull(conn, seen)
			tunnel := bytes.HasPrefix(seen, []byte("HTTP/1.1 101"))
			if tunnel && g.name != "plain" {
				t.Errorf("behind %s, %q opened a tunnel to the application", g.name, offer)
			}
			if !tunnel && g.name == "plain" && offer == "Connection: Upgrade\r\nUpgrade: h2c\r\n" {
				t.Errorf("%q opened no tunnel without us: %q", offer, seen)
			}
			_ = conn.Close()
		}
	}
}
