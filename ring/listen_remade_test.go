package ring

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"example.com/tandem/internal/effort"
	"example.com/tandem/internal/object"
	"example.com/tandem/shm"
	"example.com/tandem/shm/shmtest"
)

// Of two that listen with other options, one on what is there and one who makes it anew, one
// only is told that it listens: the one that is dialled.
func TestListenMeetsRemake(t *testing.T) {
	r := shmtest.Region(t)
	slow := &ListenOptions{Buffer: 4096}
	core, err := object.Open(r, slow.spec("svc"), func(*object.Core) error { return nil })
	if err != nil {
		t.Fatal(err)
	}
	l, err := Listen(r, "svc", &ListenOptions{Buffer: 8192})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if _, _, err := slow.listen(core); err != errNamesake {
		t.Errorf("Listen on what was made anew = %v", err)
	}
	core.Close()
	if _, err := Listen(r, "svc", slow); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("Listen = %v", err)
	}
}

// A Listen that finds no room for what it asks for has changed nothing: whoever listens next
// takes what is there, also where there is no room for another.
func TestListenThatFails(t *testing.T) {
	r, err := shm.Create(t.TempDir()+"/r", &shm.Options{Size: 1 << 20, Objects: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	core, err := object.Open(r, ListenOptions{Buffer: 4096}.spec("svc"), func(*object.Core) error { return nil })
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range []ListenOptions{{Backlog: 1 << 20}, {Buffer: 8192}} {
		if _, err := Listen(r, "svc", &o); !errors.Is(err, shm.ErrNoSpace) {
			t.Errorf("Listen(%+v) = %v", o, err)
		}
		for _, on := range []*shm.Region{r, r.Existing()} {
			l, err := Listen(on, "svc", nil)
			if err != nil {
				t.Fatalf("after Listen(%+v): %v", o, err)
			}
			if is := l.(*listener).core.Field(fieldBuffer); is != "4096" {
				t.Errorf("after Listen(%+v) Buffer is %s", o, is)
			}
			l.Close()
		}
	}
	core.KeepAlive()
}

// Listens of one name with options that differ, at once: one at a time is told that it
// listens, and whoever dials then reaches it.
func TestListenersMeet(t *testing.T) {
	r := shmtest.Region(t)
	var listen atomic.Int32
	var all sync.WaitGroup
	for g := range 4 {
		all.Go(func() {
			for range effort.Or(2000, 100) {
				l, err := Listen(r, "svc", &ListenOptions{Buffer: 4096 << (g % 2)})
				if errors.Is(err, syscall.EADDRINUSE) || errors.Is(err, shm.ErrMismatch) {
					continue
				}
				if err != nil {
					t.Error(err)
					return
				}
				if n := listen.Add(1); n != 1 {
					t.Errorf("%d listen", n)
				}
				dialled := make(chan error)
				go func() {
					c, err := Dial(context.Background(), r, "svc")
					if err == nil {
						c.Close()
					}
					dialled <- err
				}()
				c, err := l.Accept()
				if err = errors.Join(err, <-dialled); err != nil {
					t.Error(err)
				} else {
					c.Close()
				}
				listen.Add(-1)
				l.Close()
			}
		})
	}
	all.Wait()
}
