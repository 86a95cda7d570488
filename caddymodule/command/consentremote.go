package command

import (
	"bytes"
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

	"github.com/modicum-proxy/modicum/internal/consent/operator"
)

var errNoModicum = errors.New("no answer")

// adminClient executes consent commands in a running Modicum.
type adminClient struct {
	address string // in Caddy's notation
	origin  string
	client  http.Client
}

func newAdminClient(address string) (*adminClient, error) {
	parsed, err := caddy.ParseNetworkAddress(address)
	if err != nil {
		return nil, fmt.Errorf("--address: expected host:port or unix/<path>: %w", err)
	}
	if n := parsed.PortRangeSize(); n > 1 {
		return nil, fmt.Errorf("--address %s: expected one port, found %d", address, n)
	}
	c := &adminClient{address: address, origin: "http://" + parsed.JoinHostPort(0)}
	to := parsed.JoinHostPort(0)
	if parsed.IsUnixNetwork() {
		c.origin = "http://127.0.0.1" // the only host that Caddy accepts there
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

func (c *adminClient) List(ctx context.Context, w io.Writer, q *operator.Query) error {
	return c.stream(ctx, w, "list", q)
}

func (c *adminClient) Export(ctx context.Context, w io.Writer, q *operator.Query) error {
	return c.stream(ctx, w, "export", q)
}

func (c *adminClient) Withdraw(ctx context.Context, q *operator.Query) (withdrawn []operator.Withdrawal, err error) {
	body, err := c.do(ctx, http.MethodPost, "withdraw", q)
	if err != nil {
		return nil, err
	}
	defer body.Close() //nolint:errcheck // it was only read
	if err := json.NewDecoder(body).Decode(&withdrawn); err != nil {
		return nil, fmt.Errorf("the answer was lost, and the consent may or may not be withdrawn; it is safe to run the command again: %w", err)
	}
	return withdrawn, nil
}

func (c *adminClient) stream(ctx context.Context, w io.Writer, path string, q *operator.Query) error {
	method := http.MethodPost
	if q.Subject == "" && q.Identity == nil {
		method = http.MethodGet
	}
	body, err := c.do(ctx, method, path, q)
	if err != nil {
		return err
	}
	defer body.Close() //nolint:errcheck // it was only read
	if _, err := io.Copy(w, body); err != nil {
		return fmt.Errorf("the answer is incomplete: %w", err)
	}
	return nil
}

func (c *adminClient) do(ctx context.Context, method, path string, q *operator.Query) (io.ReadCloser, error) {
	target := c.origin + "/minimize/consent/" + path
	var body io.Reader
	if method == http.MethodGet {
		target += "?" + parameters(q).Encode()
	} else {
		data, err := json.Marshal(q)
		if err != nil {
			return nil, fmt.Errorf("writing the query: %w", err)
		}
		body = bytes.NewReader(data)
	}
	r, err := http.NewRequestWithContext(ctx, method, target, body)
	if err != nil {
		return nil, err
	}
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	res, err := c.client.Do(r)
	if err != nil {
		var opening *net.OpError
		if errors.As(err, &opening) && opening.Op == "dial" {
			return nil, fmt.Errorf("%w from %s (%w): is Modicum running? give its admin endpoint with --address, or open the store with --store", errNoModicum, c.address, opening.Err)
		}
		return nil, fmt.Errorf("asking %s: %w", c.address, err)
	}
	if res.StatusCode == http.StatusOK && hasConsents(res) {
		return res.Body, nil
	}
	defer res.Body.Close() //nolint:errcheck // an error is returned anyway
	return nil, c.answerError(res)
}

// hasConsents reports whether an answer is one of ours: many sites answer 200 to
// paths that they do not know.
func hasConsents(res *http.Response) bool {
	kind, _, err := mime.ParseMediaType(res.Header.Get("Content-Type"))
	return err == nil && (kind == "application/json" || kind == "application/ld+json" || kind == "text/csv")
}

// parameters returns a query without a person as URL parameters.
func parameters(q *operator.Query) url.Values {
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

// answerError is an error message of the running Modicum.
type answerError struct {
	message string
	kind    error // of this side, that has the same meaning; may be nil
}

func (e *answerError) Error() string { return e.message }

func (e *answerError) Unwrap() error { return e.kind }

func (c *adminClient) answerError(res *http.Response) error {
	var answer struct {
		Error string `json:"error"`
	}
	err := json.NewDecoder(io.LimitReader(res.Body, 1<<16)).Decode(&answer)
	if err != nil || answer.Error == "" {
		return &answerError{fmt.Sprintf("%s at %s has no consents: is it a Modicum? it answered %s", c.origin, c.address, res.Status), errNoModicum}
	}
	e := &answerError{message: answer.Error}
	if res.StatusCode == http.StatusBadRequest {
		e.kind = operator.ErrQuery
	}
	return e
}
