package messages_test

import (
	"encoding"
	"errors"
	"fmt"
	"io/fs"
	"testing"

	"example.com/tandem/atomics"
	"example.com/tandem/internal/engine"
	"example.com/tandem/internal/testproc"
	"example.com/tandem/ring"
	"example.com/tandem/shm"
	tsync "example.com/tandem/sync"
)

// A traveller is a handle that can be an argument.
type traveller interface {
	encoding.BinaryMarshaler
	encoding.BinaryUnmarshaler
}

// travellers are all types of handles on objects: how one is opened, and where
// one arrives.
var travellers = []struct {
	kind engine.Kind
	op   string // opened by
	open func(r *shm.Region, name string) (traveller, error)
	to   func() traveller
}{
	{engine.KindMutex, "sync.OpenMutex", func(r *shm.Region, n string) (traveller, error) { return tsync.OpenMutex(r, n) }, func() traveller { return new(tsync.Mutex) }},
	{engine.KindRMutex, "sync.OpenRMutex", func(r *shm.Region, n string) (traveller, error) { return tsync.OpenRMutex(r, n) }, func() traveller { return new(tsync.RMutex) }},
	{engine.KindRWMutex, "sync.OpenRWMutex", func(r *shm.Region, n string) (traveller, error) { return tsync.OpenRWMutex(r, n) }, func() traveller { return new(tsync.RWMutex) }},
	{engine.KindCond, "sync.OpenCond", func(r *shm.Region, n string) (traveller, error) { return tsync.OpenCond(r, n, nil) }, func() traveller { return new(tsync.Cond) }},
	{engine.KindSemaphore, "sync.OpenSemaphore", func(r *shm.Region, n string) (traveller, error) { return tsync.OpenSemaphore(r, n, 1) }, func() traveller { return new(tsync.Semaphore) }},
	{engine.KindBoundedSemaphore, "sync.OpenBoundedSemaphore", func(r *shm.Region, n string) (traveller, error) { return tsync.OpenBoundedSemaphore(r, n, 1) }, func() traveller { return new(tsync.BoundedSemaphore) }},
	{engine.KindEvent, "sync.OpenEvent", func(r *shm.Region, n string) (traveller, error) { return tsync.OpenEvent(r, n) }, func() traveller { return new(tsync.Event) }},
	{engine.KindBarrier, "sync.OpenBarrier", func(r *shm.Region, n string) (traveller, error) { return tsync.OpenBarrier(r, n, 2, nil) }, func() traveller { return new(tsync.Barrier) }},
	{engine.KindOnce, "sync.OpenOnce", func(r *shm.Region, n string) (traveller, error) { return tsync.OpenOnce(r, n) }, func() traveller { return new(tsync.Once) }},
	{engine.KindValue, "atomics.OpenValue", func(r *shm.Region, n string) (traveller, error) { return atomics.OpenValue(r, n, int64(1)) }, func() traveller { return new(atomics.Value[int64]) }},
	{engine.KindArray, "atomics.OpenArray", func(r *shm.Region, n string) (traveller, error) { return atomics.OpenArray[int64](r, n, 2) }, func() traveller { return new(atomics.Array[int64]) }},
	{engine.KindSlice, "atomics.OpenSlice", func(r *shm.Region, n string) (traveller, error) { return atomics.OpenSlice[int64](r, n, 2) }, func() traveller { return new(atomics.Slice[int64]) }},
	{engine.KindQueue, "ring.OpenQueue", func(r *shm.Region, n string) (traveller, error) { return ring.OpenQueue[tick](r, n, nil) }, func() traveller { return new(ring.Queue[tick]) }},
	{engine.KindSPSC, "ring.OpenSPSC", func(r *shm.Region, n string) (traveller, error) { return ring.OpenSPSC[tick](r, n, nil) }, func() traveller { return new(ring.SPSC[tick]) }},
	{engine.KindPipe, "ring.OpenPipe", func(r *shm.Region, n string) (traveller, error) { return ring.OpenPipe[tick](r, n, ring.Right, nil) }, func() traveller { return new(ring.Conn[tick]) }},
	{engine.KindBroadcast, "ring.OpenBroadcast", func(r *shm.Region, n string) (traveller, error) { return ring.OpenBroadcast[tick](r, n, nil) }, func() traveller { return new(ring.Broadcast[tick]) }},
}

// A handle is on an object, and not on whatever has its name when it arrives.
func TestStaleHandle(t *testing.T) {
	r := feed(t, nil)
	covered := map[engine.Kind]bool{engine.KindListener: true, engine.KindStream: true} // package net's, which stay where they are
	for i, tt := range travellers {
		covered[tt.kind] = true
		t.Run(tt.kind.String(), func(t *testing.T) {
			name := fmt.Sprint("o-", int(tt.kind))
			first := testproc.Get(tt.open(r, name))(t)
			b := testproc.Get(first.MarshalBinary())(t)
			if err := tt.to().UnmarshalBinary(b); err != nil {
				t.Fatalf("while it is there: %v", err)
			}
			if err := r.Remove(name); err != nil {
				t.Fatal(err)
			}
			if err := tt.to().UnmarshalBinary(b); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("after it was removed: %v, want fs.ErrNotExist", err)
			}
			// Another of its kind, and then one of another kind, under its name.
			for _, k := range []int{i, (i + 1) % len(travellers)} {
				second := testproc.Get(travellers[k].open(r, name))(t)
				check(t, []row{{"while a " + travellers[k].kind.String() + " has its name", func() error { return tt.to().UnmarshalBinary(b) }, fs.ErrNotExist,
					fmt.Sprintf("%s feed/%s: the one of generation # was removed, and generation # has the name: file does not exist", tt.op, name)}})
				if err := travellers[k].to().UnmarshalBinary(testproc.Get(second.MarshalBinary())(t)); err != nil {
					t.Errorf("a handle on what is there: %v", err)
				}
				if err := r.Remove(name); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
	for k := range engine.Kind(64) {
		if _, ok := engine.OpsOf(k); ok && !covered[k] {
			t.Errorf("no handle on a %v has travelled", k)
		}
	}
}

// A Cond arrives with the lock that it was sent with, or not at all.
func TestStaleLock(t *testing.T) {
	for _, tt := range []struct {
		name string
		lock func(r *shm.Region, name string) (tsync.Lock, error)
		op   string
	}{
		{"mutex", func(r *shm.Region, n string) (tsync.Lock, error) { return tsync.OpenMutex(r, n) }, "sync.OpenMutex"},
		{"rmutex", func(r *shm.Region, n string) (tsync.Lock, error) {
			m, err := tsync.OpenRMutex(r, n)
			if err != nil {
				return nil, err
			}
			return m.NewHolder(), nil
		}, "sync.OpenRMutex"},
		{"cond", func(r *shm.Region, n string) (tsync.Lock, error) {
			c, err := tsync.OpenCond(r, n, nil)
			if err != nil {
				return nil, err
			}
			return c.Holder(), nil
		}, "sync.OpenCond"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := feed(t, nil)
			lock := testproc.Get(tt.lock(r, "guard"))(t)
			c := testproc.Get(tsync.OpenCond(r, "news", lock))(t)
			b := testproc.Get(c.MarshalBinary())(t)
			if err := new(tsync.Cond).UnmarshalBinary(b); err != nil {
				t.Fatalf("while it is there: %v", err)
			}
			if err := r.Remove("guard"); err != nil {
				t.Fatal(err)
			}
			if err := new(tsync.Cond).UnmarshalBinary(b); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("after its lock was removed: %v, want fs.ErrNotExist", err)
			}
			testproc.Get(tt.lock(r, "guard"))(t)
			check(t, []row{{"another lock has the name", func() error { return new(tsync.Cond).UnmarshalBinary(b) }, fs.ErrNotExist,
				"sync.OpenCond feed/news: " + tt.op + " feed/guard: the one of generation # was removed, and generation # has the name: file does not exist"}})
		})
	}
}
