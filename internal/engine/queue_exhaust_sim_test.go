//go:build tandem_sim

package engine_test

import (
	"testing"

	"example.com/tandem/internal/mem"
	"example.com/tandem/internal/sim"

	. "example.com/tandem/internal/engine"
)

// Tiny worlds under every schedule with a preemption or two, of which one
// may be a kill. Each letter is a process: p puts one message, P two, o one that
// was lent, O two, d drops one, b puts a batch, g gets two, r two runs, l leases two, j
// joins, s shuts down.
func TestSimQueueExhaust(t *testing.T) {
	one, two := QueueConfig{Slots: 1, Room: 16, Rows: 8}, QueueConfig{Slots: 2, Room: 16, Rows: 8}
	blocks := QueueConfig{Slots: 2, Room: 16, Rows: 8, Blocks: 3, BlockSize: 64, MaxMessage: 150}
	for _, tt := range []struct {
		roles string
		c     QueueConfig
		most  int // preemptions and kills
		kills int
	}{
		{"pg", one, 1, 1},
		{"pg", one, 2, 0},
		{"gg", one, 2, 0},
		{"Ps", one, 2, 0},
		{"jg", one, 1, 1},
		{"ppg", one, 1, 1},
		{"PPg", two, 1, 1},
		{"PPl", two, 1, 0},
		{"Plg", two, 1, 1},
		{"Pgs", one, 1, 1},
		{"Pls", two, 1, 1},
		{"pgj", one, 1, 1},
		{"Plj", two, 1, 0},
		{"br", two, 1, 1},
		{"br", one, 2, 0},
		{"bbr", two, 1, 1},
		{"brg", two, 1, 1},
		{"bjr", two, 1, 1},
		{"PPg", blocks, 1, 0},
		{"pPl", blocks, 1, 1},
		{"oog", blocks, 1, 1},
		{"Oog", blocks, 1, 1},
		{"Oo", blocks, 2, 0},
		{"dPg", blocks, 1, 1},
	} {
		t.Run(tt.roles+" "+tt.c.String(), func(t *testing.T) {
			for seed := range exhaustSeeds {
				sim.Exhaust(t, seed+1, tt.most, sim.Options{MaxKills: tt.kills}, tinyQueue(t, tt.c, tt.roles, tt.kills > 0))
			}
		})
	}
}

const exhaustSeeds = uint64(1)

func newSimQueue(t *testing.T, w *sim.World, c QueueConfig, kills bool) *simQueue {
	q := &simQueue{T: t, w: w, c: c, msgs: map[int]*simMessage{}, kills: kills,
		getting: map[*sim.Thread]*Queue{}, putting: map[*sim.Thread]int{}, lending: map[*sim.Thread]int{}, attached: map[*sim.Thread]*Queue{},
		joining: map[*sim.Thread]*Queue{}, reading: map[*sim.Thread][]simReading{}, leased: map[*sim.Thread]simReading{},
		lastPut: map[*sim.Thread]int{}, lastOf: map[*sim.Thread]map[int]int{}}
	q.a = mem.Heap(c.Size())
	c.InitLap(q.a, NearWrap)
	w.OnDeath(func(t *sim.Thread, dead Self) {
		q.died(dead)
		if err := RecoverQueue(q.a, t.Env(), dead); err != nil {
			w.Fail("recovery: %v", err)
		}
	})
	w.Each(FrontOf(q.a).Look)
	w.Always(q.always)
	w.OnStuck(func() bool {
		w.Settled()
		return q.stuck()
	})
	w.AtEnd(q.end)
	return q
}

func tinyQueue(t *testing.T, c QueueConfig, roles string, kills bool) func(*sim.World) {
	return func(w *sim.World) {
		q := newSimQueue(t, w, c, kills)
		for i, r := range roles {
			p := w.Process(i)
			e := q.attach(p)
			switch r {
			case 'p':
				p.Go("producer", q.producer(e, 1))
			case 'P':
				p.Go("producer", q.producer(e, 2))
			case 'b':
				p.Go("producer", func(t *sim.Thread) { q.putBatch(e, t) })
			case 'r':
				p.Go("getter", func(t *sim.Thread) {
					for range 2 {
						q.getRun(e, t)
					}
				})
			case 'o', 'O', 'd':
				p.Go("lender", q.lender(e, map[rune]int{'o': 1, 'O': 2, 'd': 1}[r], r == 'd'))
			case 'g':
				p.Go("getter", q.getter(e, 2))
			case 'l':
				p.Go("lessee", q.lessee(e, 2))
			case 'j':
				p.Go("joiner", q.joiner(e))
			case 's':
				p.Immortal = true
				q.shutdown(7)
			}
		}
		last := w.Process(5)
		last.Immortal = true
		e := q.attach(last)
		last.Go("last consumer", func(t *sim.Thread) {
			for q.last == 0 {
				t.Sleep(&q.last, 0)
			}
			q.getter(e, simMany)(t)
		})
	}
}
