package shm

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"runtime"
	gosync "sync"
	"testing"

	"example.com/tandem/internal/engine"
	"example.com/tandem/internal/object"
)

// Goroutines that race for the same names get the same objects; others remove
// them meanwhile.
func TestRacingOpeners(t *testing.T) {
	h := newHeapRegion(t, 4<<20, 8, 64)
	const goroutines, names = 16, 50
	var wg gosync.WaitGroup
	cores := make([][names]*object.Core, goroutines)
	for g := range goroutines {
		r := h.attach(uint32(g % 8))
		if g >= 8 {
			continue // one attachment a participant; two goroutines each
		}
		for k := range 2 {
			wg.Go(func() {
				for n := range names {
					c, err := r.OpenObject(lockOf(fmt.Sprint("o", n)))
					if err != nil {
						t.Error(err)
						return
					}
					cores[g+8*k][n] = c
				}
			})
		}
	}
	wg.Wait()
	if t.Failed() {
		return
	}
	for n := range names {
		for g := range cores {
			if cores[g][n].Area.Ptr(0, 1) != cores[0][n].Area.Ptr(0, 1) {
				t.Fatalf("o%d is two objects", n)
			}
		}
		for g := range 8 {
			if cores[g][n].Whole() != cores[g+8][n].Whole() {
				t.Fatalf("o%d has two Cores in one process", n)
			}
		}
	}
	checkOK(t, &Region{a: h.attach(0).a, closed: h.attach(0).closed})
}

func TestOpenAgainstRemove(t *testing.T) {
	h := newHeapRegion(t, 64<<20, 4, 8192)
	var wg gosync.WaitGroup
	for p := range 4 {
		r := h.attach(uint32(p))
		wg.Go(func() {
			rnd := rand.New(rand.NewPCG(7, uint64(p)))
			for range 1500 {
				name := fmt.Sprint("o", rnd.IntN(5))
				if rnd.IntN(3) == 0 {
					if err := r.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
						t.Error(err)
						return
					}
					if rnd.IntN(8) == 0 {
						runtime.GC()
					}
					continue
				}
				c, err := r.OpenObject(sizedSpec(name, uint64(rnd.IntN(9000))))
				if err != nil {
					t.Error(err)
					return
				}
				// What this process has open nobody else uses for another object.
				m, _ := engine.AttachMutex(c.Area, c.Env)
				if ok, err := m.TryLock(); err != nil {
					t.Error(err)
				} else if ok {
					if err := m.Unlock(); err != nil {
						t.Error(err)
					}
				}
				r.a.sweep()
				c.KeepAlive()
			}
		})
	}
	wg.Wait()
	r := h.attach(0)
	checkOK(t, r)
}
