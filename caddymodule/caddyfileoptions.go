package caddymodule

import (
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/dustin/go-humanize"

	"github.com/modicum-proxy/modicum/internal/policy"
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

// argument returns the only argument of an option, without placeholders.
func argument(d *caddyfile.Dispenser) (string, error) {
	args := d.RemainingArgs()
	if len(args) != 1 {
		return "", d.ArgErr()
	}
	return args[0], fixed(d, args[0])
}

// fixed returns an error if a text contains a placeholder: most of what we are
// told has to be known when the configuration is read, and placeholders have
// values only later.
func fixed(d *caddyfile.Dispenser, text string) error {
	name := placeholders.FindString(text)
	if name == "" {
		return nil
	}
	remedy := "write the text itself, or {$NAME} for an environment variable"
	if variable, ok := strings.CutPrefix(name, "{env."); ok {
		remedy = "write " + strings.ReplaceAll(text, name, "{$"+variable)
	}
	return d.Errf("%q: %s has no value yet when the configuration is read: %s", text, name, remedy)
}

// word returns the only argument of an option, which is one of words.
func word(d *caddyfile.Dispenser, words ...string) (string, error) {
	return parsed(d, fmt.Sprintf("one of %q", words), func(arg string) (string, bool) {
		return arg, slices.Contains(words, arg)
	})
}

// wordList returns the arguments of an option, each of which is one of known and
// stands there once.
func wordList(d *caddyfile.Dispenser, known ...string) ([]string, error) {
	option, given := d.Val(), d.RemainingArgs()
	if len(given) == 0 {
		return nil, d.ArgErr()
	}
	for i, word := range given {
		switch {
		case slices.Contains(given[:i], word):
			return nil, d.Errf("%s: the word %q is given twice", option, word)
		case slices.Contains(known, word):
		default:
			hint := ""
			if nearest := policy.Nearest(word, known); nearest != "" {
				hint = fmt.Sprintf("; did you mean %q?", nearest)
			}
			return nil, d.Errf("%s %q: expected any of %q%s", option, word, known, hint)
		}
	}
	return given, nil
}

// parsed returns the only argument of an option as parse reads it. If parse returns
// false, the error says what was expected.
func parsed[T any](d *caddyfile.Dispenser, expected string, parse func(arg string) (T, bool)) (T, error) {
	var none T
	option := d.Val()
	arg, err := argument(d)
	if err != nil {
		return none, err
	}
	value, ok := parse(arg)
	if !ok {
		return none, d.Errf("%s %q: expected %s", option, arg, expected)
	}
	return value, nil
}

// size returns the only argument of an option in bytes.
func size(d *caddyfile.Dispenser) (int64, error) {
	return parsed(d, "a size such as 1MiB", func(arg string) (int64, bool) {
		n, err := humanize.ParseBytes(arg)
		return int64(n), err == nil && 0 < n && n <= 1<<40 //nolint:gosec // G115: at most 1<<40
	})
}

// number returns the only argument of an option, a number above 0.
func number(d *caddyfile.Dispenser) (int, error) {
	return parsed(d, "a number above 0", func(arg string) (int, bool) {
		n, err := strconv.Atoi(arg)
		return n, err == nil && n > 0
	})
}

// duration returns the only argument of an option, a duration above 0.
func duration(d *caddyfile.Dispenser) (caddy.Duration, error) {
	return parsed(d, "a duration such as 30s", func(arg string) (caddy.Duration, bool) {
		t, err := caddy.ParseDuration(arg)
		return caddy.Duration(t), err == nil && t > 0
	})
}

// secret returns where the arguments of an option say that a secret is.
func secret(d *caddyfile.Dispenser) (*Secret, error) {
	args := d.RemainingArgs()
	switch {
	case len(args) == 2 && args[0] == "file":
		return &Secret{File: beside(d, args[1])}, fixed(d, args[1])
	case len(args) == 2 && args[0] == "env":
		if variable, ok := strings.CutPrefix(strings.TrimSuffix(args[1], "}"), "{env."); ok {
			return nil, d.Errf("env %s: expected the name alone: env %s", args[1], variable)
		}
		return &Secret{Env: args[1]}, fixed(d, args[1])
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
