package sqlite

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/modicum-proxy/modicum/internal/consent"
)

func TestSmoke(t *testing.T) {
	path := filepath.Join(t.TempDir(), "c.db")
	for i := range 3 {
		s, err := Open(t.Context(), Options{Path: path})
		if err != nil {
			t.Fatal(err)
		}
		c, err := s.Append(t.Context(), consent.Event{ID: uuid.New(), Subject: "k.a", Purpose: "news", Action: consent.Grant, Time: time.Now()})
		if err != nil || c.Revision != consent.Revision(i+1) {
			t.Fatal(c, err)
		}
		r, err := s.Load(t.Context(), "k.a")
		t.Log(r, err)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
