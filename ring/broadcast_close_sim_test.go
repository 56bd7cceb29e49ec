//go:build tandem_sim

package ring

import (
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"example.com/tandem/internal/engine"
	"example.com/tandem/internal/mem"
	"example.com/tandem/internal/sim"
	"example.com/tandem/shm"
)

// Close at every access of Publish, Subscribe and Next: a message is in the ring if and only
// if its Publish returned nil, one who stays sees each once, and those who have closed the
// region keep nobody waiting.
func TestSimCloseBroadcast(t *testing.T) {
	t.Run("plain", func(t *testing.T) {
		simCloseBroadcast(t, func(n int) int64 { return int64(n) }, func(v int64) int { return int(v) })
	})
	t.Run("text", func(t *testing.T) {
		simCloseBroadcast(t, func(n int) string { return fmt.Sprint(n, strings.Repeat(" ", 100*(n%3))) }, func(v string) int {
			n, err := strconv.Atoi(strings.TrimSpace(v))
			if err != nil {
				return -1
			}
			return n
		})
	})
}

// kept is what the collector is not to end, which is no thread of a simulation.
var kept []any

func simCloseBroadcast[T any](t *testing.T, to func(int) T, from func(T) int) {
	o := sim.Options{CloseEvery: 60, MaxCloses: 3, StopEvery: 600, MaxStops: 1, SpuriousEvery: 300, CancelEvery: 300}
	sim.Explore(t, 4000, o, func(w *sim.World) {
		f, _, _, err := formOf(reflect.TypeFor[T](), nil)
		if err != nil {
			panic(err)
		}
		if f == inSlot {
			f = raw
		}
		opts := BroadcastOptions{Mode: Reliable, Capacity: 1 + w.Rand.IntN(3), MaxMessage: 512, Buffer: 2048}
		c := opts.config(f, int(reflect.TypeFor[T]().Size()), 12)
		a := mem.Heap(c.Size())
		c.Init(a)
		w.Share(a)
		ops, _ := engine.OpsOf(engine.KindBroadcast)
		w.OnDeath(func(t *sim.Thread, dead engine.Self) {
			if err := ops.Recover(a, t.Env(), dead); err != nil {
				w.Fail("recovery: %v", err)
			}
		})
		handle := func(p *sim.Process) *Broadcast[T] {
			b, err := newBroadcast[T](p.Core(engine.KindBroadcast, a), f, opts)
			if err != nil {
				panic(err)
			}
			return b
		}
		var in, seen []int
		next, shut := 0, false
		over := func(err error) bool {
			if err == nil || errors.Is(err, sim.ErrCanceled) {
				return false
			}
			if !errors.Is(err, shm.ErrClosed) && !(shut && (errors.Is(err, io.EOF) || errors.Is(err, ErrShutdown))) {
				w.Fail("%v", err)
			}
			return true
		}
		stays := w.Process(9)
		stays.Immortal = true
		s, err := handle(stays).Subscribe()
		if err != nil {
			panic(err)
		}
		kept = append(kept, s)
		for i := range 2 + w.Rand.IntN(2) {
			p := w.Process(i)
			b := handle(p)
			p.Go("publisher", func(t *sim.Thread) {
				for range 1 + w.Rand.IntN(6) {
					n := next
					next++
					t.Context(true)
					err := b.Publish(sim.Context, to(n))
					if err == nil {
						in = append(in, n)
					}
					if over(err) {
						return
					}
				}
			})
			p.Go("subscriber", func(t *sim.Thread) {
				s, err := b.Subscribe()
				if over(err) {
					return
				}
				kept = append(kept, s)
				for range w.Rand.IntN(6) {
					t.Context(true)
					if _, _, err = s.Next(sim.Context); over(err) {
						return
					}
				}
				if w.Rand.IntN(2) == 0 {
					s.Close()
				} else {
					p.Close() // or it would keep the others waiting
				}
			})
		}
		end := false
		stays.Go("audience", func(t *sim.Thread) {
			for {
				v, missed, err := s.Next(sim.Context)
				if errors.Is(err, io.EOF) {
					end = true
					return
				}
				if err != nil || missed != 0 {
					w.Fail("Next: %d missed, %v", missed, err)
				}
				seen = append(seen, from(v))
			}
		})
		w.OnStuck(func() bool {
			if shut {
				return false
			}
			shut = true
			stays.Go("closer", func(*sim.Thread) {
				if err := handle(stays).Shutdown(); err != nil {
					w.Fail("Shutdown: %v", err)
				}
			})
			return true
		})
		w.AtEnd(func() error {
			slices.Sort(in)
			slices.Sort(seen)
			if !slices.Equal(in, seen) || !end {
				return fmt.Errorf("published %v, seen %v, end %v", in, seen, end)
			}
			return ops.Check(a)
		})
	})
}
