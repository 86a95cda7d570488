//go:build unix

package cases

// pending are the cases whose feature does not exist yet. They have to fail:
// the change that makes one pass removes it here.
var pending = []string{
	"slack-interaction",
	"json-blob",
	"json-field-no-json",
	"json-field-read-twice",
	"json-form-field",
	"json-graphql-upload",
	"json-in-a-query",
	"json-part",
	"method-override",
	"report-shows-headers",
	"tick-list-below-a-number",
	"wordpress-block-editor",
	"woocommerce-checkout-ajax",
	"wpforms-ajax",
	"rails-nested",
	"laravel-put",
	"jsf-partial",
	"graphql-multipart",
	"attack-json-field",
	"attack-read-pass",
	"attack-long-text-part",
	"attack-whole",
	"when-form",
	"when-json",
	"when-multipart",
	"when-two-values",
	"when-value-that-folds",
	"when-encoded-value",
	"when-without-the-rest",
	"attack-method-override",
	"attack-method-override-off",
	"mode-of-a-collection",
	"mode-enforce-with-a-report",
}
