package policy

import (
	"bytes"
	"cmp"
	"fmt"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	generator "github.com/invopop/jsonschema"
)

// The README is the reference of the language. Its tables of keys are written from
// the structs of language.go, between markers that name the struct.
const referenceFile = "README.md"

var keysMarker = regexp.MustCompile(`(?s)(<!-- keys: ([a-zA-Z]+) -->\n).*?(<!-- end of keys -->)`)

func TestReferenceIsUpToDate(t *testing.T) {
	reference, err := os.ReadFile(referenceFile)
	if err != nil {
		t.Fatal(err)
	}
	tables := keyTables(t)
	written := make(map[string]bool)
	generated := keysMarker.ReplaceAllFunc(reference, func(block []byte) []byte {
		parts := keysMarker.FindSubmatch(block)
		name := string(parts[2])
		if written[name] || tables[name] == "" {
			t.Errorf("%s has a second table of %q, or no struct has this name", referenceFile, name)
		}
		written[name] = true
		return slices.Concat(parts[1], []byte(tables[name]), parts[3])
	})
	for name := range tables {
		if !written[name] {
			t.Errorf("%s lacks the markers <!-- keys: %s --> and <!-- end of keys -->", referenceFile, name)
		}
		if heading := regexp.MustCompile(`(?mi)^#+ ` + name + `$`); !heading.Match(reference) {
			t.Errorf("%s lacks the heading %s, to which the other tables link", referenceFile, name)
		}
	}
	for _, kind := range keepKinds {
		if named := regexp.MustCompile("`" + kind + "[`(]"); !named.Match(reference) {
			t.Errorf("%s lacks the reduction %s", referenceFile, kind)
		}
	}
	if *update {
		if err := os.WriteFile(referenceFile, generated, 0o600); err != nil { //nolint:gosec // G703: a constant
			t.Fatal(err)
		}
		return
	}
	if !bytes.Equal(generated, reference) {
		t.Errorf("%s is not what the structs of language.go say: run go generate", referenceFile)
	}
}

// keyTables returns the tables of keys by the names of their structs. The keys of a
// definition are among those of a field.
func keyTables(t *testing.T) map[string]string {
	t.Helper()
	comments := commentsOf(t, "language.go")
	tables := make(map[string]string)
	for _, s := range languageStructs {
		if s == reflect.TypeFor[definitionDecl]() {
			continue
		}
		var b strings.Builder
		b.WriteString("| key | takes | default | meaning |\n|---|---|---|---|\n")
		keys := keysOf(s)
		for _, name := range keys.names {
			f := s.FieldByIndex(keys.byName[name].index)
			comment := cmp.Or(comments[s.Name()+"."+f.Name], comments["rules."+f.Name])
			if comment == "" {
				t.Errorf("the key %q of %v has no comment", name, s)
			}
			meaning, standard := cutDefault(comment)
			if keys.byName[name].required {
				standard = "required"
			}
			fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", name, takes(f.Type), standard, strings.ReplaceAll(meaning, "|", `\|`))
		}
		tables[definitionName(s)] = b.String()
	}
	return tables
}

var defaultAtEnd = regexp.MustCompile(`^(.*?) ?Default: ([^.]+)\.$`)

// cutDefault splits the comment of a key into what it means and its default.
func cutDefault(comment string) (meaning, standard string) {
	line := strings.Join(strings.Fields(comment), " ")
	if parts := defaultAtEnd.FindStringSubmatch(line); parts != nil {
		return parts[1], parts[2]
	}
	return line, ""
}

// takes says what a key takes, in the words of the README.
func takes(t reflect.Type) string {
	switch reflect.New(t).Interface().(type) {
	case *word, *cookiePath:
		return "text"
	case *wordList, *mediaTypes:
		return "text or list"
	case *textValue:
		return "text or languages"
	case *textList:
		return "text or languages, or a list"
	case *scalar, *constant:
		return "value"
	case *scalarList:
		return "value or list"
	case *example:
		return "map or list"
	case *country:
		return "code"
	case *cookieName:
		return "name"
	case *period:
		return "period"
	case *size:
		return "number or size"
	case *pattern:
		return "expression"
	case *keep:
		return "reduction"
	case *named[fieldDecl, *fieldDecl]:
		return "path → text, list or [field](#field)"
	case *named[consentDecl, *consentDecl]:
		return "purpose → text or [consent](#consent)"
	case *named[scalarList, *scalarList]:
		return "path → value or list"
	case *named[readingDecl, *readingDecl]:
		return "media type → `json`, `pass`"
	}
	return takesSchema(schemaOf(t))
}

// takesSchema says what a schema accepts.
func takesSchema(s *generator.Schema) string {
	switch {
	case s.Const != nil:
		return fmt.Sprintf("`%v`", s.Const)
	case s.Enum != nil:
		words := make([]string, len(s.Enum))
		for i, w := range s.Enum {
			words[i] = fmt.Sprintf("`%v`", w)
		}
		return strings.Join(words, ", ")
	case s.Ref != "":
		name := strings.TrimPrefix(s.Ref, "#/$defs/")
		if name == "definition" {
			name = "field"
		}
		return fmt.Sprintf("[%s](#%s)", name, strings.ToLower(name))
	case s.AnyOf != nil:
		ways := make([]string, len(s.AnyOf))
		for i, one := range s.AnyOf {
			ways[i] = takesSchema(one)
		}
		return strings.Join(ways, " or ")
	case s.Type == "integer":
		return fmt.Sprintf("%s to %s", s.Minimum, s.Maximum)
	case s.Type == "boolean":
		return "`true` or `false`"
	case s.Type == "array" && s.Items.Ref != "":
		return "list of " + takesSchema(s.Items)
	case s.Type == "array":
		return "list"
	case s.Type == "object":
		return "name → " + takesSchema(s.AdditionalProperties)
	default:
		return "text"
	}
}
