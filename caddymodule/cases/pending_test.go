//go:build unix

package cases

// pending are the cases whose feature does not exist yet. They have to fail:
// the change that makes one pass removes it here.
var pending = []string{
	"woocommerce-checkout-ajax",
	"wpforms-ajax",
	"attack-long-text-part",
	"attack-whole",
	"when-form",
	"when-json",
	"when-multipart",
	"when-two-values",
	"when-value-that-folds",
	"when-encoded-value",
	"when-without-the-rest",
}
