//go:build tandem_sim

package ring

import (
	"errors"
	"fmt"
	"reflect"
	"testing"
	"unsafe"

	"example.com/tandem/internal/engine"
	"example.com/tandem/internal/mem"
	"example.com/tandem/internal/object"
	"example.com/tandem/internal/sim"
	"example.com/tandem/shm"
)

// simQueue is a queue's handle in a process of a world.
func simQueue[T any](p *sim.Process, a mem.Area, fields []object.Field) *Queue[T] {
	core := p.Core(engine.KindQueue, a)
	core.Fields = fields
	f, _, _, err := formOf(reflect.TypeFor[T](), nil)
	if err != nil {
		panic(err)
	}
	q, err := newQueue[T](core, f, QueueOptions{})
	if err != nil {
		panic(err)
	}
	return q
}

// Close at every access of Put, Get, GetInto, Lease, Ack and Nack: each message is where
// the calls of those who closed the region said that it is, once.
func TestSimCloseQueue(t *testing.T) {
	t.Run("slots", func(t *testing.T) {
		simCloseQueue(t, func(n int) int64 { return int64(n + 1) }, func(v int64) int { return int(v) - 1 }, simCalls[int64]{})
	})
	t.Run("blocks", func(t *testing.T) {
		simCloseQueue(t, func(n int) string { return fmt.Sprintf("%0*d", 60+100*(n%3), n+1) }, func(v string) int {
			n := 0
			fmt.Sscanf(v, "%d", &n)
			return n - 1
		}, simCalls[string]{})
	})
	t.Run("copies", func(t *testing.T) { // of a T that is larger than a slot
		simCloseQueue(t, func(n int) (v [20]int64) { v[0], v[19] = int64(n+1), int64(n+1); return v }, func(v [20]int64) int {
			if v[0] != v[19] {
				return -1
			}
			return int(v[0]) - 1
		}, simCalls[[20]int64]{})
	})
	t.Run("loans", func(t *testing.T) {
		simCloseQueue(t, func(n int) []byte { return fmt.Appendf(nil, "%0*d", 60+100*(n%3), n+1) }, func(v []byte) int {
			n := 0
			fmt.Sscanf(string(v), "%d", &n)
			return n - 1
		}, simCalls[[]byte]{
			put: func(q *Queue[[]byte], v []byte) error {
				if len(v)%2 == 0 {
					if l, err := q.Loan(sim.Context, 100); err == nil {
						l.Drop()
					}
				}
				l, err := q.Loan(sim.Context, 300)
				if err != nil {
					return err
				}
				if err = l.Put(sim.Context, copy(l.Bytes(), v)); err != nil {
					l.Drop() // or it is as in a process that is closing
				} else if p := unsafe.SliceData(l.Bytes()); p != nil && within(q.core.Area, unsafe.Pointer(p)) {
					return errors.New("what was put is its memory still")
				}
				return err
			},
			get: func(q *Queue[[]byte]) (v []byte, err error) {
				v = make([]byte, 3)
				err = q.GetInto(sim.Context, &v)
				return v, err
			},
			value: func(d Delivery[[]byte]) []byte {
				if d.Attempt()%2 == 0 {
					return d.Value()
				}
				return append([]byte(nil), d.View()...)
			},
		})
	})
}

// within reports whether p is of the area, and not of zeroes in its place.
func within(a mem.Area, p unsafe.Pointer) bool {
	return uintptr(p)-uintptr(a.Ptr(0, 0)) < uintptr(a.Size())
}

// simCalls are other calls than Put, Get and Value to do what these do.
type simCalls[T any] struct {
	put   func(q *Queue[T], v T) error
	get   func(q *Queue[T]) (T, error)
	value func(d Delivery[T]) T
}

// sharedQueue makes the memory of a queue that all processes of w share, for so
// many of them, and has the dead recovered in it.
func sharedQueue[T any](w *sim.World, opts *QueueOptions, rows int) (f form, a mem.Area) {
	f, _, _, err := formOf(reflect.TypeFor[T](), opts.Codec)
	if err != nil {
		panic(err)
	}
	opts.fill()
	c := opts.config(f, int(reflect.TypeFor[T]().Size()))
	c.Rows = rows
	a = mem.Heap(c.Size())
	c.Init(a)
	w.Share(a)
	ops, _ := engine.OpsOf(engine.KindQueue)
	w.OnDeath(func(t *sim.Thread, dead engine.Self) {
		if err := ops.Recover(a, t.Env(), dead); err != nil {
			w.Fail("recovery: %v", err)
		}
	})
	return f, a
}

func simCloseQueue[T any](t *testing.T, to func(int) T, from func(T) int, calls simCalls[T]) {
	if calls.put == nil {
		calls = simCalls[T]{
			put:   func(q *Queue[T], v T) error { return q.Put(sim.Context, v) },
			get:   func(q *Queue[T]) (T, error) { return q.Get(sim.Context) },
			value: Delivery[T].Value,
		}
	}
	o := sim.Options{CloseEvery: 60, MaxCloses: 4, StopEvery: 600, MaxStops: 1, SpuriousEvery: 300, CancelEvery: 300}
	sim.Explore(t, 8000, o, func(w *sim.World) {
		opts := QueueOptions{Capacity: 1 + w.Rand.IntN(3), MaxMessage: 512, Buffer: 2048}
		_, a := sharedQueue[T](w, &opts, 12)
		ops, _ := engine.OpsOf(engine.KindQueue)
		var in, out []int // as calls said; a number is used once
		next := 0
		over := func(err error) bool {
			switch {
			case err == nil, errors.Is(err, sim.ErrCanceled), errors.Is(err, ErrFull), errors.Is(err, ErrEmpty):
				return false
			case errors.Is(err, shm.ErrClosed):
				return true
			}
			w.Fail("%v", err)
			return true
		}
		got := func(v T) { out = append(out, from(v)) }
		produce := func(q *Queue[T], rounds int) func(*sim.Thread) {
			return func(t *sim.Thread) {
				for round := range rounds {
					n, k := next, 1
					t.Context(true)
					var err error
					switch round % 3 {
					case 0:
						next++
						err = calls.put(q, to(n))
					case 1:
						next += 3
						k, err = q.PutBatch(sim.Context, []T{to(n), to(n + 1), to(n + 2)})
						for i := range k {
							in = append(in, n+i)
						}
						k = 0
					default:
						next++
						err = q.TryPut(to(n))
					}
					if err == nil && k == 1 {
						in = append(in, n)
					}
					if over(err) {
						return
					}
				}
			}
		}
		consume := func(q *Queue[T], rounds int) func(*sim.Thread) {
			return func(t *sim.Thread) {
				for range rounds {
					t.Context(true)
					var v T
					var err error
					leased := false
					switch w.Rand.IntN(5) {
					case 4:
						err = q.GetInto(sim.Context, &v)
					case 3:
						vs := make([]T, 3)
						var k int
						k, err = q.GetBatch(sim.Context, vs)
						for _, v := range vs[:k] {
							got(v)
						}
						if over(err) {
							return
						}
						continue
					case 0:
						v, err = calls.get(q)
					case 1:
						v, err = q.TryGet()
					default:
						var d Delivery[T]
						if w.Rand.IntN(3) == 0 {
							d, err = q.TryLease()
						} else {
							d, err = q.Lease(sim.Context)
						}
						if leased = err == nil; leased {
							v = calls.value(d)
							back := w.Rand.IntN(3) == 0
							if back {
								err = d.Nack()
							} else {
								err = d.Ack()
							}
							_, word := any(v).(int64)                                       // which was copied when it was leased
							if n := from(v); (word || err == nil) && (n < 0 || n >= next) { // else it may be of the zeroes
								w.Fail("a lease on %v, which nobody put", v)
							}
							if back && err == nil {
								continue
							}
						}
					}
					if err == nil {
						got(v)
						if !leased && w.Rand.IntN(2) == 0 {
							err = q.TaskDone()
						}
					}
					if over(err) {
						return
					}
				}
			}
		}
		// Several threads of a process, on one handle: what one of them does in the
		// zeroes is not what another has done in the region.
		for i, threads := range [][2]int{{2, 0}, {0, 2}, {2, 2}} {
			p := w.Process(i)
			q := simQueue[T](p, a, nil)
			for range threads[0] {
				p.Go("producer", produce(q, 3))
			}
			for range threads[1] {
				p.Go("consumer", consume(q, 3))
			}
		}
		p := w.Process(9)
		p.Immortal = true
		q := simQueue[T](p, a, nil)
		w.OnStuck(func() bool { // full or empty, for ever
			p.Go("more", func(t *sim.Thread) {
				if v, err := q.TryGet(); err == nil {
					got(v)
				} else {
					produce(q, 2)(t)
				}
			})
			return true
		})
		w.AtEnd(func() error {
			for {
				v, err := q.TryGet()
				if errors.Is(err, ErrEmpty) {
					break
				}
				if err != nil {
					return err
				}
				got(v)
			}
			seen := map[int]int{}
			for _, n := range out {
				seen[n]++
			}
			for _, n := range in {
				if seen[n] != 1 {
					return fmt.Errorf("message %d, whose Put returned nil, came %d times", n, seen[n])
				}
				delete(seen, n)
			}
			for n, k := range seen {
				return fmt.Errorf("message %d, whose Put did not return nil, came %d times", n, k)
			}
			for _, h := range ops.Look(a).Holders {
				if h.What == "loan" {
					return fmt.Errorf("%d loans are out, of %v", h.N, h.Who)
				}
			}
			return ops.Check(a)
		})
	})
}
