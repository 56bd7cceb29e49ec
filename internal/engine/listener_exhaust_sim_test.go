//go:build tandem_sim

package engine_test

import (
	"fmt"
	"strings"
	"testing"

	. "example.com/tandem/internal/engine"
	"example.com/tandem/internal/sim"
)

// Tiny worlds under every schedule with a preemption or two, of which one may be a kill. Each
// word is a process, each of its parts a thread, and each letter a step: n listens, a accepts,
// z closes, d dials. The backlog has room for one.
func TestSimListenerExhaust(t *testing.T) {
	for _, tt := range []struct {
		world []string
		most  int
		kills int
	}{
		{[]string{"na", "d"}, 2, 0},
		{[]string{"na", "d"}, 1, 1},
		{[]string{"nz", "d"}, 2, 0},
		{[]string{"na z", "d"}, 1, 0},
		{[]string{"na z", "d"}, 1, 1},
		{[]string{"nz", "d", "d"}, 1, 0},
		{[]string{"naz", "d", "na"}, 1, 0},
	} {
		t.Run(fmt.Sprint(tt.world), func(t *testing.T) {
			sim.Exhaust(t, 1, tt.most, sim.Options{MaxKills: tt.kills}, func(w *sim.World) {
				o := newSimListener(w, 1)
				for i, word := range tt.world {
					o.walk(w.Process(i), word)
				}
				keeper := w.Process(10) // who recovers
				keeper.Immortal = true
				keeper.Go("keeper", func(*sim.Thread) {})
			})
		})
	}
}

// walk is what a word says.
func (o *simListener) walk(p *sim.Process, word string) {
	l := o.attach(p)
	var under uint64
	var threads []*sim.Thread
	shut, inside := false, uint32(0)
	step := func(t *sim.Thread, s rune) (on bool) {
		switch s {
		case 'n':
			var err error
			if under, err = l.Listen(func(who Self) bool { return !o.w.Alive(who) }); err != nil && err != ErrListens {
				o.w.Fail("Listen: %v", err)
			}
			return err == nil
		case 'a':
			return o.accept(t, l, under, &inside)
		case 'z':
			if shut = true; under == 0 {
				return false
			}
			if inside != 0 {
				threads[0].Context(true)
				threads[0].Cancel()
			}
			for inside != 0 { // C0
				t.Sleep(&inside, 1)
			}
			l.Close(under)
		case 'd':
			o.dial(t, l)
		}
		return true
	}
	over := 0
	for _, steps := range strings.Fields(word) {
		threads = append(threads, p.Go(steps, func(t *sim.Thread) {
			for _, s := range steps {
				if shut || !step(t, s) {
					break
				}
			}
			over++
		}))
	}
	o.ends = append(o.ends, func() {
		if over == len(threads) || !o.w.Alive(p.Self) {
			return
		}
		p.Go("closer", func(t *sim.Thread) {
			threads[0].Context(true)
			threads[0].Cancel()
			if under != 0 {
				l.Close(under)
			}
		})
	})
}
