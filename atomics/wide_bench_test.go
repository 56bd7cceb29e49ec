package atomics_test

import "testing"

// One goroutine on a cell of 64 bytes that nobody else uses.
func BenchmarkWideCell(b *testing.B) {
	v := value(b, region(b), "v", [8]int64{})
	var x [8]int64
	b.Run("op=Load", func(b *testing.B) {
		for b.Loop() {
			x = v.Load()
		}
	})
	b.Run("op=Store", func(b *testing.B) {
		for b.Loop() {
			v.Store(x)
		}
	})
	b.Run("op=Update", func(b *testing.B) {
		for b.Loop() {
			v.Update(func(x [8]int64) [8]int64 { x[0]++; return x })
		}
	})
}
