//go:build unix

package caddymodule

import (
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/modicum-proxy/modicum/internal/consent"
	"github.com/modicum-proxy/modicum/internal/consent/freshness"
)

// A reload releases the store while the status of the old configuration is being
// written, which ended in a nil pointer.
func TestStoreStatusDuringCleanup(t *testing.T) {
	registry, err := freshness.NewRegistry(freshness.Options{Open: func(context.Context) (consent.Store, error) {
		return nil, errors.New("not opened in this test")
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer registry.Close() //nolint:errcheck // it was not opened
	store := &liveRegistry{Registry: registry}
	app := &App{storeModule: new(SQLite), store: store}
	var cleanup sync.WaitGroup
	cleanup.Go(func() {
		for range 200_000 {
			app.mu.Lock()
			app.store = nil
			app.mu.Unlock()
			app.mu.Lock()
			app.store = store
			app.mu.Unlock()
		}
	})
	for range 200_000 {
		if s := app.storeStatus(); s != nil && s.Engine != "sqlite" {
			t.Fatalf("status %+v", s)
		}
	}
	cleanup.Wait()
}
