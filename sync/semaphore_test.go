package sync_test

import (
	"errors"
	"io/fs"
	"testing"

	"example.com/tandem/shm/shmtest"
	"example.com/tandem/sync"
)

func BenchmarkSemaphoreAcquireRelease(b *testing.B) {
	s, err := sync.OpenSemaphore(shmtest.Region(b), "s", 1)
	must(b, err)
	b.ReportAllocs()
	for b.Loop() {
		if s.Acquire(background) != nil || s.Release(1) != nil {
			b.Fatal("Acquire or Release failed")
		}
	}
}

// S2, S3, S7, S9, S10 in one process.
func TestSemaphoreCounts(t *testing.T) {
	r := shmtest.Region(t)
	s, err := sync.OpenSemaphore(r, "s", 2)
	must(t, err)
	must(t, s.Acquire(background))
	must(t, s.Acquire(background))
	if ok, err := s.TryAcquire(); ok || err != nil || s.Value() != 0 {
		t.Errorf("TryAcquire of none = %v, %v; value %d", ok, err, s.Value())
	}
	must(t, s.Release(3))
	if v := s.Value(); v != 3 {
		t.Errorf("value %d, want 3", v)
	}
	b, err := sync.OpenBoundedSemaphore(r, "b", 2)
	must(t, err)
	must(t, b.Acquire(background))
	if err := b.Release(2); !errors.Is(err, sync.ErrOverRelease) || b.Value() != 1 {
		t.Errorf("Release past the bound = %v; value %d", err, b.Value())
	}
	must(t, b.Release(1))
	for _, n := range []int{0, -1} {
		if err := b.Release(n); !errors.Is(err, fs.ErrInvalid) || b.Value() != 2 {
			t.Errorf("Release(%d) = %v", n, err)
		}
	}
}
