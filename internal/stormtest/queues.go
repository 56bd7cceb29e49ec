package stormtest

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"

	"example.com/tandem/atomics"
	"example.com/tandem/internal/testproc"
	"example.com/tandem/ring"
	"example.com/tandem/shm"
)

// Producers put numbered tasks, some into a queue whose messages lie in their
// slots and some into one whose messages lie in blocks, where some are filled and
// read in place; consumers lease them,
// put a result into a third queue and acknowledge. A producer notes in a cell
// how far it has put. At the end each task that was noted has a result, and one
// that has several has them with different Attempts.
type (
	word    struct{ Producer, Seq int64 } // in a slot
	text    = []byte                      // in blocks: producer, sequence, and then x
	outcome struct {
		Producer, Seq int64
		Attempt       int64 // 0 where it was got, not leased
		Done          bool  // the task was acknowledged or got before this was put
	}
)

// Producers is how many there may be in one storm: those that take the place of
// killed ones included.
const Producers = 1 << 17

// Queues are one process's handles.
type Queues struct {
	words   *ring.Queue[word]
	texts   *ring.Queue[text]
	results *ring.Queue[outcome]
	noted   *atomics.Array[int64]
	stop    *atomics.Value[int32]
}

// Open finds the queues of a storm, or makes them; there is room for few messages.
func Open(r *shm.Region) (*Queues, error) {
	q := new(Queues)
	var errs [5]error
	q.words, errs[0] = ring.OpenQueue[word](r, "words", &ring.QueueOptions{Capacity: 30})
	q.texts, errs[1] = ring.OpenQueue[text](r, "texts", &ring.QueueOptions{Capacity: 50, MaxMessage: 8192, Buffer: 100_000})
	q.results, errs[2] = ring.OpenQueue[outcome](r, "results", &ring.QueueOptions{Capacity: 20})
	q.noted, errs[3] = atomics.OpenArray[int64](r, "noted", Producers)
	q.stop, errs[4] = atomics.OpenValue(r, "stop", int32(0))
	return q, errors.Join(errs[:]...)
}

// Close closes the handles on the queues: a worker that uses them gets
// shm.ErrClosed, and goes on with others.
func (q *Queues) Close() error {
	return errors.Join(q.words.Close(), q.texts.Close(), q.results.Close())
}

var padding = strings.Repeat("x", 6000)

func newText(producer int, seq int64) text {
	n := rand.IntN(100)
	if seq%3 == 0 {
		n = rand.IntN(len(padding))
	}
	b := binary.LittleEndian.AppendUint64(nil, uint64(producer))
	return append(binary.LittleEndian.AppendUint64(b, uint64(seq)), padding[:n]...)
}

// ofWord and ofText are false of what is not whole: no task has number 0.
func ofWord(w word) (outcome, bool) {
	return outcome{Producer: w.Producer, Seq: w.Seq}, w.Seq > 0
}

func ofText(b text) (outcome, bool) {
	if len(b) < 16 || strings.Trim(string(b[16:]), "x") != "" {
		return outcome{}, false
	}
	return ofWord(word{int64(binary.LittleEndian.Uint64(b)), int64(binary.LittleEndian.Uint64(b[8:]))})
}

// lend puts b by a loan that is longer, now and then at the second attempt.
func lend(q *ring.Queue[text], b text) error {
	for {
		l, err := q.Loan(context.Background(), len(b)+rand.IntN(1000))
		if err != nil {
			return err
		}
		n := copy(l.Bytes(), b)
		if rand.IntN(8) > 0 {
			if err = l.Put(context.Background(), n); err == nil {
				return nil
			}
		}
		if errDrop := l.Drop(); err != nil || errDrop != nil {
			return errors.Join(err, errDrop)
		}
	}
}

// A Putter is a producer. It outlives the region, and its handles: a Put that
// returned ErrClosed has put nothing, and is tried again with the next ones.
type Putter struct {
	Me   int
	done int64 // so many are put
}

// Work puts until the storm ends, which is nil, or the region or a handle is
// closed.
func (p *Putter) Work(q *Queues) error {
	q.noted.Store(p.Me, p.done) // the last one may have gone with the region
	for q.stop.Load() == 0 {
		n, err := p.put(q)
		p.done += int64(n)
		if errors.Is(err, ring.ErrShutdown) {
			q.noted.Store(p.Me, p.done)
			return nil
		}
		if err != nil {
			return err
		}
		q.noted.Store(p.Me, p.done)
	}
	return nil
}

// put puts one, or several at a time: by threes they are of one queue.
func (p *Putter) put(q *Queues) (n int, err error) {
	bg, seq := context.Background(), p.done+1
	switch inSlots := p.done/3%2 == 0; {
	case p.done%21 == 0 && inSlots:
		me := int64(p.Me)
		return q.words.PutBatch(bg, []word{{me, seq}, {me, seq + 1}, {me, seq + 2}})
	case p.done%21 == 0:
		return q.texts.PutBatch(bg, []text{newText(p.Me, seq), newText(p.Me, seq+1), newText(p.Me, seq+2)})
	case inSlots:
		err = q.words.Put(bg, word{int64(p.Me), seq})
	case seq%2 == 0:
		err = lend(q.texts, newText(p.Me, seq))
	default:
		err = q.texts.Put(bg, newText(p.Me, seq))
	}
	if err != nil {
		return 0, err
	}
	return 1, nil
}

// A Taker is a consumer of one of the queues. It outlives the region, and its
// handles, too.
type Taker struct {
	Words bool // of the queue with messages in slots
	Kills bool // there are some: a task is done only when its result is put

	due  *outcome
	owes bool // a TaskDone
}

// Reopened tells that the region was closed: what was got by then counts as done.
func (c *Taker) Reopened() { c.owes = false }

// Work takes until the queue ends, which is io.EOF, or the region or a handle is
// closed.
func (c *Taker) Work(q *Queues) error {
	for {
		var err error
		if c.Words {
			err = take(c, q, q.words, ofWord, ring.Delivery[word].Value)
		} else if rand.IntN(2) == 0 {
			err = take(c, q, q.texts, ofText, ring.Delivery[text].Value)
		} else {
			err = take(c, q, q.texts, ofText, ring.Delivery[text].View)
		}
		if err != nil {
			return err
		}
	}
}

// tell puts the result that is due.
func (c *Taker) tell(q *Queues) error {
	if c.due == nil {
		return nil
	}
	err := q.results.Put(context.Background(), *c.due)
	if err == nil {
		c.due = nil
	}
	return err
}

// take takes one.
func take[T any](c *Taker, q *Queues, from *ring.Queue[T], of func(T) (outcome, bool), seen func(ring.Delivery[T]) T) error {
	bg := context.Background()
	if c.owes {
		if err := from.TaskDone(); err != nil {
			return err
		}
		c.owes = false
	}
	if err := c.tell(q); err != nil {
		return err
	}
	if !c.Kills && rand.IntN(3) == 0 {
		var v T
		if err := from.GetInto(bg, &v); err != nil {
			return err
		}
		o, ok := of(v)
		if !ok {
			return fmt.Errorf("got a torn message: %v", v)
		}
		o.Done = true
		c.due, c.owes = &o, true
		return nil
	}
	d, err := from.Lease(bg)
	if err != nil {
		return err
	}
	v := seen(d)
	o, ok := of(v)
	if !ok { // of the zeroes: no word is, which Lease copies, nor what is acknowledged
		if err := d.Ack(); err != nil && !c.Words {
			return err
		}
		return fmt.Errorf("leased a torn message: %v", v)
	}
	o.Attempt = int64(d.Attempt())
	c.due = &o
	if c.Kills {
		if err := c.tell(q); err != nil {
			d.Nack() // if it was the handle that was closed
			return err
		}
		return d.Ack()
	}
	if rand.IntN(8) == 0 {
		return d.Nack()
	}
	err = d.Ack()
	o.Done = err == nil
	return err
}

// Begun waits until one of the first n producers has put something.
func (q *Queues) Begun(t testing.TB, n int) {
	t.Helper()
	begun(t, q.noted, n)
}

// Stop ends the Putters.
func (q *Queues) Stop() { q.stop.Store(1) }

// Join waits until all tasks are done, and fails the test if that does not come.
func (q *Queues) Join(t testing.TB) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), testproc.Patience)
	defer cancel()
	if err := errors.Join(q.words.Join(ctx), q.texts.Join(ctx)); err != nil {
		t.Error(err)
	}
}

// Shutdown ends the Takers, when all is delivered.
func (q *Queues) Shutdown(t testing.TB) {
	t.Helper()
	if err := errors.Join(q.words.Shutdown(), q.texts.Shutdown()); err != nil {
		t.Error(err)
	}
}

// ended fails the test unless the tasks' queues are at their end.
func (q *Queues) ended(t testing.TB) {
	t.Helper()
	if _, err := q.words.TryGet(); !errors.Is(err, io.EOF) {
		t.Errorf("words after the end: %v, Len %d", err, q.words.Len())
	}
	if _, err := q.texts.TryGet(); !errors.Is(err, io.EOF) {
		t.Errorf("texts after the end: %v, Len %d", err, q.texts.Len())
	}
}

// Waitables are the queues, for one that waits and takes nothing.
func (q *Queues) Waitables() []shm.Waitable { return []shm.Waitable{q.words, q.texts, q.results} }
