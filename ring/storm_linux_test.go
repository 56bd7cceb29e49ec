package ring_test

import (
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"example.com/tandem/atomics"
	"example.com/tandem/internal/effort"
	"example.com/tandem/internal/testproc"
	"example.com/tandem/ring"
	"example.com/tandem/shm"
)

// The storm: producers put numbered tasks, consumers lease them, put a result
// into a second queue and then acknowledge; every 5 to 35 ms one of them is
// killed, and another takes its place. A producer notes in a cell how far it
// has put. At the end each task that was noted has a result, and one that has
// several has them with rising Attempts.
type (
	task struct {
		Producer, Seq int64
		Padding       string
	}
	outcome struct {
		Producer, Seq int64
		Attempt       int64
	}
)

const stormProducers = 1 << 14 // that there may be in all

var stormProducer = testproc.Role("storm producer", func(args []string) {
	r := attached(args[0])
	me, _ := strconv.Atoi(args[1])
	q := queueOf[task](r, "tasks")
	noted, err := atomics.OpenArray[int64](r, "noted", 0)
	testproc.Must(err)
	stop, err := atomics.OpenValue(r, "stop", int32(0))
	testproc.Must(err)
	padding := strings.Repeat("x", 6000)
	for seq := int64(1); stop.Load() == 0; seq++ {
		n := rand.IntN(100)
		if seq%3 == 0 {
			n = rand.IntN(len(padding))
		}
		testproc.Must(q.Put(bg, task{int64(me), seq, padding[:n]}))
		noted.Store(me, seq)
	}
	testproc.Must(r.Close())
})

var stormConsumer = testproc.Role("storm consumer", func(args []string) {
	r := attached(args[0])
	q, results := queueOf[task](r, "tasks"), queueOf[outcome](r, "results")
	for d, err := range q.Leases(bg) {
		testproc.Must(err)
		v := d.Value()
		testproc.Must(results.Put(bg, outcome{v.Producer, v.Seq, int64(d.Attempt())}))
		testproc.Must(d.Ack())
	}
	testproc.Must(r.Close())
})

func TestKillStorm(t *testing.T) {
	length := effort.Or(5*time.Second, time.Second)
	if s := os.Getenv("TANDEM_STORM"); s != "" {
		d, err := time.ParseDuration(s)
		if err != nil {
			t.Fatal(err)
		}
		length = d
	}
	r := region(t)
	tasks := open[task](t, r, "tasks", &ring.QueueOptions{Capacity: 50, MaxMessage: 8192, Buffer: 100_000})
	results := open[outcome](t, r, "results", &ring.QueueOptions{Capacity: 20})
	noted, err := atomics.OpenArray[int64](r, "noted", stormProducers)
	if err != nil {
		t.Fatal(err)
	}
	stop, err := atomics.OpenValue(r, "stop", int32(0))
	if err != nil {
		t.Fatal(err)
	}

	// The results are taken here, where nobody is killed.
	type name struct{ producer, seq int64 }
	seen := map[name]int64{}
	again := 0
	collected := make(chan error)
	go func() {
		for o, err := range results.All(bg) {
			if err != nil {
				collected <- err
				return
			}
			n := name{o.Producer, o.Seq}
			if last, ok := seen[n]; ok && o.Attempt <= last {
				t.Errorf("%v came with attempt %d after %d", n, o.Attempt, last)
			} else if ok {
				again++
			}
			seen[n] = o.Attempt
		}
		collected <- nil
	}()

	const each = 3
	next := 0
	startProducer := func() *testproc.Child {
		next++
		return stormProducer.Start(t, r.Name(), strconv.Itoa(next))
	}
	startConsumer := func() *testproc.Child { return stormConsumer.Start(t, r.Name()) }
	var ps, cs [each]*testproc.Child
	for i := range each {
		ps[i], cs[i] = startProducer(), startConsumer()
	}
	kills := 0
	for end := time.Now().Add(length); time.Now().Before(end) && next < stormProducers-1; kills++ {
		time.Sleep(5*time.Millisecond + rand.N(30*time.Millisecond))
		i := rand.IntN(each)
		if rand.IntN(2) == 0 {
			ps[i].Kill()
			ps[i] = startProducer()
		} else {
			cs[i].Kill()
			cs[i] = startConsumer()
		}
	}
	stop.Store(1)
	wait := func(cs [each]*testproc.Child) {
		for _, c := range cs {
			ended := make(chan error, 1)
			go func() { ended <- c.Wait() }()
			select {
			case err := <-ended:
				if err != nil {
					t.Error("a child that was not killed:", err)
				}
			case <-time.After(testproc.Patience):
				t.Fatal("a survivor hangs")
			}
		}
	}
	wait(ps)
	if err := tasks.Join(watchdog(t)); err != nil {
		t.Error(err)
	}
	if err := tasks.Shutdown(); err != nil {
		t.Error(err)
	}
	wait(cs)
	if _, err := tasks.TryGet(); !errors.Is(err, io.EOF) {
		t.Errorf("after the end: %v, Len %d", err, tasks.Len())
	}
	if err := results.Shutdown(); err != nil {
		t.Error(err)
	}
	if err := <-collected; err != nil {
		t.Fatal(err)
	}
	total, lost := 0, 0
	for p := range next + 1 {
		for seq := int64(1); seq <= noted.Load(p); seq++ {
			total++
			if _, ok := seen[name{int64(p), seq}]; !ok {
				lost++
			}
		}
	}
	t.Logf("%d kills, %d messages committed, %d lost, %d delivered again", kills, total, lost, again)
	if lost > 0 {
		t.Errorf("%d of %d committed messages are lost", lost, total)
	}
	if total == 0 {
		t.Error("nothing was put")
	}
	for _, p := range r.Participants() {
		if p.State == shm.Dead {
			t.Errorf("%v has not been recovered", p)
		}
	}
}
