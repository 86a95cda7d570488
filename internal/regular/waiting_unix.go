//go:build unix

package regular

import "syscall"

// withoutWaiting makes opening a named pipe return at once even if it has no
// writer, and keeps a terminal from becoming the process's controlling terminal.
const withoutWaiting = syscall.O_NONBLOCK | syscall.O_NOCTTY
