//go:build !unix

package regular

// withoutWaiting is 0: on these systems, opening a file does not block.
const withoutWaiting = 0
