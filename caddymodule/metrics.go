package caddymodule

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/modicum-proxy/modicum/internal/consent/freshness"
	"github.com/modicum-proxy/modicum/internal/minimize"
)

// metrics counts submissions. Labels come from closed sets: what the policy
// declares, and our own reasons and rules.
type metrics struct {
	submissions *prometheus.CounterVec
	kept        *prometheus.CounterVec
	stripped    *prometheus.CounterVec
	undeclared  *prometheus.CounterVec
	refused     *prometheus.CounterVec
	lookups     *prometheus.CounterVec
	choices     *prometheus.CounterVec
}

// counters live as long as the process: Caddy makes a registry for each
// configuration, and a reload must not set them back.
var counters = &metrics{
	submissions: counter("submissions_total", "Submissions by what became of them.", "collection", "verdict", "mode"),
	kept:        counter("fields_kept_total", "Declared fields that passed, once a submission.", "collection"),
	stripped:    counter("fields_stripped_total", "Declared fields that were left out, once a submission.", "collection", "reason"),
	undeclared:  counter("fields_undeclared_total", "Fields that no collection declares.", "collection"),
	refused:     counter("submissions_refused_total", "Refused submissions by the rule that refused them.", "rule"),
	lookups:     counter("consent_lookups_total", "Records of people that decisions needed: cached, loaded from the store, or unknown.", "outcome"),
	choices:     counter("consent_choices_total", "Choices of people by action, source and whether they were stored.", "action", "source", "stored"),
}

func counter(name, help string, labels ...string) *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "modicum", Name: name, Help: help}, labels)
}

func (m *metrics) collectors() []prometheus.Collector {
	return []prometheus.Collector{m.submissions, m.kept, m.stripped, m.undeclared, m.refused, m.lookups, m.choices}
}

// newMetrics registers the counters with the registry of a configuration.
func newMetrics(registry *prometheus.Registry) (*metrics, error) {
	for _, c := range counters.collectors() {
		var already prometheus.AlreadyRegisteredError
		if err := registry.Register(c); err != nil && !errors.As(err, &already) {
			return nil, fmt.Errorf("registering metrics: %w", err)
		}
	}
	return counters, nil
}

func (m *metrics) record(e *minimize.Entry) {
	m.submissions.WithLabelValues(e.Collection, e.Verdict.String(), e.Mode.String()).Inc()
	if len(e.Kept) > 0 {
		m.kept.WithLabelValues(e.Collection).Add(float64(len(e.Kept)))
	}
	for _, f := range e.Stripped {
		m.stripped.WithLabelValues(e.Collection, f.Reason).Inc()
	}
	if e.Undeclared > 0 {
		m.undeclared.WithLabelValues(e.Collection).Add(float64(e.Undeclared))
	}
	if e.Rule != "" {
		m.refused.WithLabelValues(e.Rule).Inc()
	}
}

// recordConsent counts what a registry of consents did.
func (m *metrics) recordConsent(c freshness.Count) {
	if c.Lookup != "" {
		m.lookups.WithLabelValues(c.Lookup).Inc()
		return
	}
	m.choices.WithLabelValues(string(c.Action), string(c.Source), strconv.FormatBool(c.Stored)).Inc()
}

// count is the value of a counter, for the admin endpoint.
type count struct {
	Name   string            `json:"name"`
	Labels map[string]string `json:"labels,omitempty"`
	Value  float64           `json:"value"`
}

func (m *metrics) counts() ([]count, error) {
	registry := prometheus.NewRegistry()
	registry.MustRegister(m.collectors()...)
	families, err := registry.Gather()
	if err != nil {
		return nil, fmt.Errorf("reading metrics: %w", err)
	}
	counts := []count{}
	for _, family := range families {
		for _, metric := range family.GetMetric() {
			c := count{Name: family.GetName(), Value: metric.GetCounter().GetValue(), Labels: map[string]string{}}
			for _, label := range metric.GetLabel() {
				c.Labels[label.GetName()] = label.GetValue()
			}
			counts = append(counts, c)
		}
	}
	return counts, nil
}
