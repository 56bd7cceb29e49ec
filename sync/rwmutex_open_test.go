package sync_test

import (
	"errors"
	"fmt"
	"io/fs"
	gosync "sync"
	"testing"

	"example.com/tandem/shm/shmtest"
	"example.com/tandem/sync"
)

func TestRWMutexTravels(t *testing.T) {
	r := shmtest.Region(t)
	m := rwmutex(t, r, "m")
	b, err := m.MarshalBinary()
	must(t, err)
	var other sync.RWMutex
	must(t, other.UnmarshalBinary(b))
	must(t, other.RLock(background))
	if err := m.RUnlock(); err != nil {
		t.Errorf("what travelled is another lock: %v", err)
	}
	if err := new(sync.Mutex).UnmarshalBinary(b); err == nil {
		t.Error("an RWMutex arrives as a Mutex")
	}
	b, err = mutex(t, r, "mutex").MarshalBinary()
	must(t, err)
	if err := new(sync.RWMutex).UnmarshalBinary(b); err == nil {
		t.Error("a Mutex arrives as an RWMutex")
	}
	b, err = m.MarshalBinary()
	must(t, err)
	must(t, r.Remove("m"))
	if err := new(sync.RWMutex).UnmarshalBinary(b); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a handle on what was removed arrives: %v", err)
	}
}

// Beside the standard library's, in the same run.
func BenchmarkRWMutex(b *testing.B) {
	var std gosync.RWMutex
	shared := 0 // what std guards
	m := rwmutex(b, shmtest.Region(b), "m")
	for _, bench := range []struct {
		name        string
		lock        func() error
		unlock      func() error
		stdL, stdUL func()
	}{
		{"RLock", func() error { return m.RLock(background) }, m.RUnlock, std.RLock, std.RUnlock},
		{"Lock", func() error { return m.Lock(background) }, m.Unlock, std.Lock, std.Unlock},
	} {
		b.Run(fmt.Sprintf("op=%s/of=tandem", bench.name), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if bench.lock() != nil || bench.unlock() != nil {
					b.Fatal("a free lock cannot be locked and unlocked")
				}
			}
		})
		b.Run(fmt.Sprintf("op=%s/of=sync", bench.name), func(b *testing.B) {
			for b.Loop() {
				bench.stdL()
				bench.stdUL()
			}
		})
	}
	b.Run("op=RLock-parallel/of=tandem", func(b *testing.B) {
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				if m.RLock(background) != nil || m.RUnlock() != nil {
					b.Error("a free lock cannot be read")
				}
			}
		})
	})
	b.Run("op=RLock-parallel/of=sync", func(b *testing.B) {
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				std.RLock()
				n := shared
				std.RUnlock()
				if n != 0 {
					b.Error("what nobody wrote has changed")
				}
			}
		})
	})
}
