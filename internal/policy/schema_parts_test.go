package policy

import (
	"encoding/json"
	"reflect"
	"strconv"
	"strings"

	generator "github.com/invopop/jsonschema"
)

// schemaOf describes the parts of the language that read themselves. A part that
// it does not know is a bug of the test, which panics.
func schemaOf(t reflect.Type) *generator.Schema {
	switch reflect.New(t).Interface().(type) {
	case *version:
		return &generator.Schema{Const: 1}
	case *word:
		return text("")
	case *country:
		return text("^[A-Z]{2}$")
	case *cookieName:
		return text(cookieNamePattern.String())
	case *cookiePath:
		return text("")
	case *revision:
		return &generator.Schema{Type: "integer", Minimum: "0", Maximum: json.Number(strconv.FormatInt(maxRevision, 10))}
	case *klaroDecl, *cookieConsentDecl, *fidesDecl:
		return anyOf(text(""), &generator.Schema{Ref: "#/$defs/" + definitionName(t)})
	case *period:
		return text(periodPattern.String())
	case *basis:
		return &generator.Schema{Enum: enum(bases)}
	case *objection:
		return &generator.Schema{Enum: enum(objections)}
	case *nesting:
		return &generator.Schema{Enum: enum(nestings)}
	case *mode:
		return &generator.Schema{Enum: enum(modes)}
	case *optOut:
		return &generator.Schema{Enum: enum(optOuts)}
	case *tcfPurpose:
		return &generator.Schema{Type: "integer", Minimum: "1", Maximum: json.Number(strconv.Itoa(MaxTCFPurpose))}
	case *valueType:
		return &generator.Schema{Enum: enum(valueTypes)}
	case *keep:
		return keepSchema()
	case *size:
		return anyOf(&generator.Schema{Type: "integer", Minimum: "1"}, text(sizePattern.String()))
	case *pattern:
		s := text("")
		most := uint64(maxPattern)
		s.Format, s.MaxLength = "regex", &most
		return s
	case *boolean:
		return &generator.Schema{Type: "boolean"}
	case *scalar:
		return scalarSchema()
	case *constant:
		s := scalarSchema()
		s.AnyOf = append(s.AnyOf, &generator.Schema{Type: "null"})
		return s
	case *scalarList:
		return oneOrList(scalarSchema, 1)
	case *mediaTypes:
		return oneOrList(func() *generator.Schema { return text("") }, 1)
	case *wordList:
		return oneOrList(func() *generator.Schema { return text("") }, 0)
	case *textValue:
		return textSchema()
	case *textList:
		return oneOrList(textSchema, 0)
	case *example:
		return &generator.Schema{}
	}
	return schemaOfStruct(t)
}

// schemaOfStruct describes the parts that hold structs of the language.
func schemaOfStruct(t reflect.Type) *generator.Schema {
	reference := func(t reflect.Type) *generator.Schema {
		return &generator.Schema{Ref: "#/$defs/" + definitionName(t)}
	}
	if t.Kind() != reflect.Slice {
		return reference(t)
	}
	if strings.HasPrefix(t.Name(), "list[") {
		return &generator.Schema{Type: "array", Items: reference(t.Elem())}
	}
	value := t.Elem().Field(2).Type // of an entry
	names := &generator.Schema{Pattern: namePattern.String()}
	described := reference(value)
	switch value {
	case reflect.TypeFor[fieldDecl]():
		described, names = anyOf(text(""), &generator.Schema{Type: "array", Items: text(""), MinItems: new(uint64(1))}, described), nil
	case reflect.TypeFor[consentDecl]():
		described = anyOf(text(""), described)
	case reflect.TypeFor[scalarList]():
		described, names = oneOrList(scalarSchema, 1), nil
	case reflect.TypeFor[readingDecl]():
		described, names = &generator.Schema{Enum: enum(readings)}, nil
	}
	return &generator.Schema{Type: "object", PropertyNames: names, AdditionalProperties: described}
}

func text(pattern string) *generator.Schema {
	return &generator.Schema{Type: "string", MinLength: new(uint64(1)), Pattern: pattern}
}

func anyOf(schemas ...*generator.Schema) *generator.Schema { return &generator.Schema{AnyOf: schemas} }

func oneOrList(one func() *generator.Schema, least uint64) *generator.Schema {
	many := &generator.Schema{Type: "array", Items: one()}
	if least > 0 {
		many.MinItems = &least
	}
	return anyOf(one(), many)
}

func enum(words []string) []any {
	values := make([]any, len(words))
	for i, w := range words {
		values[i] = w
	}
	return values
}

func scalarSchema() *generator.Schema {
	return anyOf(&generator.Schema{Type: "string"}, &generator.Schema{Type: "number"}, &generator.Schema{Type: "boolean"})
}

func textSchema() *generator.Schema {
	return anyOf(text(""), &generator.Schema{
		Type: "object", MinProperties: new(uint64(1)), AdditionalProperties: text(""),
		PropertyNames: &generator.Schema{Pattern: "^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*$"},
	})
}

// keepSchema lists the reductions for editors to complete; those with a number
// are distinguished by it.
func keepSchema() *generator.Schema {
	var plain, numbered []string
	for _, kind := range keepKinds {
		if bounds, takesNumber := keepNumbers[kind]; takesNumber {
			for n := bounds.least; n <= bounds.most && bounds.most < 100; n++ {
				numbered = append(numbered, kind+`\(`+strconv.Itoa(n)+`\)`)
			}
			if bounds.most == 999 {
				numbered = append(numbered, kind+`\([1-9][0-9]{0,2}\)`)
			}
		} else {
			plain = append(plain, kind)
		}
	}
	return anyOf(&generator.Schema{Enum: enum(plain)}, text("^(?:"+strings.Join(numbered, "|")+")$"))
}
