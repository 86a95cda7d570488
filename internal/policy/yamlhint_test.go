package policy

import (
	"strings"
	"testing"
)

// TestYAMLTraps has what YAML reads in another way than whoever writes a policy:
// each is an error with a remedy.
func TestYAMLTraps(t *testing.T) {
	const head = "version: 1\npurposes:\n  p: {basis: contract, retention: 1y}\ncollections:\n  c:\n    on: POST /x\n    fields:\n      name: p\n      "
	for field, hint := range map[string]string{
		"a: {for: p, one_of: [12:30, 13:00]}":    "a colon in quotes",
		"a: {for: p, one_of: [a, b:c]}":          "a colon in quotes",
		"a: {for: p, one_of: [null]}":            `"null" in quotes`,
		"a: {for: p, one_of: [007]}":             "in quotes",
		"a: {for: p, one_of: [1_000]}":           "in quotes",
		"a: {for: p, one_of: {12: 30}}":          "in quotes",
		"a: {for: p, pattern: [a-z]+}":           "in quotes",
		`a: {for: p, pattern: \d{5}}`:            "in quotes",
		`a: {for: p, pattern: "\d+"}`:            "single quotes",
		"a: {for: p, pattern: a,b}":              "contains one in quotes",
		"a: {for: p, max: 5,000}":                "contains one in quotes",
		"a: {for: p, required: yes}":             "without quotes",
		"a: {for: p, otherwise: }":               "write null",
		"a: {for:p}":                             "a space after the colon",
		"@type: p":                               "in quotes",
		"`a`: p":                                 "in quotes",
		"&a: p":                                  "in quotes",
		"*a: p":                                  "quotes",
		"!a: p":                                  "in quotes",
		"|a: p":                                  "in quotes",
		"? a: p":                                 "in quotes",
		"a #b: p":                                "in quotes",
		"[email]: p":                             "in quotes",
		"{{city}}: p":                            "in quotes",
		"{token:[0-9a-f]{32}}: p":                "in quotes",
		`"E-mail \*": p`:                         "in single quotes",
		`"\[email\]": p`:                         "single quotes",
		"null: p":                                "in quotes",
		"~: p":                                   "in quotes",
		"<<: p":                                  "in quotes",
		"a:p":                                    "a space after the colon",
		"a: b: p":                                "in quotes",
		"\ta: p":                                 "spaces",
		"a: 'p":                                  "quote",
		"a: [p":                                  "close the bracket",
		"a: {for: p":                             "close the bracket",
		"a: {for: p}}":                           "bracket",
		"a: {for: p, one_of: [\"12\":30]}":       "in quotes",
		"a: {for: p, one_of: [a, {b: c}]}":       "in quotes",
		"a: {for: p, otherwise: {b: c}}":         "in quotes",
		"a: {for: p, category: user.name, x:y }": "a colon in quotes",
	} {
		_, problems := Compile(Source{"policy.yaml", []byte(head + field + "\n")})
		if problems.Err() == nil || !strings.Contains(problems[0].Hint, hint) || problems[0].Position.Line != 9 {
			t.Errorf("%s: want %q, got %v", field, hint, problems)
		}
	}
}

// TestYAMLReadsAsWritten has what YAML 1.1 reads as another value than was written,
// and we do not.
func TestYAMLReadsAsWritten(t *testing.T) {
	const head = "version: 1\npurposes:\n  p: {basis: contract, retention: 1y}\ncollections:\n  c:\n    on: POST /x\n    fields: "
	for fields, want := range map[string]string{
		"{a: {for: p, one_of: [yes, no, on, off]}}":                                       "a=yes,no,on,off",
		"{a: {for: p, one_of: [2026-11-22, 1.10, -0, 1e3]}}":                              "a=2026-11-22,1.10,-0,1e3",
		"{a: {for: p, one_of: 12:30}}":                                                    "a=12:30",
		`{a: {for: p, one_of: ["12:30", '007', "null", ""]}}`:                             "a=12:30,007,null,",
		"{yes: p, no: p, 010: p, 1.0: p, 2026-11-22: p}":                                  "yes= no= 010= 1.0= 2026-11-22=",
		"{a.b: p, c d: p, $x: p, '@y': p, \"*\": p, http://z: p}":                         "a.b= c d= $x= @y= *= http://z=",
		"{\"a:b\":p, 'c':p}":                                                              "a:b= c=",
		"\n      form:email: p\n      -a: p\n      %b: p\n      c#d: p\n      a\\.b: p":   `form:email= -a= %b= c#d= a\.b=`,
		"\n      a:\n        for: p\n        one_of:\n          - 12:30\n          - off": "a=12:30,off",
	} {
		var got []string
		for _, f := range compile(t, head+fields+"\n").Collections[0].Fields {
			got = append(got, f.Name+"="+strings.Join(f.OneOf, ","))
		}
		if read := strings.Join(got, " "); read != want {
			t.Errorf("%s is read as %s, not %s", fields, read, want)
		}
	}
}
