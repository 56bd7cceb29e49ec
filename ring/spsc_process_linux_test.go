package ring_test

import (
	"errors"
	"runtime"
	"testing"
	"time"

	"example.com/tandem/internal/effort"
	"example.com/tandem/internal/sys"
	"example.com/tandem/internal/testproc"
	"example.com/tandem/ring"
)

// sider takes both sides of an SPSC, leaves a message, and stays as it is.
var sider = testproc.Role("sider", func(args []string) {
	s, err := ring.OpenSPSC[int](attached(args[0]), "s", nil)
	testproc.Must(err)
	_, err = s.PutBatch(bg, []int{1, 2})
	testproc.Must(err)
	_, err = s.Get(bg)
	testproc.Must(err)
	testproc.Say("has them")
	testproc.Hear()
})

// Who has waited for a process's end takes its sides by the next call that waits, whether
// that has been recovered by then or not.
func TestSPSCAfterADeath(t *testing.T) {
	ctx := testproc.Watchdog(t)
	for range 8 {
		r := region(t)
		s := openSPSC[int](t, r, "s", &ring.SPSCOptions{Capacity: 4})
		c := sider.Start(t, r.Name())
		c.Expect("has them")
		if err := s.Put(ctx, 7); !errors.Is(err, ring.ErrBusy) {
			t.Errorf("Put at the side of one who lives: %v", err)
		}
		c.Kill()
		for sys.Forced("silenced") && len(r.Participants()) > 1 { // no kernel says so at once
			time.Sleep(time.Millisecond)
		}
		if n, err := s.PutBatch(ctx, []int{3}); n != 1 || err != nil {
			t.Errorf("PutBatch at the side of a dead one: %d, %v", n, err)
		}
		for _, want := range []int{2, 3} {
			if v, err := s.Get(ctx); v != want || err != nil {
				t.Errorf("Get at the side of a dead one: %d, %v; want %d", v, err, want)
			}
		}
	}
}

// Two goroutines of a process that has one processor pass a message to and fro, in every
// mode of waiting: who spins lets the other run. If it did so only when it is made to, each
// way would take the 10 ms after which that happens.
func TestSPSCOneProcessor(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	r := region(t)
	for name, mode := range map[string]ring.Wait{"adaptive": ring.Adaptive, "spin": ring.Spin, "sleep": ring.Sleep} {
		ctx := testproc.Watchdog(t)
		there := openSPSC[int](t, r, name+"-there", &ring.SPSCOptions{Capacity: 1, Wait: mode})
		back := openSPSC[int](t, r, name+"-back", &ring.SPSCOptions{Capacity: 1, Wait: mode})
		trips := effort.Or(5000, 300)
		ended := make(chan error, 1)
		go func() {
			for v, err := range there.All(ctx) {
				if err == nil {
					err = back.Put(ctx, v)
				}
				if err != nil {
					ended <- err
					return
				}
			}
			ended <- nil
		}()
		from := time.Now()
		for i := range trips {
			testproc.OK(t, there.Put(ctx, i))
			if v, err := back.Get(ctx); v != i || err != nil {
				t.Fatalf("%s: %d, %v; want %d", name, v, err, i)
			}
		}
		testproc.OK(t, there.Shutdown())
		testproc.OK(t, <-ended)
		t.Logf("%s: %v a trip", name, time.Since(from)/time.Duration(trips))
	}
}
