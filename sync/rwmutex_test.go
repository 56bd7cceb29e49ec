package sync_test

import (
	"context"
	"errors"
	"runtime"
	"strings"
	gosync "sync"
	"sync/atomic"
	"testing"
	"time"

	"example.com/tandem/shm"
	"example.com/tandem/shm/shmtest"
	"example.com/tandem/sync"
)

func rwmutex(t testing.TB, r *shm.Region, name string) *sync.RWMutex {
	t.Helper()
	m, err := sync.OpenRWMutex(r, name)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// tries is what TryLock and TryRLock say; what they lock is unlocked again.
func tries(t testing.TB, m *sync.RWMutex) (write, read bool) {
	t.Helper()
	write, err := m.TryLock()
	must(t, err)
	if write {
		must(t, m.Unlock())
	}
	read, err = m.TryRLock()
	must(t, err)
	if read {
		must(t, m.RUnlock())
	}
	return write, read
}

func wantTries(t testing.TB, m *sync.RWMutex, write, read bool) {
	t.Helper()
	if w, r := tries(t, m); w != write || r != read {
		t.Errorf("TryLock, TryRLock = %v, %v; want %v, %v", w, r, write, read)
	}
}

// Readers share, a writer has it alone; in one process, with two handles.
func TestRWMutex(t *testing.T) {
	r := shmtest.Region(t)
	m, same := rwmutex(t, r, "m"), rwmutex(t, r, "m")
	wantTries(t, m, true, true)
	for range 3 {
		must(t, m.RLock(background))
		must(t, same.RLock(background))
	}
	wantTries(t, m, false, true)
	if p, ok := m.Owner(); ok {
		t.Errorf("the owner of what is read is %v", p)
	}
	for range 6 {
		wantTries(t, same, false, true)
		must(t, same.RUnlock()) // by whichever handle
	}
	must(t, m.Lock(background))
	wantTries(t, same, false, false)
	if p, ok := same.Owner(); !ok || p.Index != r.Self().Index {
		t.Errorf("Owner = %+v, %v; want %+v", p, ok, r.Self())
	}
	done := make(chan error)
	go func() { done <- same.Unlock() }()
	must(t, <-done)
	wantTries(t, m, true, true)
	suspect, err := m.Recover(background)
	if suspect || err != nil {
		t.Errorf("Recover where no writer died = %v, %v", suspect, err)
	}
	must(t, m.MarkConsistent())
	wantTries(t, m, false, false)
	must(t, m.Unlock())
	must(t, rwmutex(t, r, "another").Lock(background))
	wantTries(t, m, true, true)
}

// Misuse says so, and changes nothing.
func TestRWMutexMisuse(t *testing.T) {
	m := rwmutex(t, shmtest.Region(t), "m")
	misuse := func(name string, want error, f func() error) {
		t.Helper()
		if err := f(); !errors.Is(err, want) {
			t.Errorf("%s = %v, want %v", name, err, want)
		}
	}
	for range 2 {
		misuse("Unlock of a free lock", sync.ErrNotLocked, m.Unlock)
		misuse("RUnlock of a free lock", sync.ErrNotLocked, m.RUnlock)
		misuse("MarkConsistent of a free lock", sync.ErrNotLocked, m.MarkConsistent)
	}
	wantTries(t, m, true, true)
	must(t, m.RLock(background))
	misuse("Unlock of what is read", sync.ErrNotLocked, m.Unlock)
	misuse("MarkConsistent of what is read", sync.ErrNotLocked, m.MarkConsistent)
	wantTries(t, m, false, true)
	must(t, m.RUnlock())
	misuse("a second RUnlock", sync.ErrNotLocked, m.RUnlock)
	must(t, m.Lock(background))
	misuse("RUnlock of what is written", sync.ErrNotLocked, m.RUnlock)
	wantTries(t, m, false, false)
	must(t, m.Unlock())
	misuse("a second Unlock", sync.ErrNotLocked, m.Unlock)
	wantTries(t, m, true, true)
}

// While a writer waits for readers it is not inside, and its process cannot
// unlock what it has not.
func TestRWMutexWriterWaits(t *testing.T) {
	r := shmtest.Region(t)
	m := rwmutex(t, r, "m")
	must(t, m.RLock(background))
	ctx, cancel := context.WithCancel(background)
	locked, read := make(chan error), make(chan error)
	go func() { locked <- m.Lock(ctx) }()
	shmtest.AwaitWaiting(t, r, "m", 1)
	wantTries(t, m, false, false) // it keeps new readers out
	go func() { read <- m.RLock(patience(t)) }()
	shmtest.AwaitWaiting(t, r, "m", 2)
	if p, ok := m.Owner(); ok {
		t.Errorf("the owner is %v, who still waits", p)
	}
	for name, f := range map[string]func() error{"Unlock": m.Unlock, "MarkConsistent": m.MarkConsistent} {
		if err := f(); !errors.Is(err, sync.ErrNotLocked) {
			t.Errorf("%s while a writer waits = %v", name, err)
		}
	}
	s, err := r.Snapshot()
	must(t, err)
	o := s.Objects[0]
	if o.State != "waiting for readers" || o.Owner == nil || len(o.Holders) != 1 || o.Holders[0].What != "reader" || o.Holders[0].N != 1 {
		t.Errorf("the snapshot shows %+v, owner %+v", o, o.Owner)
	}
	if text := s.String(); !strings.Contains(text, "  writer #0.1 (") || !strings.Contains(text, ") waits for readers, 1 reader of #0.1 (") || strings.Contains(text, "held by") {
		t.Errorf("a writer that waits is not told from one that writes:\n%s", text)
	}
	cancel()
	if err := <-locked; !errors.Is(err, context.Canceled) {
		t.Errorf("Lock whose context ends = %v", err)
	}
	must(t, <-read) // the one who waited behind it is let in
	wantTries(t, m, false, true)
	must(t, m.RUnlock())
	must(t, m.RUnlock())
	wantTries(t, m, true, true)
}

// A context that ends.
func TestRWMutexContextEnds(t *testing.T) {
	m := rwmutex(t, shmtest.Region(t), "m")
	ended, cancel := context.WithCancel(background)
	cancel()
	recover := func(ctx context.Context) error { _, err := m.Recover(ctx); return err }
	for name, f := range map[string]func(context.Context) error{"Lock": m.Lock, "RLock": m.RLock, "Recover": recover} {
		if err := f(ended); !errors.Is(err, context.Canceled) {
			t.Errorf("%s with an ended context = %v", name, err)
		}
	}
	const d = 30 * time.Millisecond
	late := func(name string, f func(context.Context) error) {
		t.Helper()
		start := time.Now()
		short, cancel := context.WithTimeout(background, d)
		defer cancel()
		err := f(short)
		if took := time.Since(start); !errors.Is(err, context.DeadlineExceeded) || took < d {
			t.Errorf("%s = %v after %v, want the deadline of %v", name, err, took, d)
		}
		var e *shm.Error
		if !errors.As(err, &e) || e.Op != name || e.Object != "m" || e.Region == "" {
			t.Errorf("the error says %#v", e)
		}
	}
	must(t, m.Lock(background))
	late("rwmutex.Lock", m.Lock)
	late("rwmutex.RLock", m.RLock)
	late("rwmutex.Recover", recover)
	must(t, m.Unlock())
	must(t, m.RLock(background))
	late("rwmutex.Lock", m.Lock)
	late("rwmutex.Recover", recover)
	must(t, m.RLock(background))
	must(t, m.RUnlock())
	must(t, m.RUnlock())
	wantTries(t, m, true, true)
}

// Readers and writers that sleep behind a writer all pass, and never a writer
// with anybody else.
func TestRWMutexWaitersAllPass(t *testing.T) {
	r := shmtest.Region(t)
	m := rwmutex(t, r, "m")
	ctx := patience(t)
	must(t, m.Lock(ctx))
	var writers, readers, passed atomic.Int32
	var wg gosync.WaitGroup
	for i := range 8 {
		lock, unlock, in, others := m.Lock, m.Unlock, &writers, &readers
		if i%2 == 0 {
			lock, unlock, in, others = m.RLock, m.RUnlock, &readers, &writers
		}
		wg.Go(func() {
			if err := lock(ctx); err != nil {
				t.Error(err)
				return
			}
			if n := in.Add(1); others.Load() != 0 || in == &writers && n != 1 {
				t.Error("a writer is not alone")
			}
			passed.Add(1)
			runtime.Gosched()
			in.Add(-1)
			if err := unlock(); err != nil {
				t.Error(err)
			}
		})
	}
	shmtest.AwaitWaiting(t, r, "m", 8)
	if passed.Load() != 0 {
		t.Error("somebody passed a writer")
	}
	must(t, m.Unlock())
	wg.Wait()
	if passed.Load() != 8 {
		t.Errorf("%d of 8 passed", passed.Load())
	}
}

// Many goroutines, some with short contexts, and two numbers that only the lock
// keeps the same.
func TestRWMutexHammer(t *testing.T) {
	m := rwmutex(t, shmtest.Region(t), "m")
	ctx := patience(t)
	var a, b int
	var want atomic.Int64
	var wg gosync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for n := range 300 {
				ctx, cancel := ctx, context.CancelFunc(func() {})
				if g%4 < 2 {
					ctx, cancel = context.WithTimeout(ctx, time.Duration(n)*time.Microsecond)
				}
				lock, unlock := m.RLock, m.RUnlock
				if g%2 == 0 {
					lock, unlock = m.Lock, m.Unlock
				}
				err := lock(ctx)
				cancel()
				if err != nil {
					if g%4 >= 2 {
						t.Error(err)
					}
					continue
				}
				if g%2 == 0 {
					a++
					want.Add(1)
				}
				if n%16 == 0 {
					runtime.Gosched()
				}
				if g%2 == 0 {
					b++
				}
				if a != b {
					t.Errorf("%d and %d", a, b)
				}
				if err := unlock(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if int64(a) != want.Load() {
		t.Errorf("count %d, want %d", a, want.Load())
	}
}

func TestRWMutexAllocatesNothing(t *testing.T) {
	m := rwmutex(t, shmtest.Region(t), "m")
	if n := testing.AllocsPerRun(1000, func() {
		if m.RLock(background) != nil || m.RUnlock() != nil || m.Lock(background) != nil || m.Unlock() != nil {
			t.Fatal("a free lock cannot be locked and unlocked")
		}
		if ok, err := m.TryLock(); !ok || err != nil || m.Unlock() != nil {
			t.Fatal("TryLock or Unlock failed")
		}
		if ok, err := m.TryRLock(); !ok || err != nil || m.RUnlock() != nil {
			t.Fatal("TryRLock or RUnlock failed")
		}
	}); n != 0 {
		t.Errorf("%v allocations a round", n)
	}
}

// Close is the death of a writer, wakes all who wait, and ends every handle.
func TestRWMutexRegionCloses(t *testing.T) {
	r := shmtest.Region(t)
	m, read, held := rwmutex(t, r, "m"), rwmutex(t, r, "read"), rwmutex(t, r, "held")
	must(t, held.Lock(background))
	must(t, read.RLock(background))
	told := make(chan error)
	go func() { told <- held.Lock(background) }()
	go func() { told <- held.RLock(background) }()
	go func() { _, err := held.Recover(background); told <- err }()
	shmtest.AwaitWaiting(t, r, "held", 3)
	go func() { told <- read.Lock(background) }()
	shmtest.AwaitWaiting(t, r, "read", 1)
	must(t, r.Close())
	for range 4 {
		if err := <-told; !errors.Is(err, shm.ErrClosed) {
			t.Errorf("a waiter in a region that closes is told %v", err)
		}
	}
	_, tryErr := m.TryLock()
	_, tryRErr := m.TryRLock()
	_, recErr := m.Recover(background)
	_, openErr := sync.OpenRWMutex(r, "m")
	_, marshalErr := m.MarshalBinary()
	for name, err := range map[string]error{"Lock": m.Lock(background), "TryLock": tryErr, "Recover": recErr,
		"RLock": m.RLock(background), "TryRLock": tryRErr, "Unlock": held.Unlock(), "RUnlock": read.RUnlock(),
		"MarkConsistent": held.MarkConsistent(), "OpenRWMutex": openErr, "MarshalBinary": marshalErr} {
		if !errors.Is(err, shm.ErrClosed) {
			t.Errorf("%s in a closed region = %v", name, err)
		}
	}
	if p, ok := held.Owner(); ok {
		t.Errorf("Owner in a closed region = %v", p)
	}
	r, err := shm.Open(r.Name(), nil)
	must(t, err)
	t.Cleanup(func() { r.Close() })
	wantTries(t, rwmutex(t, r, "read"), true, true)
	held = rwmutex(t, r, "held")
	if err := held.RLock(background); !errors.Is(err, sync.ErrOwnerDied) {
		t.Errorf("RLock of what was written at Close = %v", err)
	}
	suspect, err := held.Recover(background)
	if !suspect || err != nil {
		t.Errorf("Recover of what was written at Close = %v, %v", suspect, err)
	}
	must(t, held.MarkConsistent())
	must(t, held.Unlock())
	wantTries(t, held, true, true)
}
