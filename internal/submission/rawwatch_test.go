package submission

import (
	"bytes"
	"strings"
	"testing"
)

// rawCases are bodies that pass as received, and those that only seem to be such.
// The field "name" passes as written, "ssn" is denied, "mail" is checked, "box" is
// ticked, "address.city" is denied.
var rawCases = []struct {
	name, body string
	refused    bool
}{
	{"nothing", "", false},
	{"a picture", "\x89PNG\r\n\x1a\n\x00\x00", false},
	{"bytes with separators", "\x00\x01\xffbytes&=", false},
	{"a text", "Dear Ada,\nname=Bob & Eve; x=1", false},
	{"an address in a text", "See https://a.example/?id=1&name=x", false},
	{"base64", "QUJDREVGRw==", false},
	{"a table", "\"name\",\"age\"\r\n\"Ada\",36", false},
	{"a number", "12.5", false},
	{"a script", "#!/bin/sh\necho {}", false},
	{"XML", "<?xml version=\"1.0\"?><a name=\"x\" ssn=\"1\"/>", false},
	{"a form without a declared name", "age=1&x=2", false}, // the contract; see RULES.md

	{"JSON", `{"ssn":1}`, true},
	{"a list", "\t\n [1]", true},
	{"lines of JSON", "{}\n{}", true},
	// Decoders that detect the encoding by its zeros (9 of 42), or by a mark.
	{"JSON in UTF-16, big end first", "\x00{\x00}", true},
	{"JSON in UTF-16, with a mark", "\xff\xfe{\x00}\x00", true},
	{"JSON in UTF-32", "\x00\x00\x00{", true},
	{"a byte order mark", "\ufeff{}", true},
	{"a space that a script trims", "\u00a0\u2003\ufeff{}", true},
	{"a vertical tab and a zero, which PHP trims", "\v\x00{}", true},
	// Ruby's parser, Gson and Jackson can skip comments.
	{"a comment", "/* a */{}", true},
	{"a comment to the end of the line", "// a\n# b\n [1]", true},
	{"a comment that never ends", "/*" + strings.Repeat("x", 100), false}, // it is all there is
	{"the guard that Gson skips", ")]}'\n{}", true},
	{"a multipart form", "--b\r\nContent-Disposition: form-data; name=\"ssn\"\r\n\r\n1\r\n--b--", true},
	{"a multipart form behind an empty line", "\r\n--b\r\n", true},

	{"a form", "name=a&age=1", true},
	{"a form with an escape", "age=1&n%61me=a", true},
	{"a form behind white space", " \r\nname=a", true},
	{"a branch", "age=1&address[street]=a", true},
	{"another letter case", "age=1&NAME=a", true},
	{"the segments of other names", "age=1&x[name]=1&x.ssn=1&names=1", false},
	{"semicolons", "age=1;name=a", true},
	{"a name with spaces before it, which PHP trims", "age=1&+%20name=a", true},
	// A byte that no form has must not switch the watch off.
	{"a denied field behind a zero", "\x00&ssn=1", true},
	{"a denied field behind a text", "Dear Ada,\n&ssn=1", true},
	{"a denied branch behind a text", "Dear Ada,&address%5bcity]=1", true},
	{"a checked field", "Dear Ada,&mail=1", true},
	{"a tick", "Dear Ada,&box=on", true},
	{"a denied field behind a long name", strings.Repeat("A", 5000) + "&ssn=1", true},
	{"a long way to a denied name", "x y&" + strings.Repeat("+", 5000) + "ssn=1", true},
	{"a denied name at the start", "ssn=1 2", true},
	{"a denied name that has a dot itself", "x y&first.pet=1", true},
	{"a denied name in brackets", "x y&%5Bpin%5D=1", true},
	{"half an escape", "x y&ss%6=1&s%73n=1", true},
	{"a name that is longer than any", "x y&ssn" + strings.Repeat("x", 5000) + "=1", false},
}

func rawPlan(t *testing.T) *Plan {
	t.Helper()
	p, err := NewPlan([]Field{
		{Path: segments("name"), Kept: true},
		{Path: segments("address", "street"), Kept: true},
		{Path: segments("address", "city")},
		{Path: segments("ssn")},
		{Path: segments("first.pet")},
		{Path: segments("[pin]")},
		{Path: segments("mail"), Kept: true, Rule: NewRule(Rule{Type: "email"})},
		{Path: segments("box"), Kept: true, Box: true},
	}, Brackets)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestRawWatch(t *testing.T) {
	p := rawPlan(t)
	for _, test := range rawCases {
		for _, size := range []int{1, 3, 1 << 20} {
			w := p.NewRawWatch()
			fault := w.Begin([]byte(test.body), true)
			for b := []byte(test.body); len(b) > 0 && fault == nil; b = b[min(size, len(b)):] {
				fault = w.Next(b[:min(size, len(b))])
			}
			if (fault != nil) != test.refused || fault != nil && (fault.Rule != "disguised-body" || fault.Status != 415) {
				t.Errorf("%s, by %d: %v, want refused: %v", test.name, size, fault, test.refused)
			}
		}
	}
	// What begins blank and is longer than what is looked at may be JSON.
	for _, blank := range []string{"/*" + strings.Repeat("x", 1000), "// a", "/* a */" + strings.Repeat(" ", 1000)} {
		if p.NewRawWatch().Begin([]byte(blank), false) == nil {
			t.Errorf("%.10q and more is accepted", blank)
		}
	}
	// An image of a disk can begin with many zeros.
	zeros := strings.Repeat("\x00", 1000)
	for rest, want := range map[string]bool{"CD001": false, " {}": true} {
		w := p.NewRawWatch()
		if fault := w.Begin([]byte(zeros), false); fault != nil || w.Next([]byte(zeros)) != nil {
			t.Errorf("zeros are refused: %v", fault)
		}
		if got := w.Next([]byte(rest)) != nil; got != want {
			t.Errorf("%s behind zeros is refused: %v", rest, got)
		}
	}
	everything, err := NewPlan([]Field{{Path: segments("**"), Kept: true}}, Brackets)
	if err != nil {
		t.Fatal(err)
	}
	if everything.NewRawWatch().Next([]byte("x=1")) == nil {
		t.Error("a form is accepted where any name is declared")
	}
}

// The watch looks at each byte once, whatever it is, and holds nothing of it.
func BenchmarkRawWatch(b *testing.B) {
	p, err := NewPlan([]Field{{Path: []Segment{{Text: "ssn"}}}}, Brackets)
	if err != nil {
		b.Fatal(err)
	}
	for name, piece := range map[string]string{"zeros": "\x00", "names": "&a=", "escapes": "&%61%62", "open": "&x"} {
		body := bytes.Repeat([]byte(piece), 1<<20/len(piece))
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			for b.Loop() {
				if err := p.NewRawWatch().Next(body); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
