//go:build tandem_sim

package engine_test

import (
	"testing"
	"unsafe"

	"example.com/tandem/internal/engine"
	"example.com/tandem/internal/mem"
)

// A writer that is stopped at any of its steps holds up nobody: others read, store and
// replace, as often as they like; and when it goes on it ends, and all is whole.
func TestSimWideStoppedAnywhere(t *testing.T) {
	for _, spares := range []uint32{1, 3} {
		for stop := 1; ; stop++ {
			a := engine.HeapWide(1, wideWidth, 3, spares)
			var us []*engine.Wide
			for i := range uint32(3) {
				c, err := engine.AttachWide(a, engine.KindArray, 1, wideWidth, engine.Env{Self: engine.Self{Index: i, Epoch: 1}})
				if err != nil {
					t.Fatal(err)
				}
				us = append(us, c)
			}
			ids := uint64(0)
			value := func() unsafe.Pointer {
				ids++
				return unsafe.Pointer(&wideValue{ids, 0, ids * 0x9e3779b97f4a7c15})
			}
			load := func(c *engine.Wide) (v wideValue, s engine.Seen) {
				s, ok := c.Load(0, unsafe.Pointer(&v))
				if !ok || !v.whole() {
					t.Fatalf("stopped at %d: Load = %v, %v", stop, v, ok)
				}
				return v, s
			}
			others := func() {
				for range 20 {
					for _, c := range us[1:] {
						x := value()
						if !c.Store(0, x) {
							t.Fatalf("stopped at %d: no Store", stop)
						}
						v, s := load(us[1])
						if v != *(*wideValue)(x) {
							t.Fatalf("stopped at %d: stored %v, loaded %v", stop, x, v)
						}
						if done, _ := c.Replace(0, s, value()); !done {
							t.Fatalf("stopped at %d: no Replace", stop)
						}
					}
				}
			}
			us[0].Store(0, value()) // so that it has a spare
			steps := 0
			at(func() bool { steps++; return steps == stop }, others)
			us[0].Store(0, value())
			last := ids
			if load(us[0]); steps >= stop {
				_, s := load(us[0])
				us[0].Replace(0, s, value())
			}
			mem.Point = nil
			if v, _ := load(us[2]); v.id < last-1 {
				t.Errorf("stopped at %d: after all %v, want %d", stop, v, last)
			}
			if err := engine.Accounted(a, us...); err != nil {
				t.Errorf("stopped at %d: %v", stop, err)
			}
			if steps < stop {
				break
			}
		}
	}
}

// A reader that is stopped at any of its steps, while the copies go from hand to hand, and
// processes end and others get their indexes, sees a value that was there, whole; and what
// it puts in place of that replaces no other.
func TestSimWideReaderStoppedAnywhere(t *testing.T) {
	for _, spares := range []uint32{1, 3} {
		for meanwhile := 1; meanwhile <= 12; meanwhile++ {
			for stop := 1; ; stop++ {
				a := engine.HeapWide(1, wideWidth, 3, spares)
				attach := func(i uint32) *engine.Wide {
					c, err := engine.AttachWide(a, engine.KindArray, 1, wideWidth, engine.Env{Self: engine.Self{Index: i, Epoch: 1}})
					if err != nil {
						t.Fatal(err)
					}
					return c
				}
				value := func(id uint64) unsafe.Pointer {
					return unsafe.Pointer(&wideValue{id, 0, id * 0x9e3779b97f4a7c15})
				}
				reader, writer, id := attach(0), attach(1), uint64(2)
				writer.Store(0, value(1))
				reader.Store(0, value(2)) // so that it has a spare
				had, replaced := map[uint64]bool{id: true}, false
				steps := 0
				at(func() bool { steps++; return steps == stop }, func() {
					replaced = reader.Now(0)[0] == 100
					for range meanwhile {
						id++
						had[id] = true
						writer.Store(0, value(id))
						if err := arrayOps.Recover(a, engine.Env{Wake: func(*uint32, int) int { return 0 }}, engine.Self{Index: 1, Epoch: 1}); err != nil {
							t.Fatal(err)
						}
						writer = attach(1)
					}
				})
				var v wideValue
				s, ok := reader.Load(0, unsafe.Pointer(&v))
				if !ok || !v.whole() || !had[v.id] {
					t.Fatalf("stopped at %d for %d stores: Load = %v, %v", stop, meanwhile, v, ok)
				}
				done, _ := reader.Replace(0, s, value(100))
				mem.Point = nil
				if done != (replaced || v.id == id) {
					t.Fatalf("stopped at %d for %d stores: %d was loaded, %d was there, Replace = %v", stop, meanwhile, v.id, id, done)
				}
				if steps < stop {
					break
				}
			}
		}
	}
}
