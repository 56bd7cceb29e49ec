//go:build tandem_sim

package engine_test

import (
	"fmt"
	"testing"

	. "example.com/tandem/internal/engine"
	"example.com/tandem/internal/sim"
)

// The indexes of a simulation's processes: their bits are in two words.
var simPipeIndex = [...]int{0, 64, 1, 65}

// use makes threads that use a handle, which the last of them closes, or nobody: then it
// holds the end until all sleep.
func (o *simPipe) use(p *sim.Process, h *simHandle) {
	role := o.w.Rand.IntN(4)
	keeps := o.w.Rand.IntN(3) == 0
	start := func(name string, f func(t *sim.Thread)) {
		h.users++
		p.Go(name, func(t *sim.Thread) {
			f(t)
			if h.users--; h.users == 0 && !keeps {
				o.close(h)
			}
		})
	}
	ways := [2]bool{true, o.c.Duplex}
	if ways[h.side] && role != 0 {
		n := 1 + o.w.Rand.IntN(6)
		start("sender", func(t *sim.Thread) {
			for range n {
				if !o.send(t, h, o.w.Rand.IntN(o.c.Buffer-7), o.w.Rand.IntN(4) == 0) {
					return
				}
			}
		})
	}
	if ways[1-h.side] && role != 1 {
		n := simMany
		if o.w.Rand.IntN(3) == 0 {
			n = 1 + o.w.Rand.IntN(5)
		}
		start("receiver", func(t *sim.Thread) {
			for i := 0; i < n; i++ {
				how := recvWaits
				if o.w.Rand.IntN(3) == 0 {
					how = o.w.Rand.IntN(recvModes)
				}
				if !o.recv(t, h, how) {
					return
				}
			}
		})
	}
	if h.users == 0 || o.w.Rand.IntN(4) == 0 {
		p.Go("closer", func(t *sim.Thread) {
			for range o.w.Rand.IntN(60) {
				t.Step()
			}
			o.close(h)
		})
	}
}

func simulatePipe(w *sim.World) {
	o := newSimPipe(w, PipeConfig{Buffer: []int{32, 64, 100}[w.Rand.IntN(3)], Duplex: w.Rand.IntN(3) == 0, Participants: 128})
	populate := func(i int) {
		p := w.Process(i)
		eng := o.attach(p)
		both := w.Rand.IntN(4) == 0
		side := w.Rand.IntN(2)
		again := w.Rand.IntN(3)
		p.Go("opener", func(t *sim.Thread) {
			for ; again >= 0; again-- {
				if h := o.open(t, eng, side); h != nil {
					if w.Rand.IntN(4) == 0 { // on its way to a child
						if drop := h.Hold(); drop != nil {
							held := o.holds[h.side]
							held[p]++
							p.Go("flight", func(t *sim.Thread) {
								for range w.Rand.IntN(100) {
									t.Step()
								}
								held[p]--
								drop()
							})
						}
					}
					o.use(p, h)
				}
				if both {
					side = 1 - side
				}
				for range w.Rand.IntN(40) {
					t.Step()
				}
			}
		})
	}
	for i := range 2 + w.Rand.IntN(3) {
		populate(simPipeIndex[i])
	}
	w.OnRecovered(func(dead Self) {
		if i := int(dead.Index); w.Rand.IntN(2) == 0 && (i < 2 || i == 64 || i == 65) {
			populate(i)
		}
	})
}

func TestSimPipe(t *testing.T) {
	for _, o := range []sim.Options{
		{},
		{StopEvery: 100, MaxStops: 4, CancelEvery: 150, SpuriousEvery: 300},
		{KillEvery: 100, MaxKills: 4},
		{KillEvery: 30, MaxKills: 4},
		{KillEvery: 100, MaxKills: 3, StopEvery: 100, MaxStops: 3, CancelEvery: 200, SpuriousEvery: 300},
		{CloseEvery: 80, MaxCloses: 3, KillEvery: 200, MaxKills: 2},
	} {
		t.Run(fmt.Sprintf("kills=%d,every=%d,stops=%d,closes=%d", o.MaxKills, o.KillEvery, o.MaxStops, o.MaxCloses), func(t *testing.T) {
			sim.Explore(t, 1500, o, simulatePipe)
		})
	}
}

// Tiny worlds under every schedule with a preemption or two, of which one may be a kill.
// Each word is a process, and each letter a step of its thread: [ and ] open the left and
// the right end, s sends 8 bytes, S 24, L 40, g receives, p polls, c closes what it has open, . lets time pass.
func TestSimPipeExhaust(t *testing.T) {
	for _, tt := range []struct {
		world []string
		most  int
		kills int
	}{
		{[]string{"[s", "]g"}, 2, 1},
		{[]string{"[sc", "]gg"}, 2, 0},
		{[]string{"[sc", "[sc", "]ggg"}, 1, 1},
		{[]string{"[c", "[sc", "]gg"}, 1, 1},
		{[]string{"[s", "]g", "]g"}, 1, 0},
		{[]string{"[s", "]p", "]g"}, 1, 0},
		{[]string{"[sLL", "[s", "]g"}, 1, 0},
		{[]string{"[SS", "]gc"}, 1, 1},
		{[]string{"[SSs", "]g"}, 1, 0},
		{[]string{"[c", "[c", "]g"}, 1, 1},
	} {
		t.Run(fmt.Sprint(tt.world), func(t *testing.T) {
			sim.Exhaust(t, 1, tt.most, sim.Options{MaxKills: tt.kills}, func(w *sim.World) { wordsOfPipe(w, tt.world) })
		})
	}
}

func wordsOfPipe(w *sim.World, words []string) {
	o := newSimPipe(w, PipeConfig{Buffer: 64, Participants: 128})
	for i, steps := range words {
		p := w.Process(simPipeIndex[i])
		eng := o.attach(p)
		p.Go(steps, func(t *sim.Thread) { o.walk(t, eng, steps) })
	}
}

// One of two who wait is woken for the only message, and leaves because its context ends
// just then, or since it only polls.
func TestSimPipeLeaver(t *testing.T) {
	for name, how := range map[string]int{"Recv": recvWaits, "Poll": recvPolls} {
		t.Run(name, func(t *testing.T) {
			sim.Explore(t, 4000, sim.Options{}, func(w *sim.World) {
				o := newSimPipe(w, PipeConfig{Buffer: 64, Participants: 128})
				start := func(i, side int, what string, f func(*sim.Thread, *simHandle)) {
					p := w.Process(simPipeIndex[i])
					eng := o.attach(p)
					p.Go(what, func(t *sim.Thread) { f(t, o.open(t, eng, side)) })
				}
				var leaver *sim.Thread
				start(0, PipeRight, "leaver", func(t *sim.Thread, h *simHandle) {
					leaver = t
					o.recv(t, h, how)
				})
				start(1, PipeRight, "other", func(t *sim.Thread, h *simHandle) {
					for range w.Rand.IntN(100) {
						t.Step()
					}
					o.recv(t, h, recvFirmly)
				})
				start(2, PipeLeft, "sender", func(t *sim.Thread, h *simHandle) {
					for range 50 + w.Rand.IntN(200) {
						t.Step()
					}
					o.send(t, h, 8, false)
					if o.calls[leaver] != nil {
						leaver.Cancel()
					}
				})
			})
		})
	}
}

// walk is what a word says.
func (o *simPipe) walk(t *sim.Thread, eng *Pipe, steps string) {
	var h *simHandle
	for _, s := range steps {
		on := true
		switch s {
		case '[':
			h = o.open(t, eng, PipeLeft)
			on = h != nil
		case ']':
			h = o.open(t, eng, PipeRight)
			on = h != nil
		case '.':
			for range 15 {
				t.Step()
			}
		case 's':
			on = o.send(t, h, 8, false)
		case 'S':
			on = o.send(t, h, 24, false)
		case 'L':
			on = o.send(t, h, 40, false)
		case 'g':
			on = o.recv(t, h, recvWaits)
		case 'p':
			on = o.recv(t, h, recvPolls)
		case 'c':
			o.close(h)
		}
		if !on {
			return
		}
	}
}
