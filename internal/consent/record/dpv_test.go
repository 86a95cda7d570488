package record

import (
	"strings"
	"testing"

	"github.com/modicum-proxy/modicum/internal/consent"
)

// A purpose is not described by what is told of it today when the person was
// told something else.
func TestToldBefore(t *testing.T) {
	p := Person{{Subject: other, Purpose: "newsletter", Action: consent.Grant, Notice: "n-old", Time: noon}}
	var b strings.Builder
	if err := WriteDPV(&b, func(yield func(Person, error) bool) { yield(p, nil) }, &site); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(b.String(), "Letter House") || !strings.Contains(b.String(), "Example Shop Ltd") {
		t.Errorf("wrote %s", b.String())
	}
}

func TestISODuration(t *testing.T) {
	for period, want := range map[string]string{"3y": "P3Y", "6mo": "P6M", "2w": "P14D", "30d": "P30D", "12h": "PT12H", "": "", "y": "", "3": "", "3x": ""} {
		if got := isoDuration(period); got != want {
			t.Errorf("%q is %q, not %q", period, got, want)
		}
	}
}

// A digest names a text, whatever a store holds for one.
func TestDigestName(t *testing.T) {
	for digest, want := range map[string]string{
		"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855": "ni:///sha-256;47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU",
		"no digest": "urn:modicum:text:bm8gZGlnZXN0",
	} {
		if got := digestName(digest); got != want {
			t.Errorf("%q is named %q, not %q", digest, got, want)
		}
	}
}
