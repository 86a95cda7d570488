package storetest

import (
	"context"
	"fmt"
	"time"

	"github.com/modicum-proxy/modicum/internal/consent"
)

// ForgetAddresses implements [consent.Store].
func (m *Memory) ForgetAddresses(ctx context.Context, before time.Time, limit int) (int, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	n := 0
	for i := range m.events {
		if e := &m.events[i]; n < limit && e.Address != "" && e.Time.Before(before) {
			e.Address = ""
			n++
		}
	}
	return n, nil
}

// Addresses go before the events that hold them; nothing else changes.
func testAddresses(t trial) {
	var want []consent.Event
	for i := range 7 {
		e := choice("k.a", fmt.Sprint("purpose", i), consent.Grant)
		e.Time, e.Address = start.Add(time.Duration(i)*time.Hour), "203.0.113.0/24"
		e.Revision = t.appended(e)
		want = append(want, e)
	}
	before := start.Add(5 * time.Hour)
	total := 0
	for range 10 {
		n, err := t.store.ForgetAddresses(t.Context(), before, 2)
		if err != nil || n > 2 {
			t.Fatalf("forgot %d, %v", n, err)
		}
		if total += n; n == 0 {
			break
		}
	}
	for i := range 5 {
		want[i].Address = ""
	}
	if total != 5 {
		t.Errorf("forgot %d addresses, want 5", total)
	}
	t.equal("the evidence", t.all("k.a"), want)
}
