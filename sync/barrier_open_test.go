package sync_test

import (
	"errors"
	"io/fs"
	"testing"

	"example.com/tandem/shm"
	"example.com/tandem/shm/shmtest"
	"example.com/tandem/sync"
)

// Beside what any OpenX refuses: see test/handles.
func TestOpenBarrierErrors(t *testing.T) {
	r := shmtest.Region(t)
	barrier(t, r, "three", 3, nil)
	for _, tt := range []struct {
		name    string
		parties int
		want    error
	}{
		{"b", -1, fs.ErrInvalid}, // B14
		{"b", 0, fs.ErrInvalid},
		{"b", 0, fs.ErrNotExist},
		{"b", 1<<20 + 1, fs.ErrInvalid},
		{"three", 4, shm.ErrMismatch},
		{"three", -3, fs.ErrInvalid},
	} {
		if b, err := sync.OpenBarrier(r, tt.name, tt.parties, nil); b != nil || !errors.Is(err, tt.want) {
			t.Errorf("OpenBarrier %q of %d = %v, want %v", tt.name, tt.parties, err, tt.want)
		}
	}
	if b := barrier(t, r.Existing(), "three", 0, nil); b.Parties() != 3 {
		t.Errorf("found with 0, it has %d parties", b.Parties())
	}
	if b := barrier(t, r, "many", 1<<20, nil); b.Parties() != 1<<20 || b.Waiting() != 0 {
		t.Errorf("a barrier of %d, %d wait", b.Parties(), b.Waiting())
	}
}

func TestBarrierTravels(t *testing.T) {
	r := shmtest.Region(t)
	b := barrier(t, r, "b", 2, nil)
	p, err := b.MarshalBinary()
	must(t, err)
	var other sync.Barrier
	must(t, other.UnmarshalBinary(p))
	done := comeTo(patience(t), &other, 1)
	if i, err := b.Wait(patience(t)); err != nil {
		t.Error(i, err)
	}
	if p := <-done; p.err != nil {
		t.Error(p.err)
	}
	m, err := mutex(t, r, "m").MarshalBinary()
	must(t, err)
	if err := other.UnmarshalBinary(m); !errors.Is(err, shm.ErrMismatch) {
		t.Errorf("a handle on a mutex arrives as one on a barrier: %v", err)
	}
	must(t, r.Remove("b"))
	if err := new(sync.Barrier).UnmarshalBinary(p); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a handle on what was removed arrives: %v", err)
	}
}

func TestBarrierAllocatesNothing(t *testing.T) {
	r := shmtest.Region(t)
	b := barrier(t, r, "b", 1, func() error { return nil })
	plain := barrier(t, r, "b", 1, nil)
	if n := testing.AllocsPerRun(1000, func() {
		for _, b := range []*sync.Barrier{b, plain} {
			if i, err := b.Wait(background); i != 0 || err != nil {
				t.Fatal(i, err)
			}
		}
		if b.Waiting() != 0 || b.Broken() || b.Reset() != nil {
			t.Fatal("not idle")
		}
	}); n != 0 {
		t.Errorf("%v allocations a round", n)
	}
}

// One alone, two goroutines of one process; see bench for two processes.
func BenchmarkBarrierWait(b *testing.B) {
	r := shmtest.Region(b)
	b.Run("parties=1", func(b *testing.B) {
		x := barrier(b, r, "one", 1, nil)
		b.ReportAllocs()
		for b.Loop() {
			if _, err := x.Wait(background); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("parties=2", func(b *testing.B) {
		x := barrier(b, r, "two", 2, nil)
		b.ReportAllocs()
		done := make(chan error)
		go func() {
			var err error
			for err == nil {
				_, err = x.Wait(background)
			}
			done <- err
		}()
		for b.Loop() {
			if _, err := x.Wait(background); err != nil {
				b.Fatal(err)
			}
		}
		must(b, x.Abort())
		if err := <-done; !errors.Is(err, sync.ErrBroken) {
			b.Error(err)
		}
		must(b, x.Reset())
	})
}
