//go:build tandem_sim

package engine_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	. "example.com/tandem/internal/engine"
	"example.com/tandem/internal/mem"
)

// interrupted runs f up to its access number at, and reports whether it was
// over before. What is deferred comes to no access, either.
func interrupted(at int, f func()) (over bool) {
	type interrupt struct{}
	n := 0
	mem.Point = func() {
		if n++; at > 0 && n >= at {
			panic(interrupt{})
		}
	}
	defer func() {
		mem.Point = nil
		if r := recover(); r != nil {
			if _, ok := r.(interrupt); !ok {
				panic(r)
			}
		}
	}()
	f()
	return true
}

func noWake(*uint32, int) int { return 0 }

// A walk is a queue on which a few processes do this and that, one at a time,
// and die in the middle of it.
type walk struct {
	*testing.T
	r     *rand.Rand
	c     QueueConfig
	a     mem.Area
	procs []*walker
	dead  []Self // and not recovered
	log   []string
}

type walker struct {
	self   Self
	q      *Queue
	leases []int
}

func (w *walk) attach(a mem.Area, self Self) *Queue {
	w.Helper()
	q, err := AttachQueue(a, Env{Self: self, Wake: noWake})
	if err != nil {
		w.Fatal(err)
	}
	return q
}

// copied is the queue with memory of its own: some looks help head and tail on.
func (w *walk) copied() *Queue {
	a := mem.Heap(w.a.Size())
	copy(a.Bytes(0, a.Size()), w.a.Bytes(0, w.a.Size()))
	return w.attach(a, Self{Index: 7, Epoch: 1})
}

func (w *walk) step() {
	p := w.procs[w.r.IntN(len(w.procs))]
	if len(w.dead) > 0 && w.r.IntN(3) == 0 { // a recovery, and perhaps its own death
		at := 0
		if w.r.IntN(2) == 0 {
			at = 1 + w.r.IntN(60)
		}
		w.log = append(w.log, fmt.Sprintf("recovery of %v to access %d", w.dead[0], at))
		if interrupted(at, func() { RecoverQueue(w.a, Env{Self: p.self, Wake: noWake}, w.dead[0]) }) {
			next := Self{Index: w.dead[0].Index, Epoch: w.dead[0].Epoch + 1}
			w.procs = append(w.procs, &walker{self: next, q: w.attach(w.a, next)})
			w.dead = w.dead[1:]
		}
		return
	}
	what, size := w.r.IntN(7), w.c.Room
	if w.c.Blocks > 0 && w.r.IntN(2) == 0 {
		size = w.c.MaxMessage
	}
	op := func() {
		switch what {
		case 0, 1, 2:
			p.q.TryPut(make([]byte, size))
		case 3:
			if s, err := p.q.Take(nil, false); err == nil {
				p.q.Release(s)
				p.q.TaskDone()
			}
		case 4:
			if s, err := p.q.Take(nil, true); err == nil {
				p.leases = append(p.leases, p.q.Index(s))
			}
		default:
			if n := len(p.leases); n > 0 {
				i := w.r.IntN(n)
				slot := p.leases[i]
				p.leases = append(p.leases[:i], p.leases[i+1:]...)
				if what == 5 {
					p.q.Ack(slot)
				} else {
					p.q.Nack(slot)
				}
			}
		}
	}
	at := 0
	if w.r.IntN(8) == 0 && len(w.procs) > 1 {
		at = 1 + w.r.IntN(30)
	}
	w.log = append(w.log, fmt.Sprintf("%v: op %d of %d bytes to access %d", p.self, what, size, at))
	if !interrupted(at, op) {
		w.dead = append(w.dead, p.self)
		w.procs = slices.DeleteFunc(w.procs, func(x *walker) bool { return x == p })
	}
}

// look compares what the queue says of itself with what it does.
func (w *walk) look() error {
	for _, size := range []int{w.c.Room, w.c.MaxMessage} {
		if err, fits := w.copied().TryPut(make([]byte, size)), w.copied().Fits(size); fits != (err == nil) {
			return fmt.Errorf("%d bytes fit: %v, but TryPut says %v", size, fits, err)
		}
		if w.c.Blocks == 0 {
			break
		}
	}
	n, drain := 0, w.copied()
	for {
		s, err := drain.Take(nil, false)
		if err == ErrEmpty {
			break
		} else if err != nil {
			return err
		}
		drain.Release(s)
		n++
	}
	if n > 0 && !w.copied().More() {
		return fmt.Errorf("%d come, but no wake-up is passed on for them", n)
	}
	if len(w.dead) > 0 {
		return nil
	}
	if l, k := w.copied().Len(), LookQueue(w.a).Len; l != n || k != n {
		return fmt.Errorf("Len %d, in a snapshot %d, but %d come", l, k, n)
	}
	return CheckQueue(w.a, true)
}

// Whatever was done and whoever died in the middle of it: Len is how many come,
// a wake-up is passed on if one comes, and there is room if and only if a message
// is taken in.
func TestSimQueueSaysWhatItDoes(t *testing.T) {
	for seed := range uint64(1500) {
		w := &walk{T: t, r: rand.New(rand.NewPCG(seed, 1)), c: simQueueConfigs[seed%uint64(len(simQueueConfigs))]}
		if w.c.Blocks == 0 {
			w.c.MaxMessage = w.c.Room
		}
		w.a = mem.Heap(w.c.Size())
		w.c.InitLap(w.a, NearWrap)
		for i := range uint32(3) {
			self := Self{Index: i, Epoch: 1}
			w.procs = append(w.procs, &walker{self: self, q: w.attach(w.a, self)})
		}
		for range 40 {
			w.step()
			if err := w.look(); err != nil {
				t.Fatalf("seed %d, %v: %v, after\n%q", seed, w.c, err, w.log)
			}
		}
	}
}
