package shm

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"syscall"
	"testing"
	"time"

	"example.com/tandem/internal/effort"
	"example.com/tandem/internal/engine"
	"example.com/tandem/internal/object"
	"example.com/tandem/internal/testproc"
)

// hoarder: path n. Takes n mutexes, says so, and closes the region when told to.
var hoarder = testproc.Role("hoarder", func(args []string) {
	r, err := Open(args[0], nil)
	testproc.Must(err)
	n, _ := strconv.Atoi(args[1])
	var cores []*object.Core
	for i := range n {
		m, core, err := lockable(r, fmt.Sprint("m", i))
		testproc.Must(err)
		testproc.Must(m.Lock(r.a.list.Waiter(context.Background())))
		cores = append(cores, core)
	}
	testproc.Say("held")
	if _, ok := testproc.Hear(); ok {
		testproc.Must(r.Close())
		testproc.Say("closed")
		testproc.Hear()
	}
	fmt.Println(len(cores))
})

// hoard has a child hold n mutexes, which this process has open, too.
func hoard(t *testing.T, path string, r *Region, n int) (*testproc.Child, []*engine.Mutex) {
	t.Helper()
	c := hoarder.Start(t, path, strconv.Itoa(n))
	c.Expect("held")
	ms := make([]*engine.Mutex, n)
	for i := range ms {
		m, core, err := lockable(r, fmt.Sprint("m", i))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(core.KeepAlive)
		ms[i] = m
	}
	return c, ms
}

// goneFrom waits until nobody else is attached.
func goneFrom(t *testing.T, r *Region) {
	t.Helper()
	for end := time.Now().Add(testproc.Patience); len(r.Participants()) > 1; time.Sleep(100 * time.Microsecond) {
		if time.Now().After(end) {
			t.Fatalf("still there: %v", r.Participants())
		}
	}
}

// What a process holds in an object that has no name any more is recovered as
// anything else: whoever has it open is told.
func TestHolderOfARemovedObjectDies(t *testing.T) {
	path := testPath(t)
	r := testproc.Get(Create(path, nil))(t)
	defer r.Close()
	c, ms := hoard(t, path, r, 1)
	if err := r.Remove("m0"); err != nil {
		t.Fatal(err)
	}
	c.Kill()
	w := r.a.list.Waiter(context.Background())
	defer w.Done()
	if err := ms[0].Lock(w); !errors.Is(err, ErrOwnerDied) {
		t.Errorf("Lock of a removed mutex after its holder was killed = %v, want ErrOwnerDied", err)
	}
}

// The same while they are being removed, and for one that closes.
func TestHolderGoesDuringRemoval(t *testing.T) {
	const n = 400
	rounds := effort.Or(4, 1)
	for _, how := range []string{"killed", "closing"} {
		t.Run(how, func(t *testing.T) {
			for range rounds {
				path := testPath(t)
				r := testproc.Get(Create(path, nil))(t)
				c, ms := hoard(t, path, r, n)
				go func() {
					if how == "killed" {
						syscall.Kill(c.PID(), syscall.SIGKILL)
					} else {
						c.Say("close")
					}
				}()
				for i := range ms {
					if err := r.Remove(fmt.Sprint("m", i)); err != nil {
						t.Fatal(err)
					}
				}
				goneFrom(t, r)
				for i, m := range ms {
					if who, held := m.Owner(); held || !m.Abandoned() {
						t.Errorf("m%d: held %v by %v, abandoned %v", i, held, who, m.Abandoned())
					}
				}
				c.Kill()
				if err := errors.Join(r.Check(), r.Close()); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}
