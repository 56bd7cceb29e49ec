package ring_test

import (
	"errors"
	"io"
	"syscall"
	"testing"
	"time"

	"example.com/tandem/internal/testproc"
	"example.com/tandem/ring"
	"example.com/tandem/shm/shmtest"
)

// A talker opens the end that it is told, and does what it hears.
var talker = testproc.Role("talker", func(args []string) {
	end := ring.Left
	if args[1] == "right" {
		end = ring.Right
	}
	c, err := ring.OpenPipe[[]byte](attached(args[0]), "p", end, nil)
	testproc.Must(err)
	testproc.Say("ready")
	for {
		what, ok := testproc.Hear()
		if !ok {
			return
		}
		switch what {
		case "send":
			testproc.Must(c.Send(bg, []byte(args[1])))
			testproc.Say("sent")
		case "receive":
			b, err := c.Recv(bg)
			if errors.Is(err, io.EOF) {
				testproc.Say("EOF")
				continue
			}
			testproc.Must(err)
			testproc.Say(string(b))
		case "flood": // until it is killed
			for {
				testproc.Must(c.Send(bg, make([]byte, 60000)))
			}
		}
	}
})

// What was sent comes, then io.EOF, as soon as the last holder is known to be dead: one
// that never opened the end is none.
func TestPipeDeadPeer(t *testing.T) {
	r, ctx := region(t), testproc.Watchdog(t)
	e := openPipe[[]byte](t, r, "p", ring.Right, nil)
	first, second := talker.Start(t, r.Name(), "left"), talker.Start(t, r.Name(), "left")
	sibling := talker.Start(t, r.Name(), "right")
	for _, c := range []*testproc.Child{first, second, sibling} {
		c.Expect("ready")
	}
	for _, c := range []*testproc.Child{first, second} {
		for range 5 {
			c.Say("send")
			c.Expect("sent")
		}
	}
	first.Kill()
	for range 10 {
		if b, err := e.Recv(ctx); string(b) != "left" || err != nil {
			t.Fatal(b, err)
		}
	}
	done := make(chan error, 1)
	go func() { _, err := e.Recv(ctx); done <- err }()
	select {
	case err := <-done:
		t.Fatalf("one of two has died: %v", err)
	case <-time.After(30 * time.Millisecond):
	}
	second.Freeze()
	select {
	case err := <-done:
		t.Fatalf("the other is stopped: %v", err)
	case <-time.After(30 * time.Millisecond):
	}
	killed := time.Now()
	second.Kill()
	if err := <-done; !errors.Is(err, io.EOF) {
		t.Fatal(err)
	}
	t.Logf("EOF %v after the kill", time.Since(killed))
	if err := e.Send(ctx, nil); !errors.Is(err, syscall.EPIPE) {
		t.Error(err)
	}
	sibling.Say("receive")
	sibling.Expect("EOF")
}

// A sender that is killed in its copy has sent nothing of that message, and the next goes on.
func TestPipeKilledInItsCopy(t *testing.T) {
	r, ctx := region(t), testproc.Watchdog(t)
	e := openPipe[[]byte](t, r, "p", ring.Right, nil)
	l := openPipe[[]byte](t, r, "p", ring.Left, nil)
	for i := range 10 {
		c := talker.Start(t, r.Name(), "left")
		c.Expect("ready")
		c.Say("flood")
		for range 20 + i {
			if b, err := e.Recv(ctx); len(b) != 60000 || err != nil {
				t.Fatal(len(b), err)
			}
		}
		c.Kill()
		sent := make(chan error, 1)
		go func() { sent <- l.Send(ctx, []byte("mine")) }()
		for {
			b, err := e.Recv(ctx)
			if err != nil || len(b) != 60000 && string(b) != "mine" {
				t.Fatal(len(b), err)
			}
			if len(b) == 4 {
				break
			}
		}
		testproc.OK(t, <-sent)
	}
}

// One that is stopped while it waits for a message holds nothing that others need.
func TestPipeStoppedInItsSleep(t *testing.T) {
	r, ctx := region(t), testproc.Watchdog(t)
	l := openPipe[[]byte](t, r, "p", ring.Left, nil)
	e := openPipe[[]byte](t, r, "p", ring.Right, nil)
	c := talker.Start(t, r.Name(), "right")
	c.Expect("ready")
	c.Say("receive")
	shmtest.AwaitWaiting(t, r, "p", 1)
	c.Freeze()
	for range 3 {
		testproc.OK(t, l.Send(ctx, []byte("one")))
		if b, err := e.Recv(ctx); string(b) != "one" || err != nil {
			t.Fatal(b, err)
		}
	}
	c.Signal(syscall.SIGCONT)
	testproc.OK(t, l.Send(ctx, []byte("for it")))
	c.Expect("for it")
}
