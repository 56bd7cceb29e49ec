package engine

// For tests that cannot be in this package, since package sim imports it.

func (m *Mutex) Kick() { m.kick() }
