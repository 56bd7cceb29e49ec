package stormtest

import (
	"context"
	"runtime"
	"testing"
	"time"

	"example.com/tandem/internal/testproc"
	"example.com/tandem/shm"
)

// A Tally is of the results. They are taken where nobody is killed.
//
// A storm has tens of millions. So of each task two bits are kept; and of so
// many that were heard of last with which Attempts they came.
type Tally struct {
	Again int // results of tasks that had one

	t     testing.TB
	by    []marks // by producer
	late  map[task]history
	order []task // of those in late: a ring
	next  int
	ended chan error
}

const recent = 1 << 16 // tasks whose Attempts are kept

type task struct{ producer, seq int64 }

// marks are one producer's, by Seq.
type marks struct{ seen, done bits }

// A history is with which Attempts a task's results came.
type history struct {
	attempts    uint64 // bit n: with n
	acked, most int64  // the one that was acknowledged; the highest
}

type bits struct {
	w []uint64
	n int // so many are set
}

// set sets bit i and reports whether it was.
func (b *bits) set(i int64) (was bool) {
	for int64(len(b.w)) <= i/64 {
		b.w = append(b.w, 0)
	}
	was = b.has(i)
	if !was {
		b.n++
	}
	b.w[i/64] |= 1 << (i % 64)
	return was
}

func (b *bits) has(i int64) bool { return i/64 < int64(len(b.w)) && b.w[i/64]>>(i%64)&1 != 0 }

func newTally(t testing.TB) *Tally {
	return &Tally{t: t, late: map[task]history{}, ended: make(chan error, 1)}
}

// Count takes the results until their queue ends.
func (q *Queues) Count(t testing.TB) *Tally {
	y := newTally(t)
	go func() {
		for o, err := range q.results.All(context.Background()) {
			if err != nil {
				y.ended <- err
				return
			}
			y.add(o)
		}
		y.ended <- nil
	}()
	return y
}

func (y *Tally) of(producer int64) *marks {
	for int64(len(y.by)) <= producer {
		y.by = append(y.by, marks{})
	}
	return &y.by[producer]
}

func (y *Tally) add(o outcome) {
	n, m := task{o.Producer, o.Seq}, y.of(o.Producer)
	if m.seen.set(o.Seq) {
		y.Again++
	}
	if o.Done && m.done.set(o.Seq) {
		y.t.Errorf("%v was done twice, now with attempt %d", n, o.Attempt)
	}
	h, ok := y.late[n]
	if !ok {
		y.remember(n)
	}
	if o.Attempt < 64 {
		if h.attempts>>o.Attempt&1 != 0 {
			y.t.Errorf("%v came twice with attempt %d", n, o.Attempt)
		}
		h.attempts |= 1 << o.Attempt
	}
	h.most = max(h.most, o.Attempt)
	// Results overtake each other, so of a task that was got nothing can be said.
	if o.Done && o.Attempt > 0 {
		h.acked = o.Attempt
	}
	if h.acked > 0 && h.most > h.acked {
		y.t.Errorf("%v was done with attempt %d, and came again with %d", n, h.acked, h.most)
	}
	y.late[n] = h
}

// remember forgets the task that was heard of first, if there are too many.
func (y *Tally) remember(n task) {
	if len(y.order) < recent {
		y.order = append(y.order, n)
		return
	}
	delete(y.late, y.order[y.next])
	y.order[y.next] = n
	y.next = (y.next + 1) % recent
}

// Balance is the end of a storm in which nobody puts or takes any more: what the
// first n producers noted is there, and with exactly each task that was put is
// done once.
func (q *Queues) Balance(t testing.TB, y *Tally, n int, exactly bool) (committed int) {
	t.Helper()
	q.ended(t)
	if err := q.results.Shutdown(); err != nil {
		t.Error(err)
	}
	if err := <-y.ended; err != nil {
		t.Fatal(err)
	}
	noted := make([]int64, n)
	for p := range noted {
		noted[p] = q.noted.Load(p)
		committed += int(noted[p])
	}
	if committed == 0 {
		t.Error("nothing was put")
	}
	y.balance(noted, exactly)
	return committed
}

func (y *Tally) balance(noted []int64, exactly bool) {
	committed, lost, seen, done := 0, 0, 0, 0
	for p, last := range noted {
		m := y.of(int64(p))
		for seq := int64(1); seq <= last; seq++ {
			if !m.seen.has(seq) {
				lost++
			}
		}
		committed += int(last)
	}
	for p := range y.by {
		seen, done = seen+y.by[p].seen.n, done+y.by[p].done.n
	}
	if lost > 0 {
		y.t.Errorf("%d of %d committed messages are lost", lost, committed)
	}
	if exactly && (seen != committed || done != committed) {
		y.t.Errorf("%d tasks were put, %d delivered and %d done", committed, seen, done)
	}
}

// Recovered waits until nobody is in the region but this process: all others have ended, and
// are recovered when that was noticed. It fails the test if something is wrong there then.
func Recovered(t testing.TB, r *shm.Region) {
	t.Helper()
	for end := time.Now().Add(testproc.Patience); len(r.Participants()) > 1; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Errorf("not recovered: %v", r.Participants())
			break
		}
	}
	if err := r.Check(); err != nil {
		t.Error(err)
	}
}

// MemoryBack waits until no removed object has memory any more, and fails the test unless
// as much is used as that.
func MemoryBack(t testing.TB, r *shm.Region, used int64) {
	t.Helper()
	for end := time.Now().Add(testproc.Patience); ; time.Sleep(time.Millisecond) { // who died last is being recovered
		runtime.GC() // handles of this process
		now, err := r.Snapshot()
		if err != nil {
			t.Fatal(err)
		}
		if len(now.Removed) == 0 && now.Memory.Used == used {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%d bytes were used, and now %d\n%v", used, now.Memory.Used, now)
		}
	}
}
