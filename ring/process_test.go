package ring_test

import (
	"context"
	"errors"
	"io"
	"strconv"
	"testing"
	"time"

	"example.com/tandem/internal/testproc"
	"example.com/tandem/ring"
	"example.com/tandem/shm"
	"example.com/tandem/shm/shmtest"
)

func attached(name string) *shm.Region {
	r, err := shm.Open(name, nil)
	testproc.Must(err)
	return r
}

func queueOf[T any](r *shm.Region, name string) *ring.Queue[T] {
	q, err := ring.OpenQueue[T](r, name, nil)
	testproc.Must(err)
	return q
}

var bg = context.Background()

// lessee leases a message and says its number, then stays as it is.
var lessee = testproc.Role("lessee", func(args []string) {
	q := queueOf[job](attached(args[0]), "jobs")
	d, err := q.Lease(bg)
	testproc.Must(err)
	testproc.Say(d.Value().Depth, d.Attempt())
	testproc.Hear()
})

// getter gets a message and says its number, then stays as it is.
var getter = testproc.Role("getter", func(args []string) {
	q := queueOf[job](attached(args[0]), "jobs")
	testproc.Say("ready")
	for {
		j, err := q.Get(bg)
		if errors.Is(err, io.EOF) {
			return
		}
		testproc.Must(err)
		testproc.Say(j.Depth)
		testproc.Hear()
		testproc.Must(q.TaskDone())
		testproc.Say("done")
	}
})

// A dead lessee's message comes with a higher Attempt; the end and Join wait
// for it, and hear of it.
func TestDeadLessee(t *testing.T) {
	r := region(t)
	q := open[job](t, r, "jobs", &ring.QueueOptions{Capacity: 8})
	ctx := watchdog(t)
	if err := q.Put(ctx, job{Depth: 7, Tags: []string{string(make([]byte, 5000))}}); err != nil {
		t.Fatal(err)
	}
	c := lessee.Start(t, r.Name())
	c.Expect("7 1")
	if err := q.Shutdown(); err != nil {
		t.Fatal(err)
	}
	if _, err := q.TryGet(); !errors.Is(err, ring.ErrEmpty) {
		t.Errorf("TryGet with a lease out = %v", err)
	}
	joined := make(chan error, 1)
	go func() { joined <- q.Join(ctx) }()
	type result struct {
		d   ring.Delivery[job]
		err error
	}
	leases := make(chan result)
	for range 3 {
		go func() {
			for {
				d, err := q.Lease(ctx)
				leases <- result{d, err}
				if err != nil {
					return
				}
			}
		}()
	}
	select {
	case x := <-leases:
		t.Fatal("before the death:", x.d.Value().Depth, x.err)
	case err := <-joined:
		t.Fatal("Join before the death:", err)
	case <-time.After(20 * time.Millisecond):
	}
	killed := time.Now()
	c.Kill()
	x := <-leases
	if x.err != nil || x.d.Value().Depth != 7 || x.d.Attempt() != 2 {
		t.Fatal(x.d.Value().Depth, x.d.Attempt(), x.err)
	}
	t.Logf("delivered again %v after the kill", time.Since(killed))
	if err := x.d.Ack(); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if x := <-leases; !errors.Is(x.err, io.EOF) {
			t.Error(x.err)
		}
	}
	if err := <-joined; err != nil {
		t.Error(err)
	}
}

// D3: others get what a killed, blocked getter waited for. D9: what it had got
// counts as done.
func TestDeadGetter(t *testing.T) {
	r := region(t)
	q := open[job](t, r, "jobs", nil)
	ctx := watchdog(t)
	cs := []*testproc.Child{getter.Start(t, r.Name()), getter.Start(t, r.Name())}
	for _, c := range cs {
		c.Expect("ready")
	}
	shmtest.AwaitWaiting(t, r, "jobs", 2)
	cs[0].Kill()
	if err := q.Put(ctx, job{Depth: 1}); err != nil {
		t.Fatal(err)
	}
	cs[1].Expect("1")
	joined := make(chan error, 1)
	go func() { joined <- q.Join(ctx) }()
	cs[1].Kill()
	if err := <-joined; err != nil {
		t.Error(err)
	}
	if q.Len() != 0 {
		t.Error("it came again")
	}
}

// Q18 with workers in processes.
func TestJoinAcrossProcesses(t *testing.T) {
	r := region(t)
	q := open[job](t, r, "jobs", nil)
	ctx := watchdog(t)
	var cs []*testproc.Child
	for range 3 {
		c := getter.Start(t, r.Name())
		c.Expect("ready")
		cs = append(cs, c)
	}
	for i := range 3 {
		if err := q.Put(ctx, job{Depth: i}); err != nil {
			t.Fatal(err)
		}
	}
	sum := 0
	for _, c := range cs {
		n, _ := strconv.Atoi(c.Line())
		sum += n
	}
	if sum != 3 {
		t.Errorf("the sum is %d", sum)
	}
	joined := make(chan error, 1)
	go func() { joined <- q.Join(ctx) }()
	for _, c := range cs {
		select {
		case err := <-joined:
			t.Fatal("Join returned early:", err)
		default:
		}
		c.Say("go on")
		c.Expect("done")
	}
	if err := <-joined; err != nil {
		t.Error(err)
	}
	if err := q.Shutdown(); err != nil {
		t.Error(err)
	}
	for _, c := range cs {
		if err := c.Wait(); err != nil {
			t.Error(err)
		}
	}
}
