package shm

import (
	"bytes"
	"context"
	"errors"
	"runtime"
	gosync "sync"
	"syscall"
	"testing"
	"time"

	"example.com/tandem/internal/effort"
	"example.com/tandem/internal/mem"
	"example.com/tandem/internal/object"
	"example.com/tandem/internal/region"
	"example.com/tandem/internal/sys"
	"example.com/tandem/internal/testproc"
)

// Goroutines that hammer a region while it is closed under them must not fault,
// must all come back, and must not write to it once Close has returned.
func TestCloseUnderLoad(t *testing.T) {
	path := testPath(t)
	rounds := effort.Or(100, 20)
	testproc.Get(Create(path, nil))(t).Close()
	look := testproc.Get(Open(path, &Options{ReadOnly: true}))(t)
	defer look.Close()
	image := look.a.Bytes(0, look.a.Geo.HeapOff+4096)
	for round := range rounds {
		r := testproc.Get(Open(path, nil))(t)
		m, core, err := lockable(r, "m")
		if err != nil {
			t.Fatal(err)
		}
		var wg gosync.WaitGroup
		var begun gosync.WaitGroup
		for g := range 8 {
			begun.Add(1)
			wg.Go(func() {
				begun.Done()
				for i := 0; ; i++ {
					w := core.List.Waiter(context.Background())
					err := m.Lock(w)
					if errors.Is(err, ErrOwnerDied) {
						if _, err = m.Recover(w); err == nil {
							m.MarkConsistent()
						}
					}
					w.Done()
					if err == nil {
						m.Unlock()
					}
					if errors.Is(err, ErrClosed) || core.Closed.Load() {
						break
					}
					if i%16 == g {
						runtime.Gosched()
					}
				}
				core.KeepAlive()
			})
		}
		begun.Wait()
		for range round % 7 {
			runtime.Gosched()
		}
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
		before := bytes.Clone(image)
		wg.Wait()
		if after := bytes.Clone(image); !bytes.Equal(before, after) {
			t.Fatalf("round %d: the region changed after Close had returned", round)
		}
		if ps := look.a.participants(); len(ps) != 0 {
			t.Fatalf("round %d: after Close %v is still attached", round, ps)
		}
	}
	if err := look.Check(); err != nil {
		t.Error(err)
	}
}

func TestCloseWakesTheBlocked(t *testing.T) {
	path := testPath(t)
	r := testproc.Get(Create(path, nil))(t)
	c := holder.Start(t, path, "0", "")
	c.Expect("held")
	m, core, err := lockable(r, "m")
	if err != nil {
		t.Fatal(err)
	}
	const n = 50
	errs := make(chan error, n)
	for range n {
		go func() {
			w := core.List.Waiter(context.Background())
			defer w.Done()
			errs <- m.Lock(w)
		}()
	}
	for core.List.Sleeping() < n {
		time.Sleep(time.Millisecond)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	for range n {
		if err := <-errs; !errors.Is(err, ErrClosed) {
			t.Fatalf("a blocked Lock returned %v, want ErrClosed", err)
		}
	}
	if err := r.Close(); err != nil {
		t.Errorf("second Close = %v", err)
	}
	if _, err := r.OpenObject(mutexSpec("m")); !errors.Is(err, ErrClosed) {
		t.Errorf("OpenObject on a closed region = %v, want ErrClosed", err)
	}
}

// What a closed region's process held is as if it had died.
func TestCloseIsADeath(t *testing.T) {
	path := testPath(t)
	r := testproc.Get(Create(path, nil))(t)
	defer r.Close()
	c := lender.Start(t, path)
	c.Expect("closed")
	m, core, err := lockable(r, "m")
	if err != nil {
		t.Fatal(err)
	}
	if ok, err := m.TryLock(); ok || !errors.Is(err, ErrOwnerDied) {
		t.Errorf("TryLock after the holder closed = %v, %v, want ErrOwnerDied", ok, err)
	}
	core.KeepAlive()
	if n := len(r.Participants()); n != 1 {
		t.Errorf("%d participants, want 1", n)
	}
}

var lender = testproc.Role("lender", func(args []string) {
	r, err := Open(args[0], nil)
	testproc.Must(err)
	m, _, err := lockable(r, "m")
	testproc.Must(err)
	testproc.Must(m.Lock(r.a.list.Waiter(context.Background())))
	testproc.Must(r.Close())
	testproc.Say("closed")
	testproc.Hear()
})

// Two handles of one process on one region are one participant, which leaves
// with the second.
func TestTwoHandlesOneAttachment(t *testing.T) {
	path := testPath(t)
	a := testproc.Get(Create(path, nil))(t)
	b := testproc.Get(Open(path, nil))(t)
	if a.Self() != b.Self() || len(a.Participants()) != 1 {
		t.Errorf("two handles: %v and %v of %v", a.Self(), b.Self(), a.Participants())
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := a.OpenObject(mutexSpec("m")); !errors.Is(err, ErrClosed) {
		t.Errorf("OpenObject on the closed handle = %v, want ErrClosed", err)
	}
	if _, err := b.OpenObject(mutexSpec("m")); err != nil {
		t.Errorf("OpenObject on the other handle = %v", err)
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
}

// A death that the kernel's list does not tell, because a peer scribbled on the
// alive word, is found by the backstop.
func TestBackstopFindsASilencedDeath(t *testing.T) {
	path := testPath(t)
	r := testproc.Get(Create(path, nil))(t)
	defer r.Close()
	ctx, cancel := context.WithTimeout(context.Background(), testproc.Patience)
	defer cancel()
	exits := r.Exits(ctx)
	c := visitor.Start(t, path)
	c.Line()
	for i := range r.a.Geo.Participants {
		if i != r.a.self.Index {
			mem.Store32(r.a.rec(i).P32(region.RecAlive), 12345|sys.FutexWaiters)
		}
	}
	c.Kill()
	for p := range exits {
		if p.PID != c.PID() || p.State != Dead {
			t.Errorf("exit of %+v, want pid %d dead", p, c.PID())
		}
		return
	}
	t.Error("the death was not found")
}

// Victim and guards die at once, many times: who is left knows of all.
func TestManyDieTogether(t *testing.T) {
	path := testPath(t)
	r := testproc.Get(Create(path, nil))(t)
	defer r.Close()
	ctx, cancel := context.WithTimeout(context.Background(), testproc.Patience)
	defer cancel()
	for range 5 {
		exits := r.Exits(ctx)
		dead := map[int]bool{}
		var cs []*testproc.Child
		for range 6 {
			c := visitor.Start(t, path)
			cs = append(cs, c)
			dead[c.PID()] = true
		}
		for _, c := range cs {
			c.Line()
		}
		for _, c := range cs {
			syscall.Kill(c.PID(), syscall.SIGKILL)
		}
		for p := range exits {
			if delete(dead, p.PID); len(dead) == 0 {
				break
			}
		}
		if len(dead) > 0 {
			t.Fatalf("not told of %v", dead)
		}
		for _, c := range cs {
			c.Wait()
		}
	}
	for len(r.Participants()) > 1 { // recovered, soon after
		if ctx.Err() != nil {
			t.Fatalf("still there: %v", r.Participants())
		}
		time.Sleep(time.Millisecond)
	}
}

// A handle is closed while a change through it waits for the directory. What
// was removed then is gone, and Remove says so. What was opened is closed.
func TestHandleClosedDuringAChange(t *testing.T) {
	path := testPath(t)
	keeps := testproc.Get(Create(path, nil))(t)
	openOK(t, keeps, lockOf("old"))
	for _, tt := range []struct {
		name   string
		change func(*Region) error
		want   error
	}{
		{"Remove", func(r *Region) error { return r.Remove("old") }, nil},
		{"OpenObject", func(r *Region) error { _, err := r.OpenObject(lockOf("new")); return err }, ErrClosed},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := testproc.Get(Open(path, nil))(t)
			l := testproc.Get(keeps.a.lockDirectory())(t)
			began, done := make(chan bool), make(chan error)
			go func() {
				close(began)
				done <- tt.change(r)
			}()
			<-began
			time.Sleep(time.Millisecond) // it waits; if it has not come so far it is told ErrClosed at once
			if err := r.Close(); err != nil {
				t.Error(err)
			}
			l.unlock()
			err := <-done
			_, found, e := keeps.a.locate(&object.Spec{Name: "old"}, region.HashName("old"))
			if e != nil {
				t.Fatal(e)
			}
			if tt.name == "Remove" && found != (err != nil) || !errors.Is(err, tt.want) && !errors.Is(err, ErrClosed) {
				t.Errorf("%s = %v, and the old one is there: %v", tt.name, err, found)
			}
		})
	}
	keeps.a.uses.mu.Lock()
	defer keeps.a.uses.mu.Unlock()
	for i, u := range keeps.a.uses.m {
		if core := u.core.Value(); core != nil && core.Name == "new" && core.InUse() {
			t.Errorf("entry %d is in use, by nobody", i)
		}
	}
}
