//go:build tandem_sim

package engine

import (
	"runtime"
	"strings"
	"testing"

	"example.com/tandem/internal/mem"
)

// What a producer has found is taken by another, as a loan, just when it is about to
// claim it, again and again; at last it is left alone. By then it must not have said
// that the queue is full, nor sleep: there is enough, and nobody would ring for it.
func TestSimQueueBlocksLostToOthers(t *testing.T) {
	c := QueueConfig{Slots: 4, Room: 16, Blocks: 4 * 100, BlockSize: 64, MaxMessage: 4 * 64}
	const times = 60
	// What to do before calls of the pool's functions; each reports whether something
	// was taken.
	takes := map[string]func(q *Queue) map[string]func() bool{
		"a piece": func(q *Queue) map[string]func() bool {
			return map[string]func() bool{"piece": func() bool {
				q.claimAt(q.pool.look(0, 4).row)
				return true
			}}
		},
		"what is joined": func(q *Queue) map[string]func() bool {
			q.shatter()
			return map[string]func() bool{"join": func() bool {
				q.claimAt(q.pool.look(0, 3).row)
				return true
			}}
		},
		"what is gathered": func(q *Queue) map[string]func() bool {
			q.shatter()
			for b := range q.pool.n {
				if b%2 == 1 || b > 6 {
					q.claimAt(b)
				}
			}
			return map[string]func() bool{
				"gather": func() bool { q.claimAt(6); return true },
				"look":   func() bool { q.pool.giveBack(6, *q.pool.owner(6), 1); return false },
			}
		},
	}
	calls := map[string]func(q *Queue, by Sleeper) error{
		"Loan": func(q *Queue, by Sleeper) error { _, err := q.Loan(by, 256); return err },
		"Put":  func(q *Queue, by Sleeper) error { _, err := q.PutSlot(by, make([]byte, 256)); return err },
	}
	for what, take := range takes {
		for name, call := range calls {
			if name == "Loan" && what == "what is gathered" {
				continue
			}
			for how, by := range map[string]Sleeper{"tries": nil, "waits": &naps{}} {
				t.Run(name+" "+how+", "+what, func(t *testing.T) {
					_, q := heapQueue(t, c)
					at, taken := take(q), 0
					beforeCalls(func(function string) {
						if f := at[function]; f != nil && (function == "look" || taken < times) && f() {
							taken++
						}
					})
					err := call(q, by)
					if mem.Point = nil; err != nil || taken != times {
						t.Errorf("%v, after others were faster %d times", err, taken)
					}
				})
			}
		}
	}
}

// One who joins what there is comes between any two accesses of one who looks, and gives
// it back soon after, since he wanted more: that is not said to be full.
func TestSimQueueLookBesideAClaim(t *testing.T) {
	c := QueueConfig{Slots: 4, Room: 16, Blocks: 4, BlockSize: 64, MaxMessage: 256}
	for k := 1; ; k++ {
		a, q := heapQueue(t, c)
		q.shatter()
		other := attachQueue(t, a, 1)
		tag := other.newTag()
		n, has := 0, uint32(0)
		var point func()
		point = func() {
			mem.Point = nil
			if n++; n == k && mem.CAS64(q.pool.owner(0), freed(1), tag) { // P1
				for has = 1; other.pool.join(0, has, tag) != 0; has++ {
				}
			} else if n == k+5 && has != 0 {
				mem.CAS64(q.pool.owner(0), tag, freed(has))
			}
			mem.Point = point
		}
		mem.Point = point
		err := q.TryPut(make([]byte, 100))
		if mem.Point = nil; err != nil {
			t.Errorf("taken before access %d: %v", k, err)
		}
		if n < k {
			break
		}
	}
}

// beforeCalls calls f before the first access of each call of a method of the pool's.
func beforeCalls(f func(function string)) {
	last := ""
	var point func()
	point = func() {
		var pcs [32]uintptr
		frames := runtime.CallersFrames(pcs[:runtime.Callers(2, pcs[:])])
		now := ""
		for more := true; more; {
			var fr runtime.Frame
			fr, more = frames.Next()
			if _, method, ok := strings.Cut(fr.Function, "(*pool)."); ok && method != "free" {
				now = method
				break
			}
		}
		if now != last {
			last, mem.Point = now, nil
			f(now)
			mem.Point = point
		}
	}
	mem.Point = point
}
