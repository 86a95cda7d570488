package caddymodule

import (
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"

	"github.com/modicum-proxy/modicum/internal/minimize"
	"github.com/modicum-proxy/modicum/internal/policy"
)

func init() {
	httpcaddyfile.RegisterGlobalOption("minimize", parseGlobalOption)
	httpcaddyfile.RegisterDirective("minimize", parseDirective)
	// After the handlers that authenticate, and inside encode, so that it
	// handles responses before they are encoded.
	httpcaddyfile.RegisterDirectiveOrder("minimize", httpcaddyfile.After, "encode")
}

func parseGlobalOption(d *caddyfile.Dispenser, existing any) (any, error) {
	if existing != nil {
		d.Next() // the error then has the right position
		return nil, d.Err("the global option minimize is given twice")
	}
	app := new(App)
	if err := app.UnmarshalCaddyfile(d); err != nil {
		return nil, err
	}
	return httpcaddyfile.App{Name: "minimize", Value: caddyconfig.JSON(app, nil)}, nil
}

// parseDirective accepts no matcher, so that the path of a policy may begin with
// a slash.
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
//			ip   off | truncated | full [<period>]
//			keep <period>
//		}
//		languages     <directory>
//	}
//
// Relative paths are relative to the Caddyfile.
func (a *App) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next()
	return block(d, func(option string) (err error) {
		switch option {
		case "policy":
			a.Policy, a.PolicyDigest, err = policyFiles(d, d.RemainingArgs())
		case "pseudonym_key":
			a.PseudonymKey, err = secret(d)
		case "poll_interval":
			a.PollInterval, err = duration(d)
		case "store":
			a.StoreRaw, err = store(d)
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
		return err
	})
}

// UnmarshalCaddyfile sets up the handler. Syntax:
//
//	minimize [<policy files...>] {
//		mode            enforce | report
//		undeclared      reject | strip | pass
//		uninspected     reject | pass
//		max_body        <size>
//		max_depth       <number>
//		max_fields      <number>
//		max_name        <bytes>
//		max_inflated    <size>
//		max_ratio       <number>
//		body_timeout    <duration>
//		except          <paths...>
//		method_override on | off
//		odd_paths       encoded_slash | parameters | empty_segments ...
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
// Without policy files, those of the global option are used. Relative paths are
// relative to the Caddyfile.
func (h *Handler) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next()
	if files := d.RemainingArgs(); len(files) > 0 {
		if isMatcher(files) {
			within := strings.Join(append([]string{"minimize"}, files[1:]...), " ")
			return d.Errf("%s: minimize takes no matcher: write handle %s { %s } with the handler of the application in it, too", files[0], files[0], within)
		}
		var err error
		if h.Policy, h.PolicyDigest, err = policyFiles(d, files); err != nil {
			return err
		}
	}
	return block(d, func(option string) error { return h.unmarshalOption(d, option) }, "except", "subject")
}

// isMatcher reports whether the first argument is a matcher, as most directives
// take one: a name, or a path where there is no such file.
func isMatcher(files []string) bool {
	first := files[0]
	if first == "*" || strings.HasPrefix(first, "@") {
		return true
	}
	if !strings.HasPrefix(first, "/") || len(files) == 1 && slices.Contains([]string{".yaml", ".yml", ".json"}, path.Ext(first)) {
		return false
	}
	matches, err := filepath.Glob(first)
	return err == nil && len(matches) == 0
}

func (h *Handler) unmarshalOption(d *caddyfile.Dispenser, option string) (err error) {
	switch option {
	case "mode":
		h.Mode, err = word(d, "enforce", "report")
	case "undeclared":
		h.Undeclared, err = word(d, "reject", "strip", "pass")
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
	case "method_override":
		h.MethodOverride, err = word(d, "on", "off")
	case "odd_paths":
		h.OddPaths, err = wordList(d, minimize.OddPathWords()...)
	case "show_undeclared":
		h.ShowUndeclared, err = true, none(d)
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
		return d.Errf("unknown option %q of minimize: expected mode, undeclared, uninspected, max_body, max_depth, max_fields, max_name, max_inflated, max_ratio, body_timeout, except, method_override, odd_paths, show_undeclared, notice, portal, gpc or subject", option)
	}
	return err
}

// policyFiles returns the paths of policy files, and the digest of their content,
// by which Caddy notices in a reload that they have changed.
func policyFiles(d *caddyfile.Dispenser, files []string) ([]string, string, error) {
	if len(files) == 0 {
		return nil, "", d.ArgErr()
	}
	for i, file := range files {
		if err := fixed(d, file); err != nil {
			return nil, "", err
		}
		files[i] = beside(d, file)
	}
	sources, err := policy.ReadFiles(files...)
	if err != nil {
		return nil, "", d.WrapErr(err)
	}
	return files, policy.Digest(sources), nil
}

// Interface guards.
var (
	_ caddyfile.Unmarshaler = (*App)(nil)
	_ caddyfile.Unmarshaler = (*Handler)(nil)
)
