package waitany

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"syscall"
	"testing"
	"time"

	"example.com/tandem/internal/effort"
	"example.com/tandem/internal/sys"
	"example.com/tandem/internal/testproc"
	"example.com/tandem/ring"
	"example.com/tandem/shm"
	"example.com/tandem/shm/shmtest"
)

// spent is the processor time of this process.
func spent(t *testing.T) time.Duration {
	var u syscall.Rusage
	testproc.OK(t, syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// A thousand objects in two regions, of each kind there is.
type thousand struct {
	ws []shm.Waitable
	of func(i int) (make, take func() error)
}

const kindsOfThousand = 6

func newThousand(t *testing.T, n int) thousand {
	near := testproc.Get(shm.Anonymous(&shm.Options{Objects: n}))(t)
	far := testproc.Get(shm.Anonymous(&shm.Options{Objects: n}))(t)
	t.Cleanup(func() { near.Close(); far.Close() })
	var k thousand
	var makes, takes []func() error
	for i := range n {
		r, name := near, fmt.Sprint("o-", i)
		if i%2 == 1 {
			r = far
		}
		switch i % kindsOfThousand {
		case 0:
			e := event(t, r, name)
			k.ws, makes, takes = append(k.ws, e), append(makes, e.Set), append(takes, e.Clear)
		case 1:
			s := semaphore(t, r, name)
			k.ws, makes, takes = append(k.ws, s), append(makes, func() error { return s.Release(1) }), append(takes, func() error { return s.Acquire(bg) })
		case 2:
			q := queue(t, r, name)
			k.ws, makes, takes = append(k.ws, q), append(makes, func() error { return q.TryPut(1) }), append(takes, func() error { _, err := q.TryGet(); return err })
		case 3:
			s := spsc(t, r, name)
			k.ws, makes, takes = append(k.ws, s), append(makes, func() error { return s.TryPut(1) }), append(takes, func() error { _, err := s.TryGet(); return err })
		case 4:
			left := testproc.Get(ring.OpenPipe[int64](r, name, ring.Left, &ring.PipeOptions{Buffer: 64}))(t)
			right := testproc.Get(ring.OpenPipe[int64](r, name, ring.Right, &ring.PipeOptions{Buffer: 64}))(t)
			k.ws, makes, takes = append(k.ws, left), append(makes, func() error { return right.Send(bg, 1) }), append(takes, func() error { _, err := left.Recv(bg); return err })
		case 5:
			b := testproc.Get(ring.OpenBroadcast[int64](r, name, &ring.BroadcastOptions{Capacity: 2}))(t)
			s := testproc.Get(b.Subscribe())(t)
			k.ws, makes, takes = append(k.ws, s), append(makes, func() error { return b.Publish(bg, 1) }), append(takes, func() error { _, _, err := s.Next(bg); return err })
		}
	}
	k.of = func(i int) (func() error, func() error) { return makes[i], takes[i] }
	t.Cleanup(func() { runtime.KeepAlive(k.of) }) // the other ends of pipes, which would end theirs
	return k
}

// More objects than one system call takes: each of them wakes, wherever it stands, whether
// the call sleeps by then or not, and one that another takes in between is no harm.
func TestMany(t *testing.T) {
	const n = 300
	k := newThousand(t, n)
	ctx := testproc.Watchdog(t)
	for round, i := range []int{0, 1, 2, 126, 127, 128, 129, 253, 254, 255, 299, 150} {
		c := make(chan ends, 1)
		go func() {
			i, err := shm.WaitAny(ctx, k.ws...)
			c <- ends{i, err}
		}()
		if round%3 != 0 {
			time.Sleep(time.Duration(round) * time.Millisecond)
		}
		put, take := k.of(i)
		other, away := k.of((i + 1) % n)
		if (i+1)%n%kindsOfThousand != 0 { // a pulse of an event would be seen
			testproc.OK(t, other())
			testproc.OK(t, away())
		}
		testproc.OK(t, put())
		got := <-c
		for got.err == nil && got.i == (i+1)%n { // it was faster, and comes back
			got.i, got.err = shm.WaitAny(ctx, k.ws...)
		}
		if got.i != i || got.err != nil {
			t.Fatalf("WaitAny = %d, %v, want %d", got.i, got.err, i)
		}
		testproc.OK(t, take())
	}
	over, cancel := context.WithTimeout(bg, 20*time.Millisecond)
	defer cancel()
	if i, err := shm.WaitAny(over, k.ws...); i != -1 || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("WaitAny = %d, %v", i, err)
	}
}

// Over 1,000 objects in two regions a call uses no processor while nothing happens, and is
// woken within a millisecond.
func TestThousand(t *testing.T) {
	if !sys.HaveWaitv() {
		t.Skip("without futex_waitv they are looked at")
	}
	const n = 1000
	k := newThousand(t, n)
	ctx := testproc.Watchdog(t)
	p := testproc.Get(sleeper.Start(ctx, 0, nil))(t) // the first one has a goroutine that stays
	goroutines := runtime.NumGoroutine()
	var took []time.Duration
	for round := range effort.Or(20, 9) {
		woken := make(chan time.Time, 1)
		i := round * 389 % n
		go func() {
			if got, err := shm.WaitAny(ctx, k.ws...); got != i || err != nil {
				t.Errorf("WaitAny = %d, %v, want %d", got, err, i)
			}
			woken <- time.Now()
		}()
		time.Sleep(40 * time.Millisecond)
		if round == 0 {
			idle, used := effort.Or(2*time.Second, 400*time.Millisecond), time.Hour
			for range 5 { // it may be on its way to its sleep, and a collection under way
				before := spent(t)
				time.Sleep(idle)
				if used = min(used, spent(t)-before); used <= idle/20 {
					break
				}
			}
			t.Logf("in %v asleep: %v of a processor", idle, used)
			if used > idle/20 { // the guards' and the collector's, too
				t.Errorf("asleep for %v it has used %v of a processor", idle, used)
			}
		}
		put, take := k.of(i)
		begin := time.Now()
		testproc.OK(t, put())
		took = append(took, (<-woken).Sub(begin))
		testproc.OK(t, take())
	}
	withChild := append(slices.Clone(k.ws), p)
	woken := make(chan ends, 1)
	go func() {
		i, err := shm.WaitAny(ctx, withChild...)
		woken <- ends{i, err}
	}()
	time.Sleep(10 * time.Millisecond)
	testproc.OK(t, p.Kill())
	want(t, woken, n, nil)
	is(t, n, withChild...)
	p.Wait(ctx)
	slices.Sort(took)
	t.Logf("woken after %v (median of %d), worst %v", took[len(took)/2], len(took), took[len(took)-1])
	if effort.Bars() && took[len(took)/2] > time.Millisecond {
		t.Errorf("woken after %v (median), want 1 ms", took[len(took)/2])
	}
	for end := time.Now().Add(testproc.Patience); runtime.NumGoroutine() > goroutines; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			stacks := make([]byte, 1<<20)
			t.Fatalf("%d goroutines, there were %d:\n%s", runtime.NumGoroutine(), goroutines, stacks[:runtime.Stack(stacks, true)])
		}
	}
}

// A call allocates nothing but what is its first's, however many there are.
func TestAllocations(t *testing.T) {
	k := newThousand(t, 130)
	r := shmtest.Region(t)
	e := event(t, r, "e")
	put, _ := k.of(0)
	testproc.OK(t, put())
	if n := testing.AllocsPerRun(100, func() {
		if _, err := shm.WaitAny(bg, k.ws...); err != nil {
			t.Fatal(err)
		}
	}); n > 0.5 && !raceEnabled {
		t.Errorf("%v allocations in a call that finds something", n)
	}
	ctx := testproc.Watchdog(t)
	wake := make(chan bool)
	done := make(chan bool)
	go func() {
		for range wake {
			time.Sleep(300 * time.Microsecond)
			e.Set()
			e.Clear()
		}
		close(done)
	}()
	ws := append(slices.Clone(k.ws[1:]), shm.Waitable(e))
	if n := testing.AllocsPerRun(50, func() {
		wake <- true
		soon, cancel := context.WithTimeout(ctx, 2*time.Millisecond)
		shm.WaitAny(soon, ws...)
		cancel()
	}); n > 40 && !raceEnabled {
		t.Errorf("%v allocations in a call that sleeps", n)
	}
	close(wake)
	<-done
}
