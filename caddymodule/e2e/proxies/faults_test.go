//go:build unix

package proxies_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"syscall"
	"time"
)

// trouble is what can happen between a proxy and the database, or to either.
// Each returns how it ends.
var troubles = []struct {
	name  string
	begin func(tr *trial, p *proxy) (end func())
}{
	{"connections are refused", func(tr *trial, p *proxy) func() {
		p.way.Stop()
		return func() {
			if err := p.way.Start(); err != nil {
				tr.t.Error(err)
			}
		}
	}},
	{"partition", func(tr *trial, p *proxy) func() {
		return tr.toxic(p, "timeout", `{"timeout":0}`, "upstream", "downstream")
	}},
	{"answers are lost", func(tr *trial, p *proxy) func() {
		return tr.toxic(p, "timeout", `{"timeout":0}`, "downstream")
	}},
	{"latency", func(tr *trial, p *proxy) func() {
		return tr.toxic(p, "latency", fmt.Sprintf(`{"latency":%d,"jitter":%d}`, upTo(5000), upTo(200)), "upstream", "downstream")
	}},
	{"little latency", func(tr *trial, p *proxy) func() {
		return tr.toxic(p, "latency", fmt.Sprintf(`{"latency":%d,"jitter":%d}`, upTo(100), upTo(50)), "upstream", "downstream")
	}},
	{"connections are reset", func(tr *trial, p *proxy) func() {
		return tr.toxic(p, "reset_peer", fmt.Sprintf(`{"timeout":%d}`, upTo(100)), "downstream")
	}},
	{"backends are killed", func(tr *trial, _ *proxy) func() {
		tr.terminate("true")
		return func() {}
	}},
	{"LISTEN is killed", func(tr *trial, _ *proxy) func() {
		tr.terminate("query ILIKE 'LISTEN%'")
		return func() {}
	}},
	{"a proxy stands still", func(tr *trial, p *proxy) func() {
		tr.signal(p, syscall.SIGSTOP)
		return func() { tr.signal(p, syscall.SIGCONT) }
	}},
}

// upTo draws a number below n.
func upTo(n int) int { return rand.IntN(n) } //nolint:gosec // G404: nobody guesses our faults

// toxic troubles the connections of a proxy.
func (tr *trial) toxic(p *proxy, kind, attributes string, streams ...string) (end func()) {
	var names []string
	for _, stream := range streams {
		text := fmt.Sprintf(`{"type":%q,"stream":%q,"attributes":%s}`, kind, stream, attributes)
		added, err := p.way.Toxics.AddToxicJson(strings.NewReader(text))
		if err != nil {
			tr.t.Error(err)
			continue
		}
		names = append(names, added.Name)
	}
	return func() {
		for _, name := range names {
			if err := p.way.Toxics.RemoveToxic(context.Background(), name); err != nil {
				tr.t.Error(err)
			}
		}
	}
}

// terminate ends sessions of the proxies.
func (tr *trial) terminate(which string) {
	_, err := tr.cluster.db.Exec(tr.t.Context(), "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() AND "+which)
	if err != nil {
		tr.t.Error(err)
	}
}

func (tr *trial) signal(p *proxy, s syscall.Signal) {
	if err := p.process.Signal(s); err != nil {
		tr.t.Errorf("proxy %s: %v", p.name, err)
	}
}

// trouble makes trouble until the trial is over, and rests in between.
func (tr *trial) trouble() {
	for !tr.over() {
		which, p := &troubles[upTo(len(troubles))], tr.cluster.proxies[upTo(len(tr.cluster.proxies))]
		end := which.begin(tr, p)
		tr.faults[which.name]++
		time.Sleep(time.Duration(50+upTo(1500)) * time.Millisecond)
		end()
		time.Sleep(time.Duration(100+upTo(1500)) * time.Millisecond)
	}
}
