package hostile_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"example.com/tandem/internal/effort"
	"example.com/tandem/internal/stormtest"
	"example.com/tandem/internal/testproc"
	"example.com/tandem/shm"
	"example.com/tandem/shm/shmtest"
	tsync "example.com/tandem/sync"
)

const (
	stormSize = 16 << 20
	stormHog  = 5 << 20 // too much for three
)

// A storm of everything: Closes and stops, with kills and without, and with each
// worker in a pid namespace of its own, where nobody can ask the kernel about
// another. Without kills each task is done exactly once. A lock is found abandoned no
// more often than somebody was inside of it, as calls said, or in a Wait, when it closed
// the region, or was at it when it was killed.
func TestStorm(t *testing.T) {
	for _, v := range []variant{
		{name: "locks", locks: true}, // nothing else, and so more of it
		{name: "closes"},
		{name: "kills", kills: true},
		{name: "namespaces", kills: true, apart: true},
	} {
		t.Run(v.name, v.run)
	}
}

type variant struct {
	name                string
	kills, apart, locks bool
}

const stormApart = syscall.CLONE_NEWPID | syscall.CLONE_NEWNS

func (v variant) run(t *testing.T) {
	if v.apart {
		if why, ok := stormProbe.StartIn(t, stormApart).Next(); ok {
			t.Skip(why)
		}
	}
	length := effort.Storm(t, 5*time.Second)
	name := filepath.Join(filepath.Dir(shmtest.Region(t).Name()), "storm")
	r := testproc.Get(shm.Create(name, &shm.Options{Size: stormSize}))(t)
	defer r.Close()
	s := testproc.Get(openStorm(r))(t)
	s.row = stormWorkers
	rings := testproc.Get(openRings(r))(t)
	end := testproc.Get(tsync.OpenEvent(r, "end"))(t)
	for i := range stormOnces { // now, so that no memory is taken for good later
		if err := testproc.Get(openOnce(r, i))(t).Close(); err != nil {
			t.Fatal(err)
		}
	}
	rings.begin(t, v.locks)
	memory, census := testproc.Get(r.Snapshot())(t).Memory.Used, newCensus(t, r)
	rings.tend(t)

	kind := "closes"
	if v.kills {
		kind = "kills"
	}
	next := 0
	start := func(row int) *resident {
		args := []string{name, fmt.Sprint(next), kind, (length / stormOnces).String(), "", fmt.Sprint(row)}
		next++
		if v.locks {
			args[4] = "locks"
		}
		if !v.apart {
			return census.admit(stormWorker.Start(t, args...))
		}
		args[4] = "apart"
		return census.admit(stormWorker.StartIn(t, stormApart, args...))
	}
	var cs [stormWorkers]*resident
	for i := range cs {
		cs[i] = start(i)
	}
	rings.begun(t, next)
	kills, stops, closes := 0, 0, 0
	var insides tally
	var longest time.Duration
	for over := time.Now().Add(length); time.Now().Before(over) && next < stormMost; {
		time.Sleep(rand.N(10 * time.Millisecond))
		rings.tend(t)
		i := rand.IntN(len(cs))
		switch n := rand.IntN(8); {
		case n < 2 && v.kills:
			cs[i].kill()
			insides.count(s.fallen(i))
			cs[i] = start(i)
			kills++
		case n < 3:
			stormtest.Halt(cs[i].Child)
			stops++
		default:
			begun := time.Now()
			insides.count(cs[i].leave())
			longest = max(longest, time.Since(begun))
			closes++
		}
	}
	rings.stop()
	if err := end.Set(); err != nil {
		t.Fatal(err)
	}
	rings.end(t)
	for _, c := range cs {
		c.survive(r)
	}
	rings.balance(t, next, kills, v.kills)
	s.balance(t, r)
	onces := s.done(t)
	s.clear(t)
	stormtest.MemoryBack(t, r, memory)
	attached := census.balance()
	t.Logf("%d kills, %d stops, %d closes (%v at most)", kills, stops, closes, longest)
	t.Logf("%d Onces; %d times attached, each heard to end", onces, attached)
	for i, most := range insides {
		suspects := s.suspects.Load(i)
		t.Logf("lock %d: found abandoned %d times; %d of those who died or left may have been inside", i, suspects, most)
		if suspects > most {
			t.Errorf("lock %d was found abandoned %d times; only %d who died or left may have been inside", i, suspects, most)
		}
	}
}

// A tally is how many may have left a lock abandoned, by locks.
type tally [stormLocks]int64

// count counts one who may have left these, a bit each.
func (n *tally) count(locks uint64) {
	for i := range n {
		n[i] += int64(locks >> i & 1)
	}
}

// A census is who was in the region, and whose end was heard.
type census struct {
	t    *testing.T
	stop func()

	mu    sync.Mutex
	heard map[seat]shm.State
	want  map[seat]shm.State
}

// A seat names a participant.
type seat struct {
	index int
	epoch uint32
}

func newCensus(t *testing.T, r *shm.Region) *census {
	ctx, cancel := context.WithCancel(context.Background())
	c := &census{t: t, stop: cancel, heard: map[seat]shm.State{}, want: map[seat]shm.State{}}
	exits := r.Exits(ctx)
	go func() {
		for p := range exits {
			at := seat{p.Index, p.Epoch}
			c.mu.Lock()
			if was, ok := c.heard[at]; ok {
				t.Errorf("the end of %v was told twice: %v, %v", p, was, p.State)
			}
			c.heard[at] = p.State
			c.mu.Unlock()
		}
	}()
	return c
}

// balance waits until all ends have been heard, and says how many.
func (c *census) balance() int {
	c.t.Helper()
	defer c.stop()
	for end := time.Now().Add(testproc.Patience); ; time.Sleep(time.Millisecond) {
		c.mu.Lock()
		unheard := 0
		for at := range c.want {
			if _, ok := c.heard[at]; !ok {
				unheard++
			}
		}
		if unheard == 0 || time.Now().After(end) {
			break
		}
		c.mu.Unlock()
	}
	defer c.mu.Unlock()
	for at, state := range c.want {
		if how, ok := c.heard[at]; !ok || how != state {
			c.t.Errorf("the end of participant %v: %v, want %v, heard: %v", at, how, state, ok)
		}
	}
	return len(c.want)
}

// A resident is a worker of whom is known whether it is in the region.
type resident struct {
	*testproc.Child
	census *census
	outs   chan uint64
	silent chan struct{} // closed when it says no more
	at     *seat         // before that, the reader's alone
}

// admit listens to a child.
func (c *census) admit(child *testproc.Child) *resident {
	w := &resident{Child: child, census: c, outs: make(chan uint64, 1), silent: make(chan struct{})}
	go func() {
		defer close(w.silent)
		for line := range child.Lines() {
			var at seat
			var inside uint64
			if _, err := fmt.Sscanf(line, "in %d %d", &at.index, &at.epoch); err == nil {
				w.at = &at
			} else if _, err := fmt.Sscanf(line, "out %d", &inside); err == nil {
				w.left(shm.Leaving)
				w.outs <- inside
			} else {
				c.t.Errorf("a worker says %q", line)
			}
		}
	}()
	return w
}

// left is how the end is to be told of one that was in.
func (w *resident) left(how shm.State) {
	if w.at == nil {
		return
	}
	w.census.mu.Lock()
	defer w.census.mu.Unlock()
	w.census.want[*w.at] = how
	w.at = nil
}

// leave has the worker close the region, and open it anew. inside are the locks, as bits.
func (w *resident) leave() (inside uint64) {
	w.census.t.Helper()
	w.Say("close")
	select {
	case inside = <-w.outs:
	case <-w.silent:
		w.census.t.Fatal("a worker that was to close the region has ended")
	case <-time.After(testproc.Patience):
		w.census.t.Fatal("a worker does not close the region")
	}
	return inside
}

func (w *resident) kill() {
	w.Signal(syscall.SIGKILL)
	<-w.silent
	w.Wait()
	w.left(shm.Dead)
}

// survive waits until the worker ends by itself.
func (w *resident) survive(r *shm.Region) {
	t := w.census.t
	t.Helper()
	w.HangUp()
	select {
	case <-w.silent:
	case <-time.After(testproc.Patience):
		snapshot, _ := r.Snapshot()
		t.Fatalf("a survivor hangs:\n%v", snapshot)
	}
	if err := w.Wait(); err != nil {
		t.Error("a worker that was not killed:", err)
	}
	w.left(shm.Leaving)
}
