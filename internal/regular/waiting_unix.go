//go:build unix

package regular

import "syscall"

// withoutWaiting opens a named pipe that nobody writes, and a terminal
// without making it ours.
const withoutWaiting = syscall.O_NONBLOCK | syscall.O_NOCTTY
