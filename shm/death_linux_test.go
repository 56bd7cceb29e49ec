package shm

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strconv"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"example.com/tandem/internal/effort"
	"example.com/tandem/internal/engine"
	"example.com/tandem/internal/mem"
	"example.com/tandem/internal/object"
	"example.com/tandem/internal/testproc"
)

// lockable opens a bare engine mutex in r.
func lockable(r *Region, name string) (*engine.Mutex, *object.Core, error) {
	c, err := r.OpenObject(mutexSpec(name))
	if err != nil {
		return nil, nil, err
	}
	m, err := engine.AttachMutex(c.Area, c.Env)
	return m, c, err
}

// holder: path gigabytes fork. Takes m, says so, and waits to be killed.
var holder = testproc.Role("holder", func(args []string) {
	r, err := Open(args[0], nil)
	testproc.Must(err)
	m, _, err := lockable(r, "m")
	testproc.Must(err)
	testproc.Must(m.Lock(r.a.list.Waiter(context.Background())))
	gigabytes, _ := strconv.Atoi(args[1])
	big := take(gigabytes << 30)
	if args[2] == "fork" {
		pid, _, e := syscall.RawSyscall6(syscall.SYS_CLONE, uintptr(syscall.SIGCHLD), 0, 0, 0, 0, 0)
		if pid == 0 && e == 0 {
			for fd := range uintptr(3) { // the forked child: nothing of Go's runtime from here on
				syscall.RawSyscall(syscall.SYS_CLOSE, fd, 0, 0)
			}
			for {
				syscall.RawSyscall6(syscall.SYS_PPOLL, 0, 0, 0, 0, 0, 0)
			}
		}
		testproc.Say("forked", pid)
	}
	testproc.Say("held")
	testproc.Hear()
	runtime.KeepAlive(big)
})

// take is so many bytes of memory, page by page. The kernel fills it, where it can: what
// traps for each page of a gigabyte takes a minute on a slow machine, with the race
// detector's shadow of it.
func take(n int) []byte {
	if n == 0 {
		return nil
	}
	b, err := unix.Mmap(-1, 0, n, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
	testproc.Must(err)
	unix.Madvise(b, unix.MADV_NOHUGEPAGE)
	if unix.Madvise(b, unix.MADV_POPULATE_WRITE) != nil { // before Linux 5.14
		for i := 0; i < len(b); i += 4096 {
			b[i] = 1
		}
	}
	return b
}

// timesToHear kills a holder n times, and a blocked waiter hears of it each
// time, after bar at most.
func timesToHear(t *testing.T, bar time.Duration, n, gigabytes int, fork string) {
	t.Helper()
	path := testPath(t)
	r := testproc.Get(Create(path, nil))(t)
	t.Cleanup(func() { r.Close() })
	m, _, err := lockable(r, "m")
	if err != nil {
		t.Fatal(err)
	}
	effort.Median(t, bar, n, func() time.Duration {
		c := holder.Start(t, path, strconv.Itoa(gigabytes), fork)
		if fork == "fork" {
			var pid int
			if _, err := fmt.Sscanf(c.Line(), "forked %d", &pid); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { syscall.Kill(pid, syscall.SIGKILL) })
		}
		c.Expect("held")
		heard := make(chan error, 1)
		w := r.a.list.Waiter(context.Background())
		go func() { heard <- m.Lock(w) }()
		for r.a.list.Sleeping() == 0 {
			time.Sleep(100 * time.Microsecond)
		}
		var took time.Duration
		start := time.Now()
		if err := syscall.Kill(c.PID(), syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		select {
		case err := <-heard:
			took = time.Since(start)
			if !errors.Is(err, ErrOwnerDied) {
				t.Fatalf("Lock after the holder was killed = %v, want ErrOwnerDied", err)
			}
		case <-time.After(testproc.Patience):
			t.Fatal("nobody heard of the death")
		}
		suspect, err := m.Recover(r.a.list.Waiter(context.Background()))
		if err != nil || !suspect {
			t.Fatalf("Recover = %v, %v, want suspect", suspect, err)
		}
		if err := errors.Join(m.MarkConsistent(), m.Unlock(), r.Check()); err != nil {
			t.Fatal(err)
		}
		c.Wait()
		return took
	})
}

// The bar is a median of 20 ms on a machine that is not overloaded, and of seconds
// where gigabytes go with the victim.
func TestDeathIsHeardWithinMilliseconds(t *testing.T) {
	const bar = 20 * time.Millisecond
	for _, tt := range []struct {
		name      string
		bar       time.Duration
		n         int
		gigabytes int
		fork      string
	}{
		{"small", bar, 20, 0, ""},
		{"a forked child lives on", bar, 20, 0, "fork"},
		{"gigabytes", 5 * time.Second, effort.Or(3, 1), effort.Or(4, 1), ""},
	} {
		t.Run(tt.name, func(t *testing.T) { timesToHear(t, tt.bar, tt.n, tt.gigabytes, tt.fork) })
	}
}

// visitor: path. Attaches, says its index, and leaves when told to.
var visitor = testproc.Role("visitor", func(args []string) {
	r, err := Open(args[0], nil)
	testproc.Must(err)
	testproc.Say(r.Self().Index)
	if _, ok := testproc.Hear(); ok {
		testproc.Must(r.Close())
		testproc.Say("closed")
		testproc.Hear()
	}
})

func TestExits(t *testing.T) {
	path := testPath(t)
	r := testproc.Get(Create(path, nil))(t)
	ctx, cancel := context.WithTimeout(context.Background(), testproc.Patience)
	defer cancel()
	exits := r.Exits(ctx)
	killed, leaving := visitor.Start(t, path), visitor.Start(t, path)
	killedAt, leavingAt := killed.Line(), leaving.Line()
	if n := len(r.Participants()); n != 3 {
		t.Errorf("%d participants, want 3: %v", n, r.Participants())
	}
	killed.Kill()
	leaving.Say("leave")
	want := map[string]State{killedAt: Dead, leavingAt: Leaving}
	pids := map[string]int{killedAt: killed.PID(), leavingAt: leaving.PID()}
	for p := range exits {
		at := strconv.Itoa(p.Index)
		if p.State != want[at] || p.PID != pids[at] {
			t.Errorf("exit of %+v, want %v of pid %d", p, want[at], pids[at])
		}
		if delete(want, at); len(want) == 0 {
			break
		}
	}
	if len(want) > 0 {
		t.Errorf("not told of %v", want)
	}
	// Closing ends the iterator, and nobody else is left.
	done := make(chan bool)
	go func() {
		for range r.Exits(ctx) {
		}
		close(done)
	}()
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	<-done
	if ctx.Err() != nil {
		t.Error("Exits went on after Close")
	}
}

func TestStoppedIsNotDead(t *testing.T) {
	path := testPath(t)
	r := testproc.Get(Create(path, nil))(t)
	defer r.Close()
	c := holder.Start(t, path, "0", "")
	c.Expect("held")
	c.Freeze()
	m, _, err := lockable(r, "m")
	if err != nil {
		t.Fatal(err)
	}
	for range 300 { // each is a look of the guard at everybody
		r.a.changed()
		time.Sleep(time.Millisecond)
	}
	if ok, err := m.TryLock(); ok || err != nil {
		t.Errorf("TryLock of a mutex that a stopped process holds = %v, %v, want false, nil", ok, err)
	}
	if ps := r.Participants(); len(ps) != 2 || ps[0].State != Alive || ps[1].State != Alive {
		t.Errorf("participants %v, want two that are alive", ps)
	}
	c.Signal(syscall.SIGCONT)
}

// All are killed at once, guards and all, and nobody is left who could recover
// them. The next to come does, and can have every place.
func TestNewcomerRecoversTheDead(t *testing.T) {
	path := testPath(t)
	r := testproc.Get(Create(path, &Options{Participants: 3}))(t)
	for round := range 5 {
		first := holder.Start(t, path, "0", "")
		first.Expect("held")
		second := visitor.Start(t, path)
		second.Line()
		if round == 0 {
			overfull.Start(t, path).Expect("too many")
		}
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
		third := visitor.Start(t, path)
		third.Line()
		for _, c := range []*testproc.Child{first, second, third} {
			syscall.Kill(c.PID(), syscall.SIGKILL)
		}
		for _, c := range []*testproc.Child{first, second, third} {
			c.Wait()
		}
		r = testproc.Get(Open(path, nil))(t)
		if ps := r.Participants(); len(ps) != 1 {
			t.Fatalf("participants after all were killed: %v", ps)
		}
		m, _, err := lockable(r, "m")
		if err != nil {
			t.Fatal(err)
		}
		w := r.a.list.Waiter(context.Background())
		if err := m.Lock(w); !errors.Is(err, ErrOwnerDied) {
			t.Fatalf("Lock = %v, want ErrOwnerDied", err)
		}
		if _, err := m.Recover(w); err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(m.MarkConsistent(), m.Unlock(), r.Check()); err != nil {
			t.Fatal(err)
		}
		w.Done()
	}
	r.Close()
}

var overfull = testproc.Role("overfull", func(args []string) {
	_, err := Open(args[0], nil)
	if errors.Is(err, ErrTooManyParticipants) {
		testproc.Say("too many")
	} else {
		testproc.Say(err)
	}
})

// mutexSpec asks for a bare engine mutex.
func mutexSpec(name string) object.Spec {
	return object.Spec{Op: "test.OpenMutex", Kind: engine.KindMutex, Name: name,
		Create: func(int) ([]object.Field, uint64, func(mem.Area), error) {
			return nil, engine.MutexSize, engine.InitMutex, nil
		}}
}
