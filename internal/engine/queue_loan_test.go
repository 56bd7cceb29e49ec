package engine

import (
	"bytes"
	"testing"
	"unsafe"

	"example.com/tandem/internal/mem"
)

var lending = QueueConfig{Slots: 4, Room: 16, Blocks: 8, BlockSize: 64, MaxMessage: 4 * 64}

// What a loan leaves of the pool: as much as its message needs, or nothing.
func TestQueueLoan(t *testing.T) {
	for _, tt := range []struct {
		name  string
		lent  int
		put   int // -1: dropped
		after string
	}{
		{"all of it", 256, 256, "HhhhFfff"},
		{"a part", 256, 65, "HhFfFfff"},
		{"one that fits its slot", 256, 16, "FfffFfff"},
		{"nothing", 256, 0, "FfffFfff"},
		{"a byte", 0, 17, "HFffFfff"},
		{"dropped", 256, -1, "FfffFfff"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a, q := heapQueue(t, lending)
			l, err := q.Loan(nil, tt.lent)
			if err != nil || !q.Lent(l) {
				t.Fatal(err)
			}
			if n := lookQueue(a).Holders; len(n) != 1 || n[0].What != "loan" || n[0].N != 1 {
				t.Errorf("it is shown as %v", n)
			}
			msg := bytes.Repeat([]byte("lent"), 64)[:max(tt.put, 0)]
			copy(q.LentBytes(l), msg)
			if tt.put < 0 {
				err = q.DropLoan(l)
			} else {
				_, err = q.PutLoan(nil, l, tt.put)
			}
			if err != nil || q.Lent(l) {
				t.Fatal(err)
			}
			if got := q.pieces(); got != tt.after {
				t.Errorf("it leaves %s, want %s", got, tt.after)
			}
			if q.DropLoan(l) != ErrNoLoan {
				t.Error("it was dropped again")
			}
			if _, err := q.PutLoan(nil, l, 1); err != ErrNoLoan {
				t.Errorf("it was put again: %v", err)
			}
			quietQueue(t, a)
			if tt.put >= 0 {
				if b, _, err := q.get(nil); err != nil || !bytes.Equal(b, msg) {
					t.Errorf("it comes as %q, %v", b, err)
				}
				quietQueue(t, a)
			}
		})
	}
}

// Those who wait for memory are told of what a loan gives back.
func TestQueueLoanWakes(t *testing.T) {
	for name, end := range map[string]func(q *Queue, l Loan){
		"a part is put":  func(q *Queue, l Loan) { q.PutLoan(nil, l, 65) },
		"put in a slot":  func(q *Queue, l Loan) { q.PutLoan(nil, l, 3) },
		"it is dropped":  func(q *Queue, l Loan) { q.DropLoan(l) },
		"all of it, not": func(q *Queue, l Loan) { q.PutLoan(nil, l, 256) },
	} {
		t.Run(name, func(t *testing.T) {
			c := lending
			c.Slots = 1 // so that the Put has no room to tell of
			_, q := heapQueue(t, c)
			l, err := q.Loan(nil, 256)
			if err != nil {
				t.Fatal(err)
			}
			wakes := countWakes(q)
			q.space.Arm()
			end(q, l)
			if got, want := wakes[q.space.Word()] > 0, name != "all of it, not"; got != want {
				t.Errorf("somebody was woken: %v, want %v", got, want)
			}
		})
	}
}

// A free piece with one length damaged is nobody's: what is put does not come over
// another message.
func TestQueueDamagedLengths(t *testing.T) {
	for name, damage := range map[string]func(q *Queue){
		"in its owner":  func(q *Queue) { *q.pool.owner(0) = freed(8) },
		"in its extent": func(q *Queue) { *q.pool.extent(0) = 8 | extentLoose },
		"both beyond":   func(q *Queue) { *q.pool.owner(0), *q.pool.extent(0) = freed(9), 9|extentLoose },
		"none":          func(q *Queue) { *q.pool.owner(0), *q.pool.extent(0) = freed(0), extentLoose },
	} {
		t.Run(name, func(t *testing.T) {
			c := lending
			c.MaxMessage = 8 * 64
			_, q := heapQueue(t, c)
			*q.pool.owner(0), *q.pool.extent(0) = freed(4), 4|extentLoose
			*q.pool.owner(4), *q.pool.extent(4) = freed(4), 4|extentLoose
			setHint(&q.pool.hint, 4)
			msg := bytes.Repeat([]byte{7}, 256)
			if err := q.TryPut(msg); err != nil {
				t.Fatal(err)
			}
			damage(q)
			if err := q.TryPut(make([]byte, 8*64)); err != ErrFull {
				t.Errorf("TryPut = %v", err)
			}
			if b, _, err := q.get(nil); err != nil || !bytes.Equal(b, msg) {
				t.Errorf("%x, %v", b, err)
			}
		})
	}
}

// What is damaged is not read in place.
func TestQueueInPlaceOfADamagedOne(t *testing.T) {
	_, q := heapQueue(t, lending)
	for range 2 {
		if err := q.TryPut(make([]byte, 256)); err != nil {
			t.Fatal(err)
		}
	}
	s, err := q.Take(nil, true)
	if err != nil {
		t.Fatal(err)
	}
	if p, whole, err := q.InPlace(s, 256); err != nil || !whole || p != q.pool.at(0) {
		t.Fatalf("%p, %v, %v", p, whole, err)
	}
	if _, whole, err := q.InPlace(s, 257); err != nil || whole {
		t.Errorf("more bytes than there are in one piece: %v, %v", whole, err)
	}
	if _, whole, err := q.InPlace(s, 16); err != nil || whole {
		t.Errorf("what is in the slot: %v, %v", whole, err)
	}
	for _, first := range []uint32{4, 1, 8, 1 << 31} {
		mem.Store32(s.first(), first)
		if _, _, err := q.InPlace(s, 256); err != ErrCorrupt {
			t.Errorf("at block %d: %v", first, err)
		}
	}
}

// In a process that has closed the region nothing is lent, though there may be a
// piece in the zeroes by then.
func TestNoLoanInZeroes(t *testing.T) {
	a, q := heapQueue(t, lending)
	l, err := q.Loan(nil, 100)
	if err != nil {
		t.Fatal(err)
	}
	mem.Zero(a.Ptr(0, a.Size()), uintptr(a.Size()))
	if _, err := q.Loan(nil, 100); err != ErrGone {
		t.Errorf("Loan = %v", err)
	}
	*q.pool.owner(0), *q.pool.extent(0) = freed(4), 4|extentLoose
	if _, err := q.Loan(nil, 100); err != ErrGone {
		t.Errorf("Loan of a piece of the zeroes = %v", err)
	}
	if err := q.DropLoan(l); err != ErrNoLoan {
		t.Errorf("Drop = %v", err)
	}
	if _, err := q.PutLoan(nil, l, 100); err != ErrNoLoan {
		t.Errorf("Put = %v", err)
	}
	unsafe.Slice((*byte)(q.Memory(l)), 100)[99] = 1 // it is there
}
