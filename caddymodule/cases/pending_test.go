//go:build unix

package cases

// pending are the cases whose feature does not exist yet. They have to fail:
// the change that makes one pass removes it here.
var pending = []string{
	"attack-long-text-part",
	"attack-whole",
	"when-multipart",
}
