//go:build tandem_sim

package ring

import (
	"errors"
	"fmt"
	"testing"

	"example.com/tandem/internal/engine"
	"example.com/tandem/internal/mem"
	"example.com/tandem/internal/sim"
	"example.com/tandem/shm"
)

// closingQueue explores a process that closes the region while its threads use a
// queue; the process is over when each has returned and it has recovered itself.
func closingQueue[T any](t *testing.T, runs int, codec Codec, build func(w *sim.World, p *sim.Process, a mem.Area, q *Queue[T])) {
	o := sim.Options{CloseEvery: 20, MaxCloses: 1, CloseFor: 6}
	sim.Explore(t, runs, o, func(w *sim.World) {
		opts := QueueOptions{Capacity: 1 + w.Rand.IntN(2), MaxMessage: 64, Buffer: 256, Codec: codec}
		f, a := sharedQueue[T](w, &opts, 4)
		p := w.Process(0)
		q, err := newQueue[T](p.Core(engine.KindQueue, a), f, opts)
		if err != nil {
			panic(err)
		}
		build(w, p, a, q)
	})
}

// Of several threads that put and take at the same time, in the first lap, where a
// slot is 0 in the region as it is in the zeroes: each message is where its own
// Put, and its own taker, said that it is.
func TestSimCloseThreads(t *testing.T) {
	closingQueue(t, 20000, nil, func(w *sim.World, p *sim.Process, a mem.Area, q *Queue[int64]) {
		at := map[int64]int{} // by what calls said: 1 is in, 0 is out
		takes := []func() (int64, error){
			q.TryGet,
			func() (int64, error) {
				d, err := q.TryLease()
				if err == nil {
					err = d.Ack()
				}
				return d.Value(), err
			},
		}
		for n := range int64(3) {
			p.Go("producer", func(*sim.Thread) {
				if n == 2 {
					k, _ := q.PutBatch(sim.Context, []int64{3, 4})
					for i := range k {
						at[int64(3+i)]++
					}
				} else if q.TryPut(n+1) == nil {
					at[n+1]++
				}
			})
		}
		p.Go("consumer of batches", func(t *sim.Thread) {
			for range w.Rand.IntN(20) {
				t.Step()
			}
			vs := make([]int64, 2)
			t.Context(true)
			k, _ := q.GetBatch(sim.Context, vs)
			for _, v := range vs[:k] {
				at[v]--
			}
		})
		other := w.Process(3)
		other.Immortal = true
		more, n := simQueue[int64](other, a, nil), int64(100)
		w.OnStuck(func() bool { // a batch waits
			other.Go("more", func(*sim.Thread) {
				if v, err := more.TryGet(); err == nil {
					at[v]--
				} else if n++; more.TryPut(n) == nil {
					at[n]++
				}
			})
			return true
		})
		for _, take := range takes {
			p.Go("consumer", func(t *sim.Thread) {
				for range w.Rand.IntN(20) {
					t.Step()
				}
				if v, err := take(); err == nil {
					at[v]--
				}
			})
		}
		w.AtEnd(func() error {
			eng, err := engine.AttachQueue(a, engine.Env{Self: engine.Self{Index: 1, Epoch: 1}, Wake: w.Wake})
			if err != nil {
				return err
			}
			for {
				s, err := eng.Take(nil, true)
				if err != nil {
					break
				}
				at[*(*int64)(eng.Body(s))]--
				eng.Ack(eng.Index(s))
			}
			for v, n := range at {
				if n != 0 {
					return fmt.Errorf("message %d: %d too many by what calls said of what is there", v, n)
				}
			}
			return nil
		})
	})
}

// A queue is shut down if and only if one of several Shutdowns says so.
func TestSimCloseShutdown(t *testing.T) {
	closingQueue(t, 4000, nil, func(w *sim.World, p *sim.Process, a mem.Area, q *Queue[int64]) {
		said := 0
		for range 3 {
			p.Go("ender", func(*sim.Thread) {
				if err := q.Shutdown(); err == nil {
					said++
				} else if !errors.Is(err, shm.ErrClosed) {
					w.Fail("%v", err)
				}
			})
		}
		w.AtEnd(func() error {
			eng, err := engine.AttachQueue(a, engine.Env{})
			if err == nil && eng.IsShut() != (said > 0) {
				err = fmt.Errorf("shut down: %v; %d calls said that it is", eng.IsShut(), said)
			}
			return err
		})
	})
}

// A broken codec decodes nothing.
type brokenCodec struct{}

func (brokenCodec) Name() string                           { return "broken" }
func (brokenCodec) Append(b []byte, v any) ([]byte, error) { return append(b, 1), nil }
func (brokenCodec) Decode([]byte, any) error               { return errors.New("it never does") }

// What Get and Lease say of a message that does not decode is so: ErrCodec, and it
// is gone, or ErrClosed, and it is there.
func TestSimCloseCodec(t *testing.T) {
	for name, take := range map[string]func(*Queue[int64]) error{
		"Get":   func(q *Queue[int64]) error { _, err := q.TryGet(); return err },
		"Lease": func(q *Queue[int64]) error { _, err := q.TryLease(); return err },
	} {
		t.Run(name, func(t *testing.T) {
			closingQueue(t, 4000, brokenCodec{}, func(w *sim.World, p *sim.Process, a mem.Area, q *Queue[int64]) {
				eng, err := engine.AttachQueue(a, engine.Env{Self: engine.Self{Index: 1, Epoch: 1}, Wake: w.Wake})
				if err != nil {
					panic(err)
				}
				if err := eng.TryPut([]byte{1}); err != nil {
					panic(err)
				}
				var said error
				p.Go("consumer", func(*sim.Thread) { said = take(q) })
				w.AtEnd(func() error {
					_, err := eng.Take(nil, false)
					switch {
					case errors.Is(said, ErrCodec) && errors.Is(err, ErrEmpty):
					case errors.Is(said, shm.ErrClosed) && err == nil:
					default:
						return fmt.Errorf("it said %v; another then finds: %v", said, err)
					}
					return nil
				})
			})
		})
	}
}
