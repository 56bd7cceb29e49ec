package ring_test

import (
	"errors"
	"io"
	"math/rand/v2"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"example.com/tandem/atomics"
	"example.com/tandem/internal/effort"
	"example.com/tandem/internal/testproc"
	"example.com/tandem/ring"
	"example.com/tandem/shm"
)

// The storm: producers put numbered tasks, consumers lease them, put a result
// into a second queue and then acknowledge; every few milliseconds one of them
// is killed, and another takes its place, or is stopped for a while. A producer
// notes in a cell how far it has put. At the end each task that was noted has a
// result, and one that has several has them with different Attempts.
type (
	task struct {
		Producer, Seq int64
		Padding       string
	}
	outcome struct {
		Producer, Seq int64
		Attempt       int64 // 0 where it was got, not leased
		Done          bool  // the task was acknowledged or got before this was put
	}
	taskName struct{ producer, seq int64 }
)

const stormProducers = 1 << 14 // that there may be in all

// A storm is one process's handles.
type storm struct {
	r       *shm.Region
	tasks   *ring.Queue[task]
	results *ring.Queue[outcome]
	noted   *atomics.Array[int64]
	stop    *atomics.Value[int32]
}

func openStorm(r *shm.Region) (s *storm, err error) {
	s = &storm{r: r}
	// Some tasks are in their slots, others in blocks, and there is room for few.
	s.tasks, err = ring.OpenQueue[task](r, "tasks", &ring.QueueOptions{Capacity: 50, MaxMessage: 8192, Buffer: 100_000})
	if err != nil {
		return nil, err
	}
	s.results, err = ring.OpenQueue[outcome](r, "results", &ring.QueueOptions{Capacity: 20})
	if err != nil {
		return nil, err
	}
	s.noted, err = atomics.OpenArray[int64](r, "noted", stormProducers)
	if err != nil {
		return nil, err
	}
	s.stop, err = atomics.OpenValue(r, "stop", int32(0))
	return s, err
}

var stormPadding = strings.Repeat("x", 6000)

func stormTask(producer int, seq int64) task {
	n := rand.IntN(100)
	if seq%3 == 0 {
		n = rand.IntN(len(stormPadding))
	}
	return task{int64(producer), seq, stormPadding[:n]}
}

var stormProducer = testproc.Role("storm producer", func(args []string) {
	s, err := openStorm(attached(args[0]))
	testproc.Must(err)
	me, _ := strconv.Atoi(args[1])
	for seq := int64(1); s.stop.Load() == 0; seq++ {
		testproc.Must(s.tasks.Put(bg, stormTask(me, seq)))
		s.noted.Store(me, seq)
	}
	testproc.Must(s.r.Close())
})

var stormConsumer = testproc.Role("storm consumer", func(args []string) {
	s, err := openStorm(attached(args[0]))
	testproc.Must(err)
	for d, err := range s.tasks.Leases(bg) {
		testproc.Must(err)
		v := d.Value()
		testproc.Must(s.results.Put(bg, outcome{Producer: v.Producer, Seq: v.Seq, Attempt: int64(d.Attempt())}))
		testproc.Must(d.Ack())
	}
	testproc.Must(s.r.Close())
})

// acked reports whether no delivery can have followed that of o. Results
// overtake each other, so of a task that was got nothing can be said.
func (o outcome) acked() bool { return o.Done && o.Attempt > 0 }

// A tally is of the results. They are taken where nobody is killed.
type tally struct {
	seen  map[taskName][]outcome
	again int // results of tasks that had one
	ended chan error
}

// count takes the results of s until their queue ends.
func (s *storm) count(t *testing.T) *tally {
	y := &tally{seen: map[taskName][]outcome{}, ended: make(chan error, 1)}
	go func() {
		for o, err := range s.results.All(bg) {
			if err != nil {
				y.ended <- err
				return
			}
			n := taskName{o.Producer, o.Seq}
			for _, p := range y.seen[n] {
				if p.Attempt == o.Attempt {
					t.Errorf("%v came twice with attempt %d", n, o.Attempt)
				}
				if p.Done && o.Done || p.acked() && o.Attempt > p.Attempt || o.acked() && p.Attempt > o.Attempt {
					t.Errorf("%v was done, and came again: %v and %v", n, p, o)
				}
			}
			if len(y.seen[n]) > 0 {
				y.again++
			}
			y.seen[n] = append(y.seen[n], o)
		}
		y.ended <- nil
	}()
	return y
}

// finish is the end of a storm: producers end, all is delivered, consumers end,
// and what the first n producers noted is there.
func (s *storm) finish(t *testing.T, y *tally, producers, consumers []*testproc.Child, n int) (committed int) {
	t.Helper()
	s.stop.Store(1)
	survive(t, s.r, producers)
	if err := s.tasks.Join(watchdog(t)); err != nil {
		t.Error(err)
	}
	if err := s.tasks.Shutdown(); err != nil {
		t.Error(err)
	}
	survive(t, s.r, consumers)
	if _, err := s.tasks.TryGet(); !errors.Is(err, io.EOF) {
		t.Errorf("after the end: %v, Len %d", err, s.tasks.Len())
	}
	if err := s.results.Shutdown(); err != nil {
		t.Error(err)
	}
	if err := <-y.ended; err != nil {
		t.Fatal(err)
	}
	lost := 0
	for p := range n {
		for seq := int64(1); seq <= s.noted.Load(p); seq++ {
			committed++
			if y.seen[taskName{int64(p), seq}] == nil {
				lost++
			}
		}
	}
	if lost > 0 {
		t.Errorf("%d of %d committed messages are lost", lost, committed)
	}
	if committed == 0 {
		t.Error("nothing was put")
	}
	if err := s.r.Check(); err != nil {
		t.Error(err)
	}
	for _, p := range s.r.Participants() {
		if p.State == shm.Dead {
			t.Errorf("%v has not been recovered", p)
		}
	}
	return committed
}

// survive waits for children that are left to end by themselves.
func survive(t *testing.T, r *shm.Region, cs []*testproc.Child) {
	t.Helper()
	for _, c := range cs {
		ended := make(chan error, 1)
		go func() { ended <- c.Wait() }()
		select {
		case err := <-ended:
			if err != nil {
				t.Error("a child that was not killed:", err)
			}
		case <-time.After(testproc.Patience):
			snapshot, _ := r.Snapshot()
			t.Fatalf("a survivor hangs:\n%v", snapshot)
		}
	}
}

func TestKillStorm(t *testing.T) {
	length := effort.Storm(t, 5*time.Second)
	s, err := openStorm(region(t))
	if err != nil {
		t.Fatal(err)
	}
	y := s.count(t)
	const each = 3
	next := 0
	startProducer := func() *testproc.Child {
		next++
		return stormProducer.Start(t, s.r.Name(), strconv.Itoa(next))
	}
	startConsumer := func() *testproc.Child { return stormConsumer.Start(t, s.r.Name()) }
	ps, cs := make([]*testproc.Child, each), make([]*testproc.Child, each)
	for i := range each {
		ps[i], cs[i] = startProducer(), startConsumer()
	}
	kills, stops := 0, 0
	for end := time.Now().Add(length); time.Now().Before(end) && next < stormProducers-1; {
		time.Sleep(5*time.Millisecond + rand.N(30*time.Millisecond))
		of, start := ps, startProducer
		if rand.IntN(2) == 0 {
			of, start = cs, startConsumer
		}
		i := rand.IntN(each)
		if rand.IntN(4) == 0 {
			halt(of[i])
			stops++
			continue
		}
		of[i].Kill()
		of[i] = start()
		kills++
	}
	committed := s.finish(t, y, ps, cs, next+1)
	t.Logf("%d kills, %d stops, %d messages committed, %d delivered again", kills, stops, committed, y.again)
}

// halt stops a child for a while.
func halt(c *testproc.Child) {
	c.Signal(syscall.SIGSTOP)
	time.Sleep(rand.N(10 * time.Millisecond))
	c.Signal(syscall.SIGCONT)
}
