package freshness

import (
	"strconv"
	"testing"

	"github.com/modicum-proxy/modicum/internal/consent"
)

// While commits hang, a browser that is always somebody new says something by
// ADPC without end. Each is a subject of whom it is not known what became of
// the choice: past the bound none is remembered, and none is believed.
func TestHorizonBoundsDoubts(t *testing.T) {
	var h horizon
	known := &cached{Record: consent.Record{Revision: 1, Subjects: []consent.Subject{"k.known"}}, asOf: 1}
	if !h.covers(known) {
		t.Fatal("a record that nothing speaks against is not believed")
	}
	for i := range 2 * maxChanged {
		h.doubt([]consent.Event{{Subject: consent.Subject("k." + strconv.Itoa(i))}})
	}
	if len(h.unsure) > maxChanged || h.covers(known) {
		t.Errorf("%d doubts are remembered, and records believed: %t", len(h.unsure), h.covers(known))
	}
	h.trust([]consent.Event{{Subject: "k.0"}})
	if h.covers(known) {
		t.Error("believed again, though it is not known who is to be doubted")
	}
}
