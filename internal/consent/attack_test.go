package consent_test

import (
	"net/http"
	"runtime"
	"testing"

	"github.com/modicum-proxy/modicum/internal/consent"
)

// A megabyte of headers holds forty thousand cookies of our name, each on a
// line of its own. To copy all lines for each of them kept a core busy for
// half a minute (CWE-407).
func TestManyCookiesOfOurName(t *testing.T) {
	lines := make([]string, 5000)
	for i := range lines {
		lines[i] = consent.CookieName + "=1; a=b"
	}
	h := http.Header{"Cookie": lines}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	consent.HideCookie(h)
	runtime.ReadMemStats(&after)
	if n := after.TotalAlloc - before.TotalAlloc; n > 10<<20 { // each copy of the list is 80 kB
		t.Errorf("%d bytes of memory for %d lines", n, len(lines))
	}
	if h["Cookie"][0] != "a=b" || h["Cookie"][len(lines)-1] != "a=b" {
		t.Error("not hidden")
	}
	if lines[0] != consent.CookieName+"=1; a=b" {
		t.Error("the list that others may hold was changed")
	}
}
