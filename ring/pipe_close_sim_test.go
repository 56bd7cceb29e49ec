//go:build tandem_sim

package ring

import (
	"errors"
	"io"
	"slices"
	"syscall"
	"testing"

	"example.com/tandem/internal/engine"
	"example.com/tandem/internal/mem"
	"example.com/tandem/internal/sim"
	"example.com/tandem/shm"
)

// Close of the region at every access of a Send or a Recv: what a call said is what the
// others see.
func TestSimClosePipe(t *testing.T) {
	o := sim.Options{CloseEvery: 40, MaxCloses: 4, CloseFor: 15, StopEvery: 600, MaxStops: 1, SpuriousEvery: 300, CancelEvery: 300}
	simClosePipe(t, 3000, o, 4, 5)
}

// Two send the first messages that there are: what one left in the region is not what the
// other leaves in the zeroes.
func TestSimClosePipeAtItsBeginning(t *testing.T) {
	simClosePipe(t, 4000, sim.Options{CloseEvery: 25, MaxCloses: 1, CloseFor: 2}, 1, 1)
}

// simClosePipe has so many processes, each with two threads that make so many calls.
func simClosePipe(t *testing.T, runs int, o sim.Options, processes, calls int) {
	sim.Explore(t, runs, o, func(w *sim.World) {
		c := engine.PipeConfig{Buffer: 64, Participants: 16}
		a := mem.Heap(c.Size())
		c.Init(a)
		w.Share(a)
		ops, _ := engine.OpsOf(engine.KindPipe)
		w.OnDeath(func(t *sim.Thread, dead engine.Self) {
			if err := ops.Recover(a, t.Env(), dead); err != nil {
				w.Fail("recovery: %v", err)
			}
		})
		var next int64
		var in, out []int64
		open := func(p *sim.Process, end End) *Conn[int64] {
			c, err := newConn[int64](p.Core(engine.KindPipe, a), raw, end, PipeOptions{})
			if err != nil {
				if errors.Is(err, engine.ErrPeerGone) || errors.Is(err, engine.ErrGone) || p.Core(engine.KindPipe, a).Gate.Closed() {
					return nil
				}
				w.Fail("open: %v", err)
			}
			return c
		}
		over := func(err error) bool {
			switch {
			case err == nil, errors.Is(err, sim.ErrCanceled):
				return false
			case errors.Is(err, shm.ErrClosed), errors.Is(err, io.EOF), errors.Is(err, syscall.EPIPE):
				return true
			}
			w.Fail("%v", err)
			return true
		}
		for i := range processes {
			p := w.Process(i)
			p.Go("user", func(t *sim.Thread) {
				end := Left + End(i%2)
				c := open(p, end)
				if c == nil {
					return
				}
				use := func(t *sim.Thread, recv func() (int64, error)) {
					for range calls {
						t.Context(true)
						var err error
						if end == Left {
							next++
							v := next
							if err = c.Send(sim.Context, v); err == nil {
								in = append(in, v)
							}
						} else {
							var v int64
							if v, err = recv(); err == nil {
								out = append(out, v)
							}
						}
						if over(err) {
							return
						}
					}
				}
				p.Go("another", func(t *sim.Thread) {
					use(t, func() (v int64, err error) {
						err = c.RecvInto(sim.Context, &v)
						return v, err
					})
				})
				use(t, func() (int64, error) { return c.Recv(sim.Context) })
				p.Close()
			})
		}
		helped := false
		w.OnStuck(func() bool { // one waits for an end that never came: it comes, and goes
			if helped {
				return false
			}
			helped = true
			p := w.Process(8)
			p.Immortal = true
			p.Go("helper", func(*sim.Thread) {
				open(p, Left)
				open(p, Right)
				p.Close()
			})
			return true
		})
		w.AtEnd(func() error {
			if err := ops.Check(a); err != nil {
				return err
			}
			word := func(off uint64) uint64 { return *a.W64(off) }
			for r, w := word(512+384), word(512+256); r < w; r += 16 { // what is left
				out = append(out, int64(word(512+768+(r+8)%64)))
			}
			slices.Sort(in)
			slices.Sort(out)
			if !slices.Equal(in, out) {
				return errors.New("what Sends said is not what came")
			}
			return nil
		})
	})
}
