package policy

import (
	"cmp"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"
)

// maxPatterns bounds the search for conflicts, which compares patterns in pairs.
const maxPatterns = 10_000

// patterns gathers the patterns of a set. [http.ServeMux] itself is the judge of
// what is a pattern and of what conflicts, so that we cannot disagree with it.
type patterns struct {
	problems *problems
	mux      *http.ServeMux
	judged   []Pattern
	shared   map[string]*sharedPattern // by [sameRequests]
	routes   routes
}

func newPatterns(p *problems) *patterns {
	return &patterns{
		problems: p, mux: http.NewServeMux(), shared: make(map[string]*sharedPattern),
		routes: routes{hosts: make(map[string]*methods)},
	}
}

// add takes a pattern of a collection, or reports why it cannot stand.
func (ps *patterns) add(w word, c *Collection) {
	if w.text == "" {
		return
	}
	if len(ps.judged) == maxPatterns {
		ps.problems.report("too-many-patterns", w.at, fmt.Sprintf("the set has more than %d patterns", maxPatterns), "")
		return
	}
	method, host, path := splitPattern(w.text)
	if complaint := patternComplaint(method, host, path); complaint != "" {
		hint := `write [METHOD ][HOST]/path, such as "POST /checkout"`
		if right, why := respellPattern(w.text); right != nil {
			complaint, hint = why, remedyOfPattern(w.text, right)
		}
		ps.problems.report("bad-pattern", w.at, fmt.Sprintf("%q is not a pattern: %s", w.text, complaint), hint)
		return
	}
	p := Pattern{Text: w.text, Position: w.at}
	key := sameRequests(method, host, path)
	if s := ps.shared[key]; s != nil {
		ps.share(s, p, c)
		return
	}
	if why := register(ps.mux, p); why != "" {
		ps.conflict(p, why)
		return
	}
	ps.shared[key] = &sharedPattern{patterns: []Pattern{p}, members: []*Collection{c}}
	ps.judged = append(ps.judged, p)
	c.Patterns = append(c.Patterns, p)
	ps.routes.add(method, host, path, Route{Collection: c, Pattern: w.text})
}

// conflict reports a pattern that ties with one before it.
func (ps *patterns) conflict(p Pattern, why string) {
	for _, before := range ps.judged {
		mux := http.NewServeMux()
		if register(mux, before) != "" || register(mux, p) == "" {
			continue
		}
		if ended := endingHere(before, p); ended != "" {
			why += "; " + ended
		}
		ps.problems.add(Diagnostic{
			Code: "pattern-conflict", Position: p.Position, Related: []Position{before.Position},
			Message: fmt.Sprintf("the pattern %q ties with %q at %v", p.Text, before.Text, before.Position),
			Hint:    why,
		})
		return
	}
	ps.problems.report("pattern-conflict", p.Position, fmt.Sprintf("the pattern %q ties with another", p.Text), why)
}

// endingHere returns the hint that resolves a tie of patterns for all that is below
// a path, where the path itself was meant: Django's paths end in a slash.
func endingHere(before, p Pattern) string {
	mux, ended := http.NewServeMux(), []string(nil)
	for _, one := range []Pattern{before, p} {
		if strings.HasSuffix(one.Text, "/") {
			one.Text += "{$}"
			ended = append(ended, strconv.Quote(one.Text))
		}
		if register(mux, one) != "" {
			return ""
		}
	}
	if ended == nil {
		return ""
	}
	return "a final slash means everything below it: write " + strings.Join(ended, " and ") + " for the path alone"
}

// register adds a pattern to a mux and returns why the mux refuses it. Hosts are
// compared in lower case, which the mux does not do.
func register(mux *http.ServeMux, p Pattern) (refusal string) {
	defer func() {
		if reason := recover(); reason != nil {
			// After the first line comes what the two patterns have in common.
			refusal = fmt.Sprint(reason)
			if _, explanation, ok := strings.Cut(refusal, ":\n"); ok {
				refusal = strings.TrimSuffix(strings.ReplaceAll(explanation, "\n", " "), ".")
			}
		}
	}()
	method, host, path := splitPattern(p.Text)
	mux.Handle(joinPattern(method, host, path), http.NotFoundHandler())
	return ""
}

// splitPattern takes a pattern apart as [http.ServeMux] does.
func splitPattern(pattern string) (method, host, path string) {
	rest := pattern
	if i := strings.IndexAny(pattern, " \t"); i >= 0 {
		method, rest = pattern[:i], strings.TrimLeft(pattern[i+1:], " \t")
	}
	slash := strings.IndexByte(rest, '/')
	if slash < 0 {
		return method, rest, ""
	}
	return method, rest[:slash], rest[slash:]
}

// joinPattern writes a pattern with its host in lower case.
func joinPattern(method, host, path string) string {
	pattern := strings.ToLower(host) + path
	if method != "" {
		pattern = method + " " + pattern
	}
	return pattern
}

// hostForm is a host as requests have it: a name in its ASCII form, or an
// IPv4 address. A port is never compared.
var hostForm = regexp.MustCompile(`^[A-Za-z0-9._-]{0,253}$`)

// patternComplaint returns what is wrong with a pattern by itself.
func patternComplaint(method, host, path string) string {
	switch {
	case path == "":
		return "the path is missing"
	case method != strings.ToUpper(method):
		return "a method is written in capitals"
	case !hostForm.MatchString(host):
		return "a host is a name in ASCII, without a port"
	}
	// Under a method, so that an unclean path is refused for any.
	why := register(http.NewServeMux(), Pattern{Text: cmp.Or(method, "GET") + " " + host + path})
	// "at offset 5:" would count in the pattern as the mux has it.
	return muxPrefix.ReplaceAllString(why, "")
}

var muxPrefix = regexp.MustCompile(`^parsing ".*": at offset \d+: `)
