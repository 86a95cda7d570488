package submission

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func phonePlan(tb testing.TB) *Plan {
	tb.Helper()
	p, err := NewPlan([]Field{{Path: segments("phones", "*"), Kept: true, Rule: NewRule(Rule{Type: "phone"})}}, Brackets)
	if err != nil {
		tb.Fatal(err)
	}
	return p
}

// A MiB of telephone numbers took one to two seconds, and other clients got
// next to nothing done meanwhile. Neither max_fields nor an operator who lifts
// it lets one submission have that.
func TestAttackPhones(t *testing.T) {
	p, lifted := phonePlan(t), DefaultLimits()
	lifted.Fields = 1 << 20
	json := `{"phones":[` + strings.TrimSuffix(strings.Repeat(`"+493012345678",`, 1<<16), ",") + `]}`
	form := strings.TrimSuffix(strings.Repeat("phones[]=%2B493012345678&", 1<<15), "&")
	for name, read := range map[string]func(Limits) error{
		"json": func(lim Limits) error { _, _, err := rebuild(p, json, lim); return err },
		"form": func(lim Limits) error { _, _, err := rebuildForm(p, form, lim); return err },
	} {
		for rule, lim := range map[string]Limits{"fields": DefaultLimits(), "work": lifted} {
			if err := refusal(t, read(lim)); err.Rule != rule {
				t.Errorf("%s: refused by %q, want %q", name, err.Rule, rule)
			}
		}
	}
}

// What one submission may ask of rules is bounded by how many numbers are read,
// whatever it holds; each takes less than the 20 µs that it is counted as.
func TestWorkIsBounded(t *testing.T) {
	lifted := DefaultLimits()
	lifted.Fields = 1 << 20
	_, rep, err := rebuild(phonePlan(t), `{"phones":[`+strings.TrimSuffix(strings.Repeat(`"+493012345678",`, 1<<16), ",")+`]}`, lifted)
	if read := rep.Outcomes[0].Kept + rep.Outcomes[0].Stripped; err == nil || read == 0 || read > maxWork/phoneWork {
		t.Errorf("%d numbers are read, of at most %d: %v", read, maxWork/phoneWork, err)
	}
}

// RE2 is linear, but some expressions take a microsecond for each byte.
func TestAttackCostlyPattern(t *testing.T) {
	p, err := NewPlan([]Field{{Path: segments("a"), Kept: true, Rule: NewRule(Rule{Pattern: regexp.MustCompile(`^(?:(.*a){20})$`)})}}, Brackets)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := rebuild(p, `{"a":"`+strings.Repeat("ab", 1<<18)+`"}`, DefaultLimits()); refusal(t, err).Rule != "work" {
		t.Errorf("refused by %v, want work", err)
	}
	if _, rep, err := rebuild(p, `{"a":"`+strings.Repeat("a", 1000)+`"}`, DefaultLimits()); err != nil || rep.Outcomes[0].Kept != 1 {
		t.Errorf("a text of 1,000 characters: %v", err)
	}
}

// BenchmarkPhones reports the processor time that the largest list of
// telephone numbers takes which max_fields lets pass, and that of a MiB of
// them, which is refused. The bound is 50 ms.
func BenchmarkPhones(b *testing.B) {
	p, lifted := phonePlan(b), DefaultLimits()
	lifted.Fields = 1 << 20
	most := `{"phones":[` + strings.TrimSuffix(strings.Repeat(`"+493012345678",`, 900), ",") + `]}`
	all := `{"phones":[` + strings.TrimSuffix(strings.Repeat(`"+493012345678",`, 1<<16), ",") + `]}`
	for name, c := range map[string]struct {
		body string
		lim  Limits
	}{"900": {most, DefaultLimits()}, "1MiB": {all, DefaultLimits()}, "1MiB-lifted": {all, lifted}} {
		b.Run(name, func(b *testing.B) {
			start := cpuTime(b)
			for b.Loop() {
				_, _, _ = rebuild(p, c.body, c.lim)
			}
			b.ReportMetric(float64((cpuTime(b)-start)/time.Duration(b.N))/1e6, "cpu-ms/op")
		})
	}
}

// cpuTime returns the processor time of the process: wall time is off by a factor
// of two to four on a shared machine.
func cpuTime(b *testing.B) time.Duration {
	b.Helper()
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_PROCESS_CPUTIME_ID, &ts); err != nil {
		b.Skip("no processor clock: ", err)
	}
	return time.Duration(ts.Nano())
}
