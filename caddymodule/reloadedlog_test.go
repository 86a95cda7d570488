package caddymodule

import (
	"bytes"
	"log/slog"
	"testing"
)

// What a store reports after a reload goes to the log of the configuration in
// force: that of the old one is closed, or its file was moved away.
func TestReloadedLog(t *testing.T) {
	var first, second bytes.Buffer
	one, two := slog.New(slog.NewTextHandler(&first, nil)), slog.New(slog.NewTextHandler(&second, nil))
	handler := newReloadedLog(one)
	log := slog.New(handler)
	written := func(what string, to *bytes.Buffer) {
		t.Helper()
		first.Reset()
		second.Reset()
		if log.Error("the disk is full"); to.Len() == 0 || first.Len()+second.Len() != to.Len() {
			t.Errorf("%s: the first log has %q, the second %q", what, &first, &second)
		}
	}
	handler.add(one)
	written("started", &first)
	handler.add(two)
	written("reloaded", &second)
	handler.remove(one)
	written("the old one is unloaded", &second)
	handler.add(one)
	handler.remove(one)
	written("another one could not be started", &second)
}
