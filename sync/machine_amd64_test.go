//go:build !race && !tandem_sim && !tandem_fenced

package sync

import (
	"slices"
	"strings"
	"testing"

	"golang.org/x/arch/x86/x86asm"

	"example.com/tandem/internal/machine"
)

// What a call does that meets nobody stands in its own code: so many locked
// instructions, and of calls nothing but what it goes on with if it does meet somebody.
func TestMachineCode(t *testing.T) {
	for _, tt := range []struct {
		name   string
		f      any
		locked int
		calls  []string
	}{
		{"Mutex.Lock", (*Mutex).Lock, 1, []string{".lock", ".Locked"}},
		{"Mutex.Unlock", (*Mutex).Unlock, 1, []string{".unlock"}},
		{"RWMutex.Lock", (*RWMutex).Lock, 1, []string{".Enter", ".lock", ".Locked"}},
		{"RWMutex.Unlock", (*RWMutex).Unlock, 2, []string{".unlock", ".free", ".ring"}},
		{"RWMutex.RLock", (*RWMutex).RLock, 1, []string{".StepOut", ".rlock", ".Locked"}},
		{"RWMutex.RUnlock", (*RWMutex).RUnlock, 1, []string{".runlock", ".ring"}},
		{"Semaphore.Acquire", (*permits).Acquire, 1, []string{".acquireSlow", ".took"}},
		{"Semaphore.TryAcquire", (*permits).TryAcquire, 1, []string{".tryAcquire", ".took"}},
		{"Semaphore.Release", (*permits).Release, 1, []string{".releaseSlow", ".ring"}},
		{"Once.Do", (*Once).Do, 0, []string{".do"}},
	} {
		code, err := machine.Code(tt.f)
		if err != nil {
			t.Fatal(tt.name, err)
		}
		locked := 0
		for _, i := range code {
			if i.Locked {
				locked++
			}
			if i.Op != x86asm.CALL || i.Callee() == "" || strings.HasPrefix(i.Callee(), "runtime.morestack") { // a context's Err has no name here
				continue
			}
			if !slices.ContainsFunc(tt.calls, func(end string) bool { return strings.HasSuffix(i.Callee(), end) }) {
				t.Errorf("%s calls %s", tt.name, i.Callee())
			}
		}
		if locked != tt.locked {
			t.Errorf("%s has %d locked instructions, want %d", tt.name, locked, tt.locked)
		}
	}
}
