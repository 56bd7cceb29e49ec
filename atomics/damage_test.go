package atomics_test

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"math/rand/v2"
	"path/filepath"
	"testing"
	"time"

	"example.com/tandem/atomics"
	"example.com/tandem/internal/effort"
	"example.com/tandem/shm"
)

// Whatever another process writes over a Value, an Array and a Slice, words and
// description: an error that says so or a wrong number, and nothing else.
func TestDamagedObjects(t *testing.T) {
	rounds := effort.Or(300, 60)
	dir := filepath.Dir(region(t).Name())
	random := rand.New(rand.NewPCG(5, 6))
	corrupt := 0
	for round := range rounds {
		r, err := shm.Create(filepath.Join(dir, "damaged"), &shm.Options{Size: 1 << 20, Participants: 4, Objects: 8})
		if err != nil {
			t.Fatal(err)
		}
		v, a := value(t, r, "v", padded{1, 2}), array[int16](t, r, "a", 9)
		if _, err := atomics.OpenSlice[job2](r, "s", 3); err != nil {
			t.Fatal(err)
		}
		damage(t, r, random)
		use(t, v, a)

		if err := r.Close(); err != nil {
			t.Logf("round %d: Close = %v", round, err)
		}
		r, err = shm.Open(r.Name(), nil) // new handles, which look at everything again
		if err != nil {
			t.Fatal(err)
		}
		v, err1 := atomics.OpenValue(r, "v", padded{})
		a, err2 := atomics.OpenArray[int16](r, "a", 0)
		s, err3 := atomics.OpenSlice[job2](r, "s", 0)
		for _, err := range []error{err1, err2, err3} {
			if errors.Is(err, shm.ErrCorrupt) {
				corrupt++
			} else if err != nil && !errors.Is(err, shm.ErrMismatch) && !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("round %d: %v", round, err)
			}
		}
		if err1 == nil && err2 == nil {
			use(t, v, a)
		}
		if err3 == nil {
			for i, d := range s.Data() {
				s.Data()[i] = d
			}
		}
		r.Check()
		if _, err := r.Snapshot(); err != nil && !errors.Is(err, shm.ErrCorrupt) {
			t.Errorf("round %d: Snapshot = %v", round, err)
		}
		r.Close()
		if err := shm.Remove(r.Name()); err != nil {
			t.Fatal(err)
		}
	}
	if corrupt == 0 {
		t.Error("the damage was never noticed")
	}
}

// damage overwrites bytes around the objects' descriptions.
func damage(t *testing.T, r *shm.Region, random *rand.Rand) {
	f, err := r.File()
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	all := make([]byte, r.Size())
	if _, err := f.ReadAt(all, 0); err != nil {
		t.Fatal(err)
	}
	for from := 0; ; {
		i := bytes.Index(all[from:], []byte("type="))
		if i < 0 {
			return
		}
		at := from + i - 208 // the words of a Value and its description
		from += i + 1
		for range 1 + random.IntN(4) {
			b := []byte{byte(random.Uint32())}
			if random.IntN(3) == 0 {
				b = []byte{255, 255, 255, 255, 255, 255, 255, 255}
			}
			if _, err := f.WriteAt(b, int64(at+random.IntN(280))); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// use does everything, and has it end.
func use(t *testing.T, v *atomics.Value[padded], a *atomics.Array[int16]) {
	v.Load()
	v.CompareAndSwap(v.Load(), padded{3, 4})
	v.Update(func(x padded) padded { return padded{x.A + 1, x.B} })
	v.Swap(padded{5, 6})
	for i := range a.Len() {
		atomics.AddAt(a, i, 1)
	}
	a.CopyFrom(make([]int16, a.Len()))
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Millisecond)
	defer cancel()
	if v.Lock(ctx) == nil {
		v.Unlock()
	}
	if _, err := a.Recover(ctx); err == nil {
		a.MarkConsistent()
		a.Unlock()
	}
}
