package atomics_test

import (
	"sync/atomic"
	"testing"

	"example.com/tandem/atomics"
)

// One goroutine on cells that nobody else uses, beside sync/atomic's own.
func BenchmarkCell(b *testing.B) {
	r := region(b)
	v, small, p := value(b, r, "v", int64(0)), array[uint8](b, r, "small", 64), value(b, r, "p", padded{})
	f, i32 := value(b, r, "f", float64(0)), array[int32](b, r, "i32", 64)
	var plain atomic.Int64
	for _, bb := range []struct {
		name string
		f    func()
	}{
		{"op=Load/T=int64", func() { v.Load() }},
		{"op=Load/T=uint8", func() { small.Load(7) }},
		{"op=Load/T=struct", func() { p.Load() }},
		{"op=Store/T=int64", func() { v.Store(1) }},
		{"op=Store/T=uint8", func() { small.Store(7, 1) }},
		{"op=Store/T=struct", func() { p.Store(padded{1, 2}) }},
		{"op=Add/T=int64", func() { atomics.Add(v, 1) }},
		{"op=Add/T=atomic.Int64", func() { plain.Add(1) }},
		{"op=AddAt/T=int32", func() { atomics.AddAt(i32, 3, 1) }},
		{"op=AddAt/T=uint8", func() { atomics.AddAt(small, 3, 1) }},
		{"op=Add/T=float64", func() { atomics.Add(f, 1) }},
		{"op=CompareAndSwap/T=int64", func() { v.CompareAndSwap(1, 2) }},
		{"op=Update/T=struct", func() { p.Update(func(x padded) padded { return padded{x.A, x.B + 1} }) }},
	} {
		b.Run(bb.name, func(b *testing.B) {
			for b.Loop() {
				bb.f()
			}
		})
	}
	b.Run("op=Lock-Unlock", func(b *testing.B) {
		for b.Loop() {
			if v.Lock(b.Context()) != nil || v.Unlock() != nil {
				b.Fatal("Lock, Unlock")
			}
		}
	})
	buf := make([]int32, 64)
	b.Run("op=CopyTo/T=int32/n=64", func(b *testing.B) {
		for b.Loop() {
			i32.CopyTo(buf)
		}
	})
}
