//go:build unix

package caddymodule_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"syscall"
	"testing"
	"time"
)

// trouble is what can happen between a proxy and the database, or to either.
// Each returns how it ends.
var troubles = []struct {
	name  string
	begin func(t *testing.T, c *cluster, p *proxy) (end func())
}{
	{"connections are refused", func(t *testing.T, _ *cluster, p *proxy) func() {
		p.way.Stop()
		return func() {
			if err := p.way.Start(); err != nil {
				t.Error(err)
			}
		}
	}},
	{"partition", func(t *testing.T, _ *cluster, p *proxy) func() {
		return toxic(t, p, "timeout", `{"timeout":0}`, "upstream", "downstream")
	}},
	{"answers are lost", func(t *testing.T, _ *cluster, p *proxy) func() {
		return toxic(t, p, "timeout", `{"timeout":0}`, "downstream")
	}},
	{"latency", func(t *testing.T, _ *cluster, p *proxy) func() {
		return toxic(t, p, "latency", fmt.Sprintf(`{"latency":%d,"jitter":%d}`, rand.IntN(5000), rand.IntN(200)), "upstream", "downstream")
	}},
	{"little latency", func(t *testing.T, _ *cluster, p *proxy) func() {
		return toxic(t, p, "latency", fmt.Sprintf(`{"latency":%d,"jitter":%d}`, rand.IntN(100), rand.IntN(50)), "upstream", "downstream")
	}},
	{"connections are reset", func(t *testing.T, _ *cluster, p *proxy) func() {
		return toxic(t, p, "reset_peer", fmt.Sprintf(`{"timeout":%d}`, rand.IntN(100)), "downstream")
	}},
	{"backends are killed", func(t *testing.T, c *cluster, _ *proxy) func() {
		c.terminate(t, "true")
		return func() {}
	}},
	{"LISTEN is killed", func(t *testing.T, c *cluster, _ *proxy) func() {
		c.terminate(t, "query ILIKE 'LISTEN%'")
		return func() {}
	}},
	{"a proxy stands still", func(t *testing.T, _ *cluster, p *proxy) func() {
		signal(t, p, syscall.SIGSTOP)
		return func() { signal(t, p, syscall.SIGCONT) }
	}},
}

// toxic troubles the connections of a proxy.
func toxic(t *testing.T, p *proxy, kind, attributes string, streams ...string) (end func()) {
	t.Helper()
	var names []string
	for _, stream := range streams {
		text := fmt.Sprintf(`{"type":%q,"stream":%q,"attributes":%s}`, kind, stream, attributes)
		added, err := p.way.Toxics.AddToxicJson(strings.NewReader(text))
		if err != nil {
			t.Error(err)
			continue
		}
		names = append(names, added.Name)
	}
	return func() {
		for _, name := range names {
			if err := p.way.Toxics.RemoveToxic(context.Background(), name); err != nil {
				t.Error(err)
			}
		}
	}
}

// terminate ends sessions of the proxies.
func (c *cluster) terminate(t *testing.T, which string) {
	t.Helper()
	_, err := c.db.Exec(t.Context(), "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() AND "+which)
	if err != nil {
		t.Error(err)
	}
}

func signal(t *testing.T, p *proxy, s syscall.Signal) {
	t.Helper()
	if err := p.process.Signal(s); err != nil {
		t.Error(err)
	}
}

// trouble makes trouble until the trial is over, and rests in between.
func (tr *trial) trouble() {
	for !tr.over() {
		which, p := &troubles[rand.IntN(len(troubles))], tr.cluster.proxies[rand.IntN(len(tr.cluster.proxies))]
		end := which.begin(tr.t, tr.cluster, p)
		tr.faults[which.name]++
		time.Sleep(time.Duration(50+rand.IntN(1500)) * time.Millisecond)
		end()
		time.Sleep(time.Duration(100+rand.IntN(1500)) * time.Millisecond)
	}
}
