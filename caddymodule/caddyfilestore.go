package caddymodule

import (
	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

// store reads where choices are kept.
func store(d *caddyfile.Dispenser) (*Store, error) {
	if !d.NextArg() {
		return nil, d.Err("store: expected `sqlite <path>` or `postgres { dsn … }`")
	}
	s := &Store{Engine: d.Val()}
	switch s.Engine {
	case "sqlite":
		path, err := argument(d)
		if err != nil {
			return nil, d.Err("store sqlite: expected one path, that of the file")
		}
		s.Path = beside(d, path)
		return s, nil
	case "postgres":
		return s, block(d, func(option string) (err error) {
			switch option {
			case "dsn":
				if s.DSN, err = argument(d); err == nil {
					err = checkDSN(s.DSN)
				}
				if err != nil {
					err = d.WrapErr(err)
				}
			case "lease":
				s.Lease, err = duration(d)
			case "unsafe":
				s.Unsafe, err = true, none(d)
			default:
				err = d.Errf("unknown option %q of store postgres: expected dsn, lease or unsafe", option)
			}
			return err
		})
	}
	return nil, d.Errf("store %q: expected sqlite or postgres", s.Engine)
}

// evidence reads what is kept as proof.
func evidence(d *caddyfile.Dispenser) (*Evidence, error) {
	e := new(Evidence)
	return e, block(d, func(option string) (err error) {
		switch option {
		case "ip":
			err = e.unmarshalIP(d)
		case "keep":
			e.Keep, err = days(d)
		default:
			err = d.Errf("unknown option %q of evidence: expected ip or keep", option)
		}
		return err
	})
}

// days reads a duration of which one thinks in years: people write 3y, as in a
// policy, and Caddy has no unit above days.
func days(d *caddyfile.Dispenser) (caddy.Duration, error) {
	option := d.Val()
	arg, err := argument(d)
	if err != nil {
		return 0, err
	}
	t, err := caddy.ParseDuration(arg)
	if err != nil || t <= 0 {
		return 0, d.Errf("%s %q: expected a duration in days or less, such as 1098d for three years", option, arg)
	}
	return caddy.Duration(t), nil
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
	term, err := caddy.ParseDuration(args[1])
	if err != nil || term <= 0 {
		return d.Errf("ip %s %q: expected a duration such as 90d", args[0], args[1])
	}
	e.KeepIP = caddy.Duration(term)
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
