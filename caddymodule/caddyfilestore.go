package caddymodule

import (
	"encoding/json"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/modicum-proxy/modicum/internal/policy"
)

// store reads where choices are stored.
func store(d *caddyfile.Dispenser) (json.RawMessage, error) {
	if !d.NextArg() {
		return nil, d.Err("store: expected `sqlite <path>` or `postgres { dsn … }`")
	}
	engine := d.Val()
	id := "minimize.stores." + engine
	if _, err := caddy.GetModule(id); err != nil {
		return nil, d.Errf("store %q: expected sqlite or postgres", engine)
	}
	module, err := caddyfile.UnmarshalModule(d, id)
	if err != nil {
		return nil, err
	}
	return caddyconfig.JSONModuleObject(module, "engine", engine, nil), nil
}

// evidence reads what is kept as proof.
func evidence(d *caddyfile.Dispenser) (*Evidence, error) {
	e := new(Evidence)
	return e, block(d, func(option string) (err error) {
		switch option {
		case "ip":
			err = e.unmarshalIP(d)
		case "keep":
			e.Keep, err = period(d)
		default:
			err = d.Errf("unknown option %q of evidence: expected ip or keep", option)
		}
		return err
	})
}

// period returns the only argument of an option, a period as in a policy, such
// as 3y, or a duration.
func period(d *caddyfile.Dispenser) (caddy.Duration, error) {
	return parsed(d, "a period such as 3y, 18mo or 90d", parsePeriod)
}

// parsePeriod parses a period. Of a month or a year it returns the longest
// duration: evidence must not be deleted too soon.
func parsePeriod(text string) (caddy.Duration, bool) {
	if p, ok := policy.ParsePeriod(text); ok {
		return caddy.Duration(p.Longest()), true
	}
	t, err := caddy.ParseDuration(text)
	return caddy.Duration(t), err == nil && t > 0
}

// unmarshalIP reads what is kept of addresses, and how long.
func (e *Evidence) unmarshalIP(d *caddyfile.Dispenser) error {
	args := d.RemainingArgs()
	if len(args) == 0 || len(args) > 2 || args[0] != "off" && args[0] != "truncated" && args[0] != "full" {
		return d.Err("ip: expected off, truncated or full, and for how long addresses are kept: ip truncated 90d")
	}
	e.IP = args[0]
	if len(args) == 1 {
		return nil
	}
	var ok bool
	if e.KeepIP, ok = parsePeriod(args[1]); !ok {
		return d.Errf("ip %s %q: expected a duration such as 90d", args[0], args[1])
	}
	return nil
}

// unmarshalSubject reads one way to know people.
func (h *Handler) unmarshalSubject(d *caddyfile.Dispenser) error {
	var s Subject
	if !d.NextArg() {
		return d.Err("subject: expected placeholder, header, field or jwt")
	}
	var err error
	switch way := d.Val(); way {
	case "placeholder":
		if s.Placeholder, s.Realm, err = loginSource(d); err == nil {
			if err = checkPlaceholder(s.Placeholder); err != nil {
				return d.WrapErr(err)
			}
		}
	case "header":
		s.Header, s.Realm, err = loginSource(d)
	case "field":
		args := d.RemainingArgs()
		if len(args) != 2 || args[1] != "email" && args[1] != "phone" {
			return d.Err("subject field: expected the name of a field, and email or phone")
		}
		s.Field, s.Kind = args[0], args[1]
	case "jwt":
		s.JWT = new(JWT)
		err = block(d, func(option string) (err error) {
			if option == "realm" {
				s.Realm, err = argument(d)
				return err
			}
			return s.JWT.unmarshalOption(d, option)
		})
		if err == nil && s.JWT.Key == nil {
			err = d.WrapErr(errNoKey)
		}
	default:
		return d.Errf("subject %q: expected placeholder, header, field or jwt", way)
	}
	h.Subject = append(h.Subject, s)
	return err
}

// loginSource reads where a login's name comes from, and its realm if there is one.
func loginSource(d *caddyfile.Dispenser) (from, realm string, err error) {
	way := d.Val()
	args := d.RemainingArgs()
	switch {
	case len(args) == 1:
		return args[0], "", nil
	case len(args) == 3 && args[1] == "realm" && args[2] != "":
		return args[0], args[2], nil
	}
	return "", "", d.Errf("subject %s: expected <source> [realm <name>]", way)
}

func (j *JWT) unmarshalOption(d *caddyfile.Dispenser, option string) (err error) {
	switch option {
	case "key":
		j.Key, err = secret(d)
	case "cookie":
		j.Cookie, err = argument(d)
	case "claim":
		j.Claim, err = argument(d)
	case "issuer":
		j.Issuer, err = argument(d)
	case "audience":
		j.Audience, err = argument(d)
	default:
		err = d.Errf("unknown option %q of subject jwt: expected key, cookie, claim, issuer, audience or realm", option)
	}
	return err
}
