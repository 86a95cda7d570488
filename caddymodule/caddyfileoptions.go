package caddymodule

import (
	"path/filepath"
	"slices"
	"strconv"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/dustin/go-humanize"
)

// block reads a block of options. It returns an error if an option is given twice,
// except for those that are repeatable.
func block(d *caddyfile.Dispenser, read func(option string) error, repeatable ...string) error {
	if d.NextArg() {
		return d.ArgErr()
	}
	seen := map[string]bool{}
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		option := d.Val()
		if seen[option] && !slices.Contains(repeatable, option) {
			return d.Errf("the option %q of minimize is given twice", option)
		}
		seen[option] = true
		if err := read(option); err != nil {
			return err
		}
	}
	return nil
}

// none returns an error if the option has an argument.
func none(d *caddyfile.Dispenser) error {
	if d.NextArg() {
		return d.ArgErr()
	}
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

// word returns the only argument of an option, which is one of words.
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

// size returns the only argument of an option in bytes.
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

// number returns the only argument of an option, a number above 0.
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

// duration returns the only argument of an option, a duration above 0.
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

// secret returns where the arguments of an option say that a secret is.
func secret(d *caddyfile.Dispenser) (*Secret, error) {
	args := d.RemainingArgs()
	switch {
	case len(args) == 2 && args[0] == "file":
		return &Secret{File: beside(d, args[1])}, nil
	case len(args) == 2 && args[0] == "env":
		return &Secret{Env: args[1]}, nil
	}
	return nil, d.Err("expected `file <path>` or `env <name>`: a secret is never written into the Caddyfile")
}

// beside returns a path relative to the directory of the Caddyfile, as `import`
// does.
func beside(d *caddyfile.Dispenser, path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(filepath.Dir(d.File()), path)
}
