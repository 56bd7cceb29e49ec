//go:build tandem_sim

package engine

import (
	"fmt"
	"testing"

	"example.com/tandem/internal/mem"
)

// A Front is where the put front of a queue was last, by its slots' words as they lie in
// memory: no store that is not visible yet changes a k of queue_walk.go.
type Front struct {
	q     *Queue
	at    uint64
	words []*uint64
	seen  []uint64 // what they were
}

func FrontOf(a mem.Area) *Front {
	q, err := AttachQueue(a, Env{})
	if err != nil {
		panic(err)
	}
	f := &Front{q: q, seen: make([]uint64, q.n)}
	for i := range q.n {
		f.words = append(f.words, q.word(i))
		f.seen[i] = *q.word(i)
	}
	f.at, _ = f.find()
	return f
}

// find is F, if the words have SHAPE: the slots before that of F are one lap ahead of
// the others. A slot that is sealed is that of F.
func (f *Front) find() (uint64, error) {
	lap, at := passes(*f.q.word(f.q.n - 1)), uint32(0)
	for at < f.q.n && laps(passes(*f.q.word(at)), lap) == 1 {
		at++
	}
	for i := range f.q.n {
		switch s := *f.q.word(i); {
		case i >= at && passes(s) != lap:
			return 0, fmt.Errorf("no SHAPE: slot %d was passed in %d laps, the last slot in %d, and slot %d in %d", at, passes(*f.q.word(at)), lap, i, passes(s))
		case i != at && phaseOf(s) == slotSealed:
			return 0, fmt.Errorf("slot %d is sealed, and the front at %d.%d", i, lap, at)
		}
	}
	return position(lap, at), nil
}

// Look comes after each access. One access raises one k at most; as there is SHAPE
// before and after, it did so at F: by a claim, or a step over.
func (f *Front) Look() error {
	changed := false
	for i, w := range f.words {
		changed = changed || *w != f.seen[i]
		f.seen[i] = *w
	}
	if !changed { // as after most
		return nil
	}
	at, err := f.find()
	if err == nil && at != f.at && at != f.q.next(f.at) {
		err = fmt.Errorf("the front has gone from %d.%d to %d.%d", lapTurn(f.at), posSlot(f.at), lapTurn(at), posSlot(at))
	}
	f.at = at
	return err
}

// What a Front looks for it finds, in laps beside the wrap of turns.
func TestSimQueueFront(t *testing.T) {
	const n = 3
	for _, tt := range []struct {
		name  string
		slots [n]uint64 // k since the first lap, and the phase
		at    uint64    // positions since then
		ok    bool
	}{
		{"nothing new", [n]uint64{slotEmpty, slotEmpty, slotEmpty}, 0, true},
		{"a claim at the front", [n]uint64{1<<3 | slotWriting, slotEmpty, slotEmpty}, 1, true},
		{"the end at the front", [n]uint64{slotSealed, slotEmpty, slotEmpty}, 0, true},
		{"a claim behind the front", [n]uint64{slotEmpty, 1<<3 | slotWriting, slotEmpty}, 0, false},
		{"a claim in the last slot", [n]uint64{slotEmpty, slotEmpty, 1<<3 | slotWriting}, 0, false},
		{"a claim a lap ahead", [n]uint64{2<<3 | slotWriting, slotEmpty, slotEmpty}, 0, false},
		{"two claims", [n]uint64{1<<3 | slotFull, 1<<3 | slotWriting, slotEmpty}, 2, false},
		{"a claim taken back", [n]uint64{slotEmpty, slotEmpty, (1<<turnBits - 1) << 3}, 0, false},
		{"the end behind the front", [n]uint64{slotEmpty, slotSealed, slotEmpty}, 0, false},
	} {
		for lap := uint32(1<<turnBits - 4); lap != 3; lap = nextTurn(lap) {
			c := QueueConfig{Slots: n, Room: 16, Rows: 8}
			a := mem.Heap(c.Size())
			c.initLap(a, uint64(lap))
			f := FrontOf(a)
			for i, s := range tt.slots {
				k := lap + uint32(s>>3)
				if phase := s & 7; phase == slotEmpty || phase == slotSealed {
					*f.q.word(uint32(i)) = slotWord(k&(1<<turnBits-1), phase, 0)
				} else {
					*f.q.word(uint32(i)) = slotWord((k-1)&(1<<turnBits-1), phase, f.q.who)
				}
			}
			if err := f.Look(); (err == nil) != tt.ok {
				t.Errorf("%s, lap %d: %v", tt.name, lap, err)
			} else if want := position(lap+uint32(tt.at/n), uint32(tt.at%n)); tt.ok && f.at != want {
				t.Errorf("%s, lap %d: the front is at %#x, want %#x", tt.name, lap, f.at, want)
			}
		}
	}
}
