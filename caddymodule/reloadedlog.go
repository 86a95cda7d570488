package caddymodule

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
)

// reloadedLog is a [slog.Handler] for what outlives a reload: it writes to the
// log of the configuration that was started last and is still loaded. The logs
// of unloaded configurations are closed.
type reloadedLog struct {
	current atomic.Pointer[slog.Logger]

	mu     sync.Mutex
	loaded []*slog.Logger
}

// newReloadedLog returns a handler that writes to a log until another is added.
func newReloadedLog(log *slog.Logger) *reloadedLog {
	l := &reloadedLog{}
	l.current.Store(log)
	return l
}

// add makes a log the current one.
func (l *reloadedLog) add(log *slog.Logger) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.loaded = append(l.loaded, log)
	l.current.Store(log)
}

// remove removes a log that is about to be closed. The last one stays current:
// there is no other.
func (l *reloadedLog) remove(log *slog.Logger) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.loaded = slices.DeleteFunc(l.loaded, func(other *slog.Logger) bool { return other == log })
	if n := len(l.loaded); n > 0 {
		l.current.Store(l.loaded[n-1])
	}
}

// Enabled implements [slog.Handler].
func (l *reloadedLog) Enabled(ctx context.Context, level slog.Level) bool {
	return l.current.Load().Handler().Enabled(ctx, level)
}

// Handle implements [slog.Handler].
func (l *reloadedLog) Handle(ctx context.Context, record slog.Record) error {
	return l.current.Load().Handler().Handle(ctx, record)
}

// WithAttrs implements [slog.Handler]. Its result stays with the current log.
func (l *reloadedLog) WithAttrs(attrs []slog.Attr) slog.Handler {
	return l.current.Load().Handler().WithAttrs(attrs)
}

// WithGroup implements [slog.Handler]. Its result stays with the current log.
func (l *reloadedLog) WithGroup(name string) slog.Handler {
	return l.current.Load().Handler().WithGroup(name)
}
