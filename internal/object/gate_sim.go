//go:build tandem_sim

package object

// TryReplace is Replace where one does not wait: false if a call is at G5.
func (g *Gate) TryReplace() bool {
	if !g.mu.TryLock() {
		return false
	}
	g.gone = true
	g.mu.Unlock()
	return true
}
