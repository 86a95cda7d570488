package policy

import (
	"bytes"
	"encoding/json"
	"flag"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	generator "github.com/invopop/jsonschema"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

var update = flag.Bool("update", false, "write the golden files and the schema anew")

const schemaFile = "policy.v1.schema.json"

func TestSchemaIsUpToDate(t *testing.T) {
	generated, err := json.MarshalIndent(generateSchema(t), "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	generated = append(generated, '\n')
	if *update {
		if err := os.WriteFile(schemaFile, generated, 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	if !bytes.Equal(generated, Schema()) {
		t.Errorf("%s is not what the structs of language.go say: run go generate", schemaFile)
	}
}

// TestSchemaKnowsTheKeysOfTheReader compares what is embedded, not what would be
// generated: editors and the reader must accept the same keys.
func TestSchemaKnowsTheKeysOfTheReader(t *testing.T) {
	var published struct {
		Properties map[string]any
		Required   []string
		Defs       map[string]struct {
			Properties map[string]any
			Required   []string
		} `json:"$defs"`
	}
	if err := json.Unmarshal(Schema(), &published); err != nil {
		t.Fatal(err)
	}
	for _, s := range languageStructs {
		properties, required := published.Properties, published.Required
		if s != languageStructs[0] {
			definition := published.Defs[definitionName(s)]
			properties, required = definition.Properties, definition.Required
		}
		keys := keysOf(s)
		for _, name := range keys.names {
			part := s.FieldByIndex(keys.byName[name].index).Type
			if !reflect.PointerTo(part).Implements(reflect.TypeFor[value]()) {
				t.Errorf("the key %q of %v cannot be read", name, s)
			}
			if _, ok := properties[name]; !ok {
				t.Errorf("the schema lacks the key %q of %v", name, s)
			}
			if got := slices.Contains(required, name); got != keys.byName[name].required {
				t.Errorf("the key %q of %v is required by the schema: %v, by the reader: %v", name, s, got, !got)
			}
		}
		if len(properties) != len(keys.names) {
			t.Errorf("the schema has %d keys for %v, the reader %d", len(properties), s, len(keys.names))
		}
	}
}

// TestSchemaAcceptsPolicies validates the policies that compile: the examples of
// the repository and those of testdata.
func TestSchemaAcceptsPolicies(t *testing.T) {
	published := compileSchema(t)
	files, _ := filepath.Glob("../../examples/*/*.yaml")
	valid, _ := filepath.Glob("testdata/valid/*.yaml")
	for _, file := range append(files, valid...) {
		data, err := os.ReadFile(file) //nolint:gosec // G304: an example or testdata
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Contains(data, []byte("\nversion:")) && !bytes.HasPrefix(data, []byte("version:")) {
			continue
		}
		if err := published.Validate(fromYAML(t, data)); err != nil {
			t.Errorf("%s: %v", file, err)
		}
		if _, problems := Compile(Source{file, data}); problems.Err() != nil {
			t.Errorf("%s: %v", file, problems.Err())
		}
	}
}

func TestSchemaRejects(t *testing.T) {
	published := compileSchema(t)
	const purposes = "version: 1\npurposes:\n  p: {basis: consent}\ncollections:\n  c:\n    on: POST /x\n    "
	for name, text := range map[string]string{
		"no version":                 "purposes: {}\n",
		"another version":            "version: 2\n",
		"unknown key":                "version: 1\ncolections: {}\n",
		"no basis":                   "version: 1\npurposes: {p: {title: x}}\n",
		"unknown basis":              "version: 1\npurposes: {p: {basis: contrakt}}\n",
		"name of a purpose":          "version: 1\npurposes: {a b: {basis: contract}}\n",
		"bad period":                 "version: 1\npurposes: {p: {basis: contract, retention: 3 years}}\n",
		"unknown objection":          "version: 1\npurposes: {p: {basis: contract, objection: dnt}}\n",
		"unknown platform":           "version: 1\npurposes: {p: {basis: consent, signals: {onetrust: x}}}\n",
		"tcf purpose 25":             "version: 1\npurposes: {p: {basis: consent, signals: {tcf: 25}}}\n",
		"tcf purpose 0":              "version: 1\npurposes: {p: {basis: consent, signals: {tcf: 0}}}\n",
		"tcf purpose as text":        "version: 1\npurposes: {p: {basis: consent, signals: {tcf: \"4\"}}}\n",
		"unknown opt-out":            "version: 1\npurposes: {p: {basis: consent, signals: {gpp: sales}}}\n",
		"service without name":       "version: 1\npurposes: {p: {basis: consent, signals: {klaro: \"\"}}}\n",
		"a cookie without condition": "version: 1\npurposes: {p: {basis: consent, signals: {cookie: {name: x}}}}\n",
		"a cookie with two":          "version: 1\npurposes: {p: {basis: consent, signals: {cookie: {name: x, equals: a, matches: b}}}}\n",
		"a cookie without name":      "version: 1\npurposes: {p: {basis: consent, signals: {cookie: {equals: a}}}}\n",
		"the name of a cookie":       "version: 1\npurposes: {p: {basis: consent, signals: {cookie: {name: a b, equals: a}}}}\n",
		"a cookie in one word":       "version: 1\npurposes: {p: {basis: consent, signals: {cookie: x}}}\n",
		"a revision as text":         "version: 1\npurposes: {p: {basis: consent, signals: {cc_cookie: {category: x, revision: \"2\"}}}}\n",
		"a negative revision":        "version: 1\npurposes: {p: {basis: consent, signals: {cc_cookie: {category: x, revision: -1}}}}\n",
		"a revision of klaro":        "version: 1\npurposes: {p: {basis: consent, signals: {klaro: {service: x, revision: 2}}}}\n",
		"klaro without service":      "version: 1\npurposes: {p: {basis: consent, signals: {klaro: {cookie: x}}}}\n",
		"empty title":                "version: 1\npurposes: {p: {basis: contract, title: {}}}\n",
		"controller without name":    "version: 1\ncontroller: {country: DE}\n",
		"country":                    "version: 1\ncontroller: {name: x, country: Germany}\n",
		"no pattern":                 "version: 1\ncollections: {c: {fields: {}}}\n",
		"a field of nothing":         purposes + "fields: {a: }\n",
		"a field without purpose":    purposes + "fields: {a: {type: email}}\n",
		"unknown key of a field":     purposes + "fields: {a: {for: p, tipe: email}}\n",
		"unknown type":               purposes + "fields: {a: {for: p, type: emial}}\n",
		"unknown reduction":          purposes + "fields: {a: {for: p, keep: years}}\n",
		"reduction needs number":     purposes + "fields: {a: {for: p, keep: first}}\n",
		"reduction takes none":       purposes + "fields: {a: {for: p, keep: year(1)}}\n",
		"round too far":              purposes + "fields: {a: {for: p, keep: round(16)}}\n",
		"bad size":                   purposes + "fields: {a: {for: p, max: 5 MiB}}\n",
		"no size":                    purposes + "fields: {a: {for: p, max: 0}}\n",
		"required is no flag":        purposes + "fields: {a: {for: p, required: yes}}\n",
		"otherwise is a list":        purposes + "fields: {a: {for: p, otherwise: [x]}}\n",
		"one_of is empty":            purposes + "fields: {a: {for: p, one_of: []}}\n",
		"consent without field":      purposes + "consents: {p: {value: x}}\n",
		"test without on":            "version: 1\ntests: [{given: {}, expect: {kept: a}}]\n",
		"test expects nothing":       "version: 1\ntests: [{on: POST /x, given: {}, expect: {}}]\n",
	} {
		if published.Validate(fromYAML(t, []byte(text))) == nil {
			t.Errorf("%s: the schema accepts\n%s", name, text)
		}
		if _, problems := Compile(Source{"policy.yaml", []byte(text)}); problems.Err() == nil {
			t.Errorf("%s: the compiler accepts\n%s", name, text)
		}
	}
}

func compileSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	parsed, err := jsonschema.UnmarshalJSON(bytes.NewReader(Schema()))
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource("policy.json", parsed); err != nil {
		t.Fatal(err)
	}
	return compiler.MustCompile("policy.json")
}

func fromYAML(t *testing.T, data []byte) any {
	t.Helper()
	converted, err := yaml.YAMLToJSON(data)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := jsonschema.UnmarshalJSON(bytes.NewReader(converted))
	if err != nil {
		t.Fatal(err)
	}
	return parsed
}

// languageStructs are the structs of language.go, the file itself first.
var languageStructs = []reflect.Type{
	reflect.TypeFor[document](), reflect.TypeFor[controllerDecl](), reflect.TypeFor[partyDecl](),
	reflect.TypeFor[purposeDecl](), reflect.TypeFor[signalsDecl](), reflect.TypeFor[klaroDecl](), reflect.TypeFor[cookieConsentDecl](),
	reflect.TypeFor[fidesDecl](), reflect.TypeFor[cookieDecl](), reflect.TypeFor[definitionDecl](), reflect.TypeFor[collectionDecl](),
	reflect.TypeFor[fieldDecl](), reflect.TypeFor[consentDecl](), reflect.TypeFor[testDecl](), reflect.TypeFor[expectDecl](),
}

func definitionName(t reflect.Type) string { return strings.TrimSuffix(t.Name(), "Decl") }

func generateSchema(t *testing.T) *generator.Schema {
	t.Helper()
	comments := commentsOf(t, "language.go")
	structs := make([]*generator.Schema, len(languageStructs))
	for i, s := range languageStructs {
		r := generator.Reflector{
			Anonymous: true, DoNotReference: true,
			LookupComment: func(t reflect.Type, field string) string { return comments[t.Name()+"."+field] },
			Mapper: func(part reflect.Type) *generator.Schema {
				if part == s || part.Kind() == reflect.Struct && part.Name() == "rules" {
					return nil
				}
				return schemaOf(part)
			},
		}
		structs[i] = r.ReflectFromType(s)
		structs[i].Version = ""
	}
	root := structs[0]
	root.Version, root.ID, root.Title = generator.Version, "https://modicum-proxy.github.io/policy.v1.json", "Modicum policy"
	root.Definitions = make(generator.Definitions)
	for i, s := range languageStructs[1:] {
		root.Definitions[definitionName(s)] = structs[i+1]
	}
	long := root.Definitions["field"]
	long.AnyOf = []*generator.Schema{{Required: []string{"for"}}, {Required: []string{"use"}}}
	root.Definitions["cookie"].OneOf = []*generator.Schema{{Required: []string{"equals"}}, {Required: []string{"matches"}}}
	one := uint64(1)
	root.Definitions["expect"].MinProperties = &one
	return root
}

// commentsOf returns the comments above the fields of the structs of a file, by
// struct and field.
func commentsOf(t *testing.T, file string) map[string]string {
	t.Helper()
	parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	comments := make(map[string]string)
	ast.Inspect(parsed, func(n ast.Node) bool {
		spec, ok := n.(*ast.TypeSpec)
		if !ok {
			return true
		}
		if s, ok := spec.Type.(*ast.StructType); ok {
			for _, f := range s.Fields.List {
				for _, name := range f.Names {
					comments[spec.Name.Name+"."+name.Name] = strings.TrimSpace(f.Doc.Text())
				}
			}
		}
		return true
	})
	return comments
}
