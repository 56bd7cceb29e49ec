package shm

import (
	"context"
	"errors"
	"syscall"
	"testing"
	"time"

	"example.com/tandem/internal/testproc"
)

// What a context ends: the waits of an open for other processes, one for the directory's
// lock, and those in the same process that stand behind it.
func TestUntilForTheDirectory(t *testing.T) {
	r, path := newRegion(t, nil)
	c := stopper.Start(t, path)
	c.Expect("stopped")
	ctx, cancel := context.WithCancel(context.Background())
	s := lockOf("new")
	s.Until = ctx
	ends := make(chan error, 3)
	begin := []func() error{
		func() error { _, err := r.OpenObject(s); return err },
		func() error { _, err := r.a.MakeUnnamed(s); return err },
		func() error { _, err := r.Existing().OpenObject(s); return err },
	}
	for i, f := range begin {
		go func() { ends <- f() }()
		for i == 0 && r.a.list.Sleeping() == 0 { // the others stand behind this one
			time.Sleep(100 * time.Microsecond)
		}
	}
	select {
	case err := <-ends:
		t.Fatalf("the directory is being changed: %v", err)
	case <-time.After(5 * time.Millisecond):
	}
	cancel()
	for range begin {
		if err := <-ends; !errors.Is(err, context.Canceled) {
			t.Errorf("it ends with %v", err)
		}
	}
	c.Say("go on")
	c.Expect("on")
	openOK(t, r, lockOf("new"))
	checkOK(t, r)
}

// And one for others' collectors; who was waited for no longer is asked again.
func TestUntilForRoom(t *testing.T) {
	askFor(t, testproc.Patience)
	r, path := newRegion(t, &Options{Objects: 1})
	openOK(t, r, lockOf("a"))
	c := user.Start(t, path)
	c.Say("a")
	c.Expect("used a")
	c.Freeze()
	testproc.OK(t, r.Remove("a"))
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	s := lockOf("b")
	s.Until = ctx
	begun := time.Now()
	_, err := r.OpenObject(s)
	wantErr(t, err, ErrNoSpace)
	if d := time.Since(begun); d > testproc.Patience/2 {
		t.Errorf("it waited for %v", d)
	}
	c.Signal(syscall.SIGCONT)
	openOK(t, r, lockOf("b"))
	checkOK(t, r)
}
