//go:build tandem_sim

package engine_test

import (
	"testing"

	. "example.com/tandem/internal/engine"
	"example.com/tandem/internal/sim"
)

const patience = 1_000_000

// A message that takes the whole ring, or two, among short ones of two others that never rest:
// when it has waited for long its sender says so, and those that come stand back, each Send once.
func TestSimPipeStarving(t *testing.T) {
	for name, tt := range map[string]struct {
		o     sim.Options
		longs int
	}{
		"alive":       {longs: 1},
		"killed":      {longs: 1, o: sim.Options{KillEvery: 3000, MaxKills: 1}},
		"two":         {longs: 2},
		"two, killed": {longs: 2, o: sim.Options{KillEvery: 3000, MaxKills: 2}},
	} {
		most := 300 * tt.longs // short messages
		tt.o.Timers, tt.o.NsStep = true, 2000
		t.Run(name, func(t *testing.T) {
			sim.Explore(t, 300/tt.longs, tt.o, func(w *sim.World) {
				o := newSimPipe(w, PipeConfig{Buffer: 64, Participants: 128})
				o.timers = true
				start := func(i, side int, what string, f func(*sim.Thread, *simHandle)) *sim.Process {
					p := w.Process(i)
					p.Immortal = i < 64
					eng := o.attach(p)
					p.Go(what, func(t *sim.Thread) {
						if h := o.open(t, eng, side); h != nil {
							f(t, h)
							o.close(h)
						}
					})
					return p
				}
				var longs [2]*sim.Process
				var done [2]bool
				shorts := 0
				for i := range tt.longs {
					longs[i] = start(64+i, PipeLeft, "long", func(t *sim.Thread, h *simHandle) {
						for range 100 {
							t.Step()
						}
						o.send(t, h, 56, false)
						done[i] = true
					})
				}
				over := func() bool {
					for i := range tt.longs {
						if !done[i] && w.Alive(longs[i].Self) {
							return false
						}
					}
					return true
				}
				for i := range 2 {
					start(i, PipeLeft, "short", func(t *sim.Thread, h *simHandle) {
						for !over() {
							o.send(t, h, 8, false)
							if shorts++; shorts == most {
								w.Fail("%d short messages, and a long one has not got through", shorts)
							}
						}
					})
				}
				start(2, PipeRight, "receiver", func(t *sim.Thread, h *simHandle) {
					for o.recv(t, h, recvFirmly) {
						for range 100 { // slower than they are, so that there is never much room
							t.Step()
						}
					}
				})
			})
		})
	}
}

// One that is stopped while it is starving costs each Send patience, once.
func TestSimPipeStarvingStopped(t *testing.T) {
	sim.Explore(t, 100, sim.Options{Timers: true, NsStep: 500}, func(w *sim.World) {
		const frame = 16 // of a short message
		o := newSimPipe(w, PipeConfig{Buffer: 64, Participants: 128})
		o.timers = true
		var sent uint64
		waits := func(t *sim.Thread, f func() bool) {
			for !f() {
				t.Spin() // all others go first
			}
		}
		starves := func() bool { return o.view().Starving[PipeLeft] }
		start := func(i, side int, what string, f func(*sim.Thread, *simHandle)) *sim.Process {
			p := w.Process(i)
			eng := o.attach(p)
			p.Go(what, func(t *sim.Thread) {
				h := o.open(t, eng, side)
				f(t, h)
				o.close(h)
			})
			return p
		}
		stopped := start(0, PipeLeft, "long", func(t *sim.Thread, h *simHandle) {
			waits(t, func() bool { return sent == frame })
			o.send(t, h, 56, false)
		})
		start(1, PipeLeft, "short", func(t *sim.Thread, h *simHandle) {
			send := func() (took int64) {
				begun := w.Now()
				o.send(t, h, 8, false)
				sent += frame
				return w.Now() - begun
			}
			send()
			later := w.Now() + 2*patience
			waits(t, func() bool { return w.Now() > later })
			send()
			waits(t, starves)
			later = w.Now() + patience/2
			waits(t, func() bool { return w.Now() > later }) // it sleeps, and has no lock
			stopped.Stop(40_000)
			for range 3 {
				if took := send(); took < patience*9/10 || took > patience*3/2 {
					w.Fail("it stood back for %d µs", took/1000)
				}
			}
		})
		start(2, PipeRight, "receiver", func(t *sim.Thread, h *simHandle) {
			for n := uint64(1); n <= 5; n++ {
				if n <= 2 { // the first of two, so that the long one looks; the others later
					waits(t, func() bool { return sent == frame*(2+3*(n-1)) })
				}
				o.recv(t, h, recvFirmly)
			}
			for o.recv(t, h, recvFirmly) {
			}
		})
	})
}
