package policy

import (
	"cmp"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
)

// examplePolicy is a policy that people read: a file of the examples, the starter
// of modicum init, or a snippet of a README.
type examplePolicy struct {
	name string // file, or file:line of a snippet
	text string
	root map[string]any
}

var yamlBlock = regexp.MustCompile("(?ms)^```yaml\n(.*?)^```$")

// examplePolicies returns all of them.
func examplePolicies(t *testing.T) []examplePolicy {
	t.Helper()
	files := []string{"README.md", "../../README.md", "../../caddymodule/README.md", "../../caddymodule/command/starter/privacy.yaml"}
	if err := filepath.WalkDir("../../examples", func(path string, _ fs.DirEntry, err error) error {
		if ext := filepath.Ext(path); ext == ".yaml" || ext == ".md" {
			files = append(files, path)
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	var examples []examplePolicy
	for _, file := range files {
		data, err := os.ReadFile(file) //nolint:gosec // G304: a file of the repository
		if err != nil {
			t.Fatal(err)
		}
		text := string(data)
		if filepath.Ext(file) == ".yaml" {
			examples = append(examples, examplePolicy{name: file, text: text})
			continue
		}
		for _, at := range yamlBlock.FindAllStringSubmatchIndex(text, -1) {
			line := 1 + strings.Count(text[:at[2]], "\n")
			examples = append(examples, examplePolicy{name: fmt.Sprintf("%s:%d", file, line), text: text[at[2]:at[3]]})
		}
	}
	for i := range examples {
		if err := yaml.Unmarshal([]byte(examples[i].text), &examples[i].root); err != nil {
			t.Fatalf("%s: %v", examples[i].name, err)
		}
	}
	if len(examples) < 15 {
		t.Fatalf("found only %d example policies", len(examples))
	}
	return examples
}

// The purposes that snippets may use without declaring them.
const snippetHead = `version: 1
controller: {name: Example Shop Ltd, contact: privacy@shop.example}
purposes:
`

var snippetPurposes = map[string]string{
	"delivery":   "{basis: contract, retention: 3y}",
	"newsletter": "{basis: consent, retention: 1y}",
	"technical":  "{basis: not_personal}",
}

// TestSnippetsCompile compiles the snippets of the READMEs, each as a policy file
// whose head they may leave out.
func TestSnippetsCompile(t *testing.T) {
	for _, example := range examplePolicies(t) {
		if filepath.Ext(example.name) == ".yaml" {
			continue // TestSchemaAcceptsPolicies, and the tests of many-sites
		}
		t.Run(example.name, func(t *testing.T) {
			sources := []Source{{Name: example.name, Data: []byte(example.text)}}
			if example.root["version"] == nil {
				sources[0].Data = []byte("version: 1\n" + example.text)
				declared, _ := example.root["purposes"].(map[string]any)
				head := snippetHead
				for name, purpose := range snippetPurposes {
					if declared[name] == nil {
						head += "  " + name + ": " + purpose + "\n"
					}
				}
				if example.root["controller"] != nil {
					head = strings.ReplaceAll(head, "controller:", "#")
				}
				sources = append(sources, Source{Name: "head.yaml", Data: []byte(head)})
			}
			_, problems := Compile(sources...)
			for _, p := range problems {
				if p.Severity != Note && p.Code != "unused-purpose" && p.Code != "unnamed-field" {
					t.Error(p)
				}
			}
		})
	}
}

// TestEachKeyHasAnExample looks for the keys that neither the reference nor an
// example shows.
func TestEachKeyHasAnExample(t *testing.T) {
	shown := make(map[string]bool)
	for _, example := range examplePolicies(t) {
		walkExample("", reflect.TypeFor[document](), example.root, func(_ string, part reflect.Type, node any) {
			if members, isMap := node.(map[string]any); isMap {
				for key := range members {
					shown[definitionName(part)+"."+key] = true
				}
			}
		})
	}
	for _, s := range languageStructs {
		for _, key := range keysOf(s).names {
			name := definitionName(s) + "." + key
			if asField := "field." + key; s == reflect.TypeFor[definitionDecl]() && shown[asField] {
				continue
			}
			if !shown[name] {
				t.Errorf("no example shows the key %s: add it to a snippet of %s", name, referenceFile)
			}
		}
	}
}

// walkExample visits the parts of a policy with their types in the language. A
// short form has the type of the long one.
func walkExample(path string, part reflect.Type, node any, visit func(path string, part reflect.Type, node any)) {
	visit(path, part, node)
	members, isMap := node.(map[string]any)
	switch {
	case slices.Contains(languageStructs, part) && isMap:
		keys := keysOf(part)
		for key, value := range members {
			if known, ok := keys.byName[key]; ok {
				walkExample(path+"."+key, part.FieldByIndex(known.index).Type, value, visit)
			}
		}
	case strings.HasPrefix(part.Name(), "named["):
		for name, value := range members {
			walkExample(path+"."+name, part.Elem().Field(2).Type, value, visit)
		}
	case strings.HasPrefix(part.Name(), "list["):
		elements, _ := node.([]any)
		for i, value := range elements {
			walkExample(fmt.Sprintf("%s.%d", path, i), part.Elem(), value, visit)
		}
	}
}

// shortForms are the structs that a value can stand for, with its key.
var shortForms = map[reflect.Type]string{
	reflect.TypeFor[fieldDecl](): "for", reflect.TypeFor[consentDecl](): "field", reflect.TypeFor[klaroDecl](): "service",
	reflect.TypeFor[cookieConsentDecl](): "category", reflect.TypeFor[fidesDecl](): "notice",
}

// TestExamplesUseTheShortestForm keeps what people copy as short as it can be.
func TestExamplesUseTheShortestForm(t *testing.T) {
	examples, comments := examplePolicies(t), commentsOf(t, "language.go")
	definitions := make(map[string]map[string]any) // by directory and name: files of a directory may be one set
	for _, example := range examples {
		fields, _ := example.root["fields"].(map[string]any)
		for name, definition := range fields {
			rules, _ := definition.(map[string]any)
			definitions[exampleSet(example.name)+" "+name] = rules
		}
	}
	for _, example := range examples {
		walkExample("", reflect.TypeFor[document](), example.root, func(path string, part reflect.Type, node any) {
			for _, complaint := range slices.Concat(longForms(part, node), writtenDefaults(comments, example.root, part, node)) {
				t.Errorf("%s: %s: %s", example.name, path, complaint)
			}
			members, _ := node.(map[string]any)
			if use, ok := members["use"].(string); ok {
				definition := definitions[exampleSet(example.name)+" "+use]
				if definition == nil {
					t.Errorf("%s: %s: the definition %q was not found", example.name, path, use)
				}
				for key, value := range members {
					if key != "use" && reflect.DeepEqual(definition[key], value) {
						t.Errorf("%s: %s: %q is given by %q", example.name, path, key, use)
					}
				}
			}
		})
	}
}

// exampleSet returns the name of the policy set that an example may belong to.
func exampleSet(name string) string {
	return strings.TrimSuffix(filepath.Dir(name), "/policies")
}

// tickFields returns the fields that a collection has anyway, since they give a consent.
func tickFields(node any) (complaints []string) {
	members, _ := node.(map[string]any)
	fields, _ := members["fields"].(map[string]any)
	consents, _ := members["consents"].(map[string]any)
	for purpose, field := range consents {
		if long, isMap := field.(map[string]any); isMap {
			field = long["field"]
		}
		if name, _ := field.(string); fields[name] == purpose {
			complaints = append(complaints, fmt.Sprintf("the field %q is declared by consents", name))
		}
	}
	return complaints
}

// longForms returns what has a shorter form.
func longForms(part reflect.Type, node any) (complaints []string) {
	takesOne := []reflect.Type{
		reflect.TypeFor[wordList](), reflect.TypeFor[scalarList](), reflect.TypeFor[mediaTypes](), reflect.TypeFor[textList](),
		reflect.TypeFor[fieldDecl](),
	}
	if elements, isList := node.([]any); isList && len(elements) == 1 && slices.Contains(takesOne, part) {
		complaints = append(complaints, fmt.Sprintf("write %v without brackets", elements[0]))
	}
	if part == reflect.TypeFor[collectionDecl]() {
		complaints = append(complaints, tickFields(node)...)
	}
	if members, isMap := node.(map[string]any); isMap && len(members) == 1 && shortForms[part] != "" {
		if value, ok := members[shortForms[part]]; ok {
			complaints = append(complaints, fmt.Sprintf("write %v alone", value))
		}
	}
	return complaints
}

// writtenDefaults returns the keys of a map that say what is so without them.
func writtenDefaults(comments map[string]string, root map[string]any, part reflect.Type, node any) (complaints []string) {
	members, isMap := node.(map[string]any)
	if !isMap || !slices.Contains(languageStructs, part) {
		return nil
	}
	keys := keysOf(part)
	for key, value := range members {
		known, ok := keys.byName[key]
		if !ok {
			continue
		}
		f := part.FieldByIndex(known.index)
		_, standard := cutDefault(cmp.Or(comments[part.Name()+"."+f.Name], comments["rules."+f.Name]))
		switch {
		case part == reflect.TypeFor[collectionDecl]() && key == "names":
			top, _ := root["names"].(string)
			standard = cmp.Or(top, "brackets")
		case part == reflect.TypeFor[purposeDecl]() && key == "expires":
			standard = fmt.Sprint(members["retention"])
		case part == reflect.TypeFor[consentDecl]() && key == "value":
			if slices.Contains([]string{"on", "true", "1", "yes"}, fmt.Sprint(value)) {
				standard = fmt.Sprint(value)
			}
		case key == "max" && members["type"] == "file":
			standard = "10MiB"
		}
		if fmt.Sprint(value) == standard {
			complaints = append(complaints, fmt.Sprintf("%s: %v is the default", key, value))
		}
	}
	return complaints
}
