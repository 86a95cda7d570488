package policy

import (
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

const (
	noExpression = "a pattern is not a regular expression"
	inBraces     = "a wildcard is written in braces"
	noStar       = "a star matches only a star"
)

// pathNotations are what other tools write in paths, in the order in which they
// are translated. A wildcard that may be missing is marked with "?}".
var pathNotations = []struct {
	form *regexp.Regexp
	to   string
	why  string
}{
	// Rails: /c/:id(.:format)
	{regexp.MustCompile(`\(\.:format\)`), "", "a pattern has no optional parts"},
	// Django's re_path, .NET: /c/(?P<id>[0-9]+)
	{regexp.MustCompile(`\(\?P?<(\w+)>(?:[^()\[\]]|\[[^\]]*\])*\)`), "{$1}", noExpression},
	// /c/(\d+), /c/([^/]+), /(en|ru)/c
	{regexp.MustCompile(`\((?:\?:)?[^()/]*(?:\\\w|\.[*+]|\[[^\]]*\]|\|)[^()/]*\)[?*+]?`), "{name}", noExpression},
	{regexp.MustCompile(`\(/?\.[*+]\)[?*+]?`), "{name}", noExpression},
	{regexp.MustCompile(`\\[dwsS](?:[*+]|\{[0-9,]+\})?|\[[^\]/]*\](?:[*+]|\{[0-9,]+\})|\[\^/\][*+]`), "{name}", noExpression},
	{regexp.MustCompile(`\\([^\w/])`), "$1", noExpression},
	// Next.js, SvelteKit: /[lang]/c, /[...rest], /[[...rest]]
	{regexp.MustCompile(`/\[\[?\.\.\.([\w-]+)\]\]?`), "/{$1...}", inBraces},
	{regexp.MustCompile(`/\[\[([\w-]+)\]\]`), "/{$1?}", inBraces},
	{regexp.MustCompile(`/\[([A-Za-z_][\w-]*)(?:=\w+)?\]`), "/{$1}", inBraces},
	// Flask, Django, Rocket: /c/<int:id>, /c/<path:rest>, /c/<rest..>
	{regexp.MustCompile(`<(?:path|\.\.\.):([\w-]+)>|<([\w-]+)\.\.>`), "{$1$2...}", inBraces},
	{regexp.MustCompile(`<(?:\w+(?:\([^)]*\))?:)?([\w-]+)>`), "{$1}", inBraces},
	// Express, Rails, Sinatra: /c/:id, /c/:id?, /c/:id(\d+), /c/:rest*
	{regexp.MustCompile(`/:([A-Za-z_]\w*)(?:\([^)]*\))?[*+]`), "/{$1...}", inBraces},
	{regexp.MustCompile(`/:([A-Za-z_]\w*)(?:\([^)]*\)|\{name\})?\?`), "/{$1?}", inBraces},
	{regexp.MustCompile(`/:([A-Za-z_]\w*)(?:\([^)]*\)|\{name\})?`), "/{$1}", inBraces},
	{regexp.MustCompile(`%7[Bb](\w+)%7[Dd]`), "{$1}", inBraces},
	// ASP.NET, Spring, Axum: /c/{*rest}; FastAPI, actix: /c/{rest:path}, /c/{rest:.*}
	{regexp.MustCompile(`\{\*+(\w+)\}|\{(\w+):(?:path|\.[*+])\}`), "{$1$2...}", "a wildcard for all that follows is written {name...}"},
	// FastAPI, chi, Symfony, ASP.NET, Laravel: /c/{id:int}, /c/{id<\d+>}, /c/{id?}
	{regexp.MustCompile(`\{(\w+)(?:[:=<](?:[^{}]|\{[^{}]*\})*)?\?\}`), "{$1?}", "a wildcard has only a name"},
	{regexp.MustCompile(`\{(\w+)[:=<](?:[^{}]|\{[^{}]*\})*\}`), "{$1}", "a wildcard has only a name"},
	{regexp.MustCompile(`\{\{\s*(\w+)\s*\}\}`), "{$1}", "a wildcard has one pair of braces"},
	// Rails' /c/*rest, Caddy's /c/* and /c*, Spring's /c/**, *.php
	{regexp.MustCompile(`/\*\*?/?$`), "/{rest...}", noStar},
	{regexp.MustCompile(`/\*+(\w+)$`), "/{$1...}", noStar},
	{regexp.MustCompile(`([^/*])\*+$`), "$1{more...}", noStar},
	{regexp.MustCompile(`\*+`), "{name}", noStar},
	{regexp.MustCompile(`\.\+(/|$)`), "{name}$1", noExpression},
}

// takePath translates a path into one, or into two where its end may be missing.
func (s *respelling) takePath(written string) {
	p := written
	if before, fragment, ok := strings.Cut(p, "#"); ok && !strings.Contains(fragment, "}") {
		s.because("a request has no fragment")
		p = before
	}
	for _, n := range pathNotations {
		if translated := n.form.ReplaceAllString(p, n.to); translated != p {
			s.because(n.why)
			p = translated
		}
	}
	if before, ok := strings.CutSuffix(p, "$"); ok {
		s.because(noExpression)
		p = before
		if strings.HasSuffix(p, "/") && p != "/" {
			p += "{$}"
		}
	}
	if before, query, ok := cutQuery(p); ok {
		s.because("a pattern has no query")
		p = before
		if query == "" && strings.HasSuffix(p, "/") && p != "/" {
			s.paths = []string{strings.TrimSuffix(p, "/"), p + "{$}"}
			return
		}
	}
	if cleaned := path.Clean(p); cleaned != strings.TrimSuffix(p, "/") && p != "/" {
		s.because("a path has no empty segments and no dots")
		if p = cleaned; strings.HasSuffix(written, "/") && p != "/" {
			p += "/"
		}
	}
	if s.why == nil && patternComplaint("", "", p) == "" {
		s.paths = []string{p}
		return
	}
	s.wildcards(p)
}

// cutQuery cuts a path at its question mark; that of "{id?}" is none.
func cutQuery(p string) (before, query string, ok bool) {
	for i := range len(p) {
		if p[i] == '?' && !strings.HasPrefix(p[i:], "?}") {
			return p[:i], p[i+1:], true
		}
	}
	return p, "", false
}

var (
	wildcardForm = regexp.MustCompile(`\{([\w-]+)(\.\.\.|\?)?\}`)
	notInName    = regexp.MustCompile(`\W`)
)

// wildcards writes the wildcards of a path as [net/http.ServeMux] has them: a
// whole segment, with a name of its own; the rest of the path only at its end.
func (s *respelling) wildcards(p string) {
	segments := strings.Split(strings.TrimPrefix(p, "/"), "/")
	used := make(map[string]bool)
	optional := false
	for i, segment := range segments {
		found := wildcardForm.FindStringSubmatch(segment)
		if found == nil {
			continue
		}
		last := i == len(segments)-1
		name := notInName.ReplaceAllString(found[1], "_")
		if '0' <= name[0] && name[0] <= '9' {
			name = "_" + name
		}
		if name != found[1] {
			s.because("the name of a wildcard has letters, digits and _")
		}
		for n := 2; used[name]; n++ {
			s.because("each wildcard has a name of its own")
			name = strings.TrimRight(name, "0123456789") + strconv.Itoa(n)
		}
		used[name] = true
		if whole := found[0] == segment; !whole {
			if found[2] == "..." && last { // "/api*": itself and all below it
				s.paths = []string{"/" + strings.Join(append(slices.Clone(segments[:i]), strings.TrimSuffix(segment, found[0])), "/")}
				s.paths = append(s.paths, s.paths[0]+"/{"+name+"...}")
				return
			}
			s.because("a wildcard is a whole segment")
		}
		if found[2] == "?" {
			s.because("a pattern has no optional parts")
		}
		optional = found[2] == "?" && last
		segments[i] = "{" + name + "}"
		if found[2] == "..." && last {
			segments[i] = "{" + name + "...}"
		}
	}
	s.paths = []string{"/" + strings.Join(segments, "/")}
	if optional && len(segments) > 1 {
		s.paths = []string{"/" + strings.Join(segments[:len(segments)-1], "/"), s.paths[0]}
	}
}
