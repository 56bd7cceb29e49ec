package hostile_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"

	"example.com/tandem/atomics"
	"example.com/tandem/internal/effort"
	"example.com/tandem/internal/stormtest"
	"example.com/tandem/internal/testproc"
	"example.com/tandem/ring"
	"example.com/tandem/shm"
	"example.com/tandem/shm/shmtest"
	tsync "example.com/tandem/sync"
)

// A name is removed and used again under those who use it: each handle goes
// on with what it was opened on, a mutex excludes, whichever it is.
func TestNamesReusedInUse(t *testing.T) {
	rounds := effort.Or(300, 50)
	r, ctx := shmtest.Region(t), testproc.Watchdog(t)
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for i := range rounds {
				q, err := ring.OpenQueue[int64](r, "shared", &ring.QueueOptions{Capacity: 64})
				if err != nil {
					t.Error(err)
					return
				}
				if err := r.Remove("shared"); err != nil && !errors.Is(err, fs.ErrNotExist) {
					t.Error(err)
				}
				// Others may have this one too: what is put comes to somebody.
				if err := q.Put(ctx, int64(g*rounds+i)); err != nil {
					t.Error(err)
				}
				if _, err := q.Get(ctx); err != nil {
					t.Error(err)
				}
			}
		}()
	}
	wg.Wait()

	old := testproc.Get(atomics.OpenValue(r, "v", int64(1)))(t)
	if err := r.Remove("v"); err != nil {
		t.Fatal(err)
	}
	now := testproc.Get(tsync.OpenMutex(r, "v"))(t) // of another kind, even
	if err := now.Lock(ctx); err != nil {
		t.Fatal(err)
	}
	if got := atomics.Add(old, 41); got != 42 {
		t.Errorf("the removed value is %d, want 42", got)
	}
	if err := now.Unlock(); err != nil {
		t.Error(err)
	}
}

// A clerk listens, and does as it hears.
var clerk = testproc.Role("clerk", func(args []string) {
	r, err := shm.Open(args[0], nil)
	testproc.Must(err)
	l, err := ring.Listen(r, "svc", nil)
	testproc.Must(err)
	testproc.Say("listens")
	for {
		order, ok := testproc.Hear()
		switch order {
		case "accept":
			c, err := l.Accept()
			testproc.Must(err)
			go io.Copy(c, c)
		case "remove":
			testproc.Must(r.Remove("svc"))
		case "dial":
			c, err := ring.Dial(context.Background(), r, "svc")
			testproc.Must(err)
			testproc.Must(c.Close())
		case "close":
			testproc.Must(l.Close())
		}
		if !ok {
			return
		}
		testproc.Say("done")
	}
})

// A listener's name is removed while it is in use: who has dialled is accepted yet, and
// connections go on; the name is the next listener's, and neither hears of the other.
func TestListenerRemovedInUse(t *testing.T) {
	for _, by := range []string{"another", "who listens"} {
		t.Run(by, func(t *testing.T) {
			r, ctx := shmtest.Region(t), testproc.Watchdog(t)
			testproc.OK(t, testproc.Get(ring.Listen(r, "svc", nil))(t).Close())
			used := testproc.Get(r.Snapshot())(t).Memory.Used
			p := clerk.Start(t, r.Name())
			p.Expect("listens")
			does := func(order string) { t.Helper(); p.Say(order); p.Expect("done") }
			dialled := make(chan net.Conn)
			dial := func() {
				c, err := ring.Dial(ctx, r, "svc")
				if err != nil {
					t.Error(err)
				}
				dialled <- c
			}
			speaks := func(c net.Conn) {
				t.Helper()
				b := make([]byte, 5)
				if err := errors.Join(second(c.Write([]byte("hello"))), second(io.ReadFull(c, b))); err != nil || string(b) != "hello" {
					t.Errorf("%q came back, %v", b, err)
				}
			}
			go dial()
			does("accept")
			first := <-dialled
			go dial()
			shmtest.AwaitWaiting(t, r, "svc", 1)

			if by == "another" {
				testproc.OK(t, r.Remove("svc"))
			} else {
				does("remove")
			}
			if err := r.Remove("svc"); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("Remove once more = %v", err)
			}
			if _, err := ring.Dial(ctx, r, "svc"); !errors.Is(err, syscall.ECONNREFUSED) {
				t.Errorf("Dial of what was removed = %v", err)
			}
			next := testproc.Get(ring.Listen(r, "svc", nil))(t)
			does("accept") // who waited
			waited := <-dialled
			p.Say("dial")
			again := testproc.Get(next.Accept())(t)
			p.Expect("done")
			does("close")
			speaks(first)
			speaks(waited)
			for _, c := range []io.Closer{first, waited, again} {
				testproc.OK(t, c.Close())
			}
			if _, err := ring.Listen(r, "svc", nil); !errors.Is(err, syscall.EADDRINUSE) {
				t.Errorf("Listen beside the next one = %v", err)
			}
			testproc.OK(t, next.Close())
			p.HangUp()
			testproc.OK(t, p.Wait())
			stormtest.MemoryBack(t, r, used)
		})
	}
}

// A region's name is removed and used again under those attached.
func TestRegionNameReusedInUse(t *testing.T) {
	ctx := testproc.Watchdog(t)
	name := filepath.Join(filepath.Dir(shmtest.Region(t).Name()), "again")
	var held []*shm.Region
	for i := range 20 {
		r := testproc.Get(shm.Create(name, &shm.Options{Size: 2 << 20}))(t)
		q := testproc.Get(ring.OpenQueue[int64](r, "q", nil))(t)
		if err := q.Put(ctx, int64(i)); err != nil {
			t.Fatal(err)
		}
		if _, err := shm.Create(name, nil); !errors.Is(err, fs.ErrExist) {
			t.Errorf("Create of a name in use = %v, want ErrExist", err)
		}
		if err := shm.Remove(name); err != nil {
			t.Fatal(err)
		}
		if _, err := shm.Open(name, nil); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("Open of a removed name = %v, want ErrNotExist", err)
		}
		held = append(held, r)
	}
	for i, r := range held {
		q := testproc.Get(ring.OpenQueue[int64](r, "q", nil))(t)
		if v, err := q.Get(ctx); err != nil || v != int64(i) {
			t.Errorf("region %d has %d, %v", i, v, err)
		}
		if err := errors.Join(r.Check(), r.Close()); err != nil {
			t.Error(err)
		}
	}
}

// Two regions at once: what is closed is one of them.
func TestTwoRegions(t *testing.T) {
	a, b, ctx := shmtest.Region(t), shmtest.Region(t), testproc.Watchdog(t)
	mine := testproc.Get(tsync.OpenMutex(a, "m"))(t)
	other := testproc.Get(tsync.OpenMutex(b, "m"))(t)
	if err := errors.Join(mine.Lock(ctx), other.Lock(ctx)); err != nil {
		t.Fatal(err)
	}
	waits := make(chan error)
	go func() { waits <- other.Lock(ctx) }()
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	if err := mine.Unlock(); !errors.Is(err, shm.ErrClosed) {
		t.Errorf("Unlock in the closed region = %v, want ErrClosed", err)
	}
	if err := other.Unlock(); err != nil {
		t.Error(err)
	}
	if err := <-waits; err != nil {
		t.Error(err)
	}
	again := testproc.Get(shm.Open(a.Name(), nil))(t)
	defer again.Close()
	if err := testproc.Get(tsync.OpenMutex(again, "m"))(t).Lock(ctx); !errors.Is(err, shm.ErrOwnerDied) {
		t.Errorf("Lock of what was held at Close = %v, want ErrOwnerDied", err)
	}
	if err := mine.Unlock(); !errors.Is(err, shm.ErrClosed) {
		t.Errorf("a handle of before = %v, want ErrClosed for ever", err)
	}
}

var guest = testproc.Role("guest", func(args []string) {
	r, err := shm.Open(args[0], nil)
	testproc.Must(err)
	q, err := ring.OpenQueue[string](r.Existing(), "jobs", nil)
	testproc.Must(err)
	d, err := q.TryLease()
	testproc.Must(err)
	testproc.Say(d.Value(), d.Attempt())
	if _, ok := testproc.Hear(); ok {
		testproc.Must(d.Ack())
		testproc.Say("acked")
		testproc.Hear()
	}
})

// On a disk, by $TANDEM_DIR, all is as in memory: a killed worker's job comes
// again.
func TestOnDisk(t *testing.T) {
	t.Setenv("TANDEM_DIR", t.TempDir())
	ctx := testproc.Watchdog(t)
	r := testproc.Get(shm.OpenOrCreate("work", &shm.Options{Size: 16 << 20}))(t)
	defer r.Close()
	if st, err := os.Stat(filepath.Join(shm.Dir(), "work")); err != nil || st.Size() != 16<<20 {
		t.Fatalf("the region's file: %v, %v", st, err)
	}
	q := testproc.Get(ring.OpenQueue[string](r, "jobs", nil))(t)
	for i := range 2 {
		if err := q.Put(ctx, fmt.Sprint("job", i)); err != nil {
			t.Fatal(err)
		}
	}
	c := guest.Start(t, "work")
	c.Expect("job0 1")
	c.Kill()
	if err := q.Shutdown(); err != nil {
		t.Fatal(err)
	}
	attempts := map[string]int{}
	for d, err := range q.Leases(ctx) {
		if err != nil {
			t.Fatal(err)
		}
		attempts[d.Value()] = d.Attempt()
		if err := d.Ack(); err != nil {
			t.Error(err)
		}
	}
	if want := map[string]int{"job0": 2, "job1": 1}; !maps.Equal(attempts, want) {
		t.Errorf("attempts %v, want %v", attempts, want)
	}
	if err := errors.Join(q.Join(ctx), r.Check()); err != nil {
		t.Error(err)
	}
	if l, err := shm.List(); err != nil || len(l) != 1 || l[0].Name != "work" {
		t.Errorf("List = %v, %v", l, err)
	}
}

// An ephemeral region ends with the last of its participants, however that
// ends, and its name is free at once.
func TestEphemeral(t *testing.T) {
	t.Setenv("TANDEM_DIR", filepath.Dir(shmtest.Region(t).Name()))
	ctx := testproc.Watchdog(t)
	for i := range 10 {
		r := testproc.Get(shm.Create("brief", &shm.Options{Size: 2 << 20, Ephemeral: true}))(t)
		q := testproc.Get(ring.OpenQueue[string](r, "jobs", &ring.QueueOptions{MaxMessage: 100, Buffer: 4096}))(t)
		if err := q.Put(ctx, "job"); err != nil {
			t.Fatal(err)
		}
		c := guest.Start(t, "brief")
		c.Expect("job 1")
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
		second, err := shm.Open("brief", nil)
		if err != nil {
			t.Fatalf("round %d: a participant lives: %v", i, err)
		}
		if err := second.Close(); err != nil {
			t.Fatal(err)
		}
		c.Kill()
		if _, err := shm.Open("brief", nil); !errors.Is(err, fs.ErrNotExist) {
			t.Fatalf("round %d: Open after the last death = %v, want ErrNotExist", i, err)
		}
	}
}

// A stopped consumer keeps its lease, however long, and holds up nobody.
func TestStoppedConsumer(t *testing.T) {
	r, ctx := shmtest.Region(t), testproc.Watchdog(t)
	q := testproc.Get(ring.OpenQueue[string](r, "jobs", &ring.QueueOptions{Capacity: 4}))(t)
	if err := q.Put(ctx, "first"); err != nil {
		t.Fatal(err)
	}
	c := guest.Start(t, r.Name())
	c.Expect("first 1")
	c.Freeze()
	n := effort.Or(8000, 2000)
	for i := range n {
		if err := q.Put(ctx, fmt.Sprint(i)); err != nil {
			t.Fatal(err)
		}
		if v, err := q.Get(ctx); err != nil || v != fmt.Sprint(i) {
			t.Fatalf("Get = %q, %v, want %d", v, err, i)
		}
		if err := q.TaskDone(); err != nil {
			t.Fatal(err)
		}
	}
	if err := q.Shutdown(); err != nil {
		t.Fatal(err)
	}
	if _, err := q.TryGet(); !errors.Is(err, ring.ErrEmpty) {
		t.Errorf("TryGet while a stopped process has the last message = %v, want ErrEmpty", err)
	}
	c.Signal(syscall.SIGCONT)
	c.Say("go on")
	c.Expect("acked")
	if err := q.Join(ctx); err != nil {
		t.Error(err)
	}
}
