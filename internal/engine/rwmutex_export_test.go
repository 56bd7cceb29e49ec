package engine

// LockNow is what a handle does before it waits, for tests.
func (l *RWMutex) LockNow() bool {
	return l.LockGuess() && (l.Alone() || l.Enter()) || l.LockLook()
}
