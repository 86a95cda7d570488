//go:build unix

package frameworks_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"
)

// tap stands between Caddy and an upstream, and keeps the bytes that go
// there: what the upstream saw, whatever it makes of it.
type tap struct {
	address string // where Caddy finds it
	// complete reports whether bytes end where a request ends.
	complete func(flow []byte) bool

	mu    sync.Mutex
	flows map[*flow]struct{}
}

// flow is what one connection carried to the upstream since it was last taken.
type flow struct {
	tap   *tap
	seen  []byte
	ended bool // nothing more comes
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
	tp := &tap{flows: map[*flow]struct{}{}, complete: completeHTTP}
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
	seen := &flow{tap: tp}
	_, _ = io.Copy(io.MultiWriter(seen, upstream), client)
	_, _ = io.Copy(seen, client) // an upstream may answer before it has read all
	seen.end()
	endWriting(upstream)
	<-done
}

func endWriting(conn net.Conn) {
	if half, ok := conn.(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite()
	}
}

// Write keeps what passes.
func (f *flow) Write(p []byte) (int, error) {
	f.tap.mu.Lock()
	defer f.tap.mu.Unlock()
	f.seen = append(f.seen, p...)
	f.tap.flows[f] = struct{}{}
	return len(p), nil
}

func (f *flow) end() {
	f.tap.mu.Lock()
	defer f.tap.mu.Unlock()
	f.ended = true
}

// take returns what passed since it was last called, for each connection. An
// upstream may answer before the rest of its request has come: take waits for
// it, up to a second.
func (tp *tap) take() (flows [][]byte) {
	for end := time.Now().Add(time.Second); !tp.quiet() && time.Now().Before(end); {
		time.Sleep(time.Millisecond)
	}
	tp.mu.Lock()
	defer tp.mu.Unlock()
	for f := range tp.flows {
		flows = append(flows, f.seen)
		f.seen = nil
	}
	clear(tp.flows)
	return flows
}

// quiet reports whether every connection has carried complete requests, or
// has ended.
func (tp *tap) quiet() bool {
	tp.mu.Lock()
	defer tp.mu.Unlock()
	for f := range tp.flows {
		if !f.ended && !tp.complete(f.seen) {
			return false
		}
	}
	return true
}

// texts returns the bytes of each connection, and the bodies of the requests
// in them, since a chunk may end in the middle of a word.
func texts(flows [][]byte) (all [][]byte) {
	for _, raw := range flows {
		all = append(append(all, raw), requestBodies(raw)...)
	}
	return all
}

func requestBodies(raw []byte) (bodies [][]byte) {
	_ = eachRequest(raw, func(_ *http.Request, body []byte) { bodies = append(bodies, body) })
	return bodies
}

// eachRequest parses the requests of a connection. The error is io.EOF if they
// end where the bytes end. The body of the last one may be incomplete.
func eachRequest(raw []byte, do func(r *http.Request, body []byte)) error {
	for r := bufio.NewReader(bytes.NewReader(raw)); ; {
		request, err := http.ReadRequest(r)
		if err != nil {
			return err
		}
		body, err := io.ReadAll(request.Body)
		do(request, body)
		if err != nil {
			return err
		}
	}
}

func completeHTTP(raw []byte) bool {
	return errors.Is(eachRequest(raw, func(*http.Request, []byte) {}), io.EOF)
}
