package sync_test

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	gosync "sync"
	"syscall"
	"testing"
	"time"

	"example.com/tandem/internal/sys"
	"example.com/tandem/internal/testproc"
	"example.com/tandem/shm"
	"example.com/tandem/shm/shmtest"
	"example.com/tandem/sync"
)

// A worker is another process that does to the mutex m what it is told, and
// answers with what came of it. It attaches by the region's name, as a process
// that nobody here started would.
var worker = testproc.Role("worker", func(args []string) {
	r, err := shm.Open(args[0], nil)
	testproc.Must(err)
	m, err := sync.OpenMutex(r.Existing(), "m")
	testproc.Must(err)
	testproc.Say("ready")
	for {
		line, ok := testproc.Hear()
		if !ok {
			return
		}
		switch what, arg, _ := strings.Cut(line, " "); what {
		case "lock":
			err = m.Lock(background)
		case "trylock":
			var ok bool
			ok, err = m.TryLock()
			testproc.Say(ok)
		case "recover":
			var suspect bool
			suspect, err = m.Recover(background)
			testproc.Say(suspect)
		case "mark":
			err = m.MarkConsistent()
		case "unlock":
			err = m.Unlock()
		case "owner":
			p, ok := m.Owner()
			testproc.Say(p.PID, ok)
		case "arrive": // with a handle
			b, e := hex.DecodeString(arg)
			testproc.Must(e)
			m = new(sync.Mutex)
			err = m.UnmarshalBinary(b)
		case "close":
			err = r.Close()
		}
		testproc.Say(outcome(err))
	}
})

func outcome(err error) string {
	switch {
	case err == nil:
		return "ok"
	case errors.Is(err, sync.ErrOwnerDied):
		return "owner died"
	case errors.Is(err, sync.ErrNotOwner):
		return "not owner"
	case errors.Is(err, sync.ErrNotLocked):
		return "not locked"
	}
	return err.Error()
}

func start(t testing.TB, r *shm.Region) *testproc.Child {
	t.Helper()
	c := worker.Start(t, r.Name())
	c.Expect("ready")
	return c
}

// ask tells c to do something and expects the answers.
func ask(t testing.TB, c *testproc.Child, what string, answers ...string) {
	t.Helper()
	c.Say(what)
	for _, a := range answers {
		c.Expect(a)
	}
}

// L4, L13, L14, and misuse, between processes.
func TestMutexInProcesses(t *testing.T) {
	r := shmtest.Region(t)
	m := mutex(t, r, "m")
	a, b := start(t, r), start(t, r)
	ask(t, a, "lock", "ok")
	if try(t, m) {
		t.Error("TryLock of what a child holds succeeds")
	}
	p, ok := m.Owner() // L13
	if !ok || p.PID != a.PID() || p.State != shm.Alive {
		t.Errorf("Owner = %+v, %v; want pid %d", p, ok, a.PID())
	}
	ask(t, b, "owner", fmt.Sprint(a.PID(), true), "ok")
	ask(t, b, "trylock", "false", "ok")
	ask(t, b, "unlock", "not owner")
	ask(t, b, "mark", "not owner")
	if err := m.Unlock(); !errors.Is(err, sync.ErrNotOwner) {
		t.Errorf("Unlock of what a child holds = %v", err)
	}
	b.Say("lock")
	ask(t, a, "unlock", "ok")
	b.Expect("ok")
	ask(t, b, "unlock", "ok")
	ask(t, b, "unlock", "not locked")
	handle, err := m.MarshalBinary() // L14
	must(t, err)
	ask(t, b, fmt.Sprintf("arrive %x", handle), "ok")
	ask(t, b, "lock", "ok")
	if err := m.Unlock(); !errors.Is(err, sync.ErrNotOwner) {
		t.Errorf("Unlock of what a child holds by a handle that travelled = %v", err)
	}
	ask(t, b, "unlock", "ok")
}

// L9 between processes: 2 here, 3 there; all pass, each once.
func TestMutexWaitersInProcesses(t *testing.T) {
	r := shmtest.Region(t)
	m := mutex(t, r, "m")
	must(t, m.Lock(background))
	var cs []*testproc.Child
	for range 3 {
		c := start(t, r)
		c.Say("lock")
		asleep(t, c.PID())
		cs = append(cs, c)
	}
	ctx := patience(t)
	var wg gosync.WaitGroup
	for range 2 {
		wg.Go(func() {
			if err := sync.With(ctx, m, func() error { return nil }); err != nil {
				t.Error(err)
			}
		})
	}
	waiters(t, 2)
	must(t, m.Unlock())
	wg.Go(func() {
		for left := cs; len(left) > 0; { // one of them holds it now
			p, ok := m.Owner()
			i := slices.IndexFunc(left, func(c *testproc.Child) bool { return ok && c.PID() == p.PID })
			if i < 0 {
				time.Sleep(time.Millisecond)
				continue
			}
			ask(t, left[i], "unlock", "ok", "ok")
			left = slices.Delete(slices.Clone(left), i, i+1)
		}
	})
	wg.Wait()
}

// cpu is the processor time of a process so far, in clock ticks.
func cpu(t testing.TB, pid int) int {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	must(t, err)
	f := strings.Fields(string(b[strings.LastIndexByte(string(b), ')')+1:]))
	user, err := strconv.Atoi(f[11])
	must(t, err)
	system, err := strconv.Atoi(f[12])
	must(t, err)
	return user + system
}

// asleep waits until no thread of a process has run for a while.
func asleep(t testing.TB, pid int) {
	t.Helper()
	deadline := time.Now().Add(testproc.Patience)
	for quiet := 0; quiet < 5; quiet++ {
		time.Sleep(4 * time.Millisecond)
		if strings.Contains(states(t, pid), "R") {
			quiet = 0
		}
		if time.Now().After(deadline) {
			t.Fatalf("process %d does not get to sleep", pid)
		}
	}
}

// stop stops a process and waits until each of its threads has stopped.
func stop(t testing.TB, c *testproc.Child) {
	t.Helper()
	c.Signal(syscall.SIGSTOP)
	deadline := time.Now().Add(testproc.Patience)
	for strings.Trim(states(t, c.PID()), "T") != "" {
		if time.Now().After(deadline) {
			t.Fatalf("process %d does not stop", c.PID())
		}
		time.Sleep(time.Millisecond)
	}
}

// states is a letter for each thread of a process: R, S, D, T …
func states(t testing.TB, pid int) (all string) {
	t.Helper()
	tasks, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	must(t, err)
	for _, task := range tasks {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%s/stat", pid, task.Name()))
		if err == nil { // else it has ended
			all += string(b[strings.LastIndexByte(string(b), ')')+2])
		}
	}
	return all
}

// A blocked waiter uses no processor.
func TestMutexWaiterSleeps(t *testing.T) {
	r := shmtest.Region(t)
	m := mutex(t, r, "m")
	must(t, m.Lock(background))
	c := start(t, r)
	c.Say("lock")
	asleep(t, c.PID())
	before := cpu(t, c.PID())
	time.Sleep(2 * time.Second)
	most := 2
	if !sys.HaveWaitv() {
		most = 40 // its guard looks every 10 ms
	}
	if used := cpu(t, c.PID()) - before; used > most {
		t.Errorf("a blocked waiter used %d ticks of the processor in 2 s", used)
	}
	must(t, m.Unlock())
	c.Expect("ok")
}

// D1: all are told of a holder's death, those who wait and those who come,
// until somebody repairs; Unlock alone is no repair.
func TestMutexHolderKilled(t *testing.T) {
	r := shmtest.Region(t)
	m := mutex(t, r, "m")
	victim, other := start(t, r), start(t, r)
	ctx := patience(t)
	ask(t, victim, "lock", "ok")
	told := make(chan error, 3)
	for range 3 {
		go func() { told <- m.Lock(ctx) }()
	}
	recovered := make(chan error)
	go func() {
		suspect, err := m.Recover(ctx)
		if err == nil && !suspect {
			err = errors.New("not suspect")
		}
		recovered <- err
	}()
	other.Say("lock")
	asleep(t, other.PID())
	waiters(t, 4)
	victim.Kill()
	for range 3 {
		if err := <-told; !errors.Is(err, sync.ErrOwnerDied) {
			t.Errorf("a waiter is told %v", err)
		}
	}
	other.Expect("owner died")
	must(t, <-recovered)
	if ok, err := m.TryLock(); ok || !errors.Is(err, sync.ErrOwnerDied) {
		t.Errorf("TryLock while somebody repairs = %v, %v", ok, err)
	}
	ask(t, other, "lock", "owner died")
	other.Say("recover")
	must(t, m.Unlock())
	other.Expect("true")
	other.Expect("ok")
	ask(t, other, "mark", "ok")
	ask(t, other, "unlock", "ok")
	must(t, m.Lock(ctx))
	must(t, m.Unlock())
}

// A repairer dies too, and a holder that closes the region leaves as one that dies.
func TestMutexRepairerKilled(t *testing.T) {
	r := shmtest.Region(t)
	m := mutex(t, r, "m")
	ctx := patience(t)
	died := func() {
		t.Helper()
		if err := m.Lock(ctx); !errors.Is(err, sync.ErrOwnerDied) {
			t.Fatalf("Lock = %v", err)
		}
	}
	c := start(t, r)
	ask(t, c, "lock", "ok")
	ask(t, c, "close", "ok")
	died()
	for n := range 3 {
		c = start(t, r)
		ask(t, c, "recover", "true", "ok")
		if n == 1 {
			ask(t, c, "mark", "ok") // repaired, and killed later with it held
		}
		p, _ := m.Owner()
		if p.PID != c.PID() {
			t.Errorf("Owner = %+v, want pid %d", p, c.PID())
		}
		c.Kill()
		for ok := true; ok; {
			if err := ctx.Err(); err != nil {
				t.Fatal("a dead repairer still owns it")
			}
			_, ok = m.Owner()
		}
		died()
	}
	suspect, err := m.Recover(ctx)
	if !suspect || err != nil {
		t.Fatalf("Recover = %v, %v", suspect, err)
	}
	must(t, m.MarkConsistent())
	must(t, m.Unlock())
	must(t, m.Lock(ctx))
	must(t, m.Unlock())
}

// A stopped holder is not dead; one that is killed while stopped is.
func TestMutexHolderStopped(t *testing.T) {
	r := shmtest.Region(t)
	m := mutex(t, r, "m")
	c := start(t, r)
	ask(t, c, "lock", "ok")
	stop(t, c)
	short, cancel := context.WithTimeout(background, 300*time.Millisecond)
	defer cancel()
	if err := m.Lock(short); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Lock of what a stopped process holds = %v", err)
	}
	c.Signal(syscall.SIGCONT)
	ask(t, c, "unlock", "ok")
	must(t, m.Lock(patience(t)))
	must(t, m.Unlock())
}

// A sleeper that is stopped, or dies, does not take a wake-up with it.
func TestMutexWaiterStoppedOrKilled(t *testing.T) {
	r := shmtest.Region(t)
	m := mutex(t, r, "m")
	ctx := patience(t)
	for _, end := range []func(*testproc.Child){
		func(c *testproc.Child) { stop(t, c) },
		func(c *testproc.Child) { c.Signal(syscall.SIGKILL) },
	} {
		must(t, m.Lock(ctx))
		c := start(t, r)
		c.Say("lock")
		asleep(t, c.PID())
		done := make(chan error)
		go func() { done <- m.Lock(ctx) }()
		waiters(t, 1)
		end(c)
		must(t, m.Unlock())
		err := <-done
		if errors.Is(err, sync.ErrOwnerDied) { // it took it before it was dead
			_, err = m.Recover(ctx)
			must(t, m.MarkConsistent())
		}
		must(t, err)
		must(t, m.Unlock())
		c.Kill()
		if suspect, err := m.Recover(ctx); err != nil {
			t.Fatal(err)
		} else if suspect {
			must(t, m.MarkConsistent())
		}
		must(t, m.Unlock())
	}
}

// L12: signals neither end a wait nor shift its deadline.
func TestMutexSignals(t *testing.T) {
	r := shmtest.Region(t)
	m := mutex(t, r, "m")
	c := start(t, r)
	ask(t, c, "lock", "ok")
	quit, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			select {
			case <-quit:
				return
			case <-time.After(500 * time.Microsecond):
				syscall.Kill(os.Getpid(), syscall.SIGURG)
			}
		}
	}()
	const d = 200 * time.Millisecond
	short, cancel := context.WithTimeout(background, d)
	defer cancel()
	begin := time.Now()
	err := m.Lock(short)
	if took := time.Since(begin); !errors.Is(err, context.DeadlineExceeded) || took < d || took > d+testproc.Patience {
		t.Errorf("Lock among signals = %v after %v, want the deadline of %v", err, took, d)
	}
	done := make(chan error)
	go func() { done <- m.Lock(patience(t)) }()
	waiters(t, 1)
	ask(t, c, "unlock", "ok")
	must(t, <-done)
	must(t, m.Unlock())
	close(quit)
	<-stopped
}

// A survivor hears of a holder's death within 20 ms, and can go on.
func TestMutexToldSoon(t *testing.T) {
	const bar = 20 * time.Millisecond
	r := shmtest.Region(t)
	m := mutex(t, r, "m")
	ctx := patience(t)
	for try := 1; ; try++ {
		var took []time.Duration
		for range 20 {
			c := start(t, r)
			ask(t, c, "lock", "ok")
			told := make(chan error)
			go func() { told <- m.Lock(ctx) }()
			waiters(t, 1)
			begin := time.Now()
			c.Signal(syscall.SIGKILL)
			if err := <-told; !errors.Is(err, sync.ErrOwnerDied) {
				t.Fatalf("Lock after the holder was killed = %v", err)
			}
			suspect, err := m.Recover(ctx)
			took = append(took, time.Since(begin))
			if !suspect || err != nil {
				t.Fatalf("Recover = %v, %v", suspect, err)
			}
			must(t, m.MarkConsistent())
			must(t, m.Unlock())
		}
		slices.Sort(took)
		median := took[len(took)/2]
		t.Logf("kill to Recover: median %v, worst %v", median, took[len(took)-1])
		if median <= bar {
			return
		}
		if try == 3 { // the machine may be busy with something else, but not for ever
			t.Fatalf("told of a death after %v (median of 20), want %v", median, bar)
		}
	}
}

// One holder after another is killed at a random time, with waiters of all
// kinds in two other processes; whoever is told repairs, and all go on.
var storm = testproc.Role("storm", func(args []string) {
	r, err := shm.Open(args[0], nil)
	testproc.Must(err)
	m, err := sync.OpenMutex(r, "m")
	testproc.Must(err)
	testproc.Say("ready")
	for {
		err := m.Lock(background)
		if errors.Is(err, sync.ErrOwnerDied) {
			var suspect bool
			if suspect, err = m.Recover(background); err == nil && suspect {
				err = m.MarkConsistent()
			}
		}
		testproc.Must(err)
		testproc.Must(m.Unlock())
	}
})

func TestMutexStorm(t *testing.T) {
	r := shmtest.Region(t)
	m := mutex(t, r, "m")
	ctx := patience(t)
	deaths := 0
	m.OnOwnerDied(func(context.Context) error { deaths++; return nil })
	var cs [2]*testproc.Child
	for i := range cs {
		cs[i] = storm.Start(t, r.Name())
		cs[i].Expect("ready")
	}
	for n := range 30 {
		for range n % 5 {
			if err := sync.With(ctx, m, func() error { return nil }); err != nil {
				t.Fatal(err)
			}
		}
		i := n % len(cs)
		cs[i].Kill()
		cs[i] = storm.Start(t, r.Name())
		if err := sync.With(ctx, m, func() error { return nil }); err != nil {
			t.Fatal(err)
		}
		cs[i].Expect("ready")
	}
	for _, c := range cs {
		c.Kill()
	}
	must(t, sync.With(ctx, m, func() error { return nil }))
	t.Logf("%d of 30 deaths were answered here", deaths)
}
