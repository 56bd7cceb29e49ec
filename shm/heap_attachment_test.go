package shm

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	gosync "sync"
	"sync/atomic"
	"testing"
	"time"

	"example.com/tandem/internal/engine"
	"example.com/tandem/internal/mem"
	"example.com/tandem/internal/object"
	"example.com/tandem/internal/region"
	"example.com/tandem/internal/sys"
	"example.com/tandem/internal/wait"
)

// A region in ordinary memory: all of the directory, without a file, a guard
// or a second process. Several attachments to it are as many participants.

type heapRegion struct {
	mem.Area
	g     region.Geometry
	mu    gosync.Mutex
	gates map[*object.Gate]bool // of those attached
}

func newHeapRegion(t testing.TB, size uint64, participants, objects uint32) *heapRegion {
	t.Helper()
	g, err := region.NewGeometry(size, participants, objects)
	if err != nil {
		t.Fatal(err)
	}
	h := &heapRegion{Area: mem.Heap(size), g: g, gates: map[*object.Gate]bool{}}
	// What the collector finds of it after the test leaves the region alone: the
	// scheduler would take its accesses for those of another test.
	t.Cleanup(func() {
		for g := range h.gates {
			g.Shut()
		}
	})
	hd := region.Header{Geometry: g, ID: object.RegionID{1}, Boot: sys.BootID()}
	hd.Encode(h.Bytes(0, 4096))
	w := words{region.On(h.Area, g)}
	w.InitDirectory()
	return h
}

// attach is participant i.
func (h *heapRegion) attach(i uint32) *Region {
	a := &attachment{
		words: words{region.On(h.Area, h.g)},
		id:    object.RegionID{1},
		name:  "heap",
		list:  wait.NewList(),
		self:  engine.Self{Index: i, Epoch: 1},
		refs:  1,
	}
	a.env = engine.Env{Self: a.self, Wake: wait.Wake}
	r := a.rec(i)
	r.Fill(region.Identity{PID: uint32(os.Getpid())}, fmt.Sprint("test-", i))
	mem.Store64(r.P64(region.RecWord), region.RecordWord(1, region.StAlive))
	h.mu.Lock()
	h.gates[&a.gate] = true
	h.mu.Unlock()
	return &Region{a: a, closed: new(atomic.Bool)}
}

// kill is what recovery does for a participant that died.
func (h *heapRegion) kill(r *Region) {
	r.a.gate.Shut() // it does nothing any more
	h.mu.Lock()
	delete(h.gates, &r.a.gate)
	h.mu.Unlock()
	w := words{region.On(h.Area, h.g)}
	self := r.a.self
	w.recoverObjects(engine.Env{Wake: wait.Wake}, self)
	mem.Store64(w.rec(self.Index).P64(region.RecWord), region.RecordWord(self.Epoch, region.StFree))
}

// forget is as if all handles had been collected.
func forget(r *Region) {
	r.a.uses.mu.Lock()
	defer r.a.uses.mu.Unlock()
	r.a.uses.m = nil
	r.a.ClearOpeners(r.a.self.Index)
}

// image and restore save and bring back all bytes.
func (h *heapRegion) image() []byte    { return append([]byte(nil), h.Bytes(0, h.g.Size)...) }
func (h *heapRegion) restore(b []byte) { copy(h.Bytes(0, h.g.Size), b) }

// lockOf asks for a mutex with some configuration.
func lockOf(name string, fields ...object.Field) object.Spec { return sizedSpec(name, 0, fields...) }

// sizedSpec asks for a mutex that has extra bytes behind it.
func sizedSpec(name string, extra uint64, fields ...object.Field) object.Spec {
	return object.Spec{
		Op: "test.Open", Kind: engine.KindMutex, Name: name, Fields: fields,
		Create: func(int) ([]object.Field, uint64, func(mem.Area), error) {
			return fields, engine.MutexSize + extra, func(a mem.Area) {
				if b := a.Bytes(0, a.Size()); !allZero(b) {
					panic("memory of a new object is not zero")
				}
				engine.InitMutex(a.Sub(0, engine.MutexSize))
			}, nil
		},
	}
}

func allZero(b []byte) bool {
	for _, x := range b {
		if x != 0 {
			return false
		}
	}
	return true
}

func openOK(t testing.TB, r *Region, s object.Spec) *object.Core {
	t.Helper()
	c, err := r.OpenObject(s)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func checkOK(t testing.TB, r *Region) {
	t.Helper()
	if err := r.Check(); err != nil {
		t.Fatal(err)
	}
}

func wantErr(t testing.TB, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("got %v, want %v", err, want)
	}
	var e *Error
	if !errors.As(err, &e) || e.Op == "" || e.Region == "" {
		t.Fatalf("%#v is no *Error that says what was tried", err)
	}
}

func garbage() {
	runtime.GC()
	time.Sleep(time.Millisecond)
}
