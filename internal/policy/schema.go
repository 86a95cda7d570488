package policy

import (
	_ "embed" // the schema
	"slices"
)

//go:generate go test -run TestSchemaIsUpToDate -update .

//go:embed policy.v1.schema.json
var schema []byte

// Schema returns the JSON Schema (2020-12) of a policy file.
func Schema() []byte { return slices.Clone(schema) }
