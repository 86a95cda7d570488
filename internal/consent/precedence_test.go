package consent

import (
	"flag"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/modicum-proxy/modicum/internal/consent/signal"
	"github.com/modicum-proxy/modicum/internal/policy"
)

var update = flag.Bool("update", false, "write the table of README.md anew")

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

const today = "text of today"

func isToday(notice string) bool { return notice == today }

func granted(by Source) State {
	return State{Purpose: "news", Action: Grant, Source: by, Time: noon.AddDate(-1, 0, 0), Notice: today}
}

func TestDecide(t *testing.T) {
	expired, expiring, outdated, undated := granted(FromPage), granted(FromPage), granted(FromPage), granted(FromPage)
	expired.Expires, expiring.Expires = noon, noon.Add(time.Nanosecond)
	outdated.Notice, undated.Notice = "text of yesterday", ""
	chose := func(action Action) State { return State{Action: action, Source: FromPage} }
	yes, no, gpc := Signal{FromKlaro, true}, Signal{FromTCF, false}, Signal{FromGPC, false}
	for _, c := range []struct {
		what   string
		latest State
		told   []Signal
		status Status
		source Source
	}{
		{"nothing is known", State{}, nil, Unasked, NoSource},
		{"a signal grants", State{}, []Signal{yes}, Granted, FromKlaro},
		{"a signal refuses", State{}, []Signal{no}, Denied, FromTCF},
		{"the most restrictive signal wins", State{}, []Signal{yes, no}, Denied, FromTCF},
		{"the first signal that refuses is named", State{}, []Signal{gpc, no}, Denied, FromGPC},
		{"a choice wins over a signal that refuses", granted(FromPage), []Signal{no, gpc}, Granted, FromPage},
		{"a withdrawal wins over a signal that grants", chose(Withdraw), []Signal{yes}, Denied, FromPage},
		{"a refusal wins over a signal that grants", chose(Refuse), []Signal{yes}, Denied, FromPage},
		{"an objection wins over a signal that grants", chose(Object), []Signal{yes}, Denied, FromPage},
		{"a consent in its last instant", expiring, nil, Granted, FromPage},
		{"a consent at its term", expired, nil, Expired, NoSource},
		{"an expired consent, and a signal grants", expired, []Signal{yes}, Granted, FromKlaro},
		{"an expired consent, and a signal refuses", expired, []Signal{no}, Denied, FromTCF},
		{"an expiry that was recorded", State{Action: Expire, Source: FromTerm}, nil, Expired, NoSource},
		{"an expiry that was recorded, and a signal grants", State{Action: Expire, Source: FromTerm}, []Signal{yes}, Granted, FromKlaro},
		{"a consent to another text", outdated, nil, Outdated, NoSource},
		{"a consent to no text", undated, nil, Outdated, NoSource},
		{"a consent to another text, and a signal grants", outdated, []Signal{yes}, Granted, FromKlaro},
		{"an action of a later version", chose("suspend"), []Signal{yes}, Denied, FromPage},
		{"a link, which no state can be", chose(Link), []Signal{yes}, Denied, FromPage},
		// Who can write one row, or restores one of a system that stored
		// signals, must not make a consent of it.
		{"a stored consent from a signal", granted(FromKlaro), nil, Unasked, NoSource},
		{"a stored consent from nobody", granted(NoSource), nil, Unasked, NoSource},
		{"a stored consent from a stranger", granted("stranger"), nil, Unasked, NoSource},
		{"a stored consent from the operator", granted(FromOperator), nil, Unasked, NoSource},
		{"a stored withdrawal from a stranger", State{Action: Withdraw, Source: "stranger"}, []Signal{yes}, Denied, "stranger"},
		{"a signal of a stranger grants", State{}, []Signal{{"stranger", true}}, Unasked, NoSource},
		{"a signal of a stranger refuses", State{}, []Signal{yes, {"stranger", false}}, Denied, "stranger"},
		{"the zero signal", State{}, []Signal{yes, {}}, Denied, NoSource},
		{"an explicit source is no signal", State{}, []Signal{{FromPage, true}}, Unasked, NoSource},
	} {
		if status, source := Decide(c.latest, c.told, noon, isToday); status != c.status || source != c.source {
			t.Errorf("%s: %s by %q, not %s by %q", c.what, status, source, c.status, c.source)
		}
	}
}

// TestDecideWithoutKnowledge: a clock or notices that nobody set let nothing
// stand.
func TestDecideWithoutKnowledge(t *testing.T) {
	if status, _ := Decide(granted(FromPage), nil, noon, nil); status != Outdated {
		t.Errorf("without notices: %s", status)
	}
	if status, _ := Decide(granted(FromPage), nil, time.Time{}, isToday); status != Expired {
		t.Errorf("without a clock: %s", status)
	}
}

// TestPrecedenceIsWhatDecideFollows holds each row of the table against the
// function.
func TestPrecedenceIsWhatDecideFollows(t *testing.T) {
	for _, r := range Precedence() {
		status, _ := Decide(granted(r.Source), nil, noon, isToday)
		if got, want := status == Granted, r.Explicit && r.Grants; got != want {
			t.Errorf("a stored consent from %s stands: %v", r.Source, got)
		}
		status, _ = Decide(State{}, []Signal{{r.Source, true}}, noon, isToday)
		if got, want := status == Granted, !r.Explicit && r.Grants; got != want {
			t.Errorf("a signal of %s grants: %v", r.Source, got)
		}
		status, _ = Decide(State{}, []Signal{{Source: FromKlaro, Grants: true}, {Source: r.Source}}, noon, isToday)
		if status != Denied {
			t.Errorf("a word of %s that refuses: %s", r.Source, status)
		}
		if r.Explicit && !r.Stored {
			t.Errorf("what a person chose by %s would be lost", r.Source)
		}
		if r.Because == "" {
			t.Errorf("%s has no reason", r.Source)
		}
	}
}

// TestPrecedenceHasEachSource compares the table with the constants of
// consent.go and with the sources that signals come from.
func TestPrecedenceHasEachSource(t *testing.T) {
	all := []Source{
		FromForm, FromPage, FromAPI, FromADPC, FromOperator, FromTerm,
		FromGPC, FromKlaro, FromCookie, FromCC, FromFides, FromTCF, FromGPP,
	}
	for _, source := range all {
		if n := countOf(source); n != 1 {
			t.Errorf("the table has %s %d times", source, n)
		}
	}
	if len(precedence) != len(all) {
		t.Errorf("the table has %d rows for %d sources", len(precedence), len(all))
	}
	for _, source := range []signal.Source{signal.GPC, signal.GPP, signal.TCF, signal.Fides, signal.CookieConsent, signal.Klaro, signal.Cookie} {
		r := rank(Source(source))
		if r.Source == NoSource || r.Explicit || r.Stored {
			t.Errorf("the signal %s is %+v", source, r)
		}
	}
}

func countOf(source Source) int {
	n := 0
	for _, r := range precedence {
		if r.Source == source {
			n++
		}
	}
	return n
}

// TestTellInOrder: the signals of a request come in the order of the table,
// so that the source that decided does not depend on the order of cookies.
func TestTellInOrder(t *testing.T) {
	set, problems := policy.Compile(policy.Source{Name: "p.yaml", Data: []byte("version: 1\ncontroller: {name: Whittle}\npurposes:\n" +
		"  ads: {basis: consent, retention: 1y, objection: gpc, signals: {klaro: ads, cc_cookie: ads, gpp: sale}}\n" +
		"  news: {basis: consent, retention: 1y, signals: {klaro: news}}\n")})
	if err := problems.Err(); err != nil {
		t.Fatal(err)
	}
	reader := signal.NewReader(set, nil)
	said := reader.Read(http.Header{
		"Sec-Gpc": {"1"}, "Cookie": {`klaro={"ads":true,"news":true}; cc_cookie={"categories":[]}; __gpp=DBABTA~1YNN`},
	})
	ads, news := AppendSignals(nil, &said, 0), AppendSignals(nil, &said, 1)
	if want := []Signal{{FromGPC, false}, {FromCC, false}, {FromKlaro, true}}; !slices.Equal(ads, want) {
		t.Errorf("of ads it says %v", ads)
	}
	if want := []Signal{{FromKlaro, true}}; !slices.Equal(news, want) {
		t.Errorf("of news it says %v", news)
	}
	if status, source := Decide(State{}, ads, noon, isToday); status != Denied || source != FromGPC {
		t.Errorf("ads are %s by %s", status, source)
	}
	buffer := make([]Signal, 0, len(precedence))
	if n := testing.AllocsPerRun(100, func() { Decide(State{}, AppendSignals(buffer, &said, 0), noon, isToday) }); n != 0 {
		t.Errorf("a decision takes %v allocations", n)
	}
	if told := AppendSignals(nil, &signal.Signals{}, 0); told != nil {
		t.Errorf("nothing says %v", told)
	}
}

// Generators of rapid.

func anySource() *rapid.Generator[Source] {
	sources := []Source{NoSource, "stranger"}
	for _, r := range precedence {
		sources = append(sources, r.Source)
	}
	return rapid.SampledFrom(sources)
}

func anySignals() *rapid.Generator[[]Signal] {
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) Signal {
		return Signal{Source: anySource().Draw(t, "source"), Grants: rapid.Bool().Draw(t, "grants")}
	}), 0, 6)
}

func anyState() *rapid.Generator[State] {
	return rapid.Custom(func(t *rapid.T) State {
		s := State{
			Action: rapid.SampledFrom([]Action{"", Grant, Grant, Refuse, Withdraw, Object, Expire, Link, "suspend"}).Draw(t, "action"),
			Source: anySource().Draw(t, "source"),
			Notice: rapid.SampledFrom([]string{today, today, "", "yesterday"}).Draw(t, "notice"),
		}
		if rapid.Bool().Draw(t, "expires") {
			s.Expires = noon.Add(time.Duration(rapid.IntRange(-2, 2).Draw(t, "until")) * time.Hour)
		}
		return s
	})
}

// TestNothingGrantsAfterAWithdrawal: no mix of signals, however a script or a
// subdomain composes it, gets past what the person took back.
func TestNothingGrantsAfterAWithdrawal(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		latest := anyState().Draw(t, "latest")
		latest.Action = rapid.SampledFrom([]Action{Refuse, Withdraw, Object}).Draw(t, "restriction")
		if status, _ := Decide(latest, anySignals().Draw(t, "told"), noon, isToday); status != Denied {
			t.Fatalf("%s after %s", status, latest.Action)
		}
	})
}

// TestRestrictionsNeverGrant: one more signal that refuses never lets more
// pass, and one signal less never does where it granted.
func TestRestrictionsNeverGrant(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		latest, told := anyState().Draw(t, "latest"), anySignals().Draw(t, "told")
		before, _ := Decide(latest, told, noon, isToday)
		more := slices.Insert(slices.Clone(told), rapid.IntRange(0, len(told)).Draw(t, "at"), Signal{Source: anySource().Draw(t, "by")})
		after, _ := Decide(latest, more, noon, isToday)
		if after == Granted && before != Granted {
			t.Fatalf("%v grants, %v does not", more, told)
		}
		if after == Granted && rank(latest.Source).Explicit == false {
			t.Fatalf("%v grants although one refuses, and nobody chose", more)
		}
		for i := range told {
			if !told[i].Grants {
				continue
			}
			less := slices.Delete(slices.Clone(told), i, i+1)
			if status, _ := Decide(latest, less, noon, isToday); status == Granted && before != Granted {
				t.Fatalf("%v grants, %v does not", less, told)
			}
		}
	})
}

// TestOrderOfSignalsDoesNotMatter, nor does the order of what is granted.
func TestOrderOfSignalsDoesNotMatter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		latest, told := anyState().Draw(t, "latest"), anySignals().Draw(t, "told")
		before, _ := Decide(latest, told, noon, isToday)
		after, _ := Decide(latest, rapid.Permutation(told).Draw(t, "permuted"), noon, isToday)
		if before != after {
			t.Fatalf("%s, and in another order %s", before, after)
		}
	})
}

// TestGrantsHaveAReason: what is granted names a source that may grant.
func TestGrantsHaveAReason(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		latest, told := anyState().Draw(t, "latest"), anySignals().Draw(t, "told")
		if status, source := Decide(latest, told, noon, isToday); status == Granted && !rank(source).Grants {
			t.Fatalf("granted by %q", source)
		}
	})
}

// TestReadmeShowsPrecedence: people who read the table read what Decide
// follows.
func TestReadmeShowsPrecedence(t *testing.T) {
	const begin, end = "<!-- precedence: go test ./internal/consent -run Readme -update -->\n", "<!-- end of precedence -->\n"
	data, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(data), begin)
	table, after, closed := strings.Cut(rest, end)
	if !ok || !closed {
		t.Fatal("README.md lacks the marks of the table")
	}
	want := tableOf(Precedence())
	if *update {
		if err := os.WriteFile("README.md", []byte(before+begin+want+end+after), 0o600); err != nil { //nolint:gosec // G703: a fixed name
			t.Fatal(err)
		}
		return
	}
	if table != want {
		t.Error("README.md shows another table: run with -update")
	}
}

func tableOf(ranks []Rank) string {
	yes := map[bool]string{true: "yes", false: "–"}
	var b strings.Builder
	b.WriteString("| source | explicit | grants | restricts | stored | because |\n|---|---|---|---|---|---|\n")
	for _, r := range ranks {
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s | %s |\n", r.Source, yes[r.Explicit], yes[r.Grants], yes[r.Restricts], yes[r.Stored], r.Because)
	}
	return b.String()
}

func BenchmarkDecide(b *testing.B) {
	latest, told := granted(FromPage), []Signal{{FromKlaro, true}, {FromTCF, true}}
	lapsed := latest
	lapsed.Notice = ""
	for name, state := range map[string]State{"choice": latest, "signals": lapsed} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				Decide(state, told, noon, isToday)
			}
		})
	}
}
