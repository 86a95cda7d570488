//go:build !unix

package regular

import "testing"

// others makes one file of each kind that is not regular.
func others(t *testing.T) map[string]string {
	t.Helper()
	return map[string]string{t.TempDir(): "a directory"}
}
