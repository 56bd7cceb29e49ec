//go:build tandem_sim

package engine_test

import (
	"fmt"
	"strings"
	"testing"

	. "example.com/tandem/internal/engine"
	"example.com/tandem/internal/sim"
)

// Tiny worlds under every schedule with a preemption or two, of which one may be a kill, with
// stores at once and as late as can be. A word is what an end does, the dialer's first; each
// of its parts is a thread, and each letter a step: w writes 8 bytes, W 70, which is more than
// a ring has, r reads what is there, c is Close, h CloseWrite, i CloseRead.
func TestSimStreamExhaust(t *testing.T) {
	for _, tt := range []struct {
		world []string
		most  int
		kills int
	}{
		{[]string{"W", "rr"}, 2, 0},
		{[]string{"W", "rr"}, 1, 1},
		{[]string{"Wc", "rrr"}, 1, 0},
		{[]string{"W c", "rrr"}, 1, 0},
		{[]string{"wh", "rr"}, 2, 0},
		{[]string{"W", "r c"}, 1, 0},
		{[]string{"W", "ri"}, 1, 0},
		{[]string{"Wc", "rr"}, 1, 1},
	} {
		t.Run(fmt.Sprint(tt.world), func(t *testing.T) {
			sim.Exhaust(t, 1, tt.most, sim.Options{MaxKills: tt.kills}, func(w *sim.World) { wordsOfStream(w, tt.world) })
		})
	}
}

func wordsOfStream(w *sim.World, words []string) {
	o := newSimStream(w)
	d, a := w.Process(0), w.Process(1)
	StreamConfig{Buffer: simStreamBuffer}.Init(o.a, d.Self, 7)
	*o.a.W64(136) = *o.a.W64(128) + 1 // docs/layout.md: accepted
	for i, p := range []*sim.Process{d, a} {
		e := o.end(p, i)
		if who, ok := e.s.Peer(); !ok || who != []Self{a.Self, d.Self}[i] {
			w.Fail("the peer of %v is %v", p.Self, who)
		}
		for _, steps := range strings.Fields(words[i]) {
			e.threads = append(e.threads, p.Go(steps, func(t *sim.Thread) { e.walk(t, steps) }))
		}
	}
	keeper := w.Process(2) // who recovers
	keeper.Immortal = true
	keeper.Go("keeper", func(*sim.Thread) {})
}

// walk is what a thread does.
func (e *simEnd) walk(t *sim.Thread, steps string) {
	for _, s := range steps {
		on := true
		t.Context(false)
		switch s {
		case 'w':
			on = e.write(t, 8)
		case 'W':
			on = e.write(t, 70)
		case 'r':
			on = e.read(t, 90)
		case 'c':
			e.close(t, EndAll)
		case 'h':
			e.close(t, EndWriting)
		case 'i':
			e.close(t, EndReading)
		}
		if !on {
			return
		}
	}
}
