package atomics_test

import (
	"math"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"unsafe"

	"example.com/tandem/atomics"
	"example.com/tandem/shm"
)

// Values are the same when their bytes are, whatever their size.
func TestWideByBytes(t *testing.T) {
	r := region(t)
	nan, minus := math.NaN(), math.Copysign(0, -1)
	v := value(t, r, "floats", [2]float64{nan, 0})
	if v.CompareAndSwap([2]float64{nan, minus}, [2]float64{}) {
		t.Error("-0 for 0")
	}
	if !v.CompareAndSwap([2]float64{nan, 0}, [2]float64{1, 2}) {
		t.Error("NaN is not itself")
	}

	// What lies between the fields does not count, and does not get in.
	dirty := func(fill byte, x sample) sample {
		b := (*[unsafe.Sizeof(x)]byte)(unsafe.Pointer(&x))
		b[14], b[15], b[30], b[31] = fill, fill, fill, fill+1
		return x
	}
	clean := func(what string, v *atomics.Value[sample]) {
		t.Helper()
		b := atomics.Bytes(v)
		if b[14]|b[15]|b[30]|b[31] != 0 {
			t.Errorf("%s: the cell's bytes are %x", what, b)
		}
	}
	x := sample{1, true, [5]byte{2}, [3]float32{3, 4, 5}, 6}
	y := sample{At: 7}
	p := value(t, r, "sample", dirty(0xaa, x))
	clean("OpenValue", p)
	if !p.CompareAndSwap(dirty(0xbb, x), dirty(0xcc, y)) {
		t.Error("padding made equal values differ")
	}
	clean("CompareAndSwap", p)
	p.Store(dirty(0xdd, x))
	clean("Store", p)
	p.Swap(dirty(0xee, x))
	clean("Swap", p)
	p.Update(func(x sample) sample { return dirty(0xff, x) })
	clean("Update", p)
	if p.CompareAndSwap(y, x) || p.Load() != x {
		t.Errorf("the cell holds %v, want %v", p.Load(), x)
	}

	// Nor does it where another process has written into it.
	copy(atomics.Bytes(p)[14:16], "!!")
	if !p.CompareAndSwap(x, y) {
		t.Error("damaged padding made equal values differ")
	}

	// A bool is one, whatever another process has written there.
	p.Store(x)
	atomics.Bytes(p)[8] = 0xff
	got := p.Load()
	if *(*byte)(unsafe.Pointer(&got.OK)) != 1 || got != x || !p.CompareAndSwap(x, y) {
		t.Errorf("a damaged bool is %x", *(*byte)(unsafe.Pointer(&got.OK)))
	}
}

// Nothing is held while the function runs: it may use the cell itself.
func TestUpdateUsesItsCell(t *testing.T) {
	v := value(t, region(t), "v", [2]int64{})
	runs := 0
	got := v.Update(func(x [2]int64) [2]int64 {
		if runs++; runs == 1 {
			v.Store([2]int64{10, 20})
			v.Update(func(x [2]int64) [2]int64 { return [2]int64{x[0] + 1, x[1] + 1} })
		}
		return [2]int64{x[0] + 100, x[1] + 100}
	})
	if want := [2]int64{111, 121}; got != want || v.Load() != want || runs != 2 {
		t.Errorf("Update = %v after %d runs, and it is %v; want %v", got, runs, v.Load(), want)
	}
}

// Exactly, from many goroutines: more than there are seats.
func TestWideConcurrent(t *testing.T) {
	const goroutines, rounds = 12, 1000
	r := region(t)
	v, a := value(t, r, "v", [3]int64{}), array[[40]int64](t, r, "a", 3)
	var wg sync.WaitGroup
	for g := range goroutines {
		wg.Go(func() {
			for i := range rounds {
				v.Update(func(x [3]int64) [3]int64 { return [3]int64{x[0] + 1, x[1] - 1, x[2] + 2} })
				a.Update(g%3, func(x [40]int64) [40]int64 { x[0]++; x[39]++; return x })
				if x := v.Load(); x[0] != -x[1] || x[2] != 2*x[0] {
					t.Errorf("torn: %v", x)
				}
				if i%100 == 0 {
					value(t, r, "v", [3]int64{}) // one more handle on the same seats
				}
			}
		})
	}
	wg.Wait()
	const total = goroutines * rounds
	if got := v.Load(); got != [3]int64{total, -total, 2 * total} {
		t.Errorf("%v, want %d updates", got, total)
	}
	for i, x := range a.All() {
		if x[0] != total/3 || x[39] != total/3 {
			t.Errorf("cell %d: %d and %d updates, want %d", i, x[0], x[39], total/3)
		}
	}
}

// A process has three spares of a value, however many handles.
func TestWideHandlesShareSeats(t *testing.T) {
	r := region(t)
	handles := []*atomics.Value[[2]int64]{value(t, r, "v", [2]int64{}), value(t, r, "v", [2]int64{})}
	for i := range int64(3) {
		for _, v := range handles {
			for range 4 {
				v.Store([2]int64{i, -i})
			}
			const copies = 1 + 3*64
			if free := atomics.Free(v); free != copies-1-3 {
				t.Errorf("round %d: %d copies of %d are free", i, free, copies)
			}
		}
	}
}

// A process's spares stay its own, however often it opens the value anew.
func TestWideOpenedOften(t *testing.T) {
	dir := filepath.Dir(region(t).Name())
	r, err := shm.Create(filepath.Join(dir, "often"), &shm.Options{Size: 1 << 20, Participants: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for i := range int64(40) {
		v := value(t, r, "v", [2]int64{})
		v.Store([2]int64{i, -i})
		v.CompareAndSwap([2]int64{}, [2]int64{})
		if got := v.Load(); got != [2]int64{i, -i} {
			t.Fatalf("round %d: %v", i, got)
		}
		v.Close()
		v = nil
		runtime.GC()
	}
}
