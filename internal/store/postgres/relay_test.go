package postgres_test

import (
	"bytes"
	"context"
	"io"
	"net"
	"strconv"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
)

// relay is the network between a store and its server, with a test at the
// cable.
type relay struct {
	listener net.Listener
	server   string // the network and address of the server
	network  string

	mu sync.Mutex
	// cable decides about each new connection; nil: it is passed on.
	cable func(up, down net.Conn) (toServer, toClient io.Writer)
	conns map[net.Conn]bool
	work  sync.WaitGroup
}

// newRelay starts a relay to a server and returns the DSN that leads there.
func newRelay(tb testing.TB, dsn string) (*relay, string) {
	tb.Helper()
	config, err := pgx.ParseConfig(dsn)
	if err != nil {
		tb.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // it ends with the test
	if err != nil {
		tb.Fatal(err)
	}
	r := &relay{listener: listener, conns: map[net.Conn]bool{}}
	r.network, r.server = "tcp", net.JoinHostPort(config.Host, strconv.Itoa(int(config.Port)))
	if config.Host[0] == '/' {
		r.network, r.server = "unix", config.Host+"/.s.PGSQL."+strconv.Itoa(int(config.Port))
	}
	r.work.Go(r.accept)
	tb.Cleanup(func() {
		listener.Close() //nolint:errcheck,gosec // it ends the accepting
		r.cut()
		r.work.Wait()
	})
	port := listener.Addr().(*net.TCPAddr).Port
	return r, dsn + " host=127.0.0.1 sslmode=disable port=" + strconv.Itoa(port)
}

func (r *relay) accept() {
	for {
		client, err := r.listener.Accept()
		if err != nil {
			return
		}
		var dialer net.Dialer
		server, err := dialer.DialContext(context.Background(), r.network, r.server)
		if err != nil {
			client.Close() //nolint:errcheck,gosec // there is nobody to pass it on to
			continue
		}
		r.mu.Lock()
		r.conns[client], r.conns[server] = true, true
		toServer, toClient := io.Writer(server), io.Writer(client)
		if r.cable != nil {
			toServer, toClient = r.cable(server, client)
		}
		r.mu.Unlock()
		// An error at either end, or of the cable, cuts both ways.
		pass := func(to io.Writer, from net.Conn) {
			_, _ = io.Copy(to, from)
			client.Close() //nolint:errcheck,gosec // it is cut
			server.Close() //nolint:errcheck,gosec // it is cut
		}
		r.work.Go(func() { pass(toServer, client) })
		r.work.Go(func() { pass(toClient, server) })
	}
}

// lay sets what becomes of the connections to come.
func (r *relay) lay(cable func(up, down net.Conn) (toServer, toClient io.Writer)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.cable = cable
}

// cut ends all connections.
func (r *relay) cut() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for c := range r.conns {
		c.Close() //nolint:errcheck,gosec // it is cut
	}
	clear(r.conns)
}

// watched calls a function as soon as a word passes, before it is passed on.
// An error cuts the connection.
type watched struct {
	io.Writer
	word string
	tail []byte
	seen func() error
}

func (w *watched) Write(p []byte) (int, error) {
	w.tail = append(w.tail, p...)
	if bytes.Contains(w.tail, []byte(w.word)) {
		w.tail = nil
		if err := w.seen(); err != nil {
			return 0, err
		}
	}
	if len(w.tail) > len(w.word) {
		w.tail = w.tail[len(w.tail)-len(w.word):]
	}
	return w.Writer.Write(p)
}
