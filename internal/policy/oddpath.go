package policy

import (
	"slices"
	"strings"
)

// Applications take an empty segment, a parameter (";") and an escaped slash for
// what they are, or for nothing and a slash. The readings of a path with such
// parts are all that arise from taking each kind the one way or the other.

// isOdd reports whether a path may have a reading other than itself.
func isOdd(path string) bool {
	for i := range len(path) {
		switch path[i] {
		case ';':
			return true
		case '/':
			if i > 0 && path[i-1] == '/' {
				return true
			}
		case '%':
			if isEncodedSlash(path[i:]) {
				return true
			}
		}
	}
	return false
}

func isEncodedSlash(rest string) bool {
	return len(rest) >= 3 && rest[0] == '%' && rest[1] == '2' && rest[2]|0x20 == 'f'
}

// Readings returns the paths that an application can take an escaped path for,
// itself first: with and without its parameters, its escaped slashes being part
// of a segment or not, and its empty segments counting or not.
func Readings(path string) []string {
	readings := []string{path}
	if !isOdd(path) {
		return readings
	}
	for _, read := range []func(string) string{withoutParameters, withSlashes, withoutEmptySegments} {
		for _, before := range slices.Clone(readings) {
			if after := read(before); !slices.Contains(readings, after) {
				readings = append(readings, after)
			}
		}
	}
	return readings
}

// withoutParameters cuts each segment before its first semicolon.
func withoutParameters(path string) string {
	if strings.IndexByte(path, ';') < 0 {
		return path
	}
	segments := strings.Split(path, "/")
	for i, segment := range segments {
		segments[i], _, _ = strings.Cut(segment, ";")
	}
	return strings.Join(segments, "/")
}

func withSlashes(path string) string {
	return strings.NewReplacer("%2F", "/", "%2f", "/").Replace(path)
}

func withoutEmptySegments(path string) string {
	var b strings.Builder
	for i := range len(path) {
		if path[i] != '/' || i == 0 || path[i-1] != '/' {
			b.WriteByte(path[i])
		}
	}
	return b.String()
}

// findOdd returns where a request leads if its path is read in each of its
// [Readings], exactly and loosely. The route is ambiguous if two of them lead to
// two collections.
func (r *routes) findOdd(method, host, path string) (found Route) {
	loose := false
	for _, reading := range Readings(path) {
		exact := r.find(method, host, reading)
		loose = loose || exact.Collection == nil
		if found.add(exact); !exact.spells(reading) {
			found.add(r.findLoosely(method, host, reading))
		}
	}
	found.add(r.findForgiven(method, host, path))
	if strings.HasPrefix(path, "//") {
		// To URL parsers that are given it alone, "//x/search" has a host.
		_, _, rest := cutSegment(path[1:])
		found.add(r.findLoosely(method, host, forgiven(rest)))
	}
	if i := strings.IndexByte(path, ';'); i > 0 {
		found.add(r.findLoosely(method, host, forgiven(path[:i])))
	}
	found.Loose = loose && found.Collection != nil
	return found
}
