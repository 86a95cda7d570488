//go:build unix

package caddymodule_test

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"
)

// tap stands between Caddy and an upstream, and keeps the bytes that go
// there: what the upstream saw, whatever it makes of it.
type tap struct {
	address string // where Caddy finds it
	mu      sync.Mutex
	seen    []byte
}

// newTap listens on a socket and relays to the upstream at the address to.
func newTap(t *testing.T, path, to string) *tap {
	t.Helper()
	ln, err := net.Listen("unix", path) //nolint:noctx // it is local
	if err != nil {
		t.Fatal(err)
	}
	tp := listen(t, ln, to)
	tp.address = "unix/" + path
	return tp
}

// listen relays what comes to a listener, until t ends.
func listen(t *testing.T, ln net.Listener, to string) *tap {
	t.Helper()
	tp := new(tap)
	ctx, cancel := context.WithCancel(context.Background())
	var relays sync.WaitGroup
	t.Cleanup(func() {
		cancel()
		_ = ln.Close()
		relays.Wait()
	})
	relays.Go(func() {
		for {
			client, err := ln.Accept()
			if err != nil {
				return
			}
			relays.Go(func() { tp.relay(ctx, client, to) })
		}
	})
	return tp
}

// relay goes on until both sides have closed, or the test ends. What one side
// sent before it closed still goes to the other.
func (tp *tap) relay(ctx context.Context, client net.Conn, to string) {
	defer client.Close() //nolint:errcheck // nothing is left to do
	upstream, err := dial(to)
	if err != nil {
		return
	}
	defer upstream.Close() //nolint:errcheck // as above
	defer context.AfterFunc(ctx, func() {
		_ = client.Close()
		_ = upstream.Close()
	})()
	done := make(chan struct{})
	go func() {
		_, _ = io.Copy(client, upstream)
		endWriting(client)
		close(done)
	}()
	_, _ = io.Copy(io.MultiWriter(tp, upstream), client)
	_, _ = io.Copy(tp, client) // an upstream may answer before it has read all
	endWriting(upstream)
	<-done
}

func endWriting(conn net.Conn) {
	if half, ok := conn.(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite()
	}
}

// Write keeps what passes.
func (tp *tap) Write(p []byte) (int, error) {
	tp.mu.Lock()
	defer tp.mu.Unlock()
	tp.seen = append(tp.seen, p...)
	return len(p), nil
}

// take returns what passed since it was last asked: the bytes as they were,
// and the bodies of the requests in them, since a chunk may end in the middle
// of a word.
func (tp *tap) take() [][]byte {
	tp.mu.Lock()
	raw := tp.seen
	tp.seen = nil
	tp.mu.Unlock()
	texts := [][]byte{raw}
	for r := bufio.NewReader(bytes.NewReader(raw)); ; {
		request, err := http.ReadRequest(r)
		if err != nil {
			return texts
		}
		body, err := io.ReadAll(request.Body)
		texts = append(texts, body)
		if err != nil {
			return texts
		}
	}
}
