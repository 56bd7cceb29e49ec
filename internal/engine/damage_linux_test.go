package engine

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime/debug"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"example.com/tandem/internal/effort"
	"example.com/tandem/internal/mem"
)

// fenced is an area that no byte can be read beside: pages that are not there
// come after it, and before it too if it is of whole pages.
func fenced(t testing.TB, size uint64) mem.Area {
	t.Helper()
	const page = 4096
	up := int((size + page - 1) &^ (page - 1))
	b, err := syscall.Mmap(-1, 0, up+2*page, syscall.PROT_NONE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Munmap(b) })
	if err := syscall.Mprotect(b[page:page+up], syscall.PROT_READ|syscall.PROT_WRITE); err != nil {
		t.Fatal(err)
	}
	return mem.At(unsafe.Pointer(&b[page+up-int(size)]), size)
}

// errTired is what the sleeper of these tests says the second time.
var errTired = errors.New("slept enough")

type tired struct{ n int }

func (s *tired) Spin() bool { return false }
func (s *tired) Now() int64 { return time.Now().UnixNano() }
func (s *tired) Sleep(*uint32, uint32) error {
	if s.n++; s.n > 1 {
		return errTired
	}
	return nil
}

func (s *tired) Arms() bool { return true }
func (s *tired) SleepAny(words []*uint32, values []uint32, _ int64) error {
	return s.Sleep(words[0], values[0])
}

// awaitAny waits for a source beside another, whatever its memory holds.
func awaitAny(s Source) {
	var a Any
	a.Reset()
	a.Add(s)
	a.Add(NewSignal(func(*uint32, int) int { return 0 }))
	if i, err := a.Look(); i < 0 && err == nil {
		a.Wait(&tired{})
	}
}

// wreck writes over some words of an area, mostly its first, and mostly such as
// have something in them.
func wreck(r *rand.Rand, a mem.Area) {
	for range 1 + r.IntN(8) {
		in := a.Size()
		if r.IntN(3) > 0 {
			in = min(in, 640)
		}
		w := a.W32(0)
		for range 1 + r.IntN(40) {
			if w = a.W32(r.Uint64N(in/4) * 4); mem.Load32(w) != 0 {
				break
			}
		}
		switch v := mem.Load32(w); r.IntN(6) {
		case 0:
			v++
			mem.Store32(w, v)
		case 1:
			mem.Store32(w, v-1)
		case 2:
			mem.Store32(w, v^1<<r.IntN(32))
		case 3:
			mem.Store32(w, uint32(r.IntN(70)))
		case 4:
			mem.Store32(w, 1<<r.IntN(32)-uint32(r.IntN(3)))
		case 5:
			mem.Store32(w, r.Uint32())
		}
	}
}

// Whatever stands in an object's memory, and whatever is written there while
// it is in use, no operation leaves it, panics, or goes on for ever.
func TestDamagedMemory(t *testing.T) {
	rounds := effort.Or(4000, 500)
	env := Env{Self: Self{1, 1}, Wake: func(*uint32, int) int { return 0 }}
	for name, c := range map[string]struct {
		size uint64
		init func(a mem.Area)
		use  func(r *rand.Rand, a mem.Area, wreck func())
	}{
		"mutex":   {MutexSize, InitMutex, func(r *rand.Rand, a mem.Area, wreck func()) { useMutex(a, env, wreck) }},
		"rwmutex": {RWMutexSize(4), InitRWMutex, func(r *rand.Rand, a mem.Area, wreck func()) { useRWMutex(a, env, wreck) }},
		"rmutex":  {RMutexSize, InitRMutex, func(r *rand.Rand, a mem.Area, wreck func()) { useMutex(a, env, wreck) }},
		"cond":    {CondSize(4), InitCond, func(r *rand.Rand, a mem.Area, wreck func()) { useCond(a, env, wreck) }},
		"ledger":  {LedgerSize(4), func(a mem.Area) { InitLedger(a, 9) }, func(r *rand.Rand, a mem.Area, wreck func()) { useLedger(a, env, wreck) }},
		"event":   {EventSize, InitEvent, func(r *rand.Rand, a mem.Area, wreck func()) { useEvent(a, env, wreck) }},
		"once":    {OnceSize, InitOnce, func(r *rand.Rand, a mem.Area, wreck func()) { useOnce(a, env, wreck) }},
		"barrier": {BarrierSize(9), func(a mem.Area) { InitBarrier(a, 9) }, func(r *rand.Rand, a mem.Area, wreck func()) { useBarrier(a, env, wreck) }},
		"semaphore": {SemaphoreSize(4), func(a mem.Area) { InitSemaphore(a, 9) },
			func(r *rand.Rand, a mem.Area, wreck func()) { useSemaphore(a, env, r.IntN(2) == 0, wreck) }},
		"wide cells": {wideDamaged(12), func(a mem.Area) { InitWide(a, KindArray, 3, 12, 4) },
			func(r *rand.Rand, a mem.Area, wreck func()) { useWide(r, a, 12, env, wreck) }},
		"long cells": {wideDamaged(300), func(a mem.Area) { InitWide(a, KindArray, 3, 300, 4) },
			func(r *rand.Rand, a mem.Area, wreck func()) { useWide(r, a, 300, env, wreck) }},
		"spsc": {SPSCConfig{Slots: 5, Room: 24}.Size(), SPSCConfig{Slots: 5, Room: 24}.Init,
			func(r *rand.Rand, a mem.Area, wreck func()) { useSPSC(r, a, env, wreck) }},
		"pipe": {PipeConfig{Buffer: 100, Participants: 70, Duplex: true}.Size(), PipeConfig{Buffer: 100, Participants: 70, Duplex: true}.Init,
			func(r *rand.Rand, a mem.Area, wreck func()) { usePipe(r, a, env, wreck) }},
		"stream": {StreamConfig{Buffer: 128}.Size(), func(a mem.Area) { StreamConfig{Buffer: 128}.Init(a, Self{1, 1}, 7) },
			func(r *rand.Rand, a mem.Area, wreck func()) { useStream(r, a, env, wreck) }},
		"listener": {ListenerConfig{Backlog: 3, Rows: 4}.Size(), ListenerConfig{Backlog: 3, Rows: 4}.Init,
			func(r *rand.Rand, a mem.Area, wreck func()) { useListener(r, a, env, wreck) }},
		"slots": {QueueConfig{Slots: 7, Room: 24, Rows: 4}.Size(), QueueConfig{Slots: 7, Room: 24, Rows: 4}.Init,
			func(r *rand.Rand, a mem.Area, wreck func()) { useQueue(r, a, env, wreck) }},
		"blocks": {damagedBlocks.Size(), damagedBlocks.Init,
			func(r *rand.Rand, a mem.Area, wreck func()) { useQueue(r, a, env, wreck) }},
		"broadcast": {damagedBroadcast.Size(), damagedBroadcast.Init,
			func(r *rand.Rand, a mem.Area, wreck func()) { useBroadcast(r, a, env, wreck) }},
		"reliable broadcast": {damagedReliable.Size(), damagedReliable.Init,
			func(r *rand.Rand, a mem.Area, wreck func()) { useBroadcast(r, a, env, wreck) }},
	} {
		t.Run(name, func(t *testing.T) {
			a := fenced(t, c.size)
			for seed := range uint64(rounds) {
				r := rand.New(rand.NewPCG(seed, 3))
				mem.Zero(a.Ptr(0, a.Size()), uintptr(a.Size()))
				c.init(a)
				begun := time.Now()
				if err := unhurt(func() {
					// Used, damaged, used while it is damaged further, looked at
					// and recovered.
					c.use(r, a, func() {})
					wreck(r, a)
					opsOfAll(a, env)
					c.use(r, a, func() {
						if r.IntN(4) == 0 {
							wreck(r, a)
						}
					})
					opsOfAll(a, env)
				}); err != nil {
					t.Fatalf("seed %d: %v", seed, err)
				}
				if d := time.Since(begun); d > time.Minute {
					t.Fatalf("seed %d took %v", seed, d)
				}
			}
		})
	}
}

var damagedBlocks = QueueConfig{Slots: 5, Room: 112, Blocks: 12, BlockSize: 64, MaxMessage: 500, Rows: 4}

// unhurt calls f and returns its panic, or fault, as an error.
func unhurt(f func()) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%v\n%s", p, debug.Stack())
		}
	}()
	f()
	return nil
}

// opsOfAll takes the memory for an object of each kind: a directory may say so.
func opsOfAll(a mem.Area, env Env) {
	for k := range kinds {
		ops, _ := OpsOf(k)
		ops.Look(a)
		ops.Check(a)
		ops.Recover(a, env, Self{0, 1})
		ops.Recover(a, env, Self{1, 1})
		ops.Recover(a, env, Self{1023, 1})
	}
}

func useMutex(a mem.Area, env Env, wreck func()) {
	m, err := AttachMutex(a, env)
	if err != nil {
		return
	}
	for range 3 {
		m.Lock(&tired{})
		wreck()
		m.TryLock()
		m.Unlock()
		wreck()
		m.Recover(&tired{})
		m.Owner()
		m.MarkConsistent()
		wreck()
		m.Unlock()
	}
}

func useLedger(a mem.Area, env Env, wreck func()) {
	l, err := AttachLedger(a, env)
	if err != nil {
		return
	}
	all := Limits{Max: LedgerMax}
	for _, d := range []int{1, -1, 1000, -1000, 5} {
		l.Add(d, all)
		wreck()
		l.Wait(&tired{}, -d, all)
		l.Held(1)
		wreck()
		l.Value()
	}
	CheckLedger(a)
	LookLedger(a, "permit")
	l.Recover(0, GiveBack, 9)
	wreck()
	l.Recover(1, Undo, 9)
}

func useSemaphore(a mem.Area, env Env, bounded bool, wreck func()) {
	s, err := AttachSemaphore(a, env, bounded)
	if err != nil {
		return
	}
	for _, n := range []int{1, 3, LedgerMax} {
		s.AcquireNow()
		wreck()
		s.Acquire(&tired{})
		s.TryAcquire()
		wreck()
		s.ReleaseNow(n)
		s.Wake(n)
		wreck()
		s.Release(n)
		s.Value()
		awaitAny(s)
	}
}

func useQueue(r *rand.Rand, a mem.Area, env Env, wreck func()) {
	q, err := AttachQueue(a, env)
	if err != nil {
		return
	}
	var held []int
	var lent []Loan
	msg := make([]byte, min(q.MaxMessage(), 4096))
	for range 20 {
		n := len(msg)
		if !q.Holds(n) {
			n = r.IntN(n + 1)
		}
		switch wreck(); r.IntN(15) {
		case 14:
			awaitAny(q)
			q.Unrung()
		case 0, 1, 2:
			q.TryPut(msg[:n])
		case 3:
			q.Put(&tired{}, msg[:n])
		case 4, 5:
			if s, err := q.Take(&tired{}, false); err == nil {
				wreck()
				if n, err := q.Length(s); err == nil {
					q.Read(s, make([]byte, n))
				}
				wreck()
				q.Release(s)
			} else if err == io.EOF {
				return
			}
		case 6:
			if s, err := q.Take(nil, true); err == nil {
				held = append(held, q.Index(s))
			}
		case 7:
			for _, i := range held {
				if wreck(); r.IntN(2) == 0 {
					q.Ack(i)
				} else {
					q.Nack(i)
				}
			}
			held = nil
		case 8:
			q.TaskDone()
			q.Len()
			q.Join(&tired{})
		case 9:
			if r.IntN(8) == 0 {
				q.Shutdown()
			}
		case 10, 11:
			if l, err := q.Loan(&tired{}, n); err == nil {
				wreck()
				mem.Copy(q.Memory(l), unsafe.Pointer(&msg[0]), uintptr(n))
				lent = append(lent, l)
			}
		case 12:
			for _, l := range lent {
				if wreck(); r.IntN(2) == 0 {
					q.PutLoan(&tired{}, l, r.IntN(int(l.blocks*q.pool.size)))
				} else {
					q.DropLoan(l)
				}
				q.Lent(l)
			}
			lent = nil
		case 13:
			if s, err := q.Take(nil, true); err == nil {
				wreck()
				if n, err := q.Length(s); err == nil {
					wreck()
					if p, whole, err := q.InPlace(s, n); err == nil && whole {
						wreck()
						mem.Copy(unsafe.Pointer(&msg[0]), p, uintptr(n))
					}
					q.Clone(s, n)
				}
				held = append(held, q.Index(s))
			}
		}
	}
}
