package caddymodule

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"strings"

	"github.com/caddyserver/caddy/v2"

	"github.com/modicum-proxy/modicum/internal/consent"
	"github.com/modicum-proxy/modicum/internal/consent/desk"
)

// errUnreachable says that no Modicum answered.
var errUnreachable = errors.New("nobody answers")

// remoteClerk asks the Modicum that runs.
type remoteClerk struct {
	address string // as Caddy writes it
	origin  string
	client  http.Client
}

// newRemoteClerk returns a clerk behind an admin endpoint.
func newRemoteClerk(address string) (*remoteClerk, error) {
	parsed, err := caddy.ParseNetworkAddress(address)
	if err != nil || parsed.PortRangeSize() > 1 {
		return nil, fmt.Errorf("--address: expected host:port or unix/<path>: %w", err)
	}
	c := &remoteClerk{address: address, origin: "http://" + parsed.JoinHostPort(0)}
	to := parsed.JoinHostPort(0)
	if parsed.IsUnixNetwork() {
		c.origin = "http://127.0.0.1" // the only host that Caddy takes there
		to, _, _ = strings.Cut(to, "|")
	}
	c.client.Transport = &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, parsed.Network, to)
		},
	}
	return c, nil
}

// List implements [clerk].
func (c *remoteClerk) List(ctx context.Context, w io.Writer, q *desk.Query) error {
	return c.copy(ctx, w, "list", q)
}

// Export implements [clerk].
func (c *remoteClerk) Export(ctx context.Context, w io.Writer, q *desk.Query) error {
	return c.copy(ctx, w, "export", q)
}

// Withdraw implements [clerk].
func (c *remoteClerk) Withdraw(ctx context.Context, q *desk.Query) (done []desk.Withdrawal, err error) {
	body, err := c.ask(ctx, http.MethodPost, "withdraw", q)
	if err != nil {
		return nil, err
	}
	defer body.Close() //nolint:errcheck // it was read
	if err := json.NewDecoder(body).Decode(&done); err != nil {
		return nil, fmt.Errorf("the answer was lost, so it is not known whether it is withdrawn: run it again, which does no harm: %w", err)
	}
	return done, nil
}

// copy writes an answer as it comes.
func (c *remoteClerk) copy(ctx context.Context, w io.Writer, path string, q *desk.Query) error {
	method := http.MethodPost
	if q.Subject == "" && q.Identity == nil {
		method = http.MethodGet
	}
	body, err := c.ask(ctx, method, path, q)
	if err != nil {
		return err
	}
	defer body.Close() //nolint:errcheck // it was read
	if _, err := io.Copy(w, body); err != nil {
		return fmt.Errorf("it is not whole: %w", err)
	}
	return nil
}

// ask sends a query and returns what is answered to it.
func (c *remoteClerk) ask(ctx context.Context, method, path string, q *desk.Query) (io.ReadCloser, error) {
	target, body := c.origin+"/minimize/consent/"+path, jsonBody(q)
	if method == http.MethodGet {
		target, body = target+"?"+parameters(q).Encode(), nil
	}
	r, err := http.NewRequestWithContext(ctx, method, target, body) //nolint:gosec // G704: where it goes is the operator's to say
	if err != nil {
		return nil, err
	}
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	res, err := c.client.Do(r) //nolint:gosec // G704: the same
	if err != nil {
		var opening *net.OpError
		if errors.As(err, &opening) && opening.Op == "dial" {
			return nil, fmt.Errorf("%w at %s (%w): is Modicum running? name its admin endpoint by --address, or open the store itself with --store", errUnreachable, c.address, opening.Err)
		}
		return nil, fmt.Errorf("asking %s: %w", c.address, err)
	}
	if res.StatusCode == http.StatusOK && hasConsents(res) {
		return res.Body, nil
	}
	defer res.Body.Close() //nolint:errcheck // it is an error anyway
	return nil, c.refusal(res)
}

// hasConsents tells whether an answer is one of ours: many a site says 200 to a
// path that it does not know.
func hasConsents(res *http.Response) bool {
	kind, _, err := mime.ParseMediaType(res.Header.Get("Content-Type"))
	return err == nil && (kind == "application/json" || kind == "application/ld+json" || kind == "text/csv")
}

// parameters writes a query that names nobody.
func parameters(q *desk.Query) url.Values {
	v := url.Values{}
	for name, value := range map[string]string{"purpose": q.Purpose, "format": string(q.Format), "choices": q.Choices} {
		if value != "" {
			v.Set(name, value)
		}
	}
	if q.Limit > 0 {
		v.Set("limit", fmt.Sprint(q.Limit))
	}
	return v
}

// told is an error that the other side told, of a kind that is known here.
type toldError struct {
	message string
	kind    error
}

// Error implements error.
func (e *toldError) Error() string { return e.message }

// Unwrap returns the kind.
func (e *toldError) Unwrap() error { return e.kind }

// refusal returns what the answer says, which is not [http.StatusOK].
func (c *remoteClerk) refusal(res *http.Response) error {
	var answer struct {
		Error string `json:"error"`
	}
	err := json.NewDecoder(io.LimitReader(res.Body, 1<<16)).Decode(&answer)
	if err != nil || answer.Error == "" {
		return &toldError{fmt.Sprintf("%s at %s has no consents: is it a Modicum? it answered %s", c.origin, c.address, res.Status), errUnreachable}
	}
	e := &toldError{message: answer.Error}
	switch res.StatusCode {
	case http.StatusBadRequest:
		e.kind = desk.ErrQuery
	case http.StatusServiceUnavailable:
		e.kind = consent.ErrUnavailable
	}
	return e
}
