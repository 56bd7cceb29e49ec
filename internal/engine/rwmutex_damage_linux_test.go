package engine

import "example.com/tandem/internal/mem"

// useRWMutex is for TestDamagedMemory.
func useRWMutex(a mem.Area, env Env, wreck func()) {
	l, err := AttachRWMutex(a, env)
	if err != nil {
		return
	}
	for range 2 {
		l.RLock(&tired{})
		wreck()
		l.TryRLock()
		l.RUnlock()
		wreck()
		l.Lock(&tired{})
		l.Owner()
		wreck()
		l.TryLock()
		l.Unlock()
		l.Recover(&tired{})
		wreck()
		l.MarkConsistent()
		l.RUnlock()
		l.Unlock()
	}
}
