package signal

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/modicum-proxy/modicum/internal/policy"
)

func subset(a, b policy.PurposeSet) bool { return without(a, b).IsEmpty() }

// FuzzRead: everything that is read comes from the client. Nothing may panic
// or take long, nothing may be told of purposes that nobody is trusted about,
// and a further cookie never lifts what one denies.
func FuzzRead(f *testing.F) {
	r := newReader(f)
	for _, c := range adpcCases {
		f.Add(strings.Join(c.fields[:min(3, len(c.fields))], "\n"), "", "")
	}
	for _, c := range platformCases(f) {
		f.Add("", c.cookie, yes)
	}
	for _, c := range tcCases {
		f.Add("", "euconsent-v2="+c.text, "euconsent-v2="+core+".f____AAAAAAA")
	}
	for _, c := range gppCases {
		f.Add("", "__gpp="+c.text, "__gpp=DBABMA~"+core+".f____AAAAAAA")
	}
	f.Fuzz(func(t *testing.T, adpc, cookie, further string) {
		start := time.Now()
		s := r.Read(map[string][]string{"Adpc": strings.Split(adpc, "\n"), "Cookie": {cookie}})
		if took := time.Since(start); took > time.Second {
			t.Errorf("took %v", took)
		}
		checkChoices(t, r, &s.ADPC)
		more := r.Read(map[string][]string{"Cookie": {cookie, further}})
		for at := range sources {
			if !subset(s.said[at].granted.Union(s.said[at].denied), trusted(r, at)) {
				t.Errorf("%s speaks of what it is not trusted about", sources[at])
			}
			if !subset(s.said[at].denied, more.said[at].denied) {
				t.Errorf("a further cookie lifts what %s denies", sources[at])
			}
		}
		if !s.said[atGPP].granted.IsEmpty() || !s.said[atGPC].granted.IsEmpty() {
			t.Error("an opt-out grants")
		}
	})
}

// trusted returns the purposes that a source is trusted about.
func trusted(r *Reader, at int) policy.PurposeSet {
	var purposes policy.PurposeSet
	if at == atGPC {
		return r.gpc
	}
	for i := range r.cookies {
		if r.cookies[i].at == at {
			purposes = purposes.Union(r.cookies[i].about)
		}
	}
	return purposes
}

func checkChoices(t *testing.T, r *Reader, c *Choices) {
	t.Helper()
	if c.Consented.Intersects(c.Withdrawn.Union(c.Objected)) || c.Withdrawn.Intersects(c.Objected) {
		t.Error("there are two choices about one purpose")
	}
	if !subset(c.Withdrawn, r.consents) || !subset(c.Objected, r.choosable) {
		t.Error("a purpose without a choice is chosen about")
	}
	for id := range c.Consented.All() {
		if _, ok := r.ids[r.set.Purposes[id].Name+"~today"]; !ok {
			t.Error("a purpose is consented to that nobody asked about")
		}
	}
}

// FuzzTC compares with a reader of zeros and ones.
func FuzzTC(f *testing.F) {
	for _, c := range tcCases {
		f.Add(c.text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		consents, found, ok := readTC(text)
		digits, wantOK := slowTC(text)
		if ok != wantOK || found != (digits != "") {
			t.Fatalf("found %v, readable %v; the oracle %q, %v", found, ok, digits, wantOK)
		}
		if found && int(consents) != numberOf(digits) {
			t.Fatalf("%024b, not %s", consents, digits)
		}
	})
}

func numberOf(digits string) int {
	n := 0
	for _, d := range digits {
		n = 2*n + int(d-'0')
	}
	return n
}

// slowTC returns the 24 digits of PubPurposesConsent, none if there are none.
func slowTC(text string) (digits string, ok bool) {
	segments := strings.Split(text, ".")
	if len(segments) > maxSegments {
		return "", false
	}
	for i, segment := range segments {
		all, ok := binary(segment)
		switch {
		case !ok || all == "":
			return "", false
		case i == 0:
			if len(all) < tcCore || all[:6] != "000010" {
				return "", false
			}
			continue
		case all[:3] == "000":
			return "", false
		case all[:3] != "011":
			continue
		case digits != "" || len(all) < 57:
			return "", false
		}
		digits = all[3:27]
		end := 57 + 2*numberOf(all[51:57])
		if len(all) < end || len(all)-end > maxPadding || strings.Contains(all[end:], "1") {
			return "", false
		}
	}
	return digits, true
}

// FuzzGPP compares with a reader that lists the sections first.
func FuzzGPP(f *testing.F) {
	for _, c := range gppCases {
		f.Add(c.text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > maxCookie {
			return
		}
		held, ok := readGPP(text)
		ids, listed := slowHeader(text)
		sections := strings.Split(text, "~")[1:]
		if !listed || len(ids) != len(sections) {
			if ok {
				t.Fatalf("read, but the oracle finds the sections %v", ids)
			}
			return
		}
		var want gppString
		readable := true
		for i, id := range ids {
			readable = readable && want.read(id, sections[i])
		}
		if ok != readable || ok && held != want {
			t.Fatalf("%+v, readable %v; the oracle %+v, %v", held, ok, want, readable)
		}
	})
}

// slowHeader returns the ids of the sections that a header lists.
func slowHeader(text string) (ids []int, ok bool) {
	head, _, _ := strings.Cut(text, "~")
	digits, ok := binary(head)
	if !ok || !strings.HasPrefix(digits, "000011000001") || len(digits) < 24 {
		return nil, false
	}
	n := numberOf(digits[12:24])
	digits = digits[24:]
	next := func() int {
		end := strings.Index(digits, "11")
		if end < 0 || end > maxFibonacci-2 {
			return 0
		}
		code := digits[:end+2]
		digits = digits[end+2:]
		sum, term, after := 0, 1, 2
		for _, d := range code[:len(code)-1] {
			sum += int(d-'0') * term
			term, after = after, term+after
		}
		return sum
	}
	last := 0
	for range n {
		if digits == "" {
			return nil, false
		}
		group := digits[0] == '1'
		digits = digits[1:]
		first := next()
		length := 0
		if group {
			length = next()
		}
		if first == 0 || group && length == 0 || len(ids) > maxCookie {
			return nil, false
		}
		for i := range length + 1 {
			ids = append(ids, last+first+i)
		}
		last += first + length
	}
	return ids, len(digits) <= maxPadding && !slices.Contains([]byte(digits), '1')
}
