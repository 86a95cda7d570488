package caddymodule

import (
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/dustin/go-humanize"

	"github.com/modicum-proxy/modicum/internal/policy"
)

func init() {
	httpcaddyfile.RegisterGlobalOption("minimize", parseGlobalOption)
	httpcaddyfile.RegisterDirective("minimize", parseDirective)
	// Inside encode, so that responses are still encoded, and after the
	// handlers that authenticate.
	httpcaddyfile.RegisterDirectiveOrder("minimize", httpcaddyfile.After, "encode")
}

func parseGlobalOption(d *caddyfile.Dispenser, existing any) (any, error) {
	if existing != nil {
		d.Next() // to where the error is
		return nil, d.Err("the global option minimize is given twice")
	}
	app := new(App)
	if err := app.UnmarshalCaddyfile(d); err != nil {
		return nil, err
	}
	return httpcaddyfile.App{Name: "minimize", Value: caddyconfig.JSON(app, nil)}, nil
}

// parseDirective takes no matcher, so that a policy's path may begin with a
// slash.
func parseDirective(h httpcaddyfile.Helper) ([]httpcaddyfile.ConfigValue, error) {
	handler := new(Handler)
	if err := handler.UnmarshalCaddyfile(h.Dispenser); err != nil {
		return nil, err
	}
	return h.NewRoute(nil, handler), nil
}

// UnmarshalCaddyfile sets up the app. Syntax:
//
//	minimize {
//		policy        <files...>
//		pseudonym_key file <path> | env <name>
//		poll_interval <duration>
//		store         sqlite <path>
//		store         postgres {
//			dsn    <placeholder>
//			lease  <duration>
//			unsafe
//		}
//		consent_key   file <path> | env <name>
//		evidence {
//			ip   off | truncated | full [<duration>]
//			keep <duration>
//		}
//		languages     <directory>
//	}
//
// Relative paths are relative to the Caddyfile.
func (a *App) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next()
	if d.NextArg() {
		return d.ArgErr()
	}
	seen := map[string]bool{}
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		option := d.Val()
		if err := once(d, seen, option); err != nil {
			return err
		}
		var err error
		switch option {
		case "policy":
			a.Policy, a.PolicyDigest, err = policyFiles(d, d.RemainingArgs())
		case "pseudonym_key":
			a.PseudonymKey, err = secret(d)
		case "poll_interval":
			a.PollInterval, err = duration(d)
		case "store":
			a.Store, err = store(d)
		case "consent_key":
			a.ConsentKey, err = secret(d)
		case "evidence":
			a.Evidence, err = evidence(d)
		case "languages":
			if a.Languages, err = argument(d); err == nil {
				a.Languages = beside(d, a.Languages)
			}
		default:
			err = d.Errf("unknown option %q: expected policy, pseudonym_key, poll_interval, store, consent_key, evidence or languages", option)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// UnmarshalCaddyfile sets up the handler. Syntax:
//
//	minimize [<policy files...>] {
//		mode            enforce | report
//		undeclared      strip | reject | pass
//		uninspected     reject | pass
//		max_body        <size>
//		max_depth       <number>
//		max_fields      <number>
//		max_name        <bytes>
//		max_inflated    <size>
//		max_ratio       <number>
//		body_timeout    <duration>
//		except          <paths...>
//		show_undeclared
//		notice          <address> | off
//		portal          <path>
//		gpc             <date>
//		subject         placeholder <placeholder> [realm <name>]
//		subject         header <name> [realm <name>]
//		subject         field <name> email | phone
//		subject         jwt {
//			key      file <path> | env <name>
//			cookie   <name>
//			claim    <name>
//			issuer   <text>
//			audience <text>
//			realm    <name>
//		}
//	}
//
// Without policy files, that of the global option counts. Relative paths
// are relative to the Caddyfile.
func (h *Handler) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next()
	var err error
	if files := d.RemainingArgs(); len(files) > 0 {
		if files[0] == "*" || strings.HasPrefix(files[0], "@") {
			return d.Errf("%s: minimize takes no matcher: write it as handle %s { minimize … }", files[0], files[0])
		}
		if h.Policy, h.PolicyDigest, err = policyFiles(d, files); err != nil {
			return err
		}
	}
	seen := map[string]bool{}
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		option := d.Val()
		if option != "except" && option != "subject" {
			if err := once(d, seen, option); err != nil {
				return err
			}
		}
		if err := h.unmarshalOption(d, option); err != nil {
			return err
		}
	}
	return nil
}

func (h *Handler) unmarshalOption(d *caddyfile.Dispenser, option string) (err error) {
	switch option {
	case "mode":
		h.Mode, err = word(d, "enforce", "report")
	case "undeclared":
		h.Undeclared, err = word(d, "strip", "reject", "pass")
	case "uninspected":
		h.Uninspected, err = word(d, "reject", "pass")
	case "max_body":
		h.MaxBody, err = size(d)
	case "max_depth":
		h.MaxDepth, err = number(d)
	case "max_fields":
		h.MaxFields, err = number(d)
	case "max_name":
		h.MaxName, err = number(d)
	case "max_inflated":
		h.MaxInflated, err = size(d)
	case "max_ratio":
		var n int
		n, err = number(d)
		h.MaxRatio = int64(n)
	case "body_timeout":
		h.BodyTimeout, err = duration(d)
	case "except":
		paths := d.RemainingArgs()
		if len(paths) == 0 {
			return d.ArgErr()
		}
		h.Except = append(h.Except, paths...)
	case "show_undeclared":
		h.ShowUndeclared = true
		if d.NextArg() {
			return d.ArgErr()
		}
	case "notice":
		h.Notice, err = argument(d)
	case "portal":
		if h.Portal, err = argument(d); err == nil && (!strings.HasPrefix(h.Portal, "/") || !strings.HasSuffix(h.Portal, "/")) {
			return d.Errf("portal %q: expected a path that begins and ends with a slash, such as /privacy/", h.Portal)
		}
	case "gpc":
		if h.GPC, err = argument(d); err == nil {
			if _, err = gpcDate(h.GPC); err != nil {
				return d.WrapErr(err)
			}
		}
	case "subject":
		err = h.unmarshalSubject(d)
	default:
		return d.Errf("unknown option %q of minimize: expected mode, undeclared, uninspected, max_body, max_depth, max_fields, max_name, max_inflated, max_ratio, body_timeout, except, show_undeclared, notice, portal, gpc or subject", option)
	}
	return err
}

// once refuses an option that is given again.
func once(d *caddyfile.Dispenser, seen map[string]bool, option string) error {
	if seen[option] {
		return d.Errf("the option %q of minimize is given twice", option)
	}
	seen[option] = true
	return nil
}

// argument returns the only argument of an option.
func argument(d *caddyfile.Dispenser) (string, error) {
	args := d.RemainingArgs()
	if len(args) != 1 {
		return "", d.ArgErr()
	}
	return args[0], nil
}

func word(d *caddyfile.Dispenser, words ...string) (string, error) {
	option := d.Val()
	arg, err := argument(d)
	if err != nil {
		return "", err
	}
	if slices.Contains(words, arg) {
		return arg, nil
	}
	return "", d.Errf("%s %q: expected one of %q", option, arg, words)
}

func size(d *caddyfile.Dispenser) (int64, error) {
	option := d.Val()
	arg, err := argument(d)
	if err != nil {
		return 0, err
	}
	n, err := humanize.ParseBytes(arg)
	if err != nil || n == 0 || n > 1<<40 {
		return 0, d.Errf("%s %q: expected a size such as 1MiB", option, arg)
	}
	return int64(n), nil
}

func number(d *caddyfile.Dispenser) (int, error) {
	option := d.Val()
	arg, err := argument(d)
	if err != nil {
		return 0, err
	}
	n, err := strconv.Atoi(arg)
	if err != nil || n <= 0 {
		return 0, d.Errf("%s %q: expected a number above 0", option, arg)
	}
	return n, nil
}

func duration(d *caddyfile.Dispenser) (caddy.Duration, error) {
	option := d.Val()
	arg, err := argument(d)
	if err != nil {
		return 0, err
	}
	t, err := caddy.ParseDuration(arg)
	if err != nil || t <= 0 {
		return 0, d.Errf("%s %q: expected a duration such as 30s", option, arg)
	}
	return caddy.Duration(t), nil
}

func secret(d *caddyfile.Dispenser) (*Secret, error) {
	args := d.RemainingArgs()
	if len(args) != 2 {
		return nil, d.Errf("expected `file <path>` or `env <name>`: a secret is never written into the Caddyfile")
	}
	switch args[0] {
	case "file":
		return &Secret{File: beside(d, args[1])}, nil
	case "env":
		return &Secret{Env: args[1]}, nil
	}
	return nil, d.Err("expected `file <path>` or `env <name>`: a secret is never written into the Caddyfile")
}

// policyFiles resolves the names of policy files, and takes the digest that
// lets a reload see their change. Files that cannot be read now are an error
// when the policy is loaded, with more to say.
func policyFiles(d *caddyfile.Dispenser, files []string) ([]string, string, error) {
	if len(files) == 0 {
		return nil, "", d.ArgErr()
	}
	for i, file := range files {
		files[i] = beside(d, file)
	}
	sources, err := policy.ReadFiles(files...)
	if err != nil {
		return nil, "", d.WrapErr(err)
	}
	return files, policy.Digest(sources), nil
}

// beside makes a path relative to the Caddyfile's directory, as `import` does.
func beside(d *caddyfile.Dispenser, path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(filepath.Dir(d.File()), path)
}

// Interface guards.
var (
	_ caddyfile.Unmarshaler = (*App)(nil)
	_ caddyfile.Unmarshaler = (*Handler)(nil)
)
