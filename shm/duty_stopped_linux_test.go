package shm

import (
	"context"
	"errors"
	"fmt"
	gosync "sync"
	"testing"
	"time"

	"example.com/tandem/internal/effort"
	"example.com/tandem/internal/engine"
	"example.com/tandem/internal/testproc"
)

// Guards that are stopped, or frozen and a wake-up goes to them, those whose it
// is to watch among them, delay nobody by more than a period of those on duty.
func TestStoppedGuardsDelayNobody(t *testing.T) {
	for _, how := range []string{"stopped", "frozen"} {
		for _, n := range []int{1, 4} {
			t.Run(fmt.Sprintf("%d %s", n, how), func(t *testing.T) {
				path := testPath(t)
				r := testproc.Get(Create(path, nil))(t)
				defer r.Close()
				var freezer *testproc.Freezer
				if how == "frozen" {
					freezer = testproc.NewFreezer(t)
				}
				var cs []*testproc.Child
				for range n {
					c := visitor.Start(t, path)
					c.Line()
					cs = append(cs, c)
				}
				delay(t, r, func() {
					if freezer != nil {
						freezer.Freeze(cs...)
						return
					}
					for _, c := range cs {
						c.Freeze()
					}
				})
			})
		}
	}
}

// delay kills a holder again and again, after stop was called once, and
// measures how long it takes until a waiter hears of it.
func delay(t *testing.T, r *Region, stop func()) {
	m, core, err := lockable(r, "m")
	if err != nil {
		t.Fatal(err)
	}
	defer core.KeepAlive()
	w := r.a.list.Waiter(context.Background())
	defer w.Done()
	once := gosync.OnceFunc(stop)
	effort.Median(t, 60*time.Millisecond, 9, func() time.Duration {
		c := holder.Start(t, r.Name(), "0", "")
		c.Expect("held")
		once() // they watch the first holder, and know of no other
		heard := make(chan error, 1)
		go func() { heard <- m.Lock(w) }()
		for r.a.list.Sleeping() == 0 {
			time.Sleep(100 * time.Microsecond)
		}
		start := time.Now()
		c.Kill()
		if err := <-heard; !errors.Is(err, engine.ErrOwnerDied) {
			t.Fatalf("Lock = %v, want ErrOwnerDied", err)
		}
		took := time.Since(start)
		mend(t, r, m)
		return took
	})
}

// mend takes an abandoned m, and gives it back as good as new.
func mend(t *testing.T, r *Region, m *engine.Mutex) {
	t.Helper()
	if _, err := m.Recover(r.a.list.Waiter(context.Background())); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(m.MarkConsistent(), m.Unlock()); err != nil {
		t.Fatal(err)
	}
}
