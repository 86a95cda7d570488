//go:build !unix

package regular

// withoutWaiting adds nothing: opening a file does not wait here.
const withoutWaiting = 0
