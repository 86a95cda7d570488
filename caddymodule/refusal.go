package caddymodule

import (
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html/template"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/modicum-proxy/modicum/internal/minimize"
	"github.com/modicum-proxy/modicum/internal/submission"
)

// problem is RFC 9457's problem details, with members of ours.
type problem struct {
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail"`
	Rule   string `json:"rule"`
	Remedy string `json:"remedy,omitempty"` // for whoever runs the site
	Offset *int64 `json:"offset,omitempty"` // in the decoded body or the query
	// Route and Policy say what no collection declares, and which version of the
	// policy that is.
	Route  string `json:"route,omitempty"`
	Policy string `json:"policy,omitempty"`
}

//go:embed refusal.html
var refusalHTML string

var refusalPage = template.Must(template.New("refusal").Parse(refusalHTML))

// refuse answers a refused submission: by the site's handle_errors where it
// has one, by a small page or problem+json otherwise.
func (h *Handler) refuse(x *exchange, refusal *submission.Error) error {
	w, r := x.ResponseWriter, x.r
	x.submission.Announce(w.Header())
	if refusal.Status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", "5")
	}
	err := caddyhttp.Error(refusal.Status, fmt.Errorf("refused by the rule %s: %w", refusal.Rule, refusal))
	if handlesErrors(r, err) {
		return err
	}
	header := w.Header()
	header.Set("Cache-Control", "no-store")
	header.Set("X-Content-Type-Options", "nosniff")
	header.Add("Vary", "Accept")
	var body strings.Builder
	if acceptsHTML(r.Header) {
		header.Add("Vary", "Accept-Language")
		header.Set("Content-Type", "text/html; charset=utf-8")
		header.Set("Content-Security-Policy", "default-src 'none'; style-src 'sha256-"+refusalStyle+"'")
		if err := refusalPage.Execute(&body, h.refusalText(r, refusal)); err != nil {
			return fmt.Errorf("writing the refusal page: %w", err)
		}
	} else {
		header.Set("Content-Type", "application/problem+json")
		if err := json.NewEncoder(&body).Encode(newProblem(x, refusal)); err != nil {
			return fmt.Errorf("writing the refusal: %w", err)
		}
	}
	header.Set("Content-Length", strconv.Itoa(body.Len()))
	w.WriteHeader(refusal.Status)
	if r.Method != http.MethodHead {
		_, _ = w.Write([]byte(body.String())) // the client may be gone
	}
	return nil
}

func newProblem(x *exchange, refusal *submission.Error) problem {
	p := problem{Title: http.StatusText(refusal.Status), Status: refusal.Status, Detail: refusal.Error(), Rule: refusal.Rule, Remedy: refusal.Remedy}
	if refusal.Offset >= 0 {
		p.Offset = &refusal.Offset
	}
	if refusal.Rule == minimize.RuleUndeclared {
		p.Route, p.Policy = x.r.Method+" "+x.r.URL.EscapedPath(), x.submission.Set.Version
	}
	return p
}

// refusalText is what the page says to a visitor. What was sent is not at fault
// if the policy does not declare the route.
type refusalText struct {
	Language, Direction, Title, What, Next string
}

func (h *Handler) refusalText(r *http.Request, refusal *submission.Error) refusalText {
	if refusal.Rule == minimize.RuleUndeclared {
		in := h.language(strings.Join(r.Header["Accept-Language"], ","))
		return refusalText{
			Language: in.Tag, Direction: in.Direction, Title: in.Say("refusal.undeclared.title"), What: in.Say("refusal.undeclared.what"),
			Next: in.Say("refusal.undeclared.next", "Status", refusal.Status, "Rule", refusal.Rule),
		}
	}
	return refusalText{
		Language: "en", Direction: "ltr", Title: "This submission was not accepted",
		What: "No part of it reached the application, because " + refusal.Error() + ".",
		Next: fmt.Sprintf("Go back, correct it and send it again. If you did nothing unusual, contact the site’s operator and quote status %d, rule %s.",
			refusal.Status, refusal.Rule),
	}
}

// handlesErrors reports whether the site has a handle_errors: all sites of a
// server share its routes.
func handlesErrors(r *http.Request, err error) bool {
	server, ok := r.Context().Value(caddyhttp.ServerCtxKey).(*caddyhttp.Server)
	if !ok || server.Errors == nil {
		return false
	}
	r = server.Errors.WithError(r, err)
	return slices.ContainsFunc(server.Errors.Routes, func(route caddyhttp.Route) bool {
		match, err := route.MatcherSets.AnyMatchWithError(r)
		return match || err != nil
	})
}

// acceptsHTML reports whether a browser asks, for a person.
func acceptsHTML(h http.Header) bool {
	for _, value := range h["Accept"] {
		if strings.Contains(value, "text/html") {
			return true
		}
	}
	return false
}

// refusalStyle is the digest of the page's style sheet, the only thing that
// its Content-Security-Policy allows.
var refusalStyle = func() string {
	_, rest, _ := strings.Cut(refusalHTML, "<style>")
	style, _, _ := strings.Cut(rest, "</style>")
	digest := sha256.Sum256([]byte(style))
	return base64.StdEncoding.EncodeToString(digest[:])
}()
