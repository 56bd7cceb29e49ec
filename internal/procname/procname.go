// Package procname keeps the name by which other processes know this one.
// Package proc sets it in the children it starts, package shm puts it into
// the participant record.
package procname

import (
	"os"
	"path/filepath"
	"sync/atomic"
)

var name atomic.Pointer[string]

// Get is the name this process was started under: what Set was given, else
// the base of os.Args[0].
func Get() string {
	if s := name.Load(); s != nil {
		return *s
	}
	if len(os.Args) == 0 || os.Args[0] == "" {
		return "?"
	}
	return filepath.Base(os.Args[0])
}

// Set names this process. Regions attached before keep the old name.
func Set(s string) { name.Store(&s) }
