package shm_test

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"example.com/tandem/internal/sys"
	"example.com/tandem/internal/testproc"
	"example.com/tandem/shm"
	"example.com/tandem/shm/shmtest"
	"example.com/tandem/sync"
)

// caller holds a lock until it hears a line, and then closes the region.
var caller = testproc.Role("caller", func(args []string) {
	sys.SetName(args[1])
	r, err := shm.Open(args[0], nil)
	testproc.Must(err)
	m, err := sync.OpenMutex(r, args[1])
	testproc.Must(err)
	testproc.Must(m.Lock(context.Background()))
	testproc.Say("here")
	testproc.Hear()
	testproc.Must(m.Unlock())
	testproc.Must(r.Close())
	testproc.Say("closed")
	testproc.Hear()
})

// Who was here before is told with the way it ended, the latest first.
func TestWhoIsGone(t *testing.T) {
	start := time.Now()
	r := shmtest.Region(t)
	leaves := caller.Start(t, r.Name(), "leaves")
	leaves.Expect("here")
	dies := caller.Start(t, r.Name(), "dies")
	dies.Expect("here")
	if g := snapshotOf(t, r).Gone; len(g) != 0 {
		t.Errorf("gone before anybody went: %+v", g)
	}
	leaves.Say("go")
	leaves.Expect("closed")
	dies.Kill()
	var s *shm.Snapshot
	for end := time.Now().Add(testproc.Patience); ; time.Sleep(time.Millisecond) {
		if s = snapshotOf(t, r); len(s.Gone) == 2 {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("gone: %+v, want two", s.Gone)
		}
	}
	for i, want := range []struct {
		name  string
		pid   int
		state shm.State
	}{{"dies", dies.PID(), shm.Dead}, {"leaves", leaves.PID(), shm.Leaving}} {
		g := s.Gone[i]
		if g.Name != want.name || g.PID != want.pid || g.State != want.state || g.Died != (want.state == shm.Dead) {
			t.Errorf("gone %d: %+v, want %+v", i, g, want)
		}
		if g.Started.Before(start) || g.Ended.Before(g.Started) || g.Ended.After(s.Taken) {
			t.Errorf("gone %d: here from %v to %v, want within %v to %v", i, g.Started, g.Ended, start, s.Taken)
		}
	}
	text := strings.Join(strings.Fields(s.String()), " ") // columns are as wide as what is in them
	for _, want := range []string{
		"last users of free records: 1 died, 1 left",
		fmt.Sprintf("%d dies died ", dies.PID()), fmt.Sprintf("%d leaves left ", leaves.PID()),
		"abandoned",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%v", want, s)
		}
	}
	again := caller.Start(t, r.Name(), "again") // in the record after those
	again.Expect("here")
	if g := snapshotOf(t, r).Gone; len(g) != 2 {
		t.Errorf("gone after another came: %+v, want the same two", g)
	}
}

// Where everybody died, or is stopped, nobody has said that anybody is dead,
// but it shows.
func TestUnnoticedDeath(t *testing.T) {
	path := filepath.Join(filepath.Dir(shmtest.Region(t).Name()), "other")
	r, err := shm.Create(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	stops := caller.Start(t, path, "stops")
	stops.Expect("here")
	dies := caller.Start(t, path, "dies")
	dies.Expect("here")
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	stops.Freeze()
	ro, err := shm.Open(path, &shm.Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer ro.Close()
	waits := waiter.Start(t, path, "stops", "dies")
	waits.Expect("ready")
	shmtest.AwaitWaiting(t, ro, "stops", 1)
	shmtest.AwaitWaiting(t, ro, "dies", 1)
	waits.Freeze()
	dies.Kill()

	s := snapshotOf(t, ro)
	for _, p := range s.Participants {
		if want := p.PID == dies.PID(); p.Lost != want || p.State != shm.Alive {
			t.Errorf("%s: lost %v, state %v; want %v, alive", p.Name, p.Lost, p.State, want)
		}
	}
	if h := objectOf(t, s, "dies").Owner; h == nil || h.PID != dies.PID() || !h.Dead {
		t.Errorf("dies: held by %+v", h)
	}
	if h := objectOf(t, s, "stops").Owner; h == nil || h.PID != stops.PID() || h.Dead {
		t.Errorf("stops: held by %+v", h)
	}
	for _, want := range []string{
		"died, unnoticed",
		fmt.Sprintf("held by #2.1 (dies, pid %d, dead) since ", dies.PID()),
		fmt.Sprintf("held by #1.1 (stops, pid %d, stopped) since ", stops.PID()),
		fmt.Sprintf("waited for by #3.1 (waiter, pid %d, stopped): 1 for ", waits.PID()),
	} {
		if !strings.Contains(s.String(), want) {
			t.Errorf("no %q in\n%v", want, s)
		}
	}
}
