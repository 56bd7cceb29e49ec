package engine

import (
	"unsafe"

	"example.com/tandem/internal/mem"
)

// Join waits until every message that was put has been done: got and TaskDone,
// leased and acknowledged, or gone with the process that had got it.
//
// # Words
//
// A row a participant (rule 2): {epoch:20, count:44}, how many messages it has
// got and not done. Only it changes its row, and its recovery, which sets the
// row of that epoch to 0. Rows of neighbours are on different lines.
//
// rests {joins:32, rests:32}: how often a Join began, and how often the queue
// was seen at rest when one was waiting.
//
// # When all is done
//
// A message that was put is in a slot that is held (writing to returned), or
// counted in a row, or done; it goes slot → row → done or slot → done, never
// back, and it enters its row before it leaves its slot. Hence
//
//	J1  T = F, the put front, by a walk
//	J2  no slot is held
//	J3  every row is 0
//	J4  slot(T) has not been claimed in T's lap: F is still T
//
// prove that nothing was undone at the end of J3. For by I1 only slot(F) is
// ever claimed, and a claimed slot never again is empty in that lap; so by J4
// nobody claimed one between J1 and J4. A slot that J2 saw not held was not
// claimed after, so at the end of J2 no message was in a slot, and none came
// back to one, since only a held slot is returned. So from then on no row grew
// by a message, and each row that J3 saw at 0 was still at 0 when the last was
// seen. (The row of a consumer killed between row and slot is forgotten, but
// its slot is held until recovery has returned the message.)
//
// A slot that is writing is not a message yet, but may become one at any
// instant, and then would be got while rows are read. So Join waits for it.
//
// # Sleeping
//
// A process that ends a message while idle is armed looks for itself whether
// that was the last (tellRest): a joiner is woken once at the end and not for
// each message. If several end the last ones at a time, each before its look,
// the last look sees them all. What is seen so is entered into rests, by CAS
// from a value read before the look, so that a Join which began in between is
// not ended by what was seen before it; and so a Join ends even if messages
// come again before it looks.
type rows struct {
	p unsafe.Pointer
	n uint32
}

const (
	rowBits  = 44
	rowCount = 1<<rowBits - 1
)

func rowsSize(n int) uint64 { return (uint64(n) + 7) / 8 * 64 }

func (r rows) at(i uint32) *uint64 {
	lines := (r.n + 7) / 8
	return (*uint64)(unsafe.Add(r.p, uintptr(i%lines)*64+uintptr(i/lines)*8))
}

// got is G3.
func (q *Queue) got() { q.gotMany(1) }

func (q *Queue) gotMany(n uint64) {
	epoch := uint64(q.env.Self.Epoch) << rowBits
	for {
		v := mem.Load64(q.row)
		if (v^epoch)>>rowBits == 0 {
			if mem.Add64(q.row, n)&rowCount > rowCount/2 { // 10^13 never done: stop counting
				mem.Add64(q.row, -n)
			}
			return
		}
		mem.CAS64(q.row, v, epoch) // our first
	}
}

// TaskDone says that a message which this process got is done; ErrOverDone if
// there is none.
func (q *Queue) TaskDone() error {
	epoch := uint64(q.env.Self.Epoch) << rowBits
	for range q.bound() {
		v := mem.Load64(q.row)
		if (v^epoch)>>rowBits != 0 || v&rowCount == 0 {
			return ErrOverDone
		}
		q.raceDone()
		if mem.CAS64(q.row, v, v-1) {
			if v&rowCount == 1 && q.idle.Armed() {
				q.tellRest()
			}
			return nil
		}
	}
	return ErrCorrupt
}

// Join waits until nothing is undone.
func (q *Queue) Join(by Sleeper) error {
	began := uint32(mem.Add64(q.rests, 1<<32))
	var z sliced
	for {
		seq, can := q.idle.arm()
		if uint32(mem.Load64(q.rests)) != began || q.restNow() == atRest {
			if mem.RaceEnabled {
				mem.RaceAcquire(unsafe.Pointer(&q.rested))
			}
			return nil
		}
		if _, err := q.idle.sleep(by, seq, can, &z); err != nil {
			return err
		}
	}
}

// tellRest wakes the joiners if nothing is undone.
//
//go:noinline
func (q *Queue) tellRest() {
	q.fenceNow() // F3
	for range 4 {
		v := mem.Load64(q.rests)
		switch q.restNow() {
		case busy:
			return // the process that ends the last will look
		case atRest:
			if mem.CAS64(q.rests, v, v&^(1<<32-1)|uint64(uint32(v)+1)) {
				q.idle.Ring(-1)
				return
			}
		}
	}
	q.idle.Ring(-1) // messages come and go, or joiners do: let them look
}

const (
	busy = iota
	atRest
	unsure // messages came while it looked
)

// restNow is J1 to J4.
func (q *Queue) restNow() int {
	if mem.Load64(q.row)&rowCount != 0 {
		return busy // most often
	}
	for range 10 {
		if q.anyHeld() {
			return busy // most often, and without a walk
		}
		t, _, ok := q.putFront() // J1
		if !ok {
			return unsure
		}
		if q.anyHeld() { // J2
			return busy
		}
		for i := range q.rows.n {
			if mem.Load64(q.rows.at(i))&rowCount != 0 { // J3
				return busy
			}
		}
		s := mem.Load64(q.word(posSlot(t))) // J4
		if d := ahead(s, t); d == 0 && (phaseOf(s) == slotEmpty || phaseOf(s) == slotSealed) || undone(s, d) {
			return atRest
		}
	}
	return unsure
}
