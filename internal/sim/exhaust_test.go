//go:build tandem_sim

package sim

import (
	"errors"
	"testing"

	"example.com/tandem/internal/mem"
)

// An update that is lost by two preemptions and by no fewer.
func TestExhaust(t *testing.T) {
	build := func(w *World) {
		var x, turn uint64
		w.Process(0).Go("a", func(*Thread) {
			for range 5 {
				mem.Load64(&turn)
			}
			mem.Store64(&turn, 1)
			mem.Store64(&turn, 0)
		})
		w.Process(1).Go("b", func(*Thread) {
			if mem.Load64(&turn) == 1 && mem.Load64(&turn) == 0 {
				mem.Store64(&x, 1)
			}
		})
		w.AtEnd(func() error {
			if x != 0 {
				return errors.New("found")
			}
			return nil
		})
	}
	for n := range 4 {
		if err := TryExhaust(1, n, Options{}, build); (err != nil) != (n >= 2) {
			t.Errorf("with %d preemptions: %v", n, err)
		}
	}
}
