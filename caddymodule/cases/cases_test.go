//go:build unix

// Package cases runs the cases of testdata against a real Caddy before an
// application that records what arrives. README.md describes a case.
package cases

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// family is a file of testdata.
type family struct {
	About string  `json:"about"`
	Head  lines   `json:"head"` // before each policy that has no version of its own
	Cases []*test `json:"cases"`
}

// test is a case. README.md describes its keys.
type test struct {
	ID         string `json:"id"`
	Kind       string `json:"kind"`
	Why        string `json:"why"`
	Source     string `json:"source"` // where the names come from
	Regression bool   `json:"regression"`

	Policy      lines             `json:"policy"`
	Options     lines             `json:"options"`
	Caddyfile   lines             `json:"caddyfile"`
	Environment map[string]string `json:"environment"`

	Check    *speech    `json:"check"`
	Start    *speech    `json:"start"`
	Request  *request   `json:"request"`
	Expect   *expect    `json:"expect"`
	Requests []*request `json:"requests"`
	After    *speech    `json:"after"`
}

// request is what a client sends, and what is expected to come of it.
type request struct {
	Method  string   `json:"method"` // default: POST
	Target  string   `json:"target"`
	Headers []string `json:"headers"`
	Body    *content `json:"body"`
	Expect  *expect  `json:"expect"`
}

type expect struct {
	Status   oneOf[int]      `json:"status"`
	Upstream json.RawMessage `json:"upstream"` // null: nothing arrives
	Response *response       `json:"response"`
	Tells    []oneOf[string] `json:"tells"`
	Log      speech          `json:"log"`
}

type response struct {
	Headers map[string]wanted `json:"headers"`
	Has     []oneOf[string]   `json:"has"`
	Lacks   []string          `json:"lacks"`
}

// upstream is the request that is expected to arrive.
type upstream struct {
	Target     *string           `json:"target"`
	Query      [][2]wanted       `json:"query"`
	Form       [][2]wanted       `json:"form"`
	Parts      []part            `json:"parts"`
	JSON       wanted            `json:"json"`
	Lines      []wanted          `json:"lines"`
	Body       *content          `json:"body"`
	Type       string            `json:"type"`
	Parameters map[string]string `json:"parameters"`
	Headers    map[string]wanted `json:"headers"`
	Absent     []string          `json:"absent"`
}

// part is a part of a multipart form. One without a file name has none.
type part struct {
	Name     wanted   `json:"name"`
	Filename wanted   `json:"filename"`
	Type     wanted   `json:"type"`
	Body     *content `json:"body"`
	Base64   []byte   `json:"base64"`
	JSON     wanted   `json:"json"`
}

// speech is what a command or the log is expected to print.
type speech struct {
	Args   []string        `json:"args"`
	Exit   oneOf[int]      `json:"exit"`
	Strict bool            `json:"strict"`
	Says   []diagnostic    `json:"says"`
	Has    []oneOf[string] `json:"has"`
	Lacks  []string        `json:"lacks"`
}

// diagnostic is expected on the line of the policy where At comes first.
type diagnostic struct {
	At    string          `json:"at"`
	Level oneOf[string]   `json:"level"`
	Has   []oneOf[string] `json:"has"`
}

func readFamily(t *testing.T, name string) *family {
	t.Helper()
	raw, err := os.ReadFile(name) //nolint:gosec // G304: a file of testdata
	if err != nil {
		t.Fatal(err)
	}
	f := new(family)
	if err := unmarshalStrictly(raw, f); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	for _, c := range f.Cases {
		if c.Policy != "" && !strings.HasPrefix(string(c.Policy), "version:") {
			c.Policy = f.Head + c.Policy
		}
		if c.Request != nil {
			c.Request.Expect = c.Expect
			c.Requests = append(c.Requests, c.Request)
		}
		if c.ID == "" || c.Kind == "" || c.Why == "" || c.Check == nil && c.Start == nil && c.Requests == nil {
			t.Fatalf("%s: a case has an id, a kind, a why and something to try: %+v", name, c)
		}
	}
	return f
}

// TestCases runs each case.
func TestCases(t *testing.T) {
	files, err := filepath.Glob("testdata/*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	ids := make(map[string]bool)
	for _, file := range files {
		f := readFamily(t, file)
		for _, c := range f.Cases {
			if ids[c.ID] {
				t.Errorf("two cases have the id %s", c.ID)
			}
			ids[c.ID] = true
		}
		t.Run(strings.TrimSuffix(filepath.Base(file), ".json"), func(t *testing.T) {
			for _, c := range f.Cases {
				t.Run(c.ID, c.run)
			}
		})
	}
}

func (c *test) run(t *testing.T) {
	if err := c.try(t); err != nil {
		t.Errorf("%s\n%v", c.Why, err)
	}
}

// try returns what was observed in place of what the case expects.
func (c *test) try(t *testing.T) error {
	t.Helper()
	f := newFolder(t, c)
	if c.Check != nil {
		if err := f.check(c.Check); err != nil {
			return err
		}
	}
	if c.Start != nil {
		if err := f.validate(c.Start); err != nil {
			return err
		}
	}
	if c.Requests != nil {
		if err := f.start(); err != nil {
			return err
		}
	}
	for i, r := range c.Requests {
		if err := f.compare(r); err != nil {
			return fmt.Errorf("request %d: %w", i+1, err)
		}
	}
	if c.After != nil {
		status, words := f.command(c.After.Args...)
		if err := c.After.compare(c.After.Args[0], status, words); err != nil {
			return err
		}
	}
	return nil
}

// unmarshalStrictly refuses keys that v does not have.
func unmarshalStrictly(raw []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return fmt.Errorf("reading %.80s: %w", raw, err)
	}
	return nil
}

// The README's table names each application.
func TestReadmeNamesApplications(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range readFamily(t, "testdata/applications.json").Cases {
		if c.Source == "" || !strings.Contains(string(readme), "| `"+c.ID+"` |") || !strings.Contains(string(readme), "| "+c.Source+" |") {
			t.Errorf("README.md does not name %s and its source", c.ID)
		}
	}
}
