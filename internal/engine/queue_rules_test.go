package engine

import (
	"errors"
	"strings"
	"testing"

	"example.com/tandem/internal/mem"
)

// A lease is its process's: no other ends it.
func TestQueueOthersLease(t *testing.T) {
	for _, c := range queueConfigs {
		a, q := heapQueue(t, c)
		other, next := attachQueue(t, a, 1), attachQueue(t, a, 0)
		next.who = whoBits(Self{0, 2}) // the index's next process
		if err := q.TryPut(c.message(1)); err != nil {
			t.Fatal(err)
		}
		s, err := q.Take(nil, true)
		if err != nil {
			t.Fatal(err)
		}
		for _, x := range []*Queue{other, next} {
			if err := errors.Join(x.Ack(q.Index(s)), x.Nack(q.Index(s))); !errors.Is(err, ErrNotOwner) || strings.Count(err.Error(), ErrNotOwner.Error()) != 2 {
				t.Errorf("%v: another's Ack and Nack: %v", c, err)
			}
		}
		if err := q.Ack(q.Index(s)); err != nil {
			t.Errorf("%v: %v", c, err)
		}
		for _, i := range []int{-1, c.Slots, 1 << 40} {
			if q.Ack(i) != ErrNotOwner || q.Nack(i) != ErrNotOwner {
				t.Errorf("%v: a slot %d", c, i)
			}
		}
	}
}

// What an older process at the index had got and not done, and its recovery
// has not come to yet, is not this one's.
func TestQueueRowOfAnOlderEpoch(t *testing.T) {
	a, q := heapQueue(t, QueueConfig{Slots: 4, Room: 16})
	q.got()
	q.got()
	next, err := AttachQueue(a, Env{Self: Self{0, 2}, Wake: q.env.Wake})
	if err != nil {
		t.Fatal(err)
	}
	if err := next.TaskDone(); err != ErrOverDone {
		t.Errorf("TaskDone = %v", err)
	}
	next.got()
	if err := next.TaskDone(); err != nil {
		t.Errorf("TaskDone = %v", err)
	}
	if err := next.TaskDone(); err != ErrOverDone {
		t.Errorf("a second TaskDone = %v", err)
	}
	// A recovery of the older that comes late takes nothing from the younger.
	next.got()
	if err := recoverQueue(a, q.env, Self{0, 1}); err != nil {
		t.Fatal(err)
	}
	if err := next.TaskDone(); err != nil {
		t.Errorf("TaskDone after a late recovery = %v", err)
	}
}

func TestQueueAttemptsStayAtTheirMost(t *testing.T) {
	_, q := heapQueue(t, QueueConfig{Slots: 1, Room: 16})
	if err := q.TryPut(make([]byte, 16)); err != nil {
		t.Fatal(err)
	}
	*q.count(Slot{p: q.slot(0)}) = 1<<32 - 3
	for i := range 3 {
		s, err := q.Take(nil, true)
		if err != nil || q.Attempt(s) != min(1<<32-2+i, 1<<32-1) {
			t.Errorf("attempt %d, %v", q.Attempt(s), err)
		}
		if err := q.Nack(q.Index(s)); err != nil {
			t.Fatal(err)
		}
	}
}

// A slot's count is that slot's, wherever it lies, and begins anew with a message.
func TestQueueAttemptsBeginAnew(t *testing.T) {
	for _, c := range []QueueConfig{
		{Slots: 3, Room: 0}, {Slots: 3, Room: 8}, {Slots: 3, Room: 9}, {Slots: 3, Room: 24}, {Slots: 3, Room: 25},
		{Slots: 3, Room: 16, Blocks: 4, BlockSize: 64, MaxMessage: 64},
	} {
		_, q := heapQueue(t, c)
		msg := make([]byte, c.Room)
		for range 2 { // laps
			for i := range 3 {
				if err := q.TryPut(msg); err != nil {
					t.Fatal(err)
				}
				for attempt := 1; attempt <= i+1; attempt++ {
					s, err := q.Take(nil, true)
					if err != nil || q.Attempt(s) != attempt {
						t.Fatalf("%+v: message %d: attempt %d, want %d, %v", c, i, q.Attempt(s), attempt, err)
					}
					end := q.Nack
					if attempt == i+1 {
						end = q.Ack
					}
					if err := end(q.Index(s)); err != nil {
						t.Fatal(err)
					}
				}
			}
			if err := q.TryPut(msg); err != nil { // no lap is as the one before
				t.Fatal(err)
			}
			s, err := q.Take(nil, false)
			if err != nil || q.Attempt(s) != 1 {
				t.Fatalf("%+v: attempt %d of another's slot, %v", c, q.Attempt(s), err)
			}
			q.Release(s)
		}
		var held []Slot
		for range 3 {
			s, err := q.PutSlot(nil, msg)
			if err == nil {
				s, err = q.Take(nil, true)
			}
			if err != nil {
				t.Fatal(err)
			}
			held = append(held, s)
		}
		for k := range held {
			for range k {
				if err := q.Nack(q.Index(held[k])); err != nil {
					t.Fatal(err)
				}
				if _, err := q.Take(nil, true); err != nil {
					t.Fatal(err)
				}
			}
		}
		for k, s := range held {
			if q.Attempt(s) != k+1 {
				t.Errorf("%+v: beside others, attempt %d, want %d", c, q.Attempt(s), k+1)
			}
		}
	}
}

func TestQueueRefusesAStranger(t *testing.T) {
	a, _ := heapQueue(t, QueueConfig{Slots: 1, Room: 16, Rows: 4})
	for _, i := range []uint32{4, 5, MaxParticipants} {
		if _, err := AttachQueue(a, Env{Self: Self{i, 1}}); err != ErrCorrupt {
			t.Errorf("participant %d of 4: %v", i, err)
		}
	}
}

// Check finds what no operation leaves.
func TestQueueCheckFinds(t *testing.T) {
	c := QueueConfig{Slots: 3, Room: 16, Blocks: 7, BlockSize: 64, MaxMessage: 150}
	for name, damage := range map[string]func(q *Queue){
		"another's tag":           func(q *Queue) { mem.Store64(q.pool.owner(*Slot{p: q.slot(1)}.first()), 1<<40) },
		"block lost":              func(q *Queue) { mem.Store64(q.pool.owner(6), 1<<40) },
		"a free piece":            func(q *Queue) { mem.Store64(q.pool.owner(*Slot{p: q.slot(1)}.first()), freed(3)) },
		"a longer free piece":     func(q *Queue) { mem.Store64(q.pool.owner(6), freed(2)) },
		"a part left behind":      func(q *Queue) { mem.Store64(q.pool.owner(1), *Slot{p: q.slot(0)}.tag()) },
		"a free piece in another": func(q *Queue) { mem.Store64(q.pool.owner(2), freed(1)) },
		"no piece":                func(q *Queue) { mem.Store64(q.pool.owner(*Slot{p: q.slot(1)}.first()), 0) },
		"one tag, two messages": func(q *Queue) {
			s := Slot{p: q.slot(0)}
			q.pool.giveBack(*s.first(), *s.tag(), 3)
			copySlot(q, 0, 1)
		},
		"nothing pending":      func(q *Queue) { mem.And64(q.state, ^uint64(statePending)) },
		"sealed in use":        func(q *Queue) { *q.word(2) = slotWord(turnOf(*q.word(2)), slotSealed, 0) },
		"full, and somebody's": func(q *Queue) { *q.word(1) |= 7 },
		"head too far":         func(q *Queue) { *q.head.shared = q.tail.load() },
		"tail too far":         func(q *Queue) { *q.tail.shared = q.tail.load() + 1 },
		"tail behind":          func(q *Queue) { *q.word(2) = slotWord(turnOf(*q.word(2))+3, slotEmpty, 0) },
		"head outside":         func(q *Queue) { *q.head.shared = 3 },
		"length":               func(q *Queue) { *Slot{p: q.slot(1)}.len() = 151 },
		"left writing":         func(q *Queue) { *q.word(2) |= slotWriting<<30 | 7 },
	} {
		t.Run(name, func(t *testing.T) {
			a, q := heapQueue(t, c)
			for range 2 {
				if err := q.TryPut(make([]byte, 150)); err != nil {
					t.Fatal(err)
				}
			}
			s, err := q.Take(nil, true)
			if err != nil {
				t.Fatal(err)
			}
			if err := q.Nack(q.Index(s)); err != nil {
				t.Fatal(err)
			}
			if err := checkQueueAt(a, true); err != nil {
				t.Fatalf("before the damage: %v", err)
			}
			damage(q)
			if err := checkQueueAt(a, true); !errors.Is(err, ErrCorrupt) {
				t.Errorf("Check = %v", err)
			}
		})
	}
}

// copySlot makes slot i say of its blocks what slot j says.
func copySlot(q *Queue, i, j uint32) {
	to, from := Slot{p: q.slot(i)}, Slot{p: q.slot(j)}
	*to.tag(), *to.first(), *to.len() = *from.tag(), *from.first(), *from.len()
}
