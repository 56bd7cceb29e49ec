package shm_test

import (
	"context"
	"fmt"
	gosync "sync"
	"testing"
	"time"

	"example.com/tandem/internal/sys"
	"example.com/tandem/internal/testproc"
	"example.com/tandem/shm"
	"example.com/tandem/shm/shmtest"
	"example.com/tandem/sync"
)

// waiter waits for the mutexes that its arguments name, all at once, and says
// how each wait ended.
var waiter = testproc.Role("waiter", func(args []string) {
	sys.SetName("waiter")
	r, err := shm.Open(args[0], nil)
	testproc.Must(err)
	for _, name := range args[1:] {
		m, err := sync.OpenMutex(r, name)
		testproc.Must(err)
		go func() { testproc.Say(name, m.Lock(context.Background())) }()
	}
	testproc.Say("ready")
	testproc.Hear()
})

func snapshotOf(t *testing.T, r *shm.Region) *shm.Snapshot {
	t.Helper()
	s, err := r.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func objectOf(t *testing.T, s *shm.Snapshot, name string) *shm.ObjectState {
	t.Helper()
	for i := range s.Objects {
		if s.Objects[i].Name == name {
			return &s.Objects[i]
		}
	}
	t.Fatalf("no object %s", name)
	return nil
}

func held(t *testing.T, r *shm.Region, name string) *sync.Mutex {
	t.Helper()
	m, err := sync.OpenMutex(r, name)
	if err == nil {
		err = m.Lock(context.Background())
	}
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// byPID are the calls that wait for an object, of each process.
func byPID(o *shm.ObjectState) map[int]int {
	n := map[int]int{}
	for _, h := range o.Waits {
		n[h.PID] += h.N
	}
	return n
}

// Everybody who waits is shown on the right object, stopped or not, with the
// process and since when; and is not any more once it is dead or has it.
func TestWaitsAreShown(t *testing.T) {
	start := time.Now()
	r := shmtest.Region(t)
	m := held(t, r, "m")
	other := held(t, r, "other")
	if _, err := sync.OpenMutex(r, "free"); err != nil {
		t.Fatal(err)
	}
	me := r.Self().PID
	var here gosync.WaitGroup
	here.Go(func() {
		if err := m.Lock(context.Background()); err != nil {
			t.Error(err)
		} else if err := m.Unlock(); err != nil {
			t.Error(err)
		}
	})
	runs := waiter.Start(t, r.Name(), "m", "other")
	stops := waiter.Start(t, r.Name(), "m", "m", "m")
	dies := waiter.Start(t, r.Name(), "m", "other")
	for _, c := range []*testproc.Child{runs, stops, dies} {
		c.Expect("ready")
	}
	shmtest.AwaitWaiting(t, r, "m", 6)
	shmtest.AwaitWaiting(t, r, "other", 2)
	stops.Freeze()

	s := snapshotOf(t, r)
	for name, want := range map[string]map[int]int{
		"m":     {me: 1, runs.PID(): 1, stops.PID(): 3, dies.PID(): 1},
		"other": {runs.PID(): 1, dies.PID(): 1},
		"free":  {},
	} {
		o := objectOf(t, s, name)
		if got := byPID(o); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s: waited for by %v, want %v", name, got, want)
		}
		for _, h := range o.Waits {
			if h.Since.Before(start) || h.Since.After(s.Taken) || h.PID != me && h.Name != "waiter" {
				t.Errorf("%s: %+v", name, h)
			}
		}
	}
	if o := objectOf(t, s, "m").Owner; o == nil || o.PID != me || o.Since.Before(start) || o.Since.After(s.Taken) {
		t.Errorf("m: held by %+v", o)
	}
	for _, p := range s.Participants {
		if want := map[int]int{me: 1, runs.PID(): 2, stops.PID(): 3, dies.PID(): 2}[p.PID]; p.Asleep != want || p.Unshown != 0 {
			t.Errorf("process %d: %d calls asleep, %d of them for nothing that is known, want %d, 0", p.PID, p.Asleep, p.Unshown, want)
		}
	}

	dies.Kill()
	for end := time.Now().Add(testproc.Patience); byPID(objectOf(t, snapshotOf(t, r), "m"))[dies.PID()] != 0; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("a dead process waits still")
		}
	}
	if err := other.Unlock(); err != nil {
		t.Error(err)
	}
	runs.Expect("other <nil>")
	if n := shmtest.Waiting(r, "other"); n != 0 {
		t.Errorf("%d wait for what the last one has got", n)
	}
	runs.Kill()
	stops.Kill()
	if err := m.Unlock(); err != nil {
		t.Error(err)
	}
	here.Wait()
}

// A process with more calls than the table has slots shows how many.
func TestManyWaits(t *testing.T) {
	const n = 40
	for _, tt := range []struct {
		name    string
		objects int
		shown   int
	}{{"for one", 1, n}, {"for one each", n, 31}} {
		t.Run(tt.name, func(t *testing.T) {
			r := shmtest.Region(t)
			var ms []*sync.Mutex
			for i := range tt.objects {
				ms = append(ms, held(t, r, fmt.Sprint("m", i)))
			}
			ctx, cancel := context.WithCancel(context.Background())
			var all gosync.WaitGroup
			for i := range n {
				all.Go(func() { ms[i%len(ms)].Lock(ctx) })
			}
			self := func() *shm.Attached { return &snapshotOf(t, r).Participants[0] }
			for end := time.Now().Add(testproc.Patience); self().Asleep != n; time.Sleep(time.Millisecond) {
				if time.Now().After(end) {
					t.Fatalf("%d calls asleep, want %d", self().Asleep, n)
				}
			}
			shown := 0
			for i := range ms {
				shown += shmtest.Waiting(r, fmt.Sprint("m", i))
			}
			if p := self(); shown != tt.shown || p.Unshown != n-tt.shown {
				t.Errorf("%d shown and %d not, want %d and %d", shown, p.Unshown, tt.shown, n-tt.shown)
			}
			cancel()
			all.Wait()
			if p := self(); p.Asleep != 0 {
				t.Errorf("%d calls asleep when all have ended", p.Asleep)
			}
			for _, m := range ms {
				m.Unlock()
			}
		})
	}
}
