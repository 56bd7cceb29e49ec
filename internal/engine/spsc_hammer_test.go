package engine

import (
	"io"
	"sync"
	"testing"
	"unsafe"
)

// Goroutines of two participants on heap memory, which the race detector watches.
func TestSPSCHammer(t *testing.T) {
	for _, slots := range []int{1, 3, 64} {
		a, s := heapSPSC(t, SPSCConfig{Slots: slots, Room: 8}, envOf(1))
		r := attachSPSC(t, a, envOf(2))
		const each = 20000
		var wg sync.WaitGroup
		wg.Go(func() {
			vs := make([]uint64, 5)
			for i := uint64(0); i < each; {
				if i%3 == 0 {
					n := min(uint64(len(vs)), each-i)
					for k := range n {
						vs[k] = i + k
					}
					k, err := s.PutRun(unsafe.Pointer(&vs[0]), int(n))
					if err == nil {
						i += uint64(k)
						continue
					} else if err != ErrFull {
						t.Error(err)
						return
					}
				}
				if err := s.putWord(yielder{}, i); err != nil {
					t.Error(err)
					return
				}
				i++
			}
			s.Shutdown()
		})
		due := uint64(0)
		for {
			var vs [4]uint64
			k, err := r.GetRun(unsafe.Pointer(&vs[0]), len(vs))
			if err == ErrEmpty {
				k = 1
				vs[0], err = r.getWord(yielder{})
			}
			if err == io.EOF {
				break
			} else if err != nil {
				t.Fatal(err)
			}
			for _, v := range vs[:k] {
				if v != due {
					t.Fatalf("%d came, %d was due", v, due)
				}
				due++
			}
		}
		wg.Wait()
		if due != each {
			t.Errorf("%d of %d came", due, each)
		}
		checkedSPSC(t, a)
	}
}
