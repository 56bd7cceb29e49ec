package ring

import (
	"context"
	"errors"
	"syscall"
	"testing"

	"example.com/tandem/internal/engine"
	"example.com/tandem/internal/object"
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
	if _, _, err := slow.listen(core); !errors.As(err, new(errRemake)) {
		t.Errorf("Listen on what was made anew = %v", err)
	}
	core.Close()
	if _, err := Listen(r, "svc", slow); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("Listen = %v", err)
	}
}

// One that dies between the end of a listener and the next has left none: nobody is there to
// be dialled, and whoever listens next makes it.
func TestListenAfterHalfARemake(t *testing.T) {
	for name, o := range map[string]*ListenOptions{"as it was": {Buffer: 4096}, "others": {Buffer: 8192}, "none": nil} {
		r := shmtest.Region(t)
		core, err := object.Open(r, ListenOptions{Buffer: 4096}.spec("svc"), func(*object.Core) error { return nil })
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if !engine.EndListener(core.Area, 0) {
				t.Fatal("it has not ended")
			}
		}
		if _, err := Dial(context.Background(), r, "svc"); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("%s: Dial = %v", name, err)
		}
		if err := r.Check(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		l, err := Listen(r, "svc", o)
		if err != nil {
			t.Fatalf("%s: Listen = %v", name, err)
		}
		go l.Accept()
		c, err := Dial(context.Background(), r, "svc")
		if err != nil {
			t.Fatalf("%s: Dial = %v", name, err)
		}
		c.Close()
		l.Close()
		if _, err := Listen(r.Existing(), "svc", nil); err != nil {
			t.Errorf("%s: Listen, through Existing = %v", name, err)
		}
		core.Close()
	}
}
