package sync_test

import (
	"context"
	"errors"
	"io/fs"
	gosync "sync"
	"sync/atomic"
	"testing"
	"time"

	"example.com/tandem/shm"
	"example.com/tandem/shm/shmtest"
	"example.com/tandem/sync"
)

func rmutex(t testing.TB, r *shm.Region, name string) *sync.RMutex {
	t.Helper()
	m, err := sync.OpenRMutex(r, name)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// tryHolder is TryLock, whose error fails the test.
func tryHolder(t testing.TB, h *sync.Holder) bool {
	t.Helper()
	ok, err := h.TryLock()
	must(t, err)
	return ok
}

func depth(t testing.TB, h *sync.Holder, want int) {
	t.Helper()
	if d := h.Depth(); d != want {
		t.Errorf("Depth = %d, want %d", d, want)
	}
}

// R1 to R7, in one process, with two handles.
func TestRMutex(t *testing.T) {
	r := shmtest.Region(t)
	m := rmutex(t, r, "m")
	h, other := m.NewHolder(), rmutex(t, r, "m").NewHolder()
	if _, ok := m.Owner(); ok {
		t.Error("a new mutex has an owner")
	}
	for d := range 3 {
		depth(t, h, d)
		must(t, h.Lock(background))
	}
	depth(t, h, 3)
	depth(t, other, 0)
	if p, ok := m.Owner(); !ok || p.Index != r.Self().Index {
		t.Errorf("Owner = %+v, %v; want %+v", p, ok, r.Self())
	}
	for d := 3; d > 0; d-- {
		if tryHolder(t, other) {
			t.Errorf("another holder locks what is held at depth %d", d)
		}
		if err := other.Unlock(); !errors.Is(err, sync.ErrNotOwner) {
			t.Errorf("Unlock by another holder = %v", err)
		}
		if err := other.MarkConsistent(); !errors.Is(err, sync.ErrNotOwner) {
			t.Errorf("MarkConsistent by another holder = %v", err)
		}
		depth(t, h, d)
		must(t, h.Unlock())
	}
	if err := h.Unlock(); !errors.Is(err, sync.ErrNotOwner) {
		t.Errorf("Unlock of a free lock = %v", err)
	}
	if err := h.MarkConsistent(); !errors.Is(err, sync.ErrNotOwner) {
		t.Errorf("MarkConsistent of a free lock = %v", err)
	}
	depth(t, h, 0)
	for range 2 {
		if !tryHolder(t, other) {
			t.Error("TryLock of a free lock, or of one's own, fails")
		}
	}
	if tryHolder(t, h) {
		t.Error("TryLock of what another holder has succeeds")
	}
	depth(t, other, 2)
	must(t, other.MarkConsistent())
	must(t, other.Unlock())
	must(t, other.Unlock())
	for _, up := range []bool{true, true, false, true, false, false} { // R5
		if up {
			must(t, h.Lock(background))
		} else {
			must(t, h.Unlock())
		}
	}
	if suspect, err := h.Recover(background); suspect || err != nil {
		t.Errorf("Recover of a lock whose holders live = %v, %v", suspect, err)
	}
	if suspect, err := h.Recover(background); suspect || err != nil {
		t.Errorf("Recover of one's own = %v, %v", suspect, err)
	}
	depth(t, h, 2)
}

// R8: a context that ends, with the lock free, one's own, and another's.
func TestRMutexContextEnds(t *testing.T) {
	m := rmutex(t, shmtest.Region(t), "m")
	h, other := m.NewHolder(), m.NewHolder()
	ended, cancel := context.WithCancel(background)
	cancel()
	for d := range 2 {
		if err := h.Lock(ended); !errors.Is(err, context.Canceled) {
			t.Errorf("Lock with an ended context = %v", err)
		}
		if _, err := h.Recover(ended); !errors.Is(err, context.Canceled) {
			t.Errorf("Recover with an ended context = %v", err)
		}
		depth(t, h, d)
		must(t, h.Lock(background))
	}
	const d = 30 * time.Millisecond
	start := time.Now()
	short, cancel := context.WithTimeout(background, d)
	defer cancel()
	err := other.Lock(short)
	if took := time.Since(start); !errors.Is(err, context.DeadlineExceeded) || took < d {
		t.Errorf("Lock of what another has = %v after %v, want the deadline of %v", err, took, d)
	}
	var e *shm.Error
	if !errors.As(err, &e) || e.Op != "holder.Lock" || e.Object != "m" || e.Region == "" {
		t.Errorf("the error says %#v", e)
	}
	depth(t, other, 0)
	must(t, h.Unlock())
	must(t, h.Unlock())
	if !tryHolder(t, other) {
		t.Error("after contexts ended the lock is not free")
	}
}

// Holders of several goroutines, each locking once, twice or three times, and
// a count that only the lock guards; and a holder that two goroutines hand to
// each other, unlocked and locked.
func TestRMutexHammer(t *testing.T) {
	m := rmutex(t, shmtest.Region(t), "m")
	ctx := patience(t)
	count, inside := 0, atomic.Int32{}
	var wg gosync.WaitGroup
	handed := make(chan *sync.Holder, 1)
	handed <- m.NewHolder()
	for range 2 {
		wg.Go(func() {
			for range 200 {
				h := <-handed
				if h.Depth() == 0 {
					if err := h.Lock(ctx); err != nil {
						t.Error(err)
					}
					if inside.Add(1) != 1 {
						t.Error("two holders inside")
					}
				} else {
					inside.Add(-1)
					if err := h.Unlock(); err != nil {
						t.Error(err)
					}
				}
				handed <- h
			}
		})
	}
	for g := range 5 {
		wg.Go(func() {
			h := m.NewHolder()
			for n := range 200 {
				deep := 1 + (g+n)%3
				for range deep {
					if err := h.Lock(ctx); err != nil {
						t.Error(err)
					}
				}
				if inside.Add(1) != 1 {
					t.Error("two holders inside")
				}
				count++
				inside.Add(-1)
				for range deep {
					if err := h.Unlock(); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	wg.Wait()
	if count != 5*200 {
		t.Errorf("count %d", count)
	}
}

func TestRMutexAllocatesNothing(t *testing.T) {
	h := rmutex(t, shmtest.Region(t), "m").NewHolder()
	if n := testing.AllocsPerRun(1000, func() {
		for range 2 {
			if h.Lock(background) != nil {
				t.Fatal("Lock failed")
			}
		}
		for range 2 {
			if h.Unlock() != nil {
				t.Fatal("Unlock failed")
			}
		}
		if ok, err := h.TryLock(); !ok || err != nil || h.Unlock() != nil {
			t.Fatal("TryLock or Unlock failed")
		}
	}); n != 0 {
		t.Errorf("%v allocations a round", n)
	}
}

// Close is the death of what is held, wakes who waits, and ends every handle.
func TestRMutexRegionCloses(t *testing.T) {
	r := shmtest.Region(t)
	m := rmutex(t, r, "m")
	h, waits, repairs := m.NewHolder(), m.NewHolder(), m.NewHolder()
	must(t, h.Lock(background))
	must(t, h.Lock(background))
	told := make(chan error)
	go func() { told <- waits.Lock(background) }()
	go func() { _, err := repairs.Recover(background); told <- err }()
	waiters(t, 2)
	must(t, r.Close())
	for range 2 {
		if err := <-told; !errors.Is(err, shm.ErrClosed) {
			t.Errorf("a waiter in a region that closes is told %v", err)
		}
	}
	_, tryErr := h.TryLock()
	_, recErr := h.Recover(background)
	_, openErr := sync.OpenRMutex(r, "m")
	_, marshalErr := m.MarshalBinary()
	for name, err := range map[string]error{"Lock": h.Lock(background), "TryLock": tryErr, "Recover": recErr,
		"Unlock": h.Unlock(), "MarkConsistent": h.MarkConsistent(), "OpenRMutex": openErr, "MarshalBinary": marshalErr,
		"Lock by another": m.NewHolder().Lock(background)} {
		if !errors.Is(err, shm.ErrClosed) {
			t.Errorf("%s in a closed region = %v", name, err)
		}
	}
	depth(t, h, 0)
	if p, ok := m.Owner(); ok {
		t.Errorf("Owner in a closed region = %v", p)
	}
	r, err := shm.Open(r.Name(), nil)
	must(t, err)
	t.Cleanup(func() { r.Close() })
	h = rmutex(t, r, "m").NewHolder()
	if err := h.Lock(background); !errors.Is(err, sync.ErrOwnerDied) {
		t.Errorf("Lock of what was held at Close = %v", err)
	}
	suspect, err := h.Recover(background)
	if !suspect || err != nil {
		t.Errorf("Recover of what was held at Close = %v, %v", suspect, err)
	}
	if suspect, err := h.Recover(background); !suspect || err != nil {
		t.Errorf("Recover once more = %v, %v", suspect, err)
	}
	must(t, h.Lock(background)) // as deep as the repair wants to
	depth(t, h, 3)
	must(t, h.MarkConsistent())
	for range 3 {
		must(t, h.Unlock())
	}
	must(t, h.Lock(background))
}

func TestRMutexTravels(t *testing.T) {
	r := shmtest.Region(t)
	m := rmutex(t, r, "m")
	b, err := m.MarshalBinary()
	must(t, err)
	var other sync.RMutex
	must(t, other.UnmarshalBinary(b))
	must(t, other.NewHolder().Lock(background))
	if tryHolder(t, m.NewHolder()) {
		t.Error("what travelled is another mutex")
	}
	if err := new(sync.Mutex).UnmarshalBinary(b); !errors.Is(err, shm.ErrMismatch) {
		t.Errorf("an rmutex arrives as a mutex: %v", err)
	}
	must(t, r.Remove("m"))
	if err := new(sync.RMutex).UnmarshalBinary(b); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a handle on what was removed arrives: %v", err)
	}
}

// A snapshot says who has it, and how deep.
func TestRMutexLook(t *testing.T) {
	r := shmtest.Region(t)
	h := rmutex(t, r, "m").NewHolder()
	must(t, h.Lock(background))
	must(t, h.Lock(background))
	s, err := r.Snapshot()
	must(t, err)
	o := s.Objects[0]
	if o.Owner == nil || o.Owner.Index != r.Self().Index || o.Value != "holder 1, depth 2" {
		t.Errorf("a snapshot shows %+v", o)
	}
	must(t, h.Unlock())
	must(t, h.Unlock())
	if s, err = r.Snapshot(); err != nil || s.Objects[0].Owner != nil || s.Objects[0].Value != "" {
		t.Errorf("a snapshot of a free one shows %+v, %v", s.Objects[0], err)
	}
}

func BenchmarkHolder(b *testing.B) {
	b.Run("lock-unlock", func(b *testing.B) {
		h := rmutex(b, shmtest.Region(b), "m").NewHolder()
		b.ReportAllocs()
		for b.Loop() {
			if h.Lock(background) != nil || h.Unlock() != nil {
				b.Fatal("Lock or Unlock failed")
			}
		}
	})
	b.Run("again", func(b *testing.B) {
		h := rmutex(b, shmtest.Region(b), "m").NewHolder()
		must(b, h.Lock(background))
		b.ReportAllocs()
		for b.Loop() {
			if h.Lock(background) != nil || h.Unlock() != nil {
				b.Fatal("Lock or Unlock failed")
			}
		}
	})
}
