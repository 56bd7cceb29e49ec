package sys

import "syscall"

// ErrLocked is what Lock returns where another description has a lock in the way.
var ErrLocked error = syscall.EAGAIN
