package sys

import (
	"os"
	"path/filepath"
	"sync/atomic"
)

var processName atomic.Pointer[string]

// Name is the name by which other processes know this one: what SetName was
// given, else the base of os.Args[0]. Package proc sets it in the children it
// starts, package shm puts it into the participant record.
func Name() string {
	if s := processName.Load(); s != nil {
		return *s
	}
	if len(os.Args) == 0 || os.Args[0] == "" {
		return "?"
	}
	return filepath.Base(os.Args[0])
}

// SetName names this process. Regions attached before keep the old name.
func SetName(s string) { processName.Store(&s) }
