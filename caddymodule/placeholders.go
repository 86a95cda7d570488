package caddymodule

import (
	"strconv"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/modicum-proxy/modicum/internal/minimize"
)

// setPlaceholders makes {http.minimize.*} known to the handlers after us.
func (x *exchange) setPlaceholders() {
	if repl, ok := x.r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer); ok {
		repl.Map(x.placeholder)
	}
}

// addLogFields adds the submission to the line of the access log, if there is one.
func (x *exchange) addLogFields() {
	if x.submission == nil || x.submission.Receipt == "" {
		return
	}
	if server, ok := x.r.Context().Value(caddyhttp.ServerCtxKey).(*caddyhttp.Server); ok && server.Logs == nil {
		return
	}
	if extra, ok := x.r.Context().Value(caddyhttp.ExtraLogFieldsCtxKey).(*caddyhttp.ExtraLogFields); ok {
		extra.Add(zap.Inline(logged{x.submission}))
	}
}

// placeholder returns the values of {http.minimize.*}: names and counts. They
// are empty, not literal, where nothing was submitted.
func (x *exchange) placeholder(key string) (any, bool) {
	const prefix = "http.minimize."
	if len(key) <= len(prefix) || key[:len(prefix)] != prefix {
		return nil, false
	}
	if x.submission == nil {
		return "", true
	}
	summary := x.submission.Summary()
	switch key[len(prefix):] {
	case "collection":
		return summary.Collection, true
	case "verdict":
		return summary.Verdict.String(), true
	case "mode":
		return x.submission.Mode.String(), true
	case "policy":
		return x.submission.Set.Version, true
	case "receipt":
		return x.submission.Receipt, true
	case "purposes":
		return strings.Join(summary.Purposes, ","), true
	case "kept":
		return strconv.Itoa(summary.Kept), true
	case "stripped":
		return strconv.Itoa(summary.Stripped), true
	case "undeclared":
		return strconv.Itoa(summary.Undeclared), true
	case "rule":
		return summary.Rule, true
	}
	return "", true
}

// logged is what the access log says of a submission.
type logged struct{ s *minimize.Submission }

// MarshalLogObject implements [zapcore.ObjectMarshaler].
func (l logged) MarshalLogObject(enc zapcore.ObjectEncoder) error {
	summary := l.s.Summary()
	enc.AddString("minimize_collection", summary.Collection)
	enc.AddString("minimize_verdict", summary.Verdict.String())
	enc.AddString("minimize_receipt", l.s.Receipt)
	return nil
}
