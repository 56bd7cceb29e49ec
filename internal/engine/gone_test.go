package engine

import (
	"sync/atomic"
	"testing"
	"unsafe"

	"example.com/tandem/internal/mem"
)

// In a process that has closed the region there are zeroes in its place. Nothing is
// changed there, whatever they look like by then, and who tries is told.
func TestNothingChangesInZeroes(t *testing.T) {
	env := Env{Self: Self{Index: 1, Epoch: 1}, Wake: func(*uint32, int) int { return 0 }, Here: func(func()) bool { return false }}
	for name, try := range map[string]func() (mem.Area, error){
		"Release": func() (mem.Area, error) {
			a := mem.Heap(SemaphoreSize(2))
			s, err := AttachSemaphore(a, env, false)
			if err != nil {
				t.Fatal(err)
			}
			return a.Sub(semaphoreLine, 8), s.Release(1)
		},
		"Set": func() (mem.Area, error) {
			a := mem.Heap(EventSize)
			e, err := AttachEvent(a, env)
			if err != nil {
				t.Fatal(err)
			}
			return a.Sub(0, 8), e.Set()
		},
		"Replace": func() (mem.Area, error) {
			a := newWide(t, KindValue, 1, 16, 2)
			c := attachWide(t, a, KindValue, 1, 16, 1)
			c.env = env
			mem.Zero(a.Ptr(0, a.Size()), uintptr(a.Size()))
			var v [16]byte
			_, ok := c.Replace(0, Seen(1), unsafe.Pointer(&v))
			if _, there := c.Load(0, unsafe.Pointer(&v)); ok || there || c.Store(0, unsafe.Pointer(&v)) {
				return a, nil
			}
			for k := uint64(1); k <= c.count; k++ {
				if *a.W64(c.copy(k)) != 0 {
					return a.Sub(c.copy(k), 8), ErrGone
				}
			}
			return a.Sub(c.cell(0), 8), ErrGone
		},
		"Recover": func() (mem.Area, error) {
			a := mem.Heap(MutexSize)
			m, err := AttachMutex(a, env)
			if err != nil {
				t.Fatal(err)
			}
			_, err = m.Recover(nobody{})
			return a.Sub(0, 8), err
		},
		"taking an SPSC's side": func() (mem.Area, error) {
			_, s := heapSPSC(t, SPSCConfig{Slots: 2, Room: 8}, env)
			_, err := s.TryRoom()
			return mem.At(unsafe.Pointer(s.put.claim), 8), err
		},
		"ending an SPSC": func() (mem.Area, error) {
			_, s := heapSPSC(t, SPSCConfig{Slots: 2, Room: 8}, env)
			s.Shutdown()
			s.get.mine = true
			_, err := s.TryNext()
			return mem.At(unsafe.Pointer(s.end), 8), err
		},
		"opening a pipe": func() (mem.Area, error) {
			a, p := heapPipe(t, PipeConfig{Buffer: 64, Participants: 2}, env)
			_, err := p.Open(PipeLeft, new(atomic.Bool))
			return a.Sub(pipeE, 8), err
		},
		"listening": func() (mem.Area, error) {
			a, l := heapListener(t, ListenerConfig{Backlog: 2, Rows: 2}, env)
			_, err := l.Listen(func(Self) bool { return true })
			return a.Sub(listenerWord, 8), err
		},
		"accepting a stream": func() (mem.Area, error) {
			a, s := heapStream(t, env, false)
			_, err := s.Accept()
			return a.Sub(streamAcceptor, 8), err
		},
		"refusing a stream": func() (mem.Area, error) {
			a, s := heapStream(t, env, true)
			_, err := s.Refuse()
			return a.Sub(streamAcceptor, 8), err
		},
	} {
		if a, err := try(); err != ErrGone || *a.W64(0) != 0 {
			t.Errorf("%s in zeroes: %v, and they are %#x then; want ErrGone, 0", name, err, *a.W64(0))
		}
	}

	// A mutex of the zeroes may have been locked, with somebody who waited for it.
	a := mem.Heap(MutexSize)
	m, err := AttachMutex(a, env)
	if err != nil {
		t.Fatal(err)
	}
	*m.w = mutexSeqOne
	if _, err := m.Recover(nobody{}); err != ErrGone || *m.w != mutexSeqOne {
		t.Errorf("Recover in zeroes that were locked: %v, and the word is %#x then", err, *m.w)
	}

	// A barrier's first word is 0 in zeroes, and once in 2^33 rounds.
	a = mem.Heap(BarrierSize(2))
	InitBarrier(a, 2)
	b, err := AttachBarrier(a, env)
	if err != nil {
		t.Fatal(err)
	}
	*b.b = 0
	_, reset := b.Reset()
	if err := b.Abort(); err != ErrGone || reset != ErrGone || *b.b != 0 {
		t.Errorf("Abort in zeroes: %v, Reset: %v, and the word is %#x then", err, reset, *b.b)
	}
}

// nobody never sleeps.
type nobody struct{}

func (nobody) Sleep(*uint32, uint32) error { panic("sleeps") }
func (nobody) Spin() bool                  { return true }
func (nobody) Now() int64                  { return 1 }
