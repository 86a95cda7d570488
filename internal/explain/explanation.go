package explain

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strings"

	"github.com/modicum-proxy/modicum/internal/policy"
)

// Request is a submission to explain.
type Request struct {
	On       string // "METHOD [HOST]/path[?query]"
	Header   http.Header
	Body     []byte
	Consents []string // purposes that the person has consented to
}

// Explanation says what happens to a submission, and why.
type Explanation struct {
	On string `json:"on"`
	// Collection is empty if no collection declares the request.
	Collection string           `json:"collection,omitempty"`
	Pattern    string           `json:"pattern,omitempty"`
	Position   *policy.Position `json:"position,omitempty"`
	// NearestPattern is the declared pattern that may be meant if there is no
	// collection.
	NearestPattern string       `json:"nearest_pattern,omitempty"`
	Verdict        string       `json:"verdict"`
	Refusal        *Refusal     `json:"refusal,omitempty"`
	Fields         []Field      `json:"fields"`
	Undeclared     []Undeclared `json:"undeclared"`
	// MoreUndeclared reports whether there are more undeclared names than these.
	MoreUndeclared bool `json:"more_undeclared,omitempty"`
	// Forwarded is what the application receives, or nil.
	Forwarded *Forwarded `json:"forwarded,omitempty"`
	// Headers are the names of the request headers that are not forwarded, or not
	// as they came.
	Headers []string `json:"headers,omitempty"`
	// Source says where the consents and objections come from, several
	// separated by commas: "form", "gpc", "klaro" …, "asked" for the consents
	// that the request to explain names.
	Source string `json:"consent_source,omitempty"`
	// Answer contains the headers that the sender receives.
	Answer http.Header `json:"answer"`
}

// Refusal says by which rule a submission is refused, and where.
type Refusal struct {
	Status int    `json:"status"`
	Rule   string `json:"rule"`
	Detail string `json:"detail"`
	// Remedy says how the configuration can be changed to accept an honest
	// submission; empty if it cannot.
	Remedy string `json:"remedy,omitempty"`
	// Offset is the position in the decoded body or the query, or −1.
	Offset int64 `json:"offset"`
}

// Field is the verdict on one declared field.
type Field struct {
	Name     string `json:"name"`
	Kept     int    `json:"kept"`     // values
	Stripped int    `json:"stripped"` // values
	Reason   string `json:"reason,omitempty"`
	Purpose  string `json:"purpose,omitempty"` // for which it passes
	Consent  string `json:"consent,omitempty"` // the purpose to which its tick is the consent
	Keep     string `json:"keep,omitempty"`    // how its values are reduced
	// Replaced reports whether the policy replaces what is stripped by a
	// constant.
	Replaced bool            `json:"replaced,omitempty"`
	Position policy.Position `json:"position"`
}

// Undeclared is a submitted name that no field declares.
type Undeclared struct {
	Name string `json:"name"`
	// Nearest is the declared name that may be meant.
	Nearest string `json:"nearest,omitempty"`
}

// Forwarded is a request as the application receives it.
type Forwarded struct {
	Target string      `json:"target"`
	Header http.Header `json:"header"`
	Body   []byte      `json:"-"`
}

// server returns the request as a server would have read it.
func (q *Request) server(ctx context.Context) (*http.Request, error) {
	method, target, _ := strings.Cut(q.On, " ")
	host, path, ok := strings.Cut(strings.TrimLeft(target, " \t"), "/")
	if !ok || method == "" {
		return nil, fmt.Errorf("%q is not a request: expected METHOD [HOST]/path, such as \"POST /checkout\"", q.On)
	}
	if host == "" {
		host = "localhost"
	}
	var body io.Reader
	if len(q.Body) > 0 {
		body = bytes.NewReader(q.Body)
	}
	r, err := http.NewRequestWithContext(ctx, method, "http://"+host+"/"+path, body)
	if err != nil {
		return nil, fmt.Errorf("%q is not a request: %w", q.On, err)
	}
	maps.Copy(r.Header, q.Header)
	r.RequestURI = r.URL.RequestURI()
	return r, nil
}
