package caddymodule

import (
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/google/uuid"

	"github.com/modicum-proxy/modicum/internal/consent/service"
	"github.com/modicum-proxy/modicum/internal/minimize"
	"github.com/modicum-proxy/modicum/internal/notice/words"
	"github.com/modicum-proxy/modicum/internal/pages"
	"github.com/modicum-proxy/modicum/internal/subject"
	"github.com/modicum-proxy/modicum/internal/submission"
)

func init() {
	caddy.RegisterModule(new(Handler))
}

// Handler lets only those fields of a submission through that a declared
// purpose allows. It comes before the handler of the application.
type Handler struct {
	// Policy names the files of this site's policy set; globs are allowed.
	// Default: the policy of the `minimize` app.
	Policy []string `json:"policy,omitempty"`
	// PolicyDigest is the SHA-256 of the files' content when the Caddyfile
	// was adapted. It makes Caddy see that a reload changes something.
	PolicyDigest string `json:"policy_digest,omitempty"`
	// Mode is `enforce`, or `report`: record what would be stripped, and
	// forward what came. Default: enforce.
	Mode string `json:"mode,omitempty"`
	// Undeclared is what becomes of a body that no collection declares:
	// `reject` it, `strip` all its fields, or `pass` it. Without a body, the
	// query of such a submission is stripped, unless it is `pass`.
	// Default: reject.
	Undeclared string `json:"undeclared,omitempty"`
	// Uninspected is what becomes of a body that is neither form nor JSON,
	// or of an upgrade, where no collection is declared: `reject`, or `pass` it
	// with its query. Default: reject.
	Uninspected string `json:"uninspected,omitempty"`
	// MaxBody is the most bytes of a body held in memory. Default: 1 MiB.
	MaxBody int64 `json:"max_body,omitempty"`
	// MaxDepth is how deep JSON and bracketed names nest. Default: 32.
	MaxDepth int `json:"max_depth,omitempty"`
	// MaxFields is the most members, pairs or parts. Default: 1000.
	MaxFields int `json:"max_fields,omitempty"`
	// MaxName is the most bytes of a name. Default: 256.
	MaxName int `json:"max_name,omitempty"`
	// MaxInflated is the most bytes that a coded body decodes to, and with
	// 8 MiB bounds the window of its decoder. Default: 8 MiB.
	MaxInflated int64 `json:"max_inflated,omitempty"`
	// MaxRatio is the most bytes that a coded body decodes to for each of
	// its own. Default: 20.
	MaxRatio int64 `json:"max_ratio,omitempty"`
	// BodyTimeout is how long a body held in memory, or each max_body bytes
	// of a streamed one, may take to arrive. Default: 30s.
	BodyTimeout caddy.Duration `json:"body_timeout,omitempty"`
	// MethodOverride is `on` if the application takes a POST for a PUT, PATCH or
	// DELETE where X-HTTP-Method-Override, X-HTTP-Method, X-Method-Override or a
	// field `_method` says so, and `off` if not. Default: off.
	MethodOverride string `json:"method_override,omitempty"`
	// OddPaths are the paths that the application reads in one way although
	// others read them in several: `encoded_slash` (%2F is part of a segment),
	// `parameters` (what follows a semicolon in a segment does not count) and
	// `empty_segments` (two slashes are one, but not at the beginning).
	// Default: such paths are refused.
	OddPaths []string `json:"odd_paths,omitempty"`
	// Except are paths whose requests are left alone, with the wildcards of
	// Caddy's path matcher.
	Except []string `json:"except,omitempty"`
	// ShowUndeclared puts the names of undeclared fields into the log. They
	// can be personal data themselves. Default: false.
	ShowUndeclared bool `json:"show_undeclared,omitempty"`
	// Notice is the address of the site's privacy notice, for the Link
	// header; `off` sends none. Default: /privacy.
	Notice string `json:"notice,omitempty"`

	// Portal is the path of our pages, on which people give and withdraw
	// consent. It begins and ends with a slash and needs a
	// store. Default: none.
	Portal string `json:"portal,omitempty"`
	// Subject says what people are known by besides our cookie, the first one
	// that applies counting as their login.
	Subject []Subject `json:"subject,omitempty"`
	// GPC is the date since when the site honours Global Privacy Control; it
	// is published at /.well-known/gpc.json. Default: nothing is published.
	GPC string `json:"gpc,omitempty"`

	app      *App
	policy   *livePolicy
	engine   *minimize.Engine
	registry *liveRegistry                       // nil: no store is configured
	consents *service.Service                    // nil: as above
	pages    *pages.Pages                        // nil: no portal
	language func(accept string) *words.Language // of refusals
	gpc      http.Handler                        // nil: nothing is published
	except   exceptions
	log      *slog.Logger
}

// CaddyModule returns the Caddy module information.
func (*Handler) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.handlers.minimize", New: func() caddy.Module { return new(Handler) }}
}

// Provision sets the defaults, loads the policy and makes the engine.
func (h *Handler) Provision(ctx caddy.Context) error {
	h.log = ctx.Slogger()
	h.setDefaults()
	app, err := ctx.App("minimize")
	if err != nil {
		return fmt.Errorf("loading the minimize app: %w", err)
	}
	h.app = app.(*App)
	if h.engine, err = h.newEngine(); err != nil {
		return err
	}
	if h.policy, err = h.app.livePolicy(h.Policy); err != nil {
		return err
	}
	h.engine.Policies = h.policy.Policies
	h.engine.Recorder = &recorder{log: ctx.Logger(collectionLog{}), metrics: h.app.metrics}
	if err := h.provisionConsents(); err != nil {
		return err
	}
	if h.except, err = newExceptions(ctx, h.Except); err != nil {
		return err
	}
	h.app.warnOfBypasses(ctx)
	return nil
}

func (h *Handler) setDefaults() {
	limits := submission.DefaultLimits()
	setDefault(&h.Mode, "enforce")
	setDefault(&h.Undeclared, "reject")
	setDefault(&h.Uninspected, "reject")
	setDefault(&h.MethodOverride, "off")
	setDefault(&h.MaxBody, limits.Body)
	setDefault(&h.MaxDepth, limits.Depth)
	setDefault(&h.MaxFields, limits.Fields)
	setDefault(&h.MaxName, limits.Name)
	setDefault(&h.MaxInflated, limits.Inflated)
	setDefault(&h.MaxRatio, limits.Ratio)
	setDefault(&h.BodyTimeout, caddy.Duration(30*time.Second))
	setDefault(&h.Notice, "/privacy")
}

func setDefault[T comparable](option *T, value T) {
	var zero T
	if *option == zero {
		*option = value
	}
}

// newEngine reads the options.
func (h *Handler) newEngine() (*minimize.Engine, error) {
	e := &minimize.Engine{
		Limits: submission.Limits{
			Body: h.MaxBody, Depth: h.MaxDepth, Fields: h.MaxFields, Name: h.MaxName, Inflated: h.MaxInflated, Ratio: h.MaxRatio,
		},
		BodyTimeout:    time.Duration(h.BodyTimeout),
		ShowUndeclared: h.ShowUndeclared,
		Notice:         h.Notice,
		Log:            h.log,
		OriginalPath:   originalPath,
		Trusted:        fromTrustedProxy,
		Now:            time.Now,
		NewReceipt:     func() string { return uuid.Must(uuid.NewV7()).String() },
	}
	if h.Notice == "off" {
		e.Notice = ""
	}
	switch h.Mode {
	case "enforce":
	case "report":
		e.Mode = minimize.Report
	default:
		return nil, fmt.Errorf("mode %q: expected enforce or report", h.Mode)
	}
	switch h.Undeclared {
	case "strip":
		e.Undeclared = minimize.Strip
	case "pass":
		e.Undeclared = minimize.Pass
	case "reject":
	default:
		return nil, fmt.Errorf("undeclared %q: expected reject, strip or pass", h.Undeclared)
	}
	switch h.Uninspected {
	case "pass":
		e.Uninspected = minimize.Pass
	case "reject":
	default:
		return nil, fmt.Errorf("uninspected %q: expected reject or pass", h.Uninspected)
	}
	switch h.MethodOverride {
	case "on":
		e.MethodOverride = true
	case "off":
	default:
		return nil, fmt.Errorf("method_override %q: expected on or off", h.MethodOverride)
	}
	for _, kind := range h.OddPaths {
		var known bool
		if e.OddPaths, known = e.OddPaths.With(kind); !known {
			return nil, fmt.Errorf("odd_paths %q: expected one of %q", kind, minimize.OddPathWords())
		}
	}
	if h.MaxBody < 0 || h.MaxDepth < 0 || h.MaxFields < 0 || h.MaxName < 0 || h.MaxInflated < 0 || h.MaxRatio < 0 || h.BodyTimeout < 0 {
		return nil, fmt.Errorf("a limit is negative")
	}
	return e, nil
}

// ServeHTTP minimizes the request, forwards it and announces what was done.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) (err error) {
	if h.registry != nil {
		h.registry.begin()
		defer h.registry.end() // after a stream has ended, which uses it
	}
	x := begin(w, r)
	defer func() { x.end(err) }()
	if minimize.NormalizeTarget(r) == nil { // the engine refuses any other
		if h.servePortal(w, r) {
			return nil
		}
		h.hearSignals(w, r)
		if h.except.match(r) && !h.engine.Disguised(r) {
			h.engine.ShieldExcepted(r)
			subject.HideCookie(r.Header)
			return next.ServeHTTP(w, r)
		}
	}
	expects := r.ProtoMajor == 1 && len(r.Header["Expect"]) > 0
	s := x.process(h.engine)
	subject.HideCookie(r.Header)
	subject.HideCookie(x.header)
	switch {
	case s == nil:
		return next.ServeHTTP(w, r)
	case !s.Forward():
		if expects {
			// The client has not sent the body; the server would wait for it
			// before it answers, to use the connection again.
			w.Header().Set("Connection", "close")
		}
		return h.refuse(x, s.Refusal)
	case s.Mode == minimize.Enforce:
		hideOriginal(r, r.URL.RawQuery, s.Streaming())
	}
	err = next.ServeHTTP(x, r)
	if refusal := s.StreamRefusal(); refusal != nil && !x.announced {
		return h.refuse(x, refusal)
	}
	return err
}

// Interface guards.
var (
	_ caddy.Provisioner           = (*Handler)(nil)
	_ caddyhttp.MiddlewareHandler = (*Handler)(nil)
)
